"""Keys that rise: the destination need not look for versions, and must not miss one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pytest
from staging import Stage, record, schema

from dlt_bridge.tables import sink as streams
from dlt_bridge.tables.rows import deduplication

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

ROWS = 4
NUMBER = {"type": "integer"}


@pytest.fixture(autouse=True, scope="module")
def _small() -> Iterator[None]:
    """Watch keys from the second row on, in batches of four."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deduplication, "FEW_ROWS", 1)
        patch.setattr(streams, "BATCH_ROWS", ROWS)
        yield


def is_declared_unique(stage: Stage, stream: str = "a") -> bool:
    """Return whether the hints tell dlt that no key comes twice."""
    table: dict[str, Any] = dict(stage.pipeline.default_schema.get_table(stream))
    return bool(table.get("x-stage-data-deduplicated"))


CAME: list[tuple[list[Any], bool]] = [
    ([1, 2, 3], True),
    ([*range(3 * ROWS)], True),
    (["Z", "a", "z", "é", "\U0001f44b"], True),
    ([1, 2, 2, 3], False),
    ([1, 3, 2], False),
    ([1, 2, 3, 4, 4, 5], False),
    ([2, 3, 4, 5, 1, 6, 7, 8, 9], False),
    ([1, 2, 3, 4, 5, 6, 7, 8, 1], False),
    ([2.0, 2.5, 3.0], False),
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A stream for each of CAME, one with a key of two columns, and one whose SCHEMA changes."""
    names = [f"s{number}" for number in range(len(CAME))]
    stage = Stage(
        tmp_path_factory.mktemp("keys"), dict.fromkeys([*names, "two", "later"], "INCREMENTAL")
    )
    lines: list[Any] = []
    for name, (came, _) in zip(names, CAME, strict=True):
        kind = {"type": {int: "integer", str: "string", float: "number"}[type(came[0])]}
        lines += [schema(name, id=kind, v=NUMBER)]
        lines += [record(name, id=key, v=i) for i, key in enumerate(came)]
    lines += [schema("two", keys=("id", "k"), k=NUMBER, v=NUMBER)]
    lines += [record("two", id=number, k=1, v=v) for number, v in ((1, 1), (2, 2), (2, 3))]
    lines += [schema("later", v=NUMBER), record("later", id=1, v=1), record("later", id=2, v=1)]
    lines += [schema("later", v=NUMBER, more=NUMBER)]
    lines += [record("later", id=1, v=2, more=1), record("later", id=3, v=2)]
    stage.load(lines)
    return stage


@pytest.mark.parametrize(("came", "rise"), CAME, ids=repr)
def test_only_rising_keys_skip_deduplication(loaded: Stage, came: list[Any], *, rise: bool) -> None:
    name = f"s{CAME.index((came, rise))}"
    assert is_declared_unique(loaded, name) == rise
    rows = loaded.rows(f"select id, v from data.{name}")
    assert dict(rows) == {key: i for i, key in enumerate(came)}
    assert len(rows) == len(set(came))


def test_keys_of_two_columns_are_not_tracked(loaded: Stage) -> None:
    assert not is_declared_unique(loaded, "two")
    assert loaded.rows("select id, v from data.two order by id") == [(1, 1), (2, 3)]


def test_rows_before_a_changed_schema_are_deduplicated(loaded: Stage) -> None:
    assert loaded.rows("select id, v from data.later order by id") == [(1, 2), (2, 1), (3, 2)]


def test_next_run_deduplicates_again(stage: Stage) -> None:
    stage.load([schema(v=NUMBER), record(id=1, v=1), record(id=2, v=1)])
    assert is_declared_unique(stage)
    stage.load([schema(v=NUMBER), record(id=2, v=2), record(id=1, v=2), record(id=2, v=3)])
    assert not is_declared_unique(stage)
    assert stage.rows("select id, v from data.a order by id") == [(1, 2), (2, 3)]


def test_rows_are_deduplicated_after_a_step_of_the_user(stage: Stage) -> None:
    def halved(rows: pa.Table) -> pa.Table:
        return rows.set_column(0, "id", pc.divide(rows["id"], 2))

    source = stage.source([schema(v=NUMBER), *(record(id=n, v=n) for n in range(8))])
    source.a.add_map(halved)
    stage.pipeline.run(source)
    assert not is_declared_unique(stage)
    assert stage.rows("select id, v from data.a order by id") == [(0, 1), (1, 3), (2, 5), (3, 7)]


def test_rising_keys_are_tracked_with_child_tables(stage: Stage) -> None:
    tags = {"type": "array", "items": {"type": "string"}}
    lines = [schema(tags=tags), *(record(id=n, tags=["x", "y"]) for n in range(6))]
    for _ in range(2):
        stage.load(lines, options={"nested": "tables"})
        assert is_declared_unique(stage)
        assert stage.rows("select count(*), count(distinct id) from data.a") == [(6, 6)]
        assert stage.rows("select count(*) from data.a__tags") == [(12,)]


def test_deleted_rows_are_deleted_if_keys_rise(stage: Stage) -> None:
    head = schema(v=NUMBER, _sdc_deleted_at={"type": ["string", "null"], "format": "date-time"})
    stage.load([head, *(record(id=n, v=1) for n in range(6))], options={"hard_delete": True})
    gone = [record(id=n, _sdc_deleted_at="2025-01-01T00:00:00Z") for n in (1, 3)]
    stage.load([head, *gone, record(id=4, v=2)], options={"hard_delete": True})
    assert is_declared_unique(stage)
    assert stage.rows("select id, v from data.a order by id") == [(0, 1), (2, 1), (4, 2), (5, 1)]


def test_completed_row_is_not_a_second_row_if_keys_rise(stage: Stage) -> None:
    head = schema(v=NUMBER, w=NUMBER)
    rows = [record(id=n, v=n, w=n) for n in range(6)]
    stage.load([head, *rows, record(id=3, v=7)], options={"absent": "keep"})
    assert not is_declared_unique(stage)
    assert stage.rows("select count(*), sum(v), sum(w) from data.a") == [(6, 19, 15)]
