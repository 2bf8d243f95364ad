"""Values and types: exactly the same at every destination that the bridge is tested with."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from bridge.destinations import EVERY, EVERY_FILE, Delta, ExactPostgres, Postgres, opened
from staging import Stage, record, schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.destinations import Warehouse

    Run = tuple[Sequence[Any], Sequence[Sequence[str]]]

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


#: What each stream loads in its runs: the types of v0, v1, ..., and rows of JSON texts.
RUNS: dict[str, list[Run]] = {}


def lines(stream: str, run: Run) -> list[Any]:
    """Return the lines of a stream without a key."""
    props, rows = run
    names = [f"v{number}" for number in range(len(props))]
    messages: list[Any] = [schema(stream, keys=(), **dict(zip(names, props, strict=True)))]
    for number, texts in enumerate(rows):
        values = "".join(f', "{name}": {text}' for name, text in zip(names, texts, strict=True))
        row = f'{{"id": {number}{values}}}'
        messages.append(f'{{"type": "RECORD", "stream": "{stream}", "record": {row}}}')
    return messages


@pytest.fixture(scope="module", params=EVERY)
def into(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    """A destination with all streams: their first runs are one load, their second runs another."""
    folder = tmp_path_factory.mktemp("values")
    names = RUNS if request.param in EVERY else ("texts", "texts_and_empty")
    runs = {name: RUNS[name] for name in names}
    with opened(request, folder) as warehouse:
        stage = Stage(folder, dict.fromkeys(runs, "INCREMENTAL"), warehouse)
        for number in range(max(map(len, runs.values()))):
            these = {name: run[number] for name, run in runs.items() if number < len(run)}
            stage.load([line for name, run in these.items() for line in lines(name, run)])
        yield warehouse


@cache
def table(into: Warehouse, stream: str) -> dict[str, list[Any]]:
    """Return the values of all columns; rows in the order in which the tap wrote them."""
    names, rows = into.fetched(stream)
    rows.sort(key=itemgetter(names.index("_sdc_sequence")))
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def columns(into: Warehouse, stream: str, *names: str) -> list[list[Any]]:
    """Return the values of each column."""
    return [table(into, stream)[name] for name in names]


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


def text_rows(texts: list[str]) -> list[tuple[str, str]]:
    rows = [(json.dumps(text), json.dumps({text: [text]})) for text in texts]
    return [*rows, ("null", "null"), (r'"\ud83d\ude42"', "{}")]


RUNS["texts"] = [([TEXT, OBJECT], text_rows(TEXTS))]
RUNS["texts_and_empty"] = [([TEXT, OBJECT], text_rows([*TEXTS, ""]))]


@pytest.mark.parametrize("into", EVERY_FILE, indirect=True)
@pytest.mark.parametrize("more", [[], [""]], ids=["texts", "with an empty one"])
def test_texts_arrive_as_they_are(into: Warehouse, more: list[str]) -> None:
    texts = TEXTS + more
    plain, objects = columns(into, "texts_and_empty" if more else "texts", "v0", "v1")
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
def test_empty_texts_and_bytes_need_no_insert_statements(anywhere: Stage) -> None:
    """These are several times slower; dlt's own destination can't do without."""
    expected = {"parquet" if isinstance(anywhere.into, ExactPostgres) else "insert_values"}
    head = [schema(v=TEXT, w=TEXT, b=BYTES)]
    anywhere.load([*head, record(id=1, v="", w="x"), record(id=2, w="")])
    assert file_formats(anywhere) == expected
    anywhere.load([*head, record(id=2, v=""), record(id=3)])
    anywhere.load([*head, record(id=4, v="", b="AAE=")])
    assert file_formats(anywhere) == expected
    assert anywhere.into.read("a", "id", "v", "w", "b") == [
        (1, "", "x", None),
        (2, "", None, None),
        (3, None, None, None),
        (4, "", None, b"\0\1"),
    ]


NUL = [r'"a\u0000b"', r'{"x": "a\u0000b"}', r'{"\u0000": 1}']
NO_NUL = r'{"x": "\\u0000"}'
RUNS["with_nul"] = [([TEXT, OBJECT, OBJECT, OBJECT], [["null"] * 4, [*NUL, NO_NUL]])]


def test_nul_is_kept_where_it_can_be(into: Warehouse) -> None:
    """PostgreSQL has no NUL: a value with one is kept in a variant, as JSON text."""
    found = columns(into, "with_nul", "v0", "v1", "v2", "v3")
    assert json.loads(found[3][1]) == json.loads(NO_NUL)
    if isinstance(into, Postgres):
        assert found[:3] == [[None, None]] * 3
        aside = columns(into, "with_nul", "v0__v_binary", "v1__v_binary", "v2__v_binary")
        assert aside == [[None, text.encode()] for text in NUL]
    else:
        assert into.columns("with_nul") == {"id", "v0", "v1", "v2", "v3"}
        assert found[:3] == [[None, "a\0b"], [None, NUL[1]], [None, NUL[2]]]


HALVES = [r'"a\ud800b"', r'{"x": "\udc00\ud800"}', r'"\udfff"']
RUNS["halves"] = [([TEXT, OBJECT, {}], [HALVES, ["null"] * 3])]


def test_half_of_a_surrogate_pair_is_kept_as_its_json_text(into: Warehouse) -> None:
    assert columns(into, "halves", "v0", "v1", "v2") == [[None, None]] * 3
    aside = columns(into, "halves", "v0__v_binary", "v1__v_binary", "v2__v_binary")
    assert aside == [[text.encode(), None] for text in HALVES]


EACH = [TEXT, INTEGER, NUMBER, BOOLEAN, OBJECT, INSTANT, DATE, TIME, BYTES, HUNDREDTHS]
RUNS["nulls"] = [(EACH, [["null"] * len(EACH)] * 2)]


def test_columns_that_are_always_null_exist(into: Warehouse) -> None:
    names = [f"v{number}" for number in range(len(EACH))]
    assert columns(into, "nulls", *names) == [[None, None]] * len(EACH)


RUNS["changing"] = [
    ([INTEGER], [["1"]]),
    ([NUMBER], [["2.5"], ["3"], ["1e2"]]),
    ([TEXT], [['"x"'], ['"7"'], ['""']]),
    ([OBJECT], [['{"y": 1.10}'], ["null"]]),
    ([INTEGER], [["4"]]),
]


def test_changed_type_changes_no_value(into: Warehouse) -> None:
    """Integer, number, text, object: values that the first column can't hold are in variants."""
    names = ("v0", "v0__v_double", "v0__v_text", "v0__v_json")
    v, doubles, texts, objects = columns(into, "changing", *names)
    assert v == [1, None, 3, 100, None, None, None, None, None, 4]
    assert doubles == [None, 2.5, *[None] * 8]
    assert texts == [None, None, None, None, "x", "7", "", None, None, None]
    assert [text and json.loads(text) for text in objects] == [*[None] * 7, {"y": 1.1}, None, None]
    assert into.columns("changing") == {"id", *names}


