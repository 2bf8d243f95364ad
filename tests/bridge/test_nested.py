"""Objects and arrays as JSON text, as structs and lists, or as child tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
import pyarrow.parquet as pq
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import record, schema

from dlt_bridge import BridgeError

if TYPE_CHECKING:
    from staging import Stage

AUTHOR = {
    "type": ["object", "null"],
    "properties": {
        "name": {"type": "string"},
        "born": {"type": "string", "format": "date"},
        "score": {"type": "number"},
        "tags": {"type": "array", "items": {"type": ["integer", "null"]}},
    },
}
ZOE = {"name": "Zoë", "born": "2001-02-03", "tags": [1, None, 2**60]}


def files(stage: Stage) -> dlt.Pipeline:
    return dlt.pipeline(
        "files",
        pipelines_dir=str(stage.folder / "files"),
        destination=dlt.destinations.filesystem(str(stage.folder / "out")),
        dataset_name="data",
    )


def test_child_tables(stage: Stage) -> None:
    """A string in an object stays a string, though it looks like a date."""
    options = {"nested": "tables"}
    head = schema(author=AUTHOR, day={"type": "string", "format": "date"}, mixed={})
    first = record(id=1, author=ZOE, day="2026-01-01")
    stage.load([head, first, record(id=2, mixed="x")], options=options)
    changed = record(id=1, author={**ZOE, "tags": [7]}, mixed=5)
    stage.load([head, record(id=1, author=ZOE), changed], options=options)
    assert stage.rows("select id, author__name, author__born, day from data.a order by id") == [
        (1, "Zoë", "2001-02-03", None),
        (2, None, None, None),
    ]
    joined = "data.a__author__tags t join data.a a on t._dlt_root_id = a._dlt_id"
    assert stage.rows(f"select a.id, t.value from {joined}") == [(1, 7)]
    assert stage.rows("select id, mixed::varchar from data.a order by id") == [(1, "5"), (2, '"x"')]


def test_structs_and_lists(stage: Stage) -> None:
    stage.pipeline = files(stage)
    lines: list[Any] = [
        schema(keys=(), author=AUTHOR, open={"type": "object"}),
        record(id=1, author=ZOE, open={"x": 1}),
        record(id=2),
        record(id=3, author={"name": "Al", "more": 1}),
        record(id=4, author={"name": 5}),
    ]
    stage.load(lines, options={"nested": "native"})
    rows = [
        row
        for path in sorted((stage.folder / "out" / "data" / "a").glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    assert rows[0]["author"] == {**ZOE, "score": None}
    assert rows[0]["open"] == '{"x": 1}'
    assert [row["author"] for row in rows[1:]] == [None, None, None]
    assert [row["author__v_json"] for row in rows] == [
        None,
        None,
        '{"name": "Al", "more": 1}',
        '{"name": 5}',
    ]


def test_structs_need_a_destination_with_nested_types(stage: Stage) -> None:
    with pytest.raises(PipelineStepFailed, match="nested='json'"):
        stage.load([schema(author=AUTHOR), record(id=1)], options={"nested": "native"})


def test_unknown_value_of_nested_is_refused(stage: Stage) -> None:
    with pytest.raises(BridgeError, match="json, native, tables"):
        stage.source([], options={"nested": "flat"})
