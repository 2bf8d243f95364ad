"""An interrupted pass over Freshchat's users resumes where it was, even if users changed."""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from running import Run, by_stream, ended_after, full_config, missing
from serving import Server
from starlette.responses import Response
from talking import Account, talking_config

from tap_chat.platforms.freshchat.resume import (
    GROUPS,
    ApproximateSet,
    PassProgress,
    position_of,
    remaining,
)
from tap_chat.sandbox import Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Runner

LATER = datetime(2026, 3, 15, tzinfo=UTC)
MESSAGES = "freshchat_conversations_messages"
TREE = ["freshchat_users_conversations", "freshchat_conversations", MESSAGES]
WORLD = World(users=40, conversations=120)


def config(sandbox: Sandbox, **freshchat: Any) -> dict[str, Any]:
    return full_config(sandbox, "freshchat", freshchat=freshchat)


def killed(tap: Runner, sandbox: Sandbox, lines: int, **files: Any) -> Run:
    """Run the tap until it has written a number of lines, and kill it."""
    run = ended_after(tap.command(config(sandbox), **files), lines, signal.SIGKILL)
    assert run.code == -signal.SIGKILL
    return replace(run, out=run.out[: run.out.rfind(b"\n") + 1])


def mark(run: Run) -> dict[str, Any] | None:
    found: dict[str, Any] = run.state["bookmarks"]["freshchat_users_conversations"]
    return found.get("interrupted_pass")


def assert_whole(sandbox: Sandbox, *runs: Run) -> None:
    for stream in TREE:
        found = [record for run in runs for record in run.rows(stream)]
        assert missing(sandbox.world.truth[stream], found) == [], stream


def late_talk(sandbox: Sandbox) -> str:
    """Return a conversation of one of the last users of a pass."""
    talks = sandbox.world.truth["freshchat_users_conversations"]
    found = max(talks, key=lambda row: position_of(row["user_id"]))
    return str(found["id"])


