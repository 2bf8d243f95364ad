"""A value that its column can't hold is kept unchanged in a variant of the column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import record, schema

if TYPE_CHECKING:
    from staging import Stage

INTEGER = {"type": "integer"}
NUMBER = {"type": "number"}
TEXT = {"type": "string"}
INSTANT = {"type": "string", "format": "date-time"}
TIME = {"type": "string", "format": "time"}
BASE64 = {"type": "string", "contentEncoding": "base64"}
LINE = '{"type": "RECORD", "stream": "a", "record": {"id": %d, "v": %s}}'


def columns(stage: Stage) -> dict[str, str]:
    """Return the types of the columns of `v`, and of its variants."""
    described = stage.rows("describe data.a")
    return {name: kind for name, kind, *_ in described if name.startswith("v")}


@pytest.mark.parametrize(
    ("prop", "text", "variant", "kind", "expected"),
    [
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
    ],
)
def test_value_that_does_not_fit_is_kept_in_a_variant(
    stage: Stage,
    caplog: pytest.LogCaptureFixture,
    prop: dict[str, Any],
    text: str,
    variant: str,
    kind: str,
    expected: str,
) -> None:
    """The database would store 1.5 in a bigint column as 2, and 2^53 + 1 as a double."""
    stage.load([schema(v=prop), LINE % (1, "null"), LINE % (2, text), LINE % (3, text)])
    assert stage.rows(f"select {variant}::varchar from data.a order by id") == [
        (None,),
        (expected,),
        (expected,),
    ]
    assert columns(stage)[variant] == kind
    if "v" in columns(stage):
        assert stage.rows("select count(v) from data.a") == [(0,)]
    assert "in line 3 does not fit its column" in caplog.text
    assert expected not in caplog.text or len(expected) < 3


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


@pytest.mark.parametrize(
    ("before", "old", "now", "texts", "expected"),
    [
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
    ],
)
@pytest.mark.parametrize("between", ["runs", "lines"])
def test_changed_type_never_changes_a_stored_value(
    stage: Stage,
    between: str,
    before: dict[str, Any],
    old: str,
    now: dict[str, Any],
    texts: list[str],
    expected: dict[str, list[str | None]],
) -> None:
    first = [schema(v=before), LINE % (1, old)]
    then = [schema(v=now), *(LINE % (2 + number, text) for number, text in enumerate(texts))]
    if between == "runs":
        stage.load(first)
        stage.load(then)
    else:
        stage.load([*first, *then])
    there = {name: values for name, values in expected.items() if any(values)}
    for name, values in there.items():
        rows = stage.rows(f"select {name}::varchar from data.a order by id")
        assert [value for (value,) in rows] == values
    assert set(columns(stage)) == set(there)


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


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (schema(), schema(keys=("id", "k"), k=TEXT)),
        (schema(keys=("id", "k"), k=TEXT), schema(k=TEXT)),
        (schema(keys=(), k=TEXT), schema(k=TEXT)),
        (schema(keys=("id", "k"), k=TEXT), schema(keys=("k",), k=TEXT)),
    ],
)
def test_key_may_change_between_runs(
    stage: Stage, before: dict[str, Any], now: dict[str, Any]
) -> None:
    stage.load([before, record(id=1, k="x"), record(id=2, k="y")])
    stage.load([now, record(id=2, k="y"), record(id=3, k="z"), record(id=3, k="z")])
    assert stage.rows("select id from data.a where id < 3 order by id")[-1] == (2,)
    keys = [key for key in now["key_properties"] if key in before["schema"]["properties"]]
    if set(now["key_properties"]) == set(keys):
        assert stage.rows("select id, k from data.a order by id") == [(1, "x"), (2, "y"), (3, "z")]
    stage.load([now, record(id=3, k="z")])
    assert stage.rows("select count(*) from data.a where id = 3") == [(1,)]


def test_stream_without_its_former_key_is_appended(stage: Stage) -> None:
    """dlt would merge by the key in its stored schema."""
    stage.load([schema(), record(id=1)])
    stage.load([schema(keys=()), record(id=1), record(id=1)])
    assert stage.rows("select id from data.a") == [(1,), (1,), (1,)]
    stage.load([schema(), record(id=1)])
    assert stage.rows("select id from data.a") == [(1,)]


@pytest.mark.parametrize(
    ("prop", "text", "expected"),
    [
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
    ],
)
def test_value_in_an_unusual_notation_fits(
    stage: Stage, prop: dict[str, Any], text: str, expected: str
) -> None:
    """Values that do not fit make the decoder read the column value by value."""
    half = r'"a\ud800"'
    stage.load([schema(v=prop, w=TEXT), LINE % (1, text), LINE % (2, "{}"), LINE % (3, text)])
    stage.load([schema(v=prop, w=TEXT), LINE % (4, f'{text}, "w": {half}')])
    assert stage.rows("select v::varchar from data.a where id <> 2") == [(expected,)] * 3


def test_record_that_is_nested_too_deep_is_refused(stage: Stage) -> None:
    deep = "[" * 2000 + "]" * 2000
    with pytest.raises(PipelineStepFailed, match=r"ine 3 |line 3"):
        stage.load([schema(v={}), LINE % (1, "1"), LINE % (2, deep)])
