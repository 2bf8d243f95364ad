"""What is in DuckDB after a run: rows, versions, keys, types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from staging import record, schema

if TYPE_CHECKING:
    from staging import Stage

TEXT = {"type": ["string", "null"]}


def test_last_version_of_a_key_wins_within_and_across_runs(stage: Stage) -> None:
    stage.load([schema(v=TEXT), record(id=1, v="a"), record(id=2, v="b"), record(id=1, v="c")])
    assert stage.rows("select id, v from data.a order by id") == [(1, "c"), (2, "b")]
    stage.load([schema(v=TEXT), record(id=2, v="d"), record(id=3, v="e"), record(id=2, v="f")])
    assert stage.rows("select id, v from data.a order by id") == [(1, "c"), (2, "f"), (3, "e")]


def test_compound_key_is_one_key(stage: Stage) -> None:
    head = schema(keys=("id", "k"), k={"type": "string"}, v=TEXT)
    stage.load([head, record(id=1, k="x", v="a"), record(id=1, k="y"), record(id=1, k="x", v="b")])
    assert stage.rows("select id, k, v from data.a order by k") == [(1, "x", "b"), (1, "y", None)]


def test_stream_without_a_key_is_appended(stage: Stage) -> None:
    for _ in range(2):
        stage.load([schema(keys=()), record(id=1), record(id=1)])
    assert stage.rows("select id from data.a") == [(1,)] * 4


def test_full_table_is_merged_on_its_key(stage: Stage) -> None:
    """As Singer targets do: a child stream may bring the children of changed parents only."""
    stage.streams = {"a": "FULL_TABLE"}
    stage.load([schema(v=TEXT), record(id=1, v="a"), record(id=2, v="b"), record(id=1, v="c")])
    stage.load([schema(v=TEXT), record(id=2, v="d")])
    assert stage.rows("select id, v from data.a order by id") == [(1, "c"), (2, "d")]


def test_full_table_without_a_key_holds_the_rows_of_the_last_run(stage: Stage) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    stage.load([schema(keys=()), record(id=1), record(id=1)])
    stage.load([schema(keys=()), record(id=2)])
    assert stage.rows("select id from data.a") == [(2,)]


@pytest.mark.parametrize("keys", [("id",), ()])
def test_activated_version_holds_the_rows_of_the_last_run(
    stage: Stage, keys: tuple[str, ...]
) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    activation = {"type": "ACTIVATE_VERSION", "stream": "a", "version": 1}
    stage.load([schema(keys=keys), activation, record(id=1), record(id=2)])
    stage.load([schema(keys=keys), record(id=2), record(id=3), activation])
    assert stage.rows("select id from data.a order by id") == [(2,), (3,)]
    stage.load([schema(keys=keys), activation])
    assert stage.rows("select id from data.a") == []


def test_run_after_an_activated_version_deletes_nothing(stage: Stage) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    activation = {"type": "ACTIVATE_VERSION", "stream": "a", "version": 1}
    stage.load([schema(), activation, record(id=1)])
    stage.load([schema(), record(id=2)])
    assert stage.rows("select id from data.a order by id") == [(1,), (2,)]
    stage.load([schema(), activation, record(id=3)])
    stage.pipeline = stage.new_pipeline("another machine")
    stage.load([schema(), record(id=4)])
    assert stage.rows("select id from data.a order by id") == [(3,), (4,)]


@pytest.mark.parametrize("keys", [("id",), ()])
def test_later_schema_does_not_undo_an_activation(stage: Stage, keys: tuple[str, ...]) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    activation = {"type": "ACTIVATE_VERSION", "stream": "a", "version": 1}
    stage.load([schema(keys=keys), activation, record(id=1)])
    later = schema(keys=keys, v=TEXT)
    stage.load([schema(keys=keys), activation, record(id=2), later, record(id=3, v="x")])
    assert stage.rows("select id, v from data.a order by id") == [(2, None), (3, "x")]


def test_alternating_streams_are_distinguished(stage: Stage) -> None:
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    lines: list[Any] = [schema("a"), schema("b")]
    for number in range(100):
        lines += [record("a", id=number), record("b", id=-number), schema("a")]
    stage.load(lines)
    assert stage.rows("select count(*), sum(id) from data.a") == [(100, 4950)]
    assert stage.rows("select count(*), sum(id) from data.b") == [(100, -4950)]


def test_column_that_a_later_schema_adds_is_null_before(stage: Stage) -> None:
    stage.load([schema(), record(id=1), schema(v=TEXT), record(id=2, v="x")])
    assert stage.rows("select id, v from data.a order by id") == [(1, None), (2, "x")]


@pytest.mark.parametrize(
    ("prop", "text", "column", "expected"),
    [
        ({"type": "integer"}, "9223372036854775807", "BIGINT", "9223372036854775807"),
        (
            {"type": "integer", "maximum": 10**20},
            "100000000000000000000",
            "DECIMAL(38,0)",
            "100000000000000000000",
        ),
        ({"type": "integer"}, "12.0e1", "BIGINT", "120"),
        ({"type": "integer"}, "9007199254740993.0", "BIGINT", "9007199254740993"),
        ({"type": "number"}, "0.1", "DOUBLE", "0.1"),
        ({"type": "number"}, "1152921504606846976", "DOUBLE", "1.152921504606847e+18"),
        (
            {"type": "number", "multipleOf": 0.01},
            "12345678901234567.89",
            "DECIMAL(38,2)",
            "12345678901234567.89",
        ),
        ({"type": ["null", "boolean"]}, "true", "BOOLEAN", "true"),
        ({"type": "string"}, r'"\u65e5 \"q\" \n"', "VARCHAR", '日 "q" \n'),
        (
            {"type": "string", "format": "date-time"},
            '"2026-01-01T02:00:00.123456+02:00"',
            "TIMESTAMP WITH TIME ZONE",
            "2026-01-01 00:00:00.123456+00",
        ),
        (
            {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            '"2026-01-01T00:00:00"',
            "TIMESTAMP WITH TIME ZONE",
            "2026-01-01 00:00:00+00",
        ),
        (
            {"type": "string", "format": "date-time"},
            '"2026-01-01t00:00:00.123456000z"',
            "TIMESTAMP WITH TIME ZONE",
            "2026-01-01 00:00:00.123456+00",
        ),
        ({"type": "string", "format": "date"}, '"2026-02-28"', "DATE", "2026-02-28"),
        ({"type": "string", "format": "time"}, '"23:59:59.5"', "TIME", "23:59:59.5"),
        ({"type": "string", "format": "time"}, '"23:59:59Z"', "TIME", "23:59:59"),
        ({"type": "string", "contentEncoding": "base64"}, '"AP8="', "BLOB", r"\x00\xFF"),
        ({"type": "object"}, '{"x":[1.10,null,"é"]}', "JSON", '{"x":[1.10,null,"é"]}'),
        ({"type": "array"}, '[1,"a"]', "JSON", '[1,"a"]'),
        ({"type": ["string", "integer"]}, '"5"', "JSON", '"5"'),
        ({}, "5", "JSON", "5"),
        (True, "5", "JSON", "5"),
        (
            {"type": "number", "multipleOf": 1e-50},
            "0.5",
            "DECIMAL(38,18)",
            "0.500000000000000000",
        ),
    ],
)
def test_value_arrives_exactly_in_a_column_of_its_type(
    stage: Stage, prop: Any, text: str, column: str, expected: str
) -> None:
    line = f'{{"type": "RECORD", "stream": "a", "record": {{"id": 1, "v": {text}}}}}'
    stage.load([schema(v=prop), line, record(id=2), record(id=3, v=None)])
    assert stage.rows("select v::varchar from data.a order by id") == [
        (expected,),
        (None,),
        (None,),
    ]
    assert stage.rows("select typeof(v) from data.a limit 1") == [(column,)]


def test_property_that_can_only_be_null_has_no_column(stage: Stage) -> None:
    stage.load([schema(v={"type": "null"}), record(id=1, v=None)])
    assert stage.rows("select id from data.a") == [(1,)]


def test_more_rows_than_a_batch_arrive_once(stage: Stage) -> None:
    stage.load([schema(), *(record(id=number) for number in range(45_000))])
    assert stage.rows("select count(*), count(distinct id), max(id) from data.a") == [
        (45_000, 45_000, 44_999)
    ]


def test_unselected_stream_is_not_asked_for_and_not_loaded(stage: Stage) -> None:
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    lines = [schema("a"), record("a", id=1), schema("b"), record("b", id=1)]
    stage.pipeline.run(stage.source(lines).with_resources("b"))
    tables = "select table_name from information_schema.tables where table_schema = 'data'"
    assert {name for (name,) in stage.rows(tables)} & {"a", "b"} == {"b"}
    selected = {
        item["tap_stream_id"]: item["metadata"][0]["metadata"]["selected"]
        for item in stage.given["catalog"]["streams"]
    }
    assert selected == {"a": False, "b": True}


def test_json_columns_cause_no_warning(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.load([schema(v={"type": "object"}), record(id=1, v={"x": 1})])
    assert stage.rows("select v::varchar from data.a") == [('{"x": 1}',)]
    assert [line for line in caplog.messages if "hints" in line] == []
