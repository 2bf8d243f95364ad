"""Keys that rise: the destination need not look for versions, and must not miss one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pytest
from staging import record, schema

from dlt_bridge.tables import sink as streams
from dlt_bridge.tables.rows import deduplication

if TYPE_CHECKING:
    import pyarrow as pa
    from staging import Stage

ROWS = 4
NUMBER = {"type": "integer"}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch keys from the second row on, in batches of four."""
    monkeypatch.setattr(deduplication, "FEW_ROWS", 1)
    monkeypatch.setattr(streams, "BATCH_ROWS", ROWS)


def is_declared_unique(stage: Stage) -> bool:
    """Return whether the hints tell dlt that no key comes twice."""
    table: dict[str, Any] = dict(stage.pipeline.default_schema.get_table("a"))
    return bool(table.get("x-stage-data-deduplicated"))


@pytest.mark.parametrize(
    ("came", "rise"),
    [
        ([1, 2, 3], True),
        ([*range(3 * ROWS)], True),
        (["Z", "a", "z", "é", "\U0001f44b"], True),
        ([1, 2, 2, 3], False),
        ([1, 3, 2], False),
        ([1, 2, 3, 4, 4, 5], False),
        ([2, 3, 4, 5, 1, 6, 7, 8, 9], False),
        ([1, 2, 3, 4, 5, 6, 7, 8, 1], False),
        ([2.0, 2.5, 3.0], False),
    ],
    ids=repr,
)
def test_only_rising_keys_skip_deduplication(stage: Stage, came: list[Any], *, rise: bool) -> None:
    kind = {"type": {int: "integer", str: "string", float: "number"}[type(came[0])]}
    stage.load([schema(id=kind, v=NUMBER), *(record(id=key, v=i) for i, key in enumerate(came))])
    assert is_declared_unique(stage) == rise
    assert dict(stage.rows("select id, v from data.a")) == {key: i for i, key in enumerate(came)}
    assert stage.rows("select count(*) from data.a") == [(len(set(came)),)]


def test_keys_of_two_columns_are_not_tracked(stage: Stage) -> None:
    head = schema(keys=("id", "k"), k=NUMBER, v=NUMBER)
    stage.load([head, record(id=1, k=1, v=1), record(id=2, k=1, v=2), record(id=2, k=1, v=3)])
    assert not is_declared_unique(stage)
    assert stage.rows("select id, v from data.a order by id") == [(1, 1), (2, 3)]


def test_next_run_deduplicates_again(stage: Stage) -> None:
    stage.load([schema(v=NUMBER), record(id=1, v=1), record(id=2, v=1)])
    assert is_declared_unique(stage)
    stage.load([schema(v=NUMBER), record(id=2, v=2), record(id=1, v=2), record(id=2, v=3)])
    assert not is_declared_unique(stage)
    assert stage.rows("select id, v from data.a order by id") == [(1, 2), (2, 3)]


def test_rows_before_a_changed_schema_are_deduplicated(stage: Stage) -> None:
    head = schema(v=NUMBER)
    later = schema(v=NUMBER, more=NUMBER)
    stage.load([head, record(id=1, v=1), record(id=2, v=1), later, record(id=1, v=2, more=1),
                record(id=3, v=2)])  # fmt: skip
    assert stage.rows("select id, v from data.a order by id") == [(1, 2), (2, 1), (3, 2)]


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
