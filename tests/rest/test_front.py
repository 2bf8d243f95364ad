"""The shipped declaration of Front: events since the bookmark, and what they touch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from running import assert_complete, assert_up_to_date, full_config, merged, missing

from tap_chat.sandbox import Drift, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Runner

LATER = datetime(2026, 3, 15, tzinfo=UTC)
WORLD = World(front_conversations=40, front_deleted=0.1)
LISTS = ("contacts", "teammates", "inboxes", "tags", "channels")
STREAMS = [f"front_{name}" for name in ("events", "conversations", "messages", "comments", *LISTS)]


def test_conversations_that_events_touch_are_read_once(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        first = tap(full_config(sandbox, "front"))
        assert_complete(first, sandbox, *STREAMS)
        talks, events = sandbox.world.rows["front_conversations"], sandbox.world.rows[STREAMS[0]]
        deleted = len(sandbox.world.front.conversations) - talks
        assert deleted > 0
        assert sandbox.requests == -(-events // 15) + 3 * talks + deleted + len(LISTS)
        sandbox.world = replace(sandbox.world, now=LATER)
        second = tap(full_config(sandbox, "front"), state=first.state)
        assert_up_to_date([first, second], sandbox, STREAMS)
        before = sandbox.requests
        third = tap(full_config(sandbox, "front"), state=second.state)
        assert_up_to_date([first, second, third], sandbox, STREAMS)
        assert sandbox.requests - before < 20


def test_conversation_that_changes_after_it_was_read_is_read_by_the_next_run(tap: Runner) -> None:
    """Its event is in the list of the run, but later than the beginning of the run."""
    with Sandbox(World(front_conversations=300)) as sandbox:
        # The clock of the server is that of its company.
        sandbox.options.clock = (sandbox.world.now - datetime.now(UTC)).total_seconds()
        sandbox.options.drifts = [Drift(kind="insert", of="events", path="/comments", rows=8)]
        began = sandbox.world
        config = full_config(sandbox, "front") | {"start_date": "2026-01-29T00:00:00Z"}
        config.pop("end_date")
        first = tap(config)
        assert first.code == 0, first.err
        seen = {event["id"] for event in began.front.events}
        late = [row for row in first.rows("front_events") if row["id"] not in seen]
        assert late
        assert first.bookmark("front_events") < late[0]["emitted_at"]
        second = tap(config, state=first.state)
        assert second.code == 0, second.err
        tables = merged([first, second])
        touched = {row["conversation"]["id"] for row in late}
        for stream in ("front_messages", "front_comments"):
            rows = [
                row for row in sandbox.world.truth[stream] if row["_conversations_id"] in touched
            ]
            assert rows
            assert missing(rows, list(tables[stream].values())) == [], stream


@pytest.mark.parametrize("limit", [{"front_rate_limit": 60}, {"front_tier_limit": 20}], ids=str)
def test_rate_limits_are_kept(tap: Runner, limit: dict[str, Any]) -> None:
    world = World(front_conversations=8)
    with Sandbox(world, Options(**limit)) as sandbox:
        assert_complete(tap(full_config(sandbox, "front")), sandbox, *STREAMS)


def test_wrong_host_of_links_is_a_sentence(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        run = tap(full_config(sandbox, "front", front={"link_host": "*.api.frontapp.com"}))
        assert run.code == 1
        assert any("a next link to another host" in error for error in run.errors)


def test_missing_conversation_of_an_event_is_a_sentence(tap: Runner) -> None:
    fault = Fault(kind="drop", field="conversation", path="/events", times=None)
    with Sandbox(WORLD, Options(faults=[fault])) as sandbox:
        run = tap(full_config(sandbox, "front"))
        assert "conversation" in run.err
