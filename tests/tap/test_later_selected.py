"""LiveChat: a stream that is selected later, or was deselected for some runs, misses nothing.

Parts of chats are read with the chats, but each stream has a bookmark of its own.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from running import Run, by_stream, full_config, missing

from tap_chat.sandbox import Fault, Sandbox, World

if TYPE_CHECKING:
    from running import Runner

CHATS, MESSAGES, EVENTS = STREAMS = ("livechat_chats", "livechat_messages", "livechat_events")
#: The days of the runs.
DAYS = [datetime(2025, 11, 5, tzinfo=UTC) + timedelta(days=25 * number) for number in range(4)]
SMALL = World(livechat_version="2", chats=120)


def selecting(tap: Runner, config: dict[str, Any], streams: set[str]) -> dict[str, Any]:
    """Return the catalog with only these streams selected."""
    found: dict[str, Any] = json.loads(tap.run([*tap.command(config), "--discover"]).out)
    for entry in found["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["tap_stream_id"] in streams
    return found


def run_on(
    tap: Runner, sandbox: Sandbox, day: datetime, streams: set[str], state: dict[str, Any]
) -> Run:
    sandbox.world = replace(SMALL, now=day)
    config = full_config(sandbox, "livechat", livechat={"lookback_days": 0})
    files: dict[str, Any] = {"catalog": selecting(tap, config, streams)}
    if state:
        files["state"] = state
    run = tap(config, **files)
    assert run.code == 0, run.err
    return run


@pytest.mark.parametrize("kept", ["all", "of the selected streams"])
@pytest.mark.parametrize(
    "selected",
    [
        [{CHATS}, {CHATS, MESSAGES}, {*STREAMS}],
        [{CHATS, MESSAGES}, {CHATS}, {CHATS}, {CHATS, MESSAGES}],
        [{MESSAGES, EVENTS}, {MESSAGES}, {*STREAMS}],
        [{*STREAMS}, {EVENTS}, {EVENTS}, {*STREAMS}],
    ],
    ids=["later", "again", "chats last", "chats again"],
)
def test_no_stream_misses_what_others_read(
    tap: Runner, selected: list[set[str]], kept: str
) -> None:
    """`kept`: the bridge stores the bookmark of each stream with its table."""
    runs: list[Run] = []
    state: dict[str, Any] = {}
    bookmarks: dict[str, Any] = {}
    with Sandbox(SMALL) as sandbox:
        for day, streams in zip(DAYS, selected, strict=False):
            runs.append(run_on(tap, sandbox, day, streams, state))
            truth = sandbox.world.truth
            for stream in streams:
                found = [row for run in runs for row in run.rows(stream)]
                assert missing(truth[stream], found) == [], (day, stream)
            state = runs[-1].state
            if kept != "all":
                own = state["bookmarks"]
                bookmarks |= {name: own[name] for name in own.keys() & streams}
                following = selected[len(runs)] if len(runs) < len(selected) else set()
                state = {"bookmarks": {n: bookmarks[n] for n in bookmarks.keys() & following}}
                state = state if state["bookmarks"] else {}


def test_selected_parts_without_chats_have_a_bookmark(tap: Runner) -> None:
    with Sandbox(SMALL) as sandbox:
        first = run_on(tap, sandbox, DAYS[0], {MESSAGES}, {})
        own = {MESSAGES: first.state["bookmarks"][MESSAGES]}
        before = sandbox.requests
        second = run_on(tap, sandbox, DAYS[1], {MESSAGES}, {"bookmarks": own})
        assert sandbox.requests - before <= 4
        assert len(by_stream(second)[MESSAGES]) < len(by_stream(first)[MESSAGES])
        assert CHATS not in by_stream(second)


def test_next_run_completes_one_that_failed_after_a_stream_was_added(tap: Runner) -> None:
    with Sandbox(SMALL) as sandbox:
        first = run_on(tap, sandbox, DAYS[2], {CHATS}, {})
        sandbox.world = replace(SMALL, now=DAYS[3])
        sandbox.options.faults = [Fault(kind="status", status=400, after=12, times=None)]
        config = full_config(sandbox, "livechat", livechat={"lookback_days": 0})
        files: dict[str, Any] = {"catalog": selecting(tap, config, {CHATS, EVENTS})}
        failed = tap(config, **files, state=first.state)
        assert failed.code == 1
        sandbox.options.faults = []
        third = run_on(tap, sandbox, DAYS[3], {CHATS, EVENTS}, failed.state)
        for stream in (CHATS, EVENTS):
            found = [row for run in (first, failed, third) for row in run.rows(stream)]
            assert missing(sandbox.world.truth[stream], found) == []
