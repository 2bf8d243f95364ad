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


def requiring(name: str) -> dict[str, Any]:
    message = schema(**named(name, TEXT))
    return {**message, "schema": {**message["schema"], "required": [name]}}


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
        (
            [schema(), record(id=1), '{"type": "RECORD", "stream": "a", "record": {"id": 2'],
            ["ine 3"],
        ),
        (
            [schema(), record(id=1), '{"type": "RECORD", "stream": "a", "record": {"id": NaN}}'],
            ["3"],
        ),
        ([schema(), '{"type": "STATE", "value": [1]}'], ["STATE", "not an object"]),
        ([record(id=1)], ["Stream a", "line 1", "before a SCHEMA"]),
        ([schema(), record(v=1)], ["Stream a", "line 2", "`id`"]),
        ([schema(), record(id=1), record(id=None)], ["Stream a", "line 3", "`id`", "null"]),
        ([schema(), record(id=1), record(id="x")], ["Stream a", "line 3", "`id`", "bigint"]),
        (
            [{**schema(keys=()), "schema": {"type": "object"}}],
            ["Stream a", "no property", "no key"],
        ),
        ([schema(), '{"type": "LOG", "stream": "a"}'], ["Line 2"]),
        ([schema(), '{"type": "LOG", "record": {}}'], ["Line 2"]),
        ([schema(**named(" ", TEXT))], ["Stream a", "without a name"]),
        ([schema(keys=("k",), k={}), record(id=1, k=1), record(id=2)], ["line 3", "`k`"]),
        ([schema(keys=("k",), k={}), record(id=1, k=None)], ["line 2", "`k`", "null"]),
        ([schema(keys=("nope",)), record(id=1)], ["Stream a", "line 2", "`nope`"]),
        ([requiring("v"), record(id=1, v="x"), record(id=2)], ["Stream a", "line 3", "`v`"]),
        ([requiring('v"'), record(id=1)], ["Stream a", "line 2", '`v"`']),
        ([schema(), {"type": "BATCH", "stream": "a", "manifest": []}], ["Line 2", "encoding"]),
        (
            [schema(), '{"type": "RECORD", "stream": "a", "record": {"id": 1}, "version": "x"}'],
            ["line 2", "`int | null`"],
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


def test_unused_message_keys_may_have_any_value(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """As taps write that are not made with a library."""
    odds: list[dict[str, Any]] = [
        {"key_properties": "id", "bookmark_properties": "at"},
        {"key_properties": ["id", None, "id"], "bookmark_properties": [None]},
        {"bookmark_properties": {"x": 1}, "time_extracted": 5, "more": []},
    ]
    for number, odd in enumerate(odds):
        log = {"type": "LOG", "log": {"level": "INFO"}}
        row = {**record(id=number, v="x"), "time_extracted": None, "more": 1}
        stage.load([schema(v=TEXT) | odd, log, log, row, record(id=9, v=str(number))])
    assert stage.rows("select id, v from data.a order by id") == [
        *((number, "x") for number in range(3)),
        (9, "2"),
    ]
    assert caplog.text.count("Line 2 is a message of the type LOG") == 3
    assert "Line 3" not in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        '{"id": 1, "v": "\udcff"}',
        '{"id": 1, "j": {"v": "\udcff"}}',
        '{"id": 1, "\udcff": 1}',
        '{"id": 1, "extra": 1, "\udcff": 1}',
    ],
)
def test_text_that_is_not_utf8_is_refused(stage: Stage, text: str) -> None:
    """A lone surrogate stands for the byte that the tap writes: see scripted_tap.py."""
    line = f'{{"type": "RECORD", "stream": "a", "record": {text}}}'
    assert "line 2" in refusal(stage, [schema(v=TEXT, j={}), line])
    assert "Line 1" in refusal(stage, ['{"type": "RECORD", "stream": "\udcff"}'])


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        (("userId", "user_id"), "`userId`, `user_id` would be one column, `user_id`"),
        (("_sdc_sequence", "_SDC_Sequence"), "would be one column, `source_sdc_sequence`"),
    ],
)
def test_properties_with_colliding_names_are_refused(
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


def test_missing_tap_is_named() -> None:
    with pytest.raises(TapError, match="no executable `tap-nowhere`"):
        singer("tap-nowhere")


def test_config_is_private_and_removed_after_the_run(stage: Stage) -> None:
    stage.load([schema()])
    assert stage.given["config"] == {"password": "s3cret"}
    assert stage.given["config_mode"] == "0o700"
    assert not Path(stage.given["config_path"]).exists()
