"""What can't be loaded is refused with a sentence, and what is stored stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import record, schema

from dlt_bridge import BridgeError, TapError, singer

if TYPE_CHECKING:
    from staging import Stage

TEXT = {"type": "string"}
INSTANT = {"type": "string", "format": "date-time"}
TIME = {"type": "string", "format": "time"}


def named(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


def refusal(stage: Stage, lines: list[Any]) -> str:
    """Load lines that must be refused, and return the sentence."""
    with pytest.raises(PipelineStepFailed) as failed:
        stage.load(lines)
    error: BaseException | None = failed.value
    while error is not None and not isinstance(error, BridgeError):
        error = error.__cause__ or error.__context__
    assert error is not None
    return str(error)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["not json"], ["Line 1"]),
        ([schema(), '{"type": "NEWS"}'], ["Line 2"]),
        ([record(id=1)], ["Stream a", "line 1", "before a SCHEMA"]),
        ([schema(), record(v=1)], ["Stream a", "line 2", "`id`"]),
        ([schema(), record(id=None)], ["Stream a", "line 2", "`id`"]),
        ([schema(v=TEXT), record(id=1, v="a"), record(id=2, v=7)], ["line 3", "`v`"]),
        ([schema(f0=TEXT), record(id=1, f0=7)], ["line 2", "`f0`"]),
        (
            [schema(keys=(), **named("unknown field", TEXT)), record(**named("unknown field", 7))],
            ["line 2", "`unknown field`"],
        ),
        ([schema(), record(id=1), record(id=2**63)], ["Stream a", "line 3", "`id`", "bigint"]),
        (
            [schema(v=INSTANT), record(id=1), record(id=2, v="yesterday")],
            ["Stream a", "line 3", "`v`", "timestamp"],
        ),
        ([schema(v={"type": "null"}), record(id=1, v="x")], ["line 2", "`v`", "null"]),
        ([{**schema(), "schema": {}}], ["Stream a", "no property"]),
        ([schema(keys=(), id={"type": "null"})], ["Stream a", "no property"]),
        *(
            ([schema(**named(name, TEXT))], ["Stream a", repr(name)])
            for name in ("", 'a"b', "a\\b", "a\nb")
        ),
        ([schema(keys=("k",), k={}), record(id=1, k=1), record(id=2)], ["line 3", "`k`", "json"]),
        ([schema(keys=("k",), k={}), record(id=1, k=None)], ["line 2", "`k`", "json"]),
        ([schema(keys=("nope",))], ["Stream a", "nope"]),
        ([schema(), {"type": "BATCH", "stream": "a", "manifest": []}], ["line 2", "BATCH"]),
        (
            [schema(), {"type": "ACTIVATE_VERSION", "stream": "a", "version": 1}],
            ["line 2", "ACTIVATE_VERSION"],
        ),
    ],
)
def test_bad_line_is_refused_by_stream_and_line(
    stage: Stage, lines: list[Any], words: list[str]
) -> None:
    sentence = refusal(stage, lines)
    for word in words:
        assert word in sentence
    assert "yesterday" not in sentence


@pytest.mark.parametrize(
    ("prop", "fits", "text"),
    [
        ({"type": "integer"}, "1.0", "1.5"),
        ({"type": "integer"}, "1.0", "1e400000000"),
        ({"type": "integer"}, "1.0", '"5"'),
        ({"type": "number"}, "9007199254740992", "9007199254740993"),
        ({"type": "number", "multipleOf": 0.1}, "0.1", "0.123"),
        (INSTANT, '"2026-01-01T00:00:00.1234560Z"', '"2026-01-01T00:00:00.1234561Z"'),
        (INSTANT, '"2026-01-01T00:00:00"', '"2026-01-01T00:00:00.123456001"'),
        (INSTANT, '"2026-01-01T00:00:00Z"', '"0000-01-01T00:00:00Z"'),
        (INSTANT, '"2026-01-01T00:00:00"', '"0000-01-01T00:00:00Z"'),
        (TIME, '"23:59:59.1234560"', '"23:59:59.1234561"'),
        (TIME, '"23:59:59+00:00"', '"23:59:59+02:00"'),
    ],
)
def test_value_that_would_change_is_refused(
    stage: Stage, prop: dict[str, Any], fits: str, text: str
) -> None:
    line = '{"type": "RECORD", "stream": "a", "record": {"id": 1, "v": %s}}'
    stage.load([schema(v=prop), line % fits])
    sentence = refusal(stage, [schema(v=prop), line % fits, line % text])
    assert "the value of `v` in line 3" in sentence
    assert text.strip('"') not in sentence


@pytest.mark.parametrize(
    "text",
    [
        '{"id": 1, "v": "\udcff"}',
        '{"id": 1, "j": {"v": "\udcff"}}',
        '{"id": 1, "\udcff": 1}',
        '{"id": 1, "extra": 1, "\udcff": 1}',
    ],
)
def test_text_that_is_no_utf8_is_refused(stage: Stage, text: str) -> None:
    """A lone surrogate stands for the byte that the tap writes: see scripted_tap.py."""
    line = f'{{"type": "RECORD", "stream": "a", "record": {text}}}'
    assert "line 2" in refusal(stage, [schema(v=TEXT, j={}), line])
    assert "Line 1" in refusal(stage, ['{"type": "RECORD", "stream": "\udcff"}'])


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"type": "integer"}, {"type": "number"}),
        ({"type": "integer"}, {"type": "string"}),
        ({"type": "boolean"}, {"type": "integer"}),
        ({"type": "number", "multipleOf": 0.1}, {"type": "number", "multipleOf": 0.001}),
        ({"type": "string"}, {"type": "object"}),
    ],
)
def test_changed_type_never_changes_a_stored_value(
    stage: Stage, before: dict[str, Any], now: dict[str, Any]
) -> None:
    """dlt's Arrow path would let the database cast: 1.5 into a bigint column becomes 2."""
    stage.load([schema(v=before), record(id=1)])
    sentence = refusal(stage, [schema(v=now), record(id=2)])
    assert "`v` is now" in sentence
    assert stage.rows("select id from data.a") == [(1,)]


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (schema(), schema(keys=("id", "k"), k=TEXT), "`k` is a new key"),
        (schema(keys=("id", "k"), k=TEXT), schema(k=TEXT), "`k` is no longer a key"),
        (schema(keys=()), schema(), "`id` is now a key"),
    ],
)
def test_changed_key_is_refused_before_anything_is_loaded(
    stage: Stage, before: dict[str, Any], now: dict[str, Any], words: str
) -> None:
    """The database would refuse nulls in the load, and every run after it would be stuck."""
    assert words in refusal(stage, [before, record(id=1, k="x"), now])
    assert not stage.pipeline.has_pending_data
    stage.load([before, record(id=1, k="x")])
    assert words in refusal(stage, [now, record(id=2, k="y")])
    assert not stage.pipeline.has_pending_data
    stage.load([before, record(id=3, k="z")])
    assert stage.rows("select id from data.a order by id") == [(1,), (3,)]
    stage.load([now, record(id=2, k="y")], refresh="drop_resources")
    assert stage.rows("select id from data.a") == [(2,)]


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        (("userId", "user_id"), "`userId`, `user_id` would be one column, `user_id`"),
        (("_sdc_sequence",), "`_sdc_sequence` can't be loaded"),
        (("_SDC_Sequence",), "`_SDC_Sequence` can't be loaded"),
    ],
)
def test_properties_that_meet_in_a_column_are_refused(
    stage: Stage, properties: tuple[str, ...], words: str
) -> None:
    columns: dict[str, Any] = dict.fromkeys(properties, TEXT)
    assert words in refusal(stage, [schema(**columns)])


