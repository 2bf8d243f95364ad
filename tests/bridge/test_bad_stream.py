"""`on_bad_stream`: one bad stream ends the run, or the others are loaded without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bridge.command_line import DATA
from bridge.target_command import Target, states
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, record, schema

from dlt_bridge import load

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.command_line import Command
    from staging import Stage


def lines(number: int, bad: Any) -> list[Any]:
    """Return lines of three streams, of which the second has a record with the key `bad`."""
    written: list[Any] = []
    for stream in ("a", "b", "c"):
        written += [schema(stream), record(stream, id=number)]
    written += [record("b", id=bad), record("b", id=100 + number)]
    written += [record(stream, id=10 + number) for stream in ("a", "b", "c")]
    return [*written, bookmark(a={"x": number}, b={"x": number}, c={"x": number})]


def found(rows: Any) -> dict[str, list[int]]:
    return {
        stream: [key for (key,) in rows(f"select id from data.{stream} order by id")]
        for stream in ("a", "b", "c")
    }


def test_target_loads_the_other_streams_and_reads_the_bad_one_again(tmp_path: Path) -> None:
    target = Target(tmp_path)
    assert target(lines(1, 50)).returncode == 0
    run = target(lines(2, None), on_bad_stream="skip")
    assert run.returncode == 1
    said = run.stderr.decode()
    assert "Stream b: `id` in line 7 is null." in said
    assert "These streams are not loaded whole: b." in said
    assert states(run) == [{"bookmarks": {"a": {"x": 2}, "c": {"x": 2}}}]
    assert found(target.rows) == {"a": [1, 2, 11, 12], "b": [1, 11, 50, 101], "c": [1, 2, 11, 12]}
    # Mended: the tap reads the stream from its beginning.
    assert target([*lines(1, 50), *lines(2, 51)], on_bad_stream="skip").returncode == 0
    assert found(target.rows)["b"] == [1, 2, 11, 12, 50, 51, 101, 102]


def test_state_that_is_not_by_stream_is_not_passed_on(tmp_path: Path) -> None:
    target = Target(tmp_path)
    flat = [*lines(2, None)[:-1], {"type": "STATE", "value": {"at": 1}}]
    run = target(flat, on_bad_stream="skip")
    assert (run.returncode, run.stdout) == (1, b"")
    assert target.rows("select id from data.c order by id") == [(2,), (12,)]


@pytest.mark.parametrize("every", [0, 600])
def test_bookmark_of_a_skipped_stream_stays_where_it_was(stage: Stage, every: float) -> None:
    stage.streams = dict.fromkeys(("a", "b", "c"), "INCREMENTAL")
    options = {"on_bad_stream": "skip"}
    load(stage.pipeline, stage.source(lines(1, 50), options=options), checkpoint_every=every)
    for _ in range(2):
        with pytest.raises(PipelineStepFailed, match="not loaded whole: b"):
            load(
                stage.pipeline,
                stage.source(lines(2, None), options=options),
                checkpoint_every=every,
            )
    load(stage.pipeline, stage.source(lines(3, 51), options=options), checkpoint_every=every)
    assert stage.given["state"]["bookmarks"] == {"a": {"x": 2}, "b": {"x": 1}, "c": {"x": 2}}
    assert found(stage.rows) == {
        "a": [1, 2, 3, 11, 12, 13],
        "b": [1, 3, 11, 13, 50, 51, 101, 103],
        "c": [1, 2, 3, 11, 12, 13],
    }


def test_schema_that_cannot_be_loaded_is_skipped(stage: Stage) -> None:
    stage.streams = dict.fromkeys(("a", "b", "c"), "INCREMENTAL")
    bad = [schema("b", keys=("nothing",)), *(record("b", id=number) for number in range(100))]
    written = [*bad, *lines(1, 1)[:2], *bad, bookmark(a={"x": 1}, b={"x": 1})]
    with pytest.raises(PipelineStepFailed, match="not loaded whole: b"):
        load(stage.pipeline, stage.source(written, options={"on_bad_stream": "skip"}))
    assert stage.rows("select id from data.a") == [(1,)]


def test_records_that_come_together_after_the_error_are_skipped(tmp_path: Path) -> None:
    target = Target(tmp_path)
    many = [record("b", id=number) for number in range(30_000)]
    written = [schema("a"), schema("b"), *many[:25_000], record("b", id=None), *many[25_000:]]
    written += [record(id=1), *many, record(id=2), bookmark(a={"x": 2}, b={"x": 1})]
    run = target(written, on_bad_stream="skip")
    assert (run.returncode, states(run)) == (1, [{"bookmarks": {"a": {"x": 2}}}])
    assert target.rows("select id from data.a order by id") == [(1,), (2,)]


def test_command_ends_with_an_error(dlt: Command) -> None:
    dlt.streams = ("a", "b", "c")
    done = dlt("singer", "run", dlt.plays(lines(1, None)), "--on-bad-stream", "skip")
    assert done.returncode != 0
    assert "These streams are not loaded whole: b." in done.stderr
    assert dlt.rows(f"select id from {DATA}.c order by id") == [(1,), (11,)]
