"""What is in DuckDB after a run: rows, versions, keys, types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import DATA
from staging import Stage, record, schema

if TYPE_CHECKING:
    #: The messages, and the rows after the run.
    Run = tuple[list[dict[str, Any]], list[tuple[Any, ...]]]
    #: How a stream is replicated, the query of its table, and its runs.
    Case = tuple[str, str, list[Run]]

TEXT = {"type": ["string", "null"]}
ACTIVATION = {"type": "ACTIVATE_VERSION", "stream": "a", "version": 1}
COMPOUND = schema(keys=("id", "k"), k={"type": "string"}, v=TEXT)
KEYLESS = schema(keys=())
ABC = [schema(v=TEXT), record(id=1, v="a"), record(id=2, v="b"), record(id=1, v="c")]
FULL, PART = "FULL_TABLE", "INCREMENTAL"


def activated(head: dict[str, Any]) -> Case:
    """Return the case of a version that is activated in each run."""
    runs: list[Run] = [
        ([head, ACTIVATION, record(id=1), record(id=2)], [(1,), (2,)]),
        ([head, record(id=2), record(id=3), ACTIVATION], [(2,), (3,)]),
        ([head, ACTIVATION], []),
    ]
    return FULL, "select id from data.{} order by id", runs


def activated_before_a_schema(*keys: str) -> Case:
    head, later = schema(keys=keys), schema(keys=keys, v=TEXT)
    runs: list[Run] = [
        ([head, ACTIVATION, record(id=1)], [(1,)]),
        ([head, ACTIVATION, record(id=2), later, record(id=3, v="x")], [(2, None), (3, "x")]),
    ]
    return FULL, f"select {DATA} from data.{{}} order by id", runs


#: Streams that are loaded together: how they are replicated, the query of their table; and of
#: each run the messages and the rows. The fourth run is on another machine.
CASES: dict[str, Case] = {
    "last_version_of_a_key": (
        PART,
        "select id, v from data.{} order by id",
        [
            (ABC, [(1, "c"), (2, "b")]),
            (
                [schema(v=TEXT), record(id=2, v="d"), record(id=3, v="e"), record(id=2, v="f")],
                [(1, "c"), (2, "f"), (3, "e")],
            ),
        ],
    ),
    "compound_key": (
        PART,
        "select id, k, v from data.{} order by k",
        [
            (
                [
                    COMPOUND,
                    record(id=1, k="x", v="a"),
                    record(id=1, k="y"),
                    record(id=1, k="x", v="b"),
                ],
                [(1, "x", "b"), (1, "y", None)],
            )
        ],
    ),
    "appended_without_a_key": (
        PART,
        "select id from data.{}",
        [([KEYLESS, record(id=1), record(id=1)], [(1,)] * times) for times in (2, 4)],
    ),
    # As Singer targets do: a child stream may bring the children of changed parents only.
    "full_table_with_a_key": (
        FULL,
        "select id, v from data.{} order by id",
        [
            (ABC, [(1, "c"), (2, "b")]),
            ([schema(v=TEXT), record(id=2, v="d")], [(1, "c"), (2, "d")]),
        ],
    ),
    "full_table_without_a_key": (
        FULL,
        "select id from data.{}",
        [
            ([KEYLESS, record(id=1), record(id=1)], [(1,), (1,)]),
            ([KEYLESS, record(id=2)], [(2,)]),
        ],
    ),
    "version": activated(schema()),
    "version_without_a_key": activated(KEYLESS),
    "run_after_a_version": (
        FULL,
        "select id from data.{} order by id",
        [
            ([schema(), ACTIVATION, record(id=1)], [(1,)]),
            ([schema(), record(id=2)], [(1,), (2,)]),
            ([schema(), ACTIVATION, record(id=3)], [(3,)]),
            ([schema(), record(id=4)], [(3,), (4,)]),
        ],
    ),
    "version_before_a_schema": activated_before_a_schema("id"),
    "version_before_a_schema_without_a_key": activated_before_a_schema(),
    # It is null before.
    "column_of_a_later_schema": (
        PART,
        "select id, v from data.{} order by id",
        [([schema(), record(id=1), schema(v=TEXT), record(id=2, v="x")], [(1, None), (2, "x")])],
    ),
    "property_that_can_only_be_null": (
        PART,
        f"select {DATA} from data.{{}}",
        [([schema(v={"type": "null"}), record(id=1, v=None)], [(1,)])],
    ),
}
#: Property, value in JSON, type of the column, and the value there.
VALUES: list[tuple[Any, str, str, str]] = [
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
]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, dict[str, list[Any]]]:
    """A stage that has loaded CASES and VALUES, and the rows of CASES after each run."""
    stage = Stage(tmp_path_factory.mktemp("loaded"))
    stage.streams = {name: method for name, (method, _, _) in CASES.items()}
    stage.streams |= {f"value_{number}": PART for number in range(len(VALUES))}
    found: dict[str, list[Any]] = {name: [] for name in CASES}
    for run in range(4):
        lines: list[Any] = []
        for number, (prop, text, _, _) in enumerate(VALUES if run == 0 else []):
            name = f"value_{number}"
            line = f'{{"type": "RECORD", "stream": "{name}", "record": {{"id": 1, "v": {text}}}}}'
            lines += [schema(name, v=prop), line, record(name, id=2), record(name, id=3, v=None)]
        due = {name: runs[run] for name, (_, _, runs) in CASES.items() if run < len(runs)}
        lines += [{**line, "stream": name} for name in due for line in due[name][0]]
        if run == 3:
            stage.pipeline = stage.new_pipeline("another machine")
        stage.load(lines)
        for name in due:
            found[name].append(stage.rows(CASES[name][1].format(name)))
    return stage, found


@pytest.mark.parametrize("name", CASES)
def test_rows_after_each_run(loaded: tuple[Stage, dict[str, list[Any]]], name: str) -> None:
    _, found = loaded
    assert found[name] == [rows for _, rows in CASES[name][2]]


@pytest.mark.parametrize("number", range(len(VALUES)))
def test_value_arrives_exactly_in_a_column_of_its_type(
    loaded: tuple[Stage, dict[str, list[Any]]], number: int
) -> None:
    stage, _ = loaded
    _, _, column, expected = VALUES[number]
    rows = stage.rows(f"select v::varchar, typeof(v) from data.value_{number} order by id")
    assert rows == [(expected, column), (None, column), (None, column)]


def test_alternating_streams_are_distinguished(stage: Stage) -> None:
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    lines: list[Any] = [schema("a"), schema("b")]
    for number in range(100):
        lines += [record("a", id=number), record("b", id=-number), schema("a")]
    stage.load(lines)
    assert stage.rows("select count(*), sum(id) from data.a") == [(100, 4950)]
    assert stage.rows("select count(*), sum(id) from data.b") == [(100, -4950)]


def test_more_rows_than_a_batch_arrive_once(stage: Stage) -> None:
    stage.load([schema(), *(record(id=number) for number in range(25_000))])
    assert stage.rows("select count(*), count(distinct id), max(id) from data.a") == [
        (25_000, 25_000, 24_999)
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
