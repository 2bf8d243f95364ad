"""Dixa's messages: all of them, and again when they are edited or arrive late."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from running import (
    SelectingRunner,
    assert_complete,
    assert_up_to_date,
    ended_after,
    full_config,
    merged,
    missing,
)
from serving import Server

from tap_chat.platforms.dixa.changed import MARGIN, ChangedConversation
from tap_chat.sandbox import Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Run, Runner
    from starlette.requests import Request

MESSAGES = "dixa_messages"
LATER, LAST = datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
WORLD = World(dixa_conversations=150)
MINUTE = 60_000
DAY = 24 * 60 * MINUTE


@pytest.fixture
def tap(tap: Runner) -> Runner:
    """The tap, which reads the messages alone."""
    return SelectingRunner(tap.folder, (MESSAGES,))


def config(sandbox: Sandbox, **settings: Any) -> dict[str, Any]:
    # A window does not include its end.
    end = (sandbox.world.now + timedelta(seconds=1)).isoformat()
    return full_config(sandbox, "dixa", dixa=settings) | {"end_date": end}


def queries(api: Server, path: str) -> list[dict[str, str]]:
    """Return the parameters of the requests of a path."""
    return [dict(request.query_params) for request in api.requests if request.url.path == path]


@pytest.mark.parametrize(
    "options",
    [
        {"dixa_bounds": "()", "dixa_most_csids": 3},
        {"dixa_bounds": "(]", "dixa_created_of": "conversation"},
        {"dixa_bounds": "[]", "dixa_max_rows": 28},
    ],
    ids=str,
)
def test_edited_and_late_messages_arrive_with_the_next_runs(
    tap: Runner, options: dict[str, Any]
) -> None:
    with Sandbox(WORLD, Options(**options)) as sandbox:
        runs = [tap(config(sandbox))]
        assert_up_to_date(runs, sandbox, [MESSAGES])
        if "dixa_max_rows" not in options:
            assert_complete(runs[0], sandbox, MESSAGES)
        for now in (LATER, LAST):
            before = {row["id"]: row for row in sandbox.world.truth[MESSAGES]}
            sandbox.world = replace(sandbox.world, now=now)
            truth = sandbox.world.truth[MESSAGES]
            assert any(before.get(row["id"], row) != row for row in truth)
            runs.append(tap(config(sandbox), state=runs[-1].state))
            assert_up_to_date(runs, sandbox, [MESSAGES])
            assert len(runs[-1].rows(MESSAGES)) < len(truth)
    assert {len(json.dumps(run.state)) for run in runs} == {len(json.dumps(runs[0].state))}


def test_time_of_the_conversation_in_the_filter_is_reported(tap: Runner) -> None:
    options = Options(dixa_created_of="conversation")
    with Sandbox(WORLD, options) as sandbox:
        run = tap(config(sandbox, batch_size=1))
    assert run.code == 0
    assert "Dixa seems to select messages by the creation of their conversation" in run.err


def test_edit_in_silence_arrives_within_the_lookback(tap: Runner) -> None:
    """It does not change the conversation, so without a lookback no run sees it."""
    world = replace(WORLD, dixa_quiet=3, now=datetime(2026, 1, 20, tzinfo=UTC))
    with Sandbox(world) as sandbox:
        first = tap(config(sandbox))
        sandbox.world = replace(world, now=world.now + timedelta(days=2))
        second = tap(config(sandbox), state=first.state)
        whole = tap(config(sandbox, lookback_days=90), state=first.state)
        truth = sandbox.world.truth[MESSAGES]
        assert missing(truth, [*merged([first, second])[MESSAGES].values()])
        assert missing(truth, [*merged([first, whole])[MESSAGES].values()]) == []


def test_first_run_requests_no_conversations(tap: Runner) -> None:
    """Not even to resume after a kill: it reads what has changed since it began."""
    start = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
    changed: list[dict[str, Any]] = []

    def respond(request: Request) -> Any:
        query = request.query_params
        if "updated_after" in query:
            after, before = int(query["updated_after"]), int(query["updated_before"])
            return [row for row in changed if after < row["updated_at"] < before]
        if "csids" in query:
            return [{"id": "a", "csid": 1, "created_at": start + 5, "text": "edited"}]
        inside = int(query["created_after"]) < start + 5 < int(query["created_before"])
        return [{"id": "a", "csid": 1, "created_at": start + 5, "text": "new"}] if inside else []

    section = {"api_token": "t", "requests_per_minute": 100_000, "max_retries": 0}
    with Server(respond) as api:
        settings = {"start_date": "2024-01-01", "dixa": section | {"api_url": api.url}}
        whole = tap(settings)
        assert all("csids" not in query for query in queries(api, "/message_export"))
        assert queries(api, "/conversation_export") == []
        bookmark = whole.state["bookmarks"][MESSAGES]
        # As if the first run had begun an hour ago, and had been interrupted in 2024. It has read a
        # change from before it began, and not one since.
        began = bookmark["changes_until"] - 60 * MINUTE
        bookmark["changes_until"] = began
        bookmark["replication_key_value"] = start + 100 * DAY
        changed += [
            {"id": 1, "created_at": start, "updated_at": began + MINUTE},
            {"id": 2, "created_at": start, "updated_at": began - MINUTE},
        ]
        del api.requests[:]
        resumed = tap(settings, state=whole.state)
        assert resumed.code == 0, resumed.err
        [listed] = queries(api, "/conversation_export")
        assert int(listed["updated_after"]) == began - 1
        csids = [query["csids"] for query in queries(api, "/message_export") if "csids" in query]
        assert csids == ["1"]
        assert [row["text"] for row in resumed.rows(MESSAGES)] == ["edited"]


@pytest.mark.parametrize(("run", "share"), [(0, 0.5), (1, 0.2), (1, 0.9)])
def test_next_run_completes_a_killed_one(tap: Runner, run: int, share: float) -> None:
    with Sandbox(WORLD) as sandbox:
        runs: list[Run] = []
        for now in (sandbox.world.now, LATER)[: run + 1]:
            sandbox.world = replace(sandbox.world, now=now)
            state = runs[-1].state if runs else {}
            whole = tap(config(sandbox), state=state)
            lines = int(len(whole.messages) * share)
            command = tap.command(config(sandbox), state=state)
            runs.append(whole if len(runs) < run else ended_after(command, lines, signal.SIGKILL))
        killed = replace(runs[-1], out=runs[-1].out[: runs[-1].out.rfind(b"\n") + 1])
        sandbox.world = replace(sandbox.world, now=LAST)
        previous = killed.state or (runs[-2].state if run else {})
        resumed = tap(config(sandbox), state=previous)
        assert_up_to_date([*runs[:-1], killed, resumed], sandbox, [MESSAGES])


def test_window_that_is_read_alone_has_the_changes_in_it(tap: Runner) -> None:
    """Without a STATE: each window is read once, after its end."""
    opened, middle = datetime(2025, 9, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    with Sandbox(replace(WORLD, now=middle)) as sandbox:
        runs = []
        for start, end in ((opened, middle), (middle, LATER)):
            sandbox.world = replace(sandbox.world, now=end)
            window = {"start_date": start.isoformat(), "end_date": end.isoformat()}
            runs.append(tap(config(sandbox) | window))
        assert_up_to_date(runs, sandbox, [MESSAGES])


def test_changes_are_not_read_without_the_setting_and_later_with_it(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        runs = [tap(config(sandbox))]
        sandbox.world = replace(sandbox.world, now=LATER)
        runs.append(tap(config(sandbox, reread_messages=False), state=runs[0].state))
        truth = sandbox.world.truth[MESSAGES]
        assert missing(truth, [*merged(runs)[MESSAGES].values()])
        runs.append(tap(config(sandbox), state=runs[-1].state))
        assert_up_to_date(runs, sandbox, [MESSAGES])


def test_local_clock_ahead_of_the_server_loses_nothing(tap: Runner) -> None:
    """The clock is three days ahead. Changes of these days are read in the next run."""
    with Sandbox(WORLD) as sandbox:
        runs: list[Run] = []
        for now in (sandbox.world.now, LATER):
            sandbox.world = replace(sandbox.world, now=now)
            sandbox.options.clock = (now - datetime.now(UTC)).total_seconds()
            ahead = {"end_date": (now + timedelta(days=3)).isoformat()}
            state = runs[-1].state if runs else {}
            runs.append(tap(config(sandbox, batch_size=1) | ahead, state=state))
            reached = runs[-1].state["bookmarks"][MESSAGES]
            for key in ("replication_key_value", "changes_until"):
                assert reached[key] <= (now.timestamp() + 60) * 1000
        sandbox.options.clock = 0
        sandbox.world = replace(sandbox.world, now=LAST)
        runs.append(tap(config(sandbox), state=runs[-1].state))
        assert_up_to_date(runs, sandbox, [MESSAGES])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("null", "returned no list of conversations with ids"),
        ("drop", "returned no list of conversations with ids"),
        ("repeat", "returned records outside the requested window"),
    ],
    ids=["null", "drop", "repeat"],
)
def test_wrong_list_of_changed_conversations_is_an_error(
    tap: Runner, kind: Any, words: str
) -> None:
    with Sandbox(WORLD) as sandbox:
        first = tap(config(sandbox))
        sandbox.world = replace(sandbox.world, now=LATER)
        sandbox.options.faults = [Fault(kind=kind, path="/conversation_export", times=None)]
        failed = tap(config(sandbox), state=first.state)
        assert failed.code == 1
        assert words in failed.errors[0]
        sandbox.options.faults = []
        runs = [first, failed, tap(config(sandbox), state=failed.state)]
        assert_up_to_date(runs, sandbox, [MESSAGES])


def test_ignored_list_of_conversations_fails_the_run(tap: Runner) -> None:
    """Dixa returns the messages of all conversations."""
    now = int(datetime.now(UTC).timestamp() * 1000)

    def respond(request: Request) -> Any:
        if "updated_after" in request.query_params:
            return [{"id": 1, "created_at": 1, "updated_at": now - DAY}]
        if "csids" in request.query_params:
            return [{"id": f"m{number}", "csid": number, "created_at": 1} for number in range(50)]
        return []

    state = {"replication_key": "created_at", "replication_key_value": now - 2 * DAY}
    with Server(respond) as api:
        section = {"api_url": api.url, "api_token": "t", "requests_per_minute": 100_000}
        run = tap({"dixa": section}, state={"bookmarks": {MESSAGES: state}})
    assert run.code == 1
    assert "returned messages of other conversations" in run.errors[0]


@pytest.mark.parametrize(
    ("created", "last", "is_covered"),
    [
        (MARGIN, None, True),
        (MARGIN, 1, True),
        (MARGIN - 1, None, False),
        (MARGIN, -1, False),
        (None, 1, False),
        ("2025-01-01", 1, False),
    ],
)
def test_only_conversations_whose_messages_are_in_the_windows_are_not_read_again(
    created: Any, last: Any, *, is_covered: bool
) -> None:
    conversation = ChangedConversation(1, created, 0, last)
    assert conversation.is_covered(0) is is_covered