def test_key_needs_a_destination_that_merges(stage: Stage) -> None:
    """A destination of files would append every version of a record."""
    stage.pipeline = dlt.pipeline(
        "files",
        pipelines_dir=str(stage.folder / "files"),
        destination=dlt.destinations.filesystem(str(stage.folder / "out")),
        dataset_name="data",
    )
    assert "filesystem can't merge" in refusal(stage, [schema(), record(id=1)])
    stage.load([schema(keys=()), record(id=1)])
    assert list((stage.folder / "out" / "data" / "a").iterdir())


def test_properties_beyond_the_schema_are_reported(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [schema(), record(id=1, e1=1, **named('e"2', 2)), record(id=2, e3=3)]
    stage.load([*lines, schema(v={"type": "null"}), record(id=3, v=None, e4=1)])
    assert stage.rows("select id from data.a order by id") == [(1,), (2,), (3,)]
    for name in ("e1", 'e"2', "e3", "e4"):
        assert f"`{name}`" in caplog.text
    assert "`v`" not in caplog.text


def test_property_beyond_the_schema_is_reported_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    batch = [record(id=number, e1=1) for number in range(20_000)]
    stage.load([schema(), *batch, *batch, record(id=-1, e2=1)])
    assert caplog.text.count("`e1`") == 1
    assert caplog.text.count("`e2`") == 1


def test_records_with_ever_new_properties_are_loaded(stage: Stage) -> None:
    stage.load([schema(), *(record(id=number, **named(f"e{number}", 1)) for number in range(300))])
    assert stage.rows("select count(*) from data.a") == [(300,)]


def test_tap_that_is_not_there_is_named() -> None:
    with pytest.raises(TapError, match="no executable `tap-nowhere`"):
        singer("tap-nowhere")


def test_config_is_readable_by_nobody_else_and_gone_after_the_run(stage: Stage) -> None:
    stage.load([schema()])
    assert stage.given["config"] == {"password": "s3cret"}
    assert stage.given["config_mode"] == "0o700"
    assert not Path(stage.given["config_path"]).exists()
