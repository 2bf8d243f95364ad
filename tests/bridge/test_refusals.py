"""What can't be loaded is refused with a sentence, and what is stored stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import record, schema

from dlt_bridge import BridgeError, TapError, singer

if TYPE_CHECKING:
    from staging import Stage

TEXT = {"type": "string"}


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
        ([schema(), record(id=2**63)], ["Stream a", "`id`", "bigint"]),
        (
            [schema(v={"type": "string", "format": "date-time"}), record(id=1, v="yesterday")],
            ["Stream a", "`v`", "timestamp"],
        ),
        (
            [schema(v={"type": "number", "multipleOf": 0.1}), record(id=1, v=0.123)],
            ["Stream a", "`v`", "decimal"],
        ),
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


def test_properties_beyond_the_schema_are_reported(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.load([schema(), record(id=1, extra=1), record(id=2)])
    assert stage.rows("select id from data.a order by id") == [(1,), (2,)]
    assert "`extra`" in caplog.text


def test_tap_that_is_not_there_is_named() -> None:
    with pytest.raises(TapError, match="no executable `tap-nowhere`"):
        singer("tap-nowhere")


def test_config_is_readable_by_nobody_else_and_gone_after_the_run(stage: Stage) -> None:
    stage.load([schema()])
    assert stage.given["config"] == {"password": "s3cret"}
    assert stage.given["config_mode"] == "0o700"
    assert not Path(stage.given["config_path"]).exists()