def test_rerun_of_a_killed_run_needs_few_more_requests_than_the_rest(tap: Runner) -> None:
    with Sandbox(World(users=200, conversations=600), Options(latency=0.02)) as sandbox:
        whole = tap(config(sandbox))
        full, lines = sandbox.requests, len(whole.messages)
        first = killed(tap, sandbox, lines // 2)
        made = sandbox.requests - full
        second = tap(config(sandbox), state=first.state)
        assert second.code == 0, second.err
        # Killed after half of the requests, the next run needs no more than 60 %.
        assert 0.3 * full < made < 0.7 * full
        assert sandbox.requests - full <= 1.1 * full
        assert_whole(sandbox, first, second)
        assert mark(first)
        assert mark(second) is None
        assert "Resuming the interrupted run" in second.err
        assert max(len(str(state)) for state in first.of_type("STATE")) < 4096


def test_run_that_fails_again_at_once_keeps_its_bookmark(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        talk = late_talk(sandbox)
        sandbox.options.faults = [Fault(kind="status", status=400, path=talk, times=None)]
        first = tap(config(sandbox))
        second = tap(config(sandbox), state=first.state)
        sandbox.options.faults = []
        third = tap(config(sandbox), state=second.state)
        assert [run.code for run in (first, second, third)] == [1, 1, 0]
        assert mark(first) == mark(second) is not None
        assert_whole(sandbox, first, second, third)


@pytest.mark.parametrize("mode", ["all", "updated"])
def test_next_complete_run_finds_changes_of_an_interrupted_pass(tap: Runner, mode: str) -> None:
    """The next pass starts where the interrupted one began."""
    with Sandbox(replace(WORLD, now=LATER - timedelta(days=5))) as sandbox:
        talk = late_talk(sandbox)
        sandbox.options.faults = [Fault(kind="status", status=400, path=talk, times=None)]
        first = tap(config(sandbox, mode=mode))
        began = config(sandbox)["end_date"]
        sandbox.options.faults = []
        sandbox.world = replace(sandbox.world, now=LATER)
        second = tap(config(sandbox, mode=mode), state=first.state)
        assert second.code == 0, second.err
        assert "Resuming the interrupted run" in second.err
        marks = second.state["bookmarks"]["freshchat_users_conversations"]
        assert marks["users_until"][:19] == began[:19]
        third = tap(config(sandbox), state=second.state)
        assert_whole(sandbox, first, second, third)


def test_pass_that_is_interrupted_often_completes(tap: Runner) -> None:
    """Between runs, users are deleted, added and moved on both sides of the bookmark."""
    account = Account(clock=timedelta(hours=-30))
    account.add(*(f"u{number}" for number in range(120)))
    budget = [0]

    def before(path: str, query: dict[str, str]) -> Response | None:
        budget[0] -= path.endswith("/messages") and query["page"] == "1"
        return Response("{}", 500) if budget[0] < 0 else None

    account.before = before
    runs: list[Run] = []
    read: set[str] = set()
    with Server(account, date_header=False) as server:
        while not runs or runs[-1].code:
            assert len(runs) < 6
            budget[0] = 50
            state = runs[-1].state if runs else {}
            runs.append(tap(talking_config(server, lookback_days=0, max_outage=0), state=state))
            found = {row["id"] for row in runs[-1].rows(MESSAGES)}
            assert found - read
            read |= found
            number = len(runs)
            # Users and messages that are new after the pass has begun.
            gone, *_, first = sorted(account.users, key=position_of, reverse=True)
            del account.users[gone]
            account.add(f"new{number}", at=datetime.now(UTC) - timedelta(hours=29))
            account.say(first, f"said{number}", datetime.now(UTC) - timedelta(hours=29))
            account.users = dict(sorted(account.users.items(), key=lambda item: item[0][::-1]))
            account.clock = timedelta(hours=-30 + number)
        budget[0] = 10_000
        last = tap(talking_config(server, lookback_days=0), state=runs[-1].state)
    assert len(runs) > 2
    assert all("Resuming the interrupted run" in run.err for run in runs[1:])
    assert last.code == 0
    read |= {row["id"] for row in by_stream(last)[MESSAGES]}
    assert {row["id"] for user in account.users for row in account.messages[f"c-{user}"]} <= read


@pytest.mark.parametrize(
    "stored",
    [
        {"kind": "k", "started": "2026-01-01T00:00:00Z", "parents": 100, "digest": "d" * 32},
        {"place": "a", "missed": 1},
        "of another shape",
        None,
    ],
    ids=["old", "typed", "text", "null"],
)
def test_unusable_bookmark_costs_requests_and_no_rows(tap: Runner, stored: Any) -> None:
    with Sandbox(WORLD) as sandbox:
        sandbox.options.faults = [Fault(kind="status", status=400, path=late_talk(sandbox))]
        first = tap(config(sandbox))
        sandbox.options.faults = []
        found = mark(first)
        assert found
        state = first.state
        of_stream = state["bookmarks"]["freshchat_users_conversations"]
        of_stream["interrupted_pass"] = found | stored if isinstance(stored, dict) else stored
        if isinstance(stored, dict) and "kind" in stored:
            of_stream["interrupted_pass"] = stored
        second = tap(config(sandbox), state=state)
        assert second.code == 0, second.err
        assert "Resuming the interrupted run" not in second.err
        assert ("all users are read" in second.err) == (stored is not None)
        assert_whole(sandbox, second)


@pytest.mark.parametrize(
    "changes", [{"mode": "updated"}, {"lookback_days": 3}], ids=["mode", "lookback"]
)
def test_bookmark_of_another_kind_of_pass_is_ignored(tap: Runner, changes: dict[str, Any]) -> None:
    with Sandbox(WORLD) as sandbox:
        whole = tap(config(sandbox))
        first = killed(tap, sandbox, len(whole.messages) // 2)
        second = tap(config(sandbox, **changes), state=first.state)
        assert second.code == 0, second.err
        assert "Resuming the interrupted run" not in second.err
        assert_whole(sandbox, second)


def test_removed_filter_of_a_child_leaves_out_nothing(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        sandbox.options.faults = [Fault(kind="status", status=400, path=late_talk(sandbox))]
        maps = {"stream_maps": {MESSAGES: {"__filter__": "actor_type == 'agent'"}}}
        first = tap(config(sandbox) | maps)
        assert (first.code, bool(mark(first))) == (1, True)
        second = tap(config(sandbox), state=first.state)
        assert second.code == 0, second.err
        assert_whole(sandbox, second)


# The order of a pass by itself


def test_resumed_pass_skips_read_users_in_a_changed_list() -> None:
    names = [f"u{number}" for number in range(50)]
    order = remaining(names, None)
    assert sorted(order) == sorted(names)
    written = PassProgress("kind", "2026-01-01")
    for name in order[:20]:
        written = written.after(name)
    assert remaining(reversed(names), written) == order[20:]
    changed = {*names, "new", "newer"} - {order[3], order[19], order[30]}
    left = remaining(changed, written)
    assert {*order[20:]} - {order[30]} <= {*left} <= {*order[20:], "new", "newer"}
    assert remaining([], written) == []


def test_missed_users_come_again_and_move_no_bookmark() -> None:
    order = remaining([f"u{number}" for number in range(50)], None)
    written = PassProgress("kind", "2026-01-01")
    for name in order[:20]:
        written = written.after(name)
    missed = written.without([order[2]])
    left = remaining(order, missed)
    assert order[2] in left
    assert {*order[20:]} <= {*left}
    assert missed.after(order[2]) == missed


def test_sketch_forgets_nobody_and_does_not_grow() -> None:
    names = [f"u{number}" for number in range(5000)]
    for count in (0, 1, 30, 5000):
        sketch = ApproximateSet.read(ApproximateSet.of(names[:count]).text)
        assert all(name in sketch for name in names[:count])
        others = sum(name in sketch for name in names[count:])
        assert others <= 2 * count * (5000 - count) / GROUPS
        assert len(sketch.text) <= GROUPS / 4
    one, other = ApproximateSet.of(names[:1]), ApproximateSet.of(names[1:2])
    assert names[0] in one | other
    assert names[1] in one | other


@pytest.mark.parametrize("stored", ["no number", "-1", "f" * GROUPS, 12, ["u1"]])
def test_unreadable_sketch_contains_everybody(stored: Any) -> None:
    assert "u1" in ApproximateSet.read(stored)
    assert "u1" not in ApproximateSet.read(None)
