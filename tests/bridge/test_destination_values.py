"""Values and types: exactly the same at every destination that the bridge is tested with."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import EVERY_FILE, Delta, ExactPostgres, Postgres
from staging import record, schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from staging import Stage

INTEGER = {"type": ["integer", "null"]}
NUMBER = {"type": ["number", "null"]}
BOOLEAN = {"type": ["boolean", "null"]}
TEXT = {"type": ["string", "null"]}
OBJECT = {"type": ["object", "null"]}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
DATE = {"type": ["string", "null"], "format": "date"}
TIME = {"type": ["string", "null"], "format": "time"}
BYTES = {"type": ["string", "null"], "contentEncoding": "base64"}
HUNDREDTHS = {"type": ["number", "null"], "multipleOf": 0.01}
THOUSANDTHS = {"type": ["number", "null"], "multipleOf": 0.001}


def load(stage: Stage, props: Sequence[Any], *rows: Sequence[str]) -> None:
    """Load JSON texts as values of the properties v0, v1, ... in a stream without a key."""
    names = [f"v{number}" for number in range(len(props))]
    head = schema(keys=(), **dict(zip(names, props, strict=True)))
    lines = []
    for number, texts in enumerate(rows):
        values = "".join(f', "{name}": {text}' for name, text in zip(names, texts, strict=True))
        lines.append(f'{{"type": "RECORD", "stream": "a", "record": {{"id": {number}{values}}}}}')
    stage.load([head, *lines])


def columns(stage: Stage, *names: str) -> list[list[Any]]:
    """Return the values of each column."""
    return [[value for (value,) in stage.into.read("a", name)] for name in names]


TEXTS = [
    "plain",
    "'\";,\t\\",
    "\\N",
    "\\\\N\\.",
    "NULL",
    "null",
    " in spaces ",
    "\r\n\n\r",
    '""',
    "{}",
    "%s {0}",
    "\x01\x1f\x7f",
    "\u2028\ufeff\ufffe",
    "日本語 é é 🙂",
]


@pytest.mark.parametrize("warehouse", EVERY_FILE, indirect=True)
@pytest.mark.parametrize("more", [[], [""]], ids=["texts", "with an empty one"])
def test_texts_arrive_as_they_are(anywhere: Stage, more: list[str]) -> None:
    texts = TEXTS + more
    rows = [(json.dumps(text), json.dumps({text: [text]})) for text in texts]
    load(anywhere, [TEXT, OBJECT], *rows, ("null", "null"), (r'"\ud83d\ude42"', "{}"))
    plain, objects = columns(anywhere, "v0", "v1")
    assert plain == [*texts, None, "🙂"]
    assert objects[len(texts) :] == [None, "{}"]
    assert [json.loads(text) for text in objects[: len(texts)]] == [
        {text: [text]} for text in texts
    ]


def file_formats(stage: Stage) -> set[Any]:
    """Return the formats of the files that the last package brought into the table."""
    trace = stage.pipeline.last_trace
    assert trace is not None
    info = trace.last_load_info
    assert info is not None
    [package] = info.load_packages
    jobs = package.jobs["completed_jobs"]
    return {
        job.job_file_info.file_format for job in jobs if job.job_file_info.table_name == "a"
    } - {"sql"}


@pytest.mark.parametrize("warehouse", ["postgres", "exact postgres"], indirect=True)
def test_empty_texts_need_no_insert_statements(anywhere: Stage) -> None:
    """These are several times slower; dlt's own destination can't do without."""
    exact = isinstance(anywhere.into, ExactPostgres)
    head = [schema(v=TEXT, w=TEXT, b=BYTES)]
    anywhere.load([*head, record(id=1, v="", w="x"), record(id=2, w="")])
    assert file_formats(anywhere) == {"csv" if exact else "insert_values"}
    anywhere.load([*head, record(id=2, v=""), record(id=3)])
    anywhere.load([*head, record(id=4, v="", b="AAE=")])
    assert file_formats(anywhere) == {"insert_values"}
    assert anywhere.into.read("a", "id", "v", "w", "b") == [
        (1, "", "x", None),
        (2, "", None, None),
        (3, None, None, None),
        (4, "", None, b"\0\1"),
    ]


def test_nul_is_kept_where_it_can_be(anywhere: Stage) -> None:
    """PostgreSQL has no NUL: what has one is kept beside the column, as its JSON text."""
    texts = [r'"a\u0000b"', r'{"x": "a\u0000b"}', r'{"\u0000": 1}']
    no_nul = r'{"x": "\\u0000"}'
    load(anywhere, [TEXT, OBJECT, OBJECT, OBJECT], ["null"] * 4, [*texts, no_nul])
    found = columns(anywhere, "v0", "v1", "v2", "v3")
    assert json.loads(found[3][1]) == json.loads(no_nul)
    if isinstance(anywhere.into, Postgres):
        assert found[:3] == [[None, None]] * 3
        aside = columns(anywhere, "v0__v_binary", "v1__v_binary", "v2__v_binary")
        assert aside == [[None, text.encode()] for text in texts]
    else:
        assert anywhere.into.columns("a") == {"id", "v0", "v1", "v2", "v3"}
        assert found[:3] == [[None, "a\0b"], [None, texts[1]], [None, texts[2]]]


def test_half_of_a_surrogate_pair_is_kept_as_its_json_text(anywhere: Stage) -> None:
    texts = [r'"a\ud800b"', r'{"x": "\udc00\ud800"}', r'"\udfff"']
    load(anywhere, [TEXT, OBJECT, {}], texts, ["null"] * 3)
    assert columns(anywhere, "v0", "v1", "v2") == [[None, None]] * 3
    aside = columns(anywhere, "v0__v_binary", "v1__v_binary", "v2__v_binary")
    assert aside == [[text.encode(), None] for text in texts]


def test_columns_that_are_always_null_are_there(anywhere: Stage) -> None:
    props = [TEXT, INTEGER, NUMBER, BOOLEAN, OBJECT, INSTANT, DATE, TIME, BYTES, HUNDREDTHS]
    load(anywhere, props, ["null"] * len(props), ["null"] * len(props))
    names = [f"v{number}" for number in range(len(props))]
    assert columns(anywhere, *names) == [[None, None]] * len(props)


def test_changed_type_changes_no_value(anywhere: Stage) -> None:
    """Integer, number, text, object: what the first column can't hold stands beside it."""
    load(anywhere, [INTEGER], ["1"])
    load(anywhere, [NUMBER], ["2.5"], ["3"], ["1e2"])
    load(anywhere, [TEXT], ['"x"'], ['"7"'], ['""'])
    load(anywhere, [OBJECT], ['{"y": 1.10}'], ["null"])
    load(anywhere, [INTEGER], ["4"])
    v, doubles, texts, objects = columns(anywhere, "v0", "v0__v_double", "v0__v_text", "v0__v_json")
    assert v == [1, None, 3, 100, None, None, None, None, None, 4]
    assert doubles == [None, 2.5, *[None] * 8]
    assert texts == [None, None, None, None, "x", "7", "", None, None, None]
    assert [text and json.loads(text) for text in objects] == [*[None] * 7, {"y": 1.1}, None, None]
    assert anywhere.into.columns("a") == {"id", "v0", "v0__v_double", "v0__v_text", "v0__v_json"}


