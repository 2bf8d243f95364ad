"""The column `_dlt_load_id`: which load package has written a row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import EVERY, SQL, Database, Parquet
from staging import bookmark, record, schema

from dlt_bridge import load, singer

if TYPE_CHECKING:
    import pyarrow as pa
    from staging import Stage

TEXT = {"type": ["string", "null"]}
LOADS = "select distinct _dlt_load_id from data.a"


def load_ids(stage: Stage, stream: str = "a") -> dict[int, str]:
    """Return the load id of each row, by `id`."""
    return dict(stage.into.read(stream, "id", "_dlt_load_id"))


def last_package(stage: Stage) -> str:
    trace: Any = stage.pipeline.last_trace
    load_id: str
    [load_id] = trace.last_load_info.loads_ids
    return load_id


@pytest.mark.parametrize("warehouse", EVERY, indirect=True)
def test_each_row_has_the_package_that_wrote_its_last_version(anywhere: Stage) -> None:
    keyed = type(anywhere.into) is not Parquet
    head = schema(v=TEXT, keys=("id",) if keyed else ())
    packages = []
    for ids in ([1, 2], [2, 3] if keyed else [3]):
        anywhere.load([head, *(record(id=number, v="x") for number in ids)])
        packages.append(last_package(anywhere))
    first, second = packages
    expected = {1: first, 2: second if keyed else first, 3: second}
    assert load_ids(anywhere) == expected


@pytest.mark.parametrize("warehouse", SQL, indirect=True)
def test_committed_packages_are_in_the_table_of_dlt(anywhere: Stage) -> None:
    lines: list[Any] = [schema(keys=())]
    for number in range(3):
        lines += [record(id=number), bookmark(a={"x": number})]
    load(anywhere.pipeline, anywhere.source(lines), checkpoint_every=0)
    names, rows = anywhere.into.fetched("_dlt_loads")
    committed = {row[names.index("load_id")] for row in rows}
    found = load_ids(anywhere)
    assert len(committed) == 3
    assert set(found.values()) == committed


def test_package_that_an_earlier_run_has_left_keeps_its_id(stage: Stage) -> None:
    stage.pipeline.extract(stage.source([schema(), record(id=1), bookmark(a={"x": 1})]))
    [left] = stage.pipeline.list_extracted_load_packages()
    load(stage.pipeline, stage.source([schema(), record(id=2)]))
    found = load_ids(stage)
    assert found[1] == left
    assert found[2] == last_package(stage)


def test_replaced_table_has_the_package_that_replaced_it(stage: Stage) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    lines = [schema(keys=()), record(id=1), bookmark(a={"x": 1}), record(id=2), bookmark(a={})]
    load(stage.pipeline, stage.source(lines), checkpoint_every=0)
    last = stage.rows("select load_id from data._dlt_loads order by inserted_at")[-1]
    assert stage.rows(LOADS) == [last]


@pytest.mark.parametrize("options", [{"absent": "keep"}, {"nested": "tables"}, {}])
def test_rows_of_every_way_have_it(stage: Stage, options: Any) -> None:
    for text in ("x", "y"):
        lines = [schema(v=TEXT, w=TEXT), record(id=1, v=text), record(id=2, v=text, w=text)]
        stage.load(lines, options=options)
    assert load_ids(stage) == dict.fromkeys((1, 2), last_package(stage))


def test_rows_of_a_tap_without_catalog_have_it(stage: Stage) -> None:
    lines = [schema("a"), record("a", id=1), schema("b", keys=()), record("b", id=2)]
    stage.pipeline.run(singer(map(json.dumps, lines), name="lines"))
    package = last_package(stage)
    assert (load_ids(stage), load_ids(stage, "b")) == ({1: package}, {2: package})


def selected(table: pa.Table) -> pa.Table:
    return table.select(["id"])


def objects(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def batches(table: pa.Table) -> list[pa.RecordBatch]:
    return list(table.to_batches())


@pytest.mark.parametrize("step", [selected, objects, batches])
def test_no_step_of_the_user_loses_it(stage: Stage, step: Any) -> None:
    made = stage.source([schema(v=TEXT, keys=()), record(id=1, v="x")])
    made.a.add_yield_map(lambda table: (yield step(table)))
    stage.pipeline.run(made)
    assert stage.rows(LOADS) == [(last_package(stage),)]


@pytest.mark.parametrize("warehouse", SQL, indirect=True)
def test_table_of_an_older_version_gets_it(anywhere: Stage) -> None:
    anywhere.load([schema(v=TEXT), record(id=1, v="x"), record(id=2, v="x")])
    assert isinstance(anywhere.into, Database)
    anywhere.into.execute("alter table data.a drop column _dlt_load_id")
    lines = [schema(v=TEXT), record(id=2, v="y"), record(id=3, v="y")]
    anywhere.load(lines, run={"schema_contract": "freeze"})
    package = last_package(anywhere)
    assert load_ids(anywhere) == {1: None, 2: package, 3: package}