# What a column was made for, then another type; and where the value of that one goes.
CHANGES: list[tuple[Any, str, Any, str, str, list[Any]]] = [
    (NUMBER, "1.5", INTEGER, "9007199254740993", "bigint", [1.5, 2**53 + 1]),
    (NUMBER, "1.5", TEXT, '"x"', "text", [1.5, "x"]),
    (TEXT, '"x"', INTEGER, "5", "", ["x", "5"]),
    (TEXT, '"x"', BOOLEAN, "true", "", ["x", "true"]),
    (TEXT, '"x"', OBJECT, '{"y": 1.10}', "", ["x", '{"y": 1.10}']),
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


RUNS["changes"] = [
    ([change[0] for change in CHANGES], [[change[1] for change in CHANGES]]),
    ([change[2] for change in CHANGES], [[change[3] for change in CHANGES]]),
]


def test_value_of_a_changed_type_is_in_a_variant(into: Warehouse) -> None:
    for number, (*_, variant, values) in enumerate(CHANGES):
        name = f"v{number}"
        if variant:
            found = columns(into, "changes", name, f"{name}__v_{variant}")
            assert found == [[values[0], None], [None, values[1]]], (number, variant)
        else:
            assert columns(into, "changes", name) == [values], number


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
    (NUMBER, "1e-400", "text", "1e-400"),
    (NUMBER, "1234567890123456.78", "decimal", Decimal("1234567890123456.78")),
    (NUMBER, "0.10000000000000001", "", 0.1),
    (NUMBER, "5.960464477539063E-8", "", 2.0**-24),
    (HUNDREDTHS, "0.001", "decimal", Decimal("0.001")),
    (HUNDREDTHS, "1e400", "text", "1e400"),
    ({"type": "integer", "maximum": 10**20}, "100000000000000000000", "", Decimal(10**20)),
]