# What a column was made for, then another type; and where the value of that one goes.
CHANGES: list[tuple[Any, str, Any, str, str, list[Any]]] = [
    (NUMBER, "1.5", INTEGER, "9007199254740993", "bigint", [1.5, 2**53 + 1]),
    (NUMBER, "1.5", TEXT, '"x"', "text", [1.5, "x"]),
    (TEXT, '"x"', INTEGER, "5", "bigint", ["x", 5]),
    (TEXT, '"x"', BOOLEAN, "true", "bool", ["x", True]),
    (TEXT, '"x"', INSTANT, '"2026-01-01T00:00:00Z"', "", ["x", "2026-01-01T00:00:00Z"]),
    (
        INSTANT,
        '"2026-01-01T00:00:00Z"',
        TEXT,
        '"x"',
        "text",
        [datetime(2026, 1, 1, tzinfo=UTC), "x"],
    ),
    (HUNDREDTHS, "1.25", THOUSANDTHS, "1.125", "decimal", [Decimal("1.25"), Decimal("1.125")]),
    (BOOLEAN, "true", INTEGER, "7", "bigint", [True, 7]),
    (OBJECT, '{"x": 1}', TEXT, '"x"', "", ['{"x": 1}', '"x"']),
]


def test_value_of_a_changed_type_is_beside_the_column(anywhere: Stage) -> None:
    load(anywhere, [change[0] for change in CHANGES], [change[1] for change in CHANGES])
    load(anywhere, [change[2] for change in CHANGES], [change[3] for change in CHANGES])
    for number, (*_, variant, values) in enumerate(CHANGES):
        name = f"v{number}"
        if variant:
            found = columns(anywhere, name, f"{name}__v_{variant}")
            assert found == [[values[0], None], [None, values[1]]], (number, variant)
        else:
            assert columns(anywhere, name) == [values], number


