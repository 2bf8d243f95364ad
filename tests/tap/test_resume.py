"""A pass over Freshchat's users that is interrupted goes on where it was, if nothing moved."""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from running import Run, by_stream, ended_after, full_config, missing

from tap_chat.fan_out import Step
from tap_chat.resume import Mark, remaining
from tap_chat.sandbox import Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from running import Runner

    from tap_chat.records import Record

LATER = datetime(2026, 3, 15, tzinfo=UTC)
TREE = [
    "freshchat_users_conversations",
    "freshchat_conversations",
    "freshchat_conversations_messages",
]
WORLD = World(users=100, conversations=300)


def config(sandbox: Sandbox, **freshchat: Any) -> dict[str, Any]:
    return full_config(sandbox, "freshchat", freshchat=freshchat)


def killed(tap: Runner, sandbox: Sandbox, lines: int, **files: Any) -> Run:
    """Run until so many lines are written, and kill."""
    run = ended_after(tap.command(config(sandbox), **files), lines, signal.SIGKILL)
    assert run.code == -signal.SIGKILL
    return replace(run, out=run.out[: run.out.rfind(b"\n") + 1])


def mark(run: Run) -> dict[str, Any] | None:
    found: dict[str, Any] = run.state["bookmarks"]["freshchat_users_conversations"]
    return found.get("interrupted_pass")


def assert_whole(sandbox: Sandbox, *runs: Run) -> None:
    for stream in TREE:
        found = [record for run in runs for record in by_stream(run).get(stream, [])]
        assert missing(sandbox.world.truth[stream], found) == [], stream


def test_killed_half_way_the_rerun_needs_little_more_than_the_rest(tap: Runner) -> None:
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
        assert "Going on after the first" in second.err
        assert max(len(str(state)) for state in first.of_type("STATE")) < 4096


def test_run_that_fails_at_once_again_keeps_its_mark(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        talk = sandbox.world.truth["freshchat_conversations"][200]["conversation_id"]
        sandbox.options.faults = [Fault(kind="status", status=400, path=talk, times=None)]
        first = tap(config(sandbox))
        second = tap(config(sandbox), state=first.state)
        sandbox.options.faults = []
        third = tap(config(sandbox), state=second.state)
        assert [run.code for run in (first, second, third)] == [1, 1, 0]
        assert mark(first) is not None
        assert_whole(sandbox, first, second, third)


@pytest.mark.parametrize("mode", ["all", "updated"])
def test_what_changes_meanwhile_is_found_by_the_next_whole_run(tap: Runner, mode: str) -> None:
    """The pass began before it was interrupted, and from there the next one starts."""
    with Sandbox(replace(WORLD, now=LATER - timedelta(days=5))) as sandbox:
        talk = sandbox.world.truth["freshchat_conversations"][200]["conversation_id"]
        sandbox.options.faults = [Fault(kind="status", status=400, path=talk, times=None)]
        first = tap(config(sandbox, mode=mode))
        began = config(sandbox)["end_date"]
        sandbox.options.faults = []
        sandbox.world = replace(sandbox.world, now=LATER)
        second = tap(config(sandbox, mode=mode), state=first.state)
        assert second.code == 0, second.err
        marks = second.state["bookmarks"]["freshchat_users_conversations"]
        if "Going on" in second.err:
            assert marks["users_until"][:19] == began[:19]
        third = tap(config(sandbox), state=second.state)
        assert_whole(sandbox, first, second, third)


@pytest.mark.parametrize("change", [{"digest": "of others"}, {"parents": 1000}])
def test_void_mark_costs_requests_and_no_rows(tap: Runner, change: dict[str, Any]) -> None:
    with Sandbox(WORLD) as sandbox:
        talk = sandbox.world.truth["freshchat_conversations"][200]["conversation_id"]
        sandbox.options.faults = [Fault(kind="status", status=400, path=talk, times=None)]
        first = tap(config(sandbox))
        sandbox.options.faults = []
        found = mark(first)
        assert found
        found.update(change)
        second = tap(config(sandbox), state=first.state)
        assert second.code == 0, second.err
        assert "The users are not those of the interrupted run" in second.err
        assert_whole(sandbox, second)


def pages(names: str, size: int = 2) -> Callable[[], Iterator[Step[list[Record]]]]:
    rows: list[Record] = [{"id": name} for name in names]
    starts = range(0, len(rows), size)
    return lambda: (Step(rows[at : at + size], last=at == starts[-1]) for at in starts)


@pytest.mark.parametrize(
    ("now", "left"),
    [
        ("abcdef", "def"),
        ("abcdefgh", "defgh"),
        ("abc", ""),
        ("bcdef", "bcdef"),
        ("xabcdef", "xabcdef"),
        ("acbdef", "acbdef"),
        ("ab", "ab"),
        ("", ""),
    ],
    ids=["same", "more", "no more", "deleted", "created", "reordered", "fewer", "none"],
)
@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_users_are_passed_by_only_if_they_are_the_same(now: str, left: str, size: int) -> None:
    written = Mark("kind", "2026-01-01")
    for name in "abc":
        written = written.after(name)
    found = [step.value for step in remaining(written, pages(now, size))]
    assert "".join(row["id"] for parents in found for row in parents.rows) == left
    place = len(now) - len(left)
    for parents in found:
        assert parents.before == place
        place += len(parents.rows)


@pytest.mark.parametrize(
    "changes", [{"mode": "updated"}, {"lookback_days": 3}], ids=["mode", "lookback"]
)
def test_mark_of_another_kind_of_pass_is_ignored(tap: Runner, changes: dict[str, Any]) -> None:
    with Sandbox(WORLD) as sandbox:
        whole = tap(config(sandbox))
        first = killed(tap, sandbox, len(whole.messages) // 2)
        second = tap(config(sandbox, **changes), state=first.state)
        assert second.code == 0, second.err
        assert "Going on" not in second.err
        assert_whole(sandbox, second)