RUNS["numbers"] = [
    ([case[0] for case in NUMBERS], [texts])
    for texts in (["1"] * len(NUMBERS), [case[1] for case in NUMBERS])
]


def test_number_is_exact_or_in_a_variant(into: Warehouse) -> None:
    for number, (_, text, variant, expected) in enumerate(NUMBERS):
        name = f"v{number}"
        [[one, value]] = columns(into, "numbers", name)
        assert one == 1
        if variant:
            assert value is None, text
            [[nothing, value]] = columns(into, "numbers", f"{name}__v_{variant}")
            assert nothing is None
        assert (value, type(value)) == (expected, type(expected)), text


#: As `numeric` without a precision is declared by taps for PostgreSQL, and as FLOAT for Oracle.
ANY_NUMERIC = {
    "type": ["null", "number"],
    "multipleOf": 1e-38,
    "maximum": 10**62,
    "minimum": -(10**62),
    "exclusiveMaximum": True,
    "exclusiveMinimum": True,
}
LONG = "0." + "3" * 30
# What the first records show to be of another type than the SCHEMA says.
SEEN: list[tuple[Any, list[str]]] = [
    (ANY_NUMERIC, ["12.5", "0.25", "100000", "12345678901234567890.123", "-7.10"]),
    (ANY_NUMERIC, [LONG, "1", "12345678"]),
    (ANY_NUMERIC, ["9" * 30, "0.125"]),
    ({"type": "string", "format": "singer.decimal"}, ['"1.50"', '"-3.25"']),
    (NUMBER, ["123456789012345678", "123456789012345679", "5"]),
    (NUMBER, ["1234567890123456.78", "9007199254740993.5", "2"]),
    (INTEGER, ["1", "2.5"]),
    (INTEGER, ["18446744073709551615", "1"]),
    (HUNDREDTHS, ["1.25", "0.001"]),
]


SEEN_ROWS = [[texts[n % len(texts)] for _, texts in SEEN] for n in range(5)]
RUNS["seen"] = [([prop for prop, _ in SEEN], [*SEEN_ROWS, ["null"] * len(SEEN)])] * 3


def test_first_records_choose_a_type_that_holds_them(into: Warehouse) -> None:
    """No value is in a variant, so that sums of the columns are right; in later runs, too."""
    names = [f"v{number}" for number in range(len(SEEN))]
    assert into.columns("seen") == {"id", *names}
    expected = [[Decimal(row[n].strip('"')) for row in SEEN_ROWS] for n in range(len(SEEN))]
    assert columns(into, "seen", *names) == [[*values, None] * 3 for values in expected]


#: Python's json writes them, and so do many taps.
NO_NUMBERS = ["NaN", "Infinity", "-Infinity"]


NESTED = ['{"x": [NaN, "NaN"]}', '{"NaN": -Infinity}', '{"x": "Infinity"}']
RUNS["nan"] = [
    (
        [NUMBER, INTEGER, HUNDREDTHS, TEXT, OBJECT, TEXT, {}],
        [
            *([text] * 4 + [NESTED[n], f'"{text} "', text] for n, text in enumerate(NO_NUMBERS)),
            ["1.5", "1", "0.01", '""', "{}", "null", "1"],
        ],
    )
] * 2