NUMBERS = [
    (INTEGER, "9223372036854775807", "", 2**63 - 1),
    (INTEGER, "-9223372036854775808", "", -(2**63)),
    (INTEGER, "9223372036854775808", "decimal", Decimal(2**63)),
    (INTEGER, "-9223372036854775809", "decimal", Decimal(-(2**63) - 1)),
    (INTEGER, "1e50", "double", 1e50),
    (INTEGER, "1" + "0" * 50, "text", "1" + "0" * 50),
    (INTEGER, "1" * 50, "text", "1" * 50),
    (INTEGER, "1e400", "text", "1e400"),
    (INTEGER, "0.1", "double", 0.1),
    (NUMBER, "9007199254740992", "", 2.0**53),
    (NUMBER, "9007199254740993", "bigint", 2**53 + 1),
    (NUMBER, "1e400", "text", "1e400"),
    (NUMBER, "5e-324", "", 5e-324),
    (NUMBER, "1.7976931348623157e308", "", 1.7976931348623157e308),
    (HUNDREDTHS, "12345678901234567.89", "", Decimal("12345678901234567.89")),
    (HUNDREDTHS, "0.001", "double", 0.001),
    (HUNDREDTHS, "1e400", "text", "1e400"),
    ({"type": "integer", "maximum": 10**20}, "100000000000000000000", "", Decimal(10**20)),
]


def test_number_is_exact_or_beside_the_column(anywhere: Stage) -> None:
    props, texts = [case[0] for case in NUMBERS], [case[1] for case in NUMBERS]
    load(anywhere, props, texts, ["1"] * len(NUMBERS))
    for number, (_, text, variant, expected) in enumerate(NUMBERS):
        name = f"v{number}"
        [[value, one]] = columns(anywhere, name)
        assert one == 1
        if variant:
            assert value is None, text
            [[value, nothing]] = columns(anywhere, f"{name}__v_{variant}")
            assert nothing is None
        assert (value, type(value)) == (expected, type(expected)), text


def test_numbers_within_objects_keep_their_digits(anywhere: Stage) -> None:
    text = '{"x": [12345678901234567.89, 9007199254740993, 0.1, 1e300]}'
    load(anywhere, [OBJECT], [text])
    [[found]] = columns(anywhere, "v0")
    assert json.loads(found, parse_float=Decimal) == json.loads(text, parse_float=Decimal)


INSTANTS = {
    "2026-01-01T02:00:00.123456+02:00": datetime(2026, 1, 1, 0, 0, 0, 123456, UTC),
    "2025-12-31T18:30:00-05:30": datetime(2026, 1, 1, tzinfo=UTC),
    "2026-01-01T00:00:00": datetime(2026, 1, 1, tzinfo=UTC),
    "2026-01-01t00:00:00.5z": datetime(2026, 1, 1, 0, 0, 0, 500000, UTC),
    "2026-01-01T00:00:00.123456000Z": datetime(2026, 1, 1, 0, 0, 0, 123456, UTC),
    "1900-01-01T00:00:00Z": datetime(1900, 1, 1, tzinfo=UTC),
    "0001-01-01T00:00:00Z": datetime(1, 1, 1, tzinfo=UTC),
    "9999-12-31T23:59:59.999999Z": datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
}


def test_date_time_is_the_same_instant(anywhere: Stage) -> None:
    load(anywhere, [INSTANT], *([json.dumps(text)] for text in INSTANTS), ["null"])
    assert columns(anywhere, "v0") == [[*INSTANTS.values(), None]]


VALUES = [
    (DATE, '"2026-02-28"', date(2026, 2, 28)),
    (DATE, '"0001-01-01"', date(1, 1, 1)),
    (TIME, '"23:59:59.5"', time(23, 59, 59, 500000)),
    (TIME, '"00:00:00"', time(0)),
    (BYTES, '"AP8="', b"\x00\xff"),
    (BYTES, '""', b""),
    (BOOLEAN, "false", False),
    ({"type": "array"}, "[]", "[]"),
    ({"type": ["string", "integer"]}, '"5"', '"5"'),
    ({"type": ["string", "integer"]}, "5", "5"),
    ({}, "true", "true"),
]


def test_value_arrives_in_a_column_of_its_type(anywhere: Stage) -> None:
    props, texts = [case[0] for case in VALUES], [case[1] for case in VALUES]
    load(anywhere, props, ["null"] * len(VALUES), texts)
    found = columns(anywhere, *(f"v{number}" for number in range(len(VALUES))))
    for (_, text, expected), (nothing, value) in zip(VALUES, found, strict=True):
        assert nothing is None
        if isinstance(expected, time) and isinstance(anywhere.into, Delta):
            # Delta has no such type, and dlt writes texts.
            assert time.fromisoformat(value) == expected
        else:
            assert (value, type(value)) == (expected, type(expected)), text


def test_text_that_is_no_base64_is_kept(anywhere: Stage) -> None:
    load(anywhere, [BYTES], ['"AP8="'], ['"no base64!"'])
    assert columns(anywhere, "v0", "v0__v_text") == [
        [b"\x00\xff", None],
        [None, "no base64!"],
    ]
