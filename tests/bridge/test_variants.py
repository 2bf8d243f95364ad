"""A value that its column can't hold is kept unchanged in a variant of the column."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from bridge.together import after_each, logged
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, record, schema

if TYPE_CHECKING:
    from collections.abc import Sized
    from pathlib import Path

    from bridge.destinations import DuckDB

INTEGER = {"type": "integer"}
NUMBER = {"type": "number"}
TEXT = {"type": "string"}
INSTANT = {"type": "string", "format": "date-time"}
TIME = {"type": "string", "format": "time"}
BASE64 = {"type": "string", "contentEncoding": "base64"}
LINE = '{"type": "RECORD", "stream": "a", "record": {"id": %d, "v": %s}}'


def line(stream: str, number: int, text: str) -> str:
    return LINE.replace('"a"', f'"{stream}"') % (number, text)


def columns(stage: Stage, stream: str) -> dict[str, str]:
    """Return the types of the columns of `v`, and of its variants."""
    described = stage.rows(f"describe data.{stream}")
    return {name: kind for name, kind, *_ in described if name.startswith("v")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("variants")


def staged(folder: Path, cases: Sized) -> Stage:
    """Return a stage with a stream for each case: all are loaded together."""
    folder.mkdir()
    return Stage(folder, {f"s{number}": "INCREMENTAL" for number in range(len(cases))})


UNFIT = [
    (INTEGER, "1e400", "v__v_text", "VARCHAR", "1e400"),
    (INTEGER, '"5"', "v__v_text", "VARCHAR", "5"),
    (INTEGER, "true", "v__v_bool", "BOOLEAN", "true"),
    (INTEGER, '{"x": 1.10}', "v__v_json", "JSON", '{"x": 1.10}'),
    (NUMBER, "1e-400", "v__v_text", "VARCHAR", "1e-400"),
    (NUMBER, "1e400", "v__v_text", "VARCHAR", "1e400"),
    ({"type": "number", "multipleOf": 0.1}, '"x"', "v__v_text", "VARCHAR", "x"),
    # Arrow's own cast would lose the first digits.
    (
        {"type": "number", "multipleOf": 0.01},
        "5.2e37",
        "v__v_decimal",
        "DECIMAL(38,0)",
        "52" + "0" * 36,
    ),
    ({"type": "integer", "maximum": 10**30}, "9" * 39, "v__v_text", "VARCHAR", "9" * 39),
    ({"type": "number", "multipleOf": 0.01}, '"1.5"', "v__v_text", "VARCHAR", "1.5"),
    ({"type": "boolean"}, "0", "v__v_bigint", "BIGINT", "0"),
    (TEXT, r'"a\ud800b"', "v__v_binary", "BLOB", r"\x22a\x5Cud800b\x22"),
    ({"type": "null"}, "5", "v__v_bigint", "BIGINT", "5"),
    (INSTANT, '"yesterday"', "v__v_text", "VARCHAR", "yesterday"),
    (
        INSTANT,
        '"2026-01-01T00:00:00.1234561Z"',
        "v__v_text",
        "VARCHAR",
        "2026-01-01T00:00:00.1234561Z",
    ),
    (INSTANT, '"0000-01-01T00:00:00Z"', "v__v_text", "VARCHAR", "0000-01-01T00:00:00Z"),
    (INSTANT, "5", "v__v_bigint", "BIGINT", "5"),
    (
        {"type": "string", "format": "date"},
        '"0000-00-00"',
        "v__v_text",
        "VARCHAR",
        "0000-00-00",
    ),
    (TIME, '"2026"', "v__v_text", "VARCHAR", "2026"),
    (INSTANT, '"2026-W05-6"', "v__v_text", "VARCHAR", "2026-W05-6"),
    (TIME, '"23:59:59.1234561"', "v__v_text", "VARCHAR", "23:59:59.1234561"),
    (TIME, '"23:59:59+02:00"', "v__v_text", "VARCHAR", "23:59:59+02:00"),
    ({"type": "string", "contentEncoding": "base64"}, '"a"', "v__v_text", "VARCHAR", "a"),
]


@pytest.fixture(scope="module")
def unfit(folder: Path) -> tuple[Stage, list[str]]:
    """Four lines a stream; the third is the first that does not fit."""
    stage = staged(folder / "unfit", UNFIT)
    lines: list[Any] = []
    for stream, (prop, text, *_) in zip(stage.streams, UNFIT, strict=True):
        values = enumerate(("null", text, text), 1)
        lines += [schema(stream, v=prop), *(line(stream, *value) for value in values)]
    with logged() as messages:
        stage.load(lines)
    return stage, messages


@pytest.mark.parametrize(("prop", "text", "variant", "kind", "expected"), UNFIT)
def test_value_that_does_not_fit_is_kept_in_a_variant(
    unfit: tuple[Stage, list[str]],
    prop: dict[str, Any],
    text: str,
    variant: str,
    kind: str,
    expected: str,
) -> None:
    """The database would store 1.5 in a bigint column as 2, and 2^53 + 1 as a double."""
    stage, messages = unfit
    place = UNFIT.index((prop, text, variant, kind, expected))
    stream = f"s{place}"
    assert stage.rows(f"select {variant}::varchar from data.{stream} order by id") == [
        (None,),
        (expected,),
        (expected,),
    ]
    assert columns(stage, stream)[variant] == kind
    if "v" in columns(stage, stream):
        assert stage.rows(f"select count(v) from data.{stream}") == [(0,)]
    [said] = [message for message in messages if f"Stream {stream}:" in message]
    assert f"in line {4 * place + 3} does not fit its column" in said
    assert expected not in said or len(expected) < 3


def test_variant_is_found_in_any_batch_and_run(stage: Stage) -> None:
    """Columns have different orders in different files and packages."""
    rows = [LINE % (number, number) for number in range(20_000)]
    stage.load([schema(v=INTEGER), rows[0]])
    stage.load([schema(v=INTEGER), *rows, LINE % (20_000, "1.5"), LINE % (20_001, '"x"')])
    stage.load([schema(v=INTEGER), LINE % (20_002, '"y"'), LINE % (20_003, "2.5")])
    stage.load([schema(v=INTEGER), LINE % (20_004, "7")])
    assert stage.rows("select count(v), sum(v) from data.a") == [(20_001, 199_990_000 + 7)]
    assert stage.rows(
        "select id, v__v_double, v__v_text from data.a where v is null order by 1"
    ) == [
        (20_000, 1.5, None),
        (20_001, None, "x"),
        (20_002, None, "y"),
        (20_003, 2.5, None),
    ]


CHANGED: list[tuple[Any, str, Any, list[str], dict[str, list[str | None]]]] = [
    # Wider, narrower, or another type: values that fit stay, others get a variant.
    (
        INTEGER,
        "1",
        NUMBER,
        ["2.0", "2.5"],
        {"v": ["1", "2", None], "v__v_double": [None, None, "2.5"]},
    ),
    (NUMBER, "1.5", INTEGER, ["2"], {"v": ["1.5", "2.0"]}),
    (
        NUMBER,
        "1.5",
        INTEGER,
        ["9007199254740993"],
        {"v": ["1.5", None], "v__v_bigint": [None, "9007199254740993"]},
    ),
    (INTEGER, "1", TEXT, ['"x"'], {"v": ["1", None], "v__v_text": [None, "x"]}),
    (
        {"type": "boolean"},
        "true",
        INTEGER,
        ["7"],
        {"v": ["true", None], "v__v_bigint": [None, "7"]},
    ),
    (
        {"type": "number", "multipleOf": 0.1},
        "0.1",
        {"type": "number", "multipleOf": 0.001},
        ["0.200", "0.123"],
        {
            "v": ["0.1", "0.2", None],
            "v__v_decimal": [None, None, "0.123"],
        },
    ),
    (
        TEXT,
        '"x"',
        {"type": "object"},
        ['{"a": 1}', "5", "true"],
        {"v": ["x", '{"a": 1}', "5", "true"]},
    ),
    (TEXT, '"x"', INSTANT, ['"2026-01-01T00:00:00Z"'], {"v": ["x", "2026-01-01T00:00:00Z"]}),
    (
        INSTANT,
        '"2026-01-01T00:00:00Z"',
        TEXT,
        ['"x"'],
        {"v": ["2026-01-01 00:00:00+00", None], "v__v_text": [None, "x"]},
    ),
    ({}, "5", TEXT, ['"x"'], {"v": ["5", '"x"']}),
    ({}, "5", {"type": "null"}, ["null"], {"v": ["5", None]}),
    (INTEGER, "5", {"type": "null"}, ["7"], {"v": ["5", "7"]}),
    # A text that looks like what is stored is still a text.
    (
        BASE64,
        '"AP8="',
        TEXT,
        ['"data"'],
        {"v": [r"\x00\xFF", None], "v__v_text": [None, "data"]},
    ),
]


@pytest.fixture(scope="module")
def changed(folder: Path) -> dict[str, Stage]:
    stages = {between: staged(folder / between, CHANGED) for between in ("runs", "lines")}
    first: list[Any] = []
    then: list[Any] = []
    for stream, (before, old, now, texts, _) in zip(stages["runs"].streams, CHANGED, strict=True):
        first += [schema(stream, v=before), line(stream, 1, old)]
        values = enumerate(texts, 2)
        then += [schema(stream, v=now), *(line(stream, *value) for value in values)]
    stages["runs"].load(first)
    stages["runs"].load(then)
    stages["lines"].load([*first, *then])
    return stages


@pytest.mark.parametrize(("before", "old", "now", "texts", "expected"), CHANGED)
@pytest.mark.parametrize("between", ["runs", "lines"])
def test_changed_type_never_changes_a_stored_value(
    changed: dict[str, Stage],
    between: str,
    before: dict[str, Any],
    old: str,
    now: dict[str, Any],
    texts: list[str],
    expected: dict[str, list[str | None]],
) -> None:
    stage = changed[between]
    stream = f"s{CHANGED.index((before, old, now, texts, expected))}"
    there = {name: values for name, values in expected.items() if any(values)}
    for name, values in there.items():
        rows = stage.rows(f"select {name}::varchar from data.{stream} order by id")
        assert [value for (value,) in rows] == values
    assert set(columns(stage, stream)) == set(there)


def test_frozen_types_refuse_what_does_not_fit(stage: Stage) -> None:
    stage.load([schema(v=INTEGER), LINE % (1, "1")])
    with pytest.raises(PipelineStepFailed, match="v__v_double"):
        stage.load(
            [schema(v=INTEGER), LINE % (2, "2"), LINE % (3, "1.5")],
            run={"schema_contract": {"data_type": "freeze"}},
        )
    assert stage.rows("select id, v from data.a") == [(1, 1)]
    assert not stage.pipeline.has_pending_data


def test_variant_that_is_another_property_is_refused(stage: Stage) -> None:
    with pytest.raises(PipelineStepFailed, match="`v__v_text`, which is another property"):
        stage.load([schema(v=INTEGER, v__v_text=TEXT), LINE % (1, '"x"')])


def test_key_that_does_not_fit_its_column_is_refused(stage: Stage) -> None:
    """A later record could not replace its row."""
    stage.load([schema(), record(id=1)])
    with pytest.raises(PipelineStepFailed, match="`id` in line 3 does not fit"):
        stage.load([schema(id=TEXT), '{"type": "STATE", "value": {}}', record(id="x")])
    assert stage.rows("select id from data.a") == [(1,)]


KEYS = [
    (schema(), schema(keys=("id", "k"), k=TEXT)),
    (schema(keys=("id", "k"), k=TEXT), schema(k=TEXT)),
    (schema(keys=(), k=TEXT), schema(k=TEXT)),
    (schema(keys=("id", "k"), k=TEXT), schema(keys=("k",), k=TEXT)),
]


@pytest.fixture(scope="module")
def keyed(folder: Path) -> list[DuckDB]:
    """Three runs: the streams of KEYS, and one that has no key in the second run."""
    stage = staged(folder / "keyed", KEYS)
    runs: list[list[Any]] = [[], [], []]
    for stream, (before, now) in zip(stage.streams, KEYS, strict=True):
        x, y, z = (record(stream, id=number, k=k) for number, k in enumerate("xyz", 1))
        runs[0] += [before | {"stream": stream}, x, y]
        runs[1] += [now | {"stream": stream}, y, z, z]
        runs[2] += [now | {"stream": stream}, z]
    stage.streams["keyless"] = "INCREMENTAL"
    row = record("keyless", id=1)
    runs[0] += [schema("keyless"), row]
    runs[1] += [schema("keyless", keys=()), row, row]
    runs[2] += [schema("keyless"), row]
    return after_each(stage, *runs)


@pytest.mark.parametrize(("before", "now"), KEYS)
def test_key_may_change_between_runs(
    keyed: list[DuckDB], before: dict[str, Any], now: dict[str, Any]
) -> None:
    _, second, third = keyed
    table = f"data.s{KEYS.index((before, now))}"
    assert second.query(f"select id from {table} where id < 3 order by id")[-1] == (2,)
    keys = [key for key in now["key_properties"] if key in before["schema"]["properties"]]
    if set(now["key_properties"]) == set(keys):
        rows = second.query(f"select id, k from {table} order by id")
        assert rows == [(1, "x"), (2, "y"), (3, "z")]
    assert third.query(f"select count(*) from {table} where id = 3") == [(1,)]


def test_stream_without_its_former_key_is_appended(keyed: list[DuckDB]) -> None:
    """dlt would merge by the key in its stored schema."""
    _, second, third = keyed
    assert second.query("select id from data.keyless") == [(1,), (1,), (1,)]
    assert third.query("select id from data.keyless") == [(1,)]


UNUSUAL: list[tuple[Any, str, str]] = [
    ({"type": "number", "multipleOf": 0.01}, "2.8" + "0" * 40, "2.80"),
    ({"type": "number", "multipleOf": 0.01}, "0e400", "0.00"),
    ({"type": "number", "multipleOf": 0.01}, "1E+2", "100.00"),
    (
        {"type": "string", "format": "singer.decimal", "precision": 9, "scale": 2},
        '"1.5"',
        "1.50",
    ),
    (NUMBER, "-0", "-0.0"),
    (TEXT, r'"\\ud800"', r"\ud800"),
    (TEXT, '1, "v": "x"', "x"),
]


@pytest.fixture(scope="module")
def unusual(folder: Path) -> Stage:
    """Values that do not fit make the decoder read the column value by value."""
    stage = staged(folder / "unusual", UNUSUAL)
    half = r'"a\ud800"'
    first: list[Any] = []
    then: list[Any] = []
    for stream, (prop, text, _) in zip(stage.streams, UNUSUAL, strict=True):
        head = schema(stream, v=prop, w=TEXT)
        values = enumerate((text, "{}", text), 1)
        first += [head, *(line(stream, *value) for value in values)]
        then += [head, line(stream, 4, f'{text}, "w": {half}')]
    stage.load(first)
    stage.load(then)
    return stage


@pytest.mark.parametrize(("prop", "text", "expected"), UNUSUAL)
def test_value_in_an_unusual_notation_fits(
    unusual: Stage, prop: dict[str, Any], text: str, expected: str
) -> None:
    table = f"data.s{UNUSUAL.index((prop, text, expected))}"
    assert unusual.rows(f"select v::varchar from {table} where id <> 2") == [(expected,)] * 3


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python 3.14 reads JSON of any depth")
def test_record_that_is_nested_too_deep_is_refused(stage: Stage) -> None:
    deep = "[" * 200_000 + "]" * 200_000
    with pytest.raises(PipelineStepFailed, match=r"ine 3 |line 3"):
        stage.load([schema(v={}), LINE % (1, "1"), LINE % (2, deep)])