def test_nan_and_infinity_are_loaded(into: Warehouse) -> None:
    """NaN is in the column if it is a double, else in a variant as text; "NaN" is a text."""
    doubles, *others = columns(into, "nan", *(f"v{number}" for number in range(7)))
    assert [str(value) for value in doubles] == ["nan", "inf", "-inf", "1.5"] * 2
    assert others[:2] == [[None, None, None, 1] * 2, [None, None, None, Decimal("0.01")] * 2]
    assert others[2] == [*NO_NUMBERS, ""] * 2
    assert [value and json.loads(value) for value in others[3]] == [
        *[None, None, {"x": "Infinity"}, {}] * 2
    ]
    assert others[4] == [*(f"{text} " for text in NO_NUMBERS), None] * 2
    assert others[5] == [None, None, None, "1"] * 2
    for name in ("v1", "v2", "v6"):
        assert columns(into, "nan", f"{name}__v_text") == [[*NO_NUMBERS, None] * 2]
    assert columns(into, "nan", "v4__v_text") == [[*NESTED[:2], None, None] * 2]


YEARS = ["0001-01-01T00:00:00+02:00", "2024-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00"]
RUNS["years"] = [
    ([INSTANT, NUMBER, TEXT], [[f'"{year}"', "NaN", text] for year in YEARS])
    for text in ('"x"', '""')
]


def test_instant_outside_of_pythons_years_is_kept(into: Warehouse) -> None:
    """With a text that dlt can load from no file, too: in an INSERT statement."""
    found, beside = seconds(into)
    if isinstance(into, Postgres):
        assert found == [None, 1_704_067_200, 253_402_318_799] * 2
        assert beside == [YEARS[0], None, None] * 2
    else:
        assert found == [-62_135_604_000, 1_704_067_200, 253_402_318_799] * 2
        assert not beside


def seconds(into: Warehouse) -> tuple[list[int | None], list[str | None]]:
    """Return the seconds of the first column, and its variant: Python has no such years."""
    if isinstance(into, Postgres):
        chosen = "extract(epoch from v0)::bigint, v0__v_text"
        rows = into.query(f"select {chosen} from data.years order by _sdc_sequence")
        found, beside = zip(*rows, strict=True)
        return list(found), list(beside)
    table = into.table("years").sort_by("_sdc_sequence")  # type: ignore[attr-defined]
    microseconds = table["v0"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    variant = "v0__v_text"
    beside = table[variant].to_pylist() if variant in table.column_names else []
    return [value // 10**6 for value in microseconds], beside


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


RUNS["instants"] = [([INSTANT], [*([json.dumps(text)] for text in INSTANTS), ["null"]])]


def test_date_time_is_the_same_instant(into: Warehouse) -> None:
    assert columns(into, "instants", "v0") == [[*INSTANTS.values(), None]]


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


RUNS["values"] = [
    ([case[0] for case in VALUES], [["null"] * len(VALUES), [case[1] for case in VALUES]])
]


def test_value_arrives_in_a_column_of_its_type(into: Warehouse) -> None:
    found = columns(into, "values", *(f"v{number}" for number in range(len(VALUES))))
    for (_, text, expected), (nothing, value) in zip(VALUES, found, strict=True):
        assert nothing is None
        if isinstance(expected, time) and isinstance(into, Delta):
            # Delta has no such type, and dlt writes texts.
            assert time.fromisoformat(value) == expected
        else:
            assert (value, type(value)) == (expected, type(expected)), text


RUNS["base64"] = [([BYTES], [['"AP8="'], ['"no base64!"']])]


def test_text_that_is_not_base64_is_kept(into: Warehouse) -> None:
    assert columns(into, "base64", "v0", "v0__v_text") == [
        [b"\x00\xff", None],
        [None, "no base64!"],
    ]
