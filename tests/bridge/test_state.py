"""A Singer STATE is kept in dlt's state, committed with the rows, and reset with its stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, record, schema

from dlt_bridge.tap import state

if TYPE_CHECKING:
    from staging import Stage


def test_bookmark_is_given_back_to_the_tap(stage: Stage) -> None:
    stage.load([schema(), record(id=1), bookmark(a={"x": 1}), record(id=2), bookmark(a={"x": 2})])
    assert "state" not in stage.given
    stage.load([schema()])
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 2}}}


def test_bookmark_is_restored_from_the_destination(stage: Stage) -> None:
    stage.load([schema(), record(id=1), bookmark(a={"x": 1})])
    stage.pipeline = stage.new_pipeline("another machine")
    stage.load([schema(), record(id=2)])
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 1}}}
    assert stage.rows("select id from data.a order by id") == [(1,), (2,)]


def test_a_run_that_uses_no_state_reads_from_the_start(stage: Stage) -> None:
    lines = [schema(), record(id=1), bookmark(a={"x": 1})]
    for _ in range(2):
        stage.load(lines, options={"use_state": False})
        assert "state" not in stage.given
    assert stage.rows("select id from data.a") == [(1,)]
    stage.load(lines)
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 1}}}


def test_run_without_a_state_keeps_the_bookmark(stage: Stage) -> None:
    stage.load([schema(), bookmark(a={"x": 1})])
    stage.load([schema(), record(id=1)])
    stage.load([schema()])
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 1}}}


def test_bookmark_that_the_tap_drops_is_dropped(stage: Stage) -> None:
    stage.load([schema(), bookmark(a={"x": 1})])
    stage.load([schema(), bookmark()])
    stage.load([schema()])
    assert "state" not in stage.given


def test_failed_tap_commits_nothing(stage: Stage) -> None:
    stage.load([schema(), record(id=1), bookmark(a={"x": 1})])
    with pytest.raises(PipelineStepFailed) as failed:
        stage.load([schema(), record(id=2), bookmark(a={"x": 2})], exit=3, stderr="out of luck")
    assert "exit code 3" in str(failed.value)
    assert "out of luck" in str(failed.value)
    assert stage.rows("select id from data.a") == [(1,)]
    stage.load([schema()])
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 1}}}


def test_reset_of_one_stream_resets_its_bookmark_alone(stage: Stage) -> None:
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    lines = [schema("a"), record("a", id=1), schema("b"), record("b", id=1)]
    stage.load([*lines, bookmark(a={"x": 1}, b={"x": 1})])
    source = stage.source([schema("a"), record("a", id=2), bookmark(a={"x": 5}, b={"x": 9})])
    stage.pipeline.run(source.with_resources("a"), refresh="drop_resources")
    assert "state" not in stage.given
    assert stage.rows("select id from data.a") == [(2,)]
    assert stage.rows("select id from data.b") == [(1,)]
    stage.load(lines)
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 5}, "b": {"x": 1}}}


def test_state_without_bookmarks_is_kept_whole(stage: Stage) -> None:
    stage.load([schema(), {"type": "STATE", "value": {"cursor": [1, 2]}}])
    stage.load([schema()])
    assert stage.given["state"] == {"cursor": [1, 2]}


def test_bookmark_of_no_stream_is_kept(stage: Stage) -> None:
    """Some taps name bookmarks by account."""
    value = bookmark(**{"a": {"x": 1}, "a_events": {"x": 5}, "acct:1": {"y": 1}})
    stage.load([schema(), record(id=1), value])
    stage.load([schema()])
    assert stage.given["state"] == value["value"]


def test_state_without_bookmarks_is_not_given_to_a_stream_that_was_reset(stage: Stage) -> None:
    """Its table is empty, so to continue from the cursor would leave a gap."""
    cursor = {"type": "STATE", "value": {"cursor": 1}}
    stage.load([schema(), record(id=1), cursor])
    stage.load([schema(), record(id=1), cursor], refresh="drop_resources")
    assert "state" not in stage.given
    stage.load([schema()])
    assert stage.given["state"] == {"cursor": 1}


def test_state_without_bookmarks_is_not_given_to_a_stream_that_was_not_read(stage: Stage) -> None:
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    lines = [schema("a"), record("a", id=1), schema("b"), record("b", id=1)]
    stage.load([*lines, {"type": "STATE", "value": {"cursor": 1}}])
    source = stage.source([{"type": "STATE", "value": {"cursor": 2}}])
    stage.pipeline.run(source.with_resources("a"))
    assert stage.given["state"] == {"cursor": 1}
    stage.pipeline.run(stage.source(lines).with_resources("b"))
    assert "state" not in stage.given
    stage.pipeline.run(stage.source(lines).with_resources("a"))
    assert stage.given["state"] == {"cursor": 2}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"bookmarks": {"a": {"x": 1}, "b": {}}},
        {"bookmarks": {"a": {}, "other": 1}, "currently_syncing": "a"},
        {"bookmarks": [1]},
        {"cursor": 1},
    ],
)
def test_joined_state_equals_the_original(value: dict[str, object]) -> None:
    by_stream, rest = state.split(value, lambda key: key if key in {"a", "b"} else None)
    together = {key: own[key] for own in by_stream.values() for key in own}
    assert state.join(together, rest) == value
