"""`absent="keep"` with other settings and steps, where it is set, and what is refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from bridge.command_line import DATA
from bridge.destinations import Parquet
from bridge.target_command import Target
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, record, schema

from dlt_bridge import BridgeError, chat, singer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.command_line import Command

TEXT = {"type": ["string", "null"]}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
GONE = "2026-01-01T00:00:00Z"
KEEP: dict[str, Any] = {"absent": "keep"}

DOCS = schema(title=TEXT, body=TEXT)
USERS = schema(name=TEXT, _sdc_deleted_at=INSTANT)


def test_key_change_within_a_package_is_refused(stage: Stage) -> None:
    other = schema(keys=("id", "title"), title={"type": "string"}, body=TEXT)
    lines = [DOCS, record(id=1, title="a"), other, record(id=1, title="a")]
    with pytest.raises(PipelineStepFailed, match="a SCHEMA changes the key"):
        stage.load(lines, options=KEEP)


def test_one_version_of_a_key_is_written_where_rows_are_updated(stage: Stage) -> None:
    upsert = {"write_disposition": {"disposition": "merge", "strategy": "upsert"}}
    lines = [DOCS, record(id=1, title="a", body="b"), record(id=2, title="c")]
    stage.load(lines, run=upsert)
    lines = [DOCS, record(id=1, body="d"), record(id=1, title="e"), record(id=3, title="f")]
    stage.load(lines, run=upsert, options=KEEP)
    assert sorted(stage.into.read("a", "id", "title", "body")) == [
        (1, "e", "d"),
        (2, "c", None),
        (3, "f", None),
    ]


def test_deleted_row_has_no_values_to_keep(stage: Stage) -> None:
    options = {**KEEP, "hard_delete": True}
    stage.load([USERS, record(id=1, name="Ada"), record(id=2, name="Bob")], options=options)
    gone = [record(id=number, _sdc_deleted_at=GONE) for number in (1, 2)]
    stage.load([USERS, *gone, record(id=2)], options=options)
    assert stage.rows("select id, name from data.a") == [(2, None)]


def test_property_whose_column_has_another_name(stage: Stage) -> None:
    head = schema(v=TEXT, V=TEXT, _dlt_id=TEXT)
    options: dict[str, Any] = {"on_name_collision": "suffix"}
    stage.load([head, record(id=1, v="a", V="b", _dlt_id="c")], options=options)
    stage.load([head, record(id=1, v="d")], options={**options, **KEEP})
    names, [row] = stage.into.fetched("a")
    [suffixed] = [name for name in names if name.startswith("v_")]
    found = dict(zip(names, row, strict=True))
    assert [found[name] for name in ("v", suffixed, "source_dlt_id")] == ["d", "b", "c"]


@pytest.mark.parametrize("refresh", ["drop_resources", "drop_data"])
def test_refreshed_table_has_no_values_to_keep(stage: Stage, refresh: str) -> None:
    stage.load([DOCS, record(id=1, title="a", body="b")])
    stage.load([DOCS, record(id=1, title="c")], options=KEEP, refresh=refresh)
    assert stage.rows("select id, title, body from data.a") == [(1, "c", None)]


def test_versions_that_the_user_appends_are_as_they_came(stage: Stage) -> None:
    stage.load([DOCS, record(id=1, title="a", body="b")])
    stage.load([DOCS, record(id=1, title="c")], options=KEEP, run={"write_disposition": "append"})
    assert stage.rows("select title, body from data.a order by 1") == [("a", "b"), ("c", None)]


def test_required_property_may_be_missing_if_its_value_is_kept(stage: Stage) -> None:
    head = schema(title=TEXT, body=TEXT)
    head["schema"]["required"] = ["id", "body"]
    stage.load([head, record(id=1, title="a", body="b")])
    stage.load([head, record(id=1, title="c")], options=KEEP)
    assert stage.rows("select title, body from data.a") == [("c", "b")]
    with pytest.raises(PipelineStepFailed, match="lacks the property `body`"):
        stage.load([head, record(id=1, title="d")])


def test_rows_that_wait_to_be_loaded_are_not_forgotten(stage: Stage) -> None:
    stage.pipeline.extract(stage.source([DOCS, record(id=1, title="a", body="b")]))
    later = stage.source([DOCS, record(id=1, title="c")], options=KEEP)
    with pytest.raises(PipelineStepFailed, match=r"Stream a: .*Load these first"):
        stage.pipeline.extract(later)
    stage.pipeline.normalize()
    stage.pipeline.load()
    stage.pipeline.run(later)
    assert stage.rows("select title, body from data.a") == [("c", "b")]


def test_column_of_another_type_than_the_schema(stage: Stage) -> None:
    """Somebody has changed it by hand."""
    stage.load([DOCS, record(id=1, title="a", body="b")])
    with stage.pipeline.sql_client() as client:
        client.execute_sql("alter table a alter body type integer using 1")
        client.execute_sql("alter table a alter body type integer[] using [1]")
    with pytest.raises(PipelineStepFailed, match="another type for `body`"):
        stage.load([DOCS, record(id=1, title="c")], options=KEEP)


def test_rows_that_cannot_be_read_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path, warehouse=Parquet(tmp_path))
    with pytest.raises(PipelineStepFailed, match="needs the rows of its table"):
        stage.load([DOCS, record(id=1)], options=KEEP, run={"table_format": "iceberg"})


@pytest.mark.parametrize(
    "source", [partial(singer, []), partial(chat, "chat", api_url="https://a.example", api_key="x")]
)
def test_child_tables_are_refused(source: Callable[..., Any]) -> None:
    with pytest.raises(BridgeError, match='with nested="tables"'):
        source(absent="keep", nested="tables")


def test_steps_of_the_user_add_their_columns_once(stage: Stage) -> None:
    def owned(table: pa.Table) -> pa.Table:
        return table.append_column("owner", pa.repeat("me", len(table)))

    for values in ({"name": "Ada"}, {"_sdc_deleted_at": GONE}):
        source = stage.source([USERS, record(id=1, **values)])
        source.a.add_map(owned)
        stage.pipeline.run(source)
    rows = stage.rows("select id, name, owner, _sdc_deleted_at is null from data.a")
    assert rows == [(1, "Ada", "me", False)]


def test_command_line_and_configuration_have_it_too(dlt: Command) -> None:
    dlt.run([DOCS, record(id=1, title="a", body="b")])
    dlt.run([DOCS, record(id=1, title="c")], "--absent", "keep")
    assert dlt.rows(f"select title, body from {DATA}.a") == [("c", "b")]
    dlt.environment["SOURCES__SINGER__SCRIPTED_TAP__ABSENT"] = "keep"
    dlt.run([DOCS, record(id=1, title="d")])
    assert dlt.rows(f"select title, body from {DATA}.a") == [("d", "b")]


def test_target_has_a_setting(tmp_path: Path) -> None:
    target = Target(tmp_path)
    head = schema(title=TEXT, body=TEXT, _sdc_deleted_at=INSTANT)
    target([head, record(id=1, title="a", body="b"), record(id=2, body="c")])
    lines = [head, record(id=1, title="d"), record(id=2, _sdc_deleted_at=GONE)]
    run = target(lines, absent="keep")
    assert run.returncode == 0, run.stderr
    rows = target.rows("select id, title, body from data.a order by id")
    assert rows == [(1, "d", "b"), (2, None, "c")]
