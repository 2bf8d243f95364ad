"""Freshchat's mode `reports`: reports name the conversations that are read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from running import assert_up_to_date, full_config, merged, missing
from serving import Server
from starlette.responses import Response
from talking import Account, talking_config

from tap_chat.sandbox import Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Run, Runner

PARENTS = "freshchat_users_conversations"
TALKS = "freshchat_conversations"
MESSAGES = "freshchat_conversations_messages"
USERS = "freshchat_users"
TREE = (PARENTS, TALKS, MESSAGES)
WORLD = World(users=20, conversations=60)

REPORTS: dict[str, Any] = {"mode": "reports", "extra_streams": []}


class Story:
    """Runs of the tap, one after another, each with the STATE of the one before.

    Args:
        tap: The tap.
        sandbox: The account.
    """

    def __init__(self, tap: Runner, sandbox: Sandbox) -> None:
        self.tap = tap
        self.sandbox = sandbox
        self.runs: list[Run] = []
        self.requests = 0

    def run(
        self, days: float = 0, *, workers: int = 4, catalog: Any = None, **settings: Any
    ) -> Run:
        """Run the tap some days later."""
        self.sandbox.world = replace(
            self.sandbox.world, now=self.sandbox.world.now + timedelta(days=days)
        )
        config = full_config(self.sandbox, "freshchat", freshchat=REPORTS | settings)
        state = self.runs[-1].state if self.runs else {}
        files = {"catalog": catalog} if catalog else {}
        before = self.sandbox.requests
        run = self.tap(config | {"max_workers": workers}, state=state, **files)
        self.requests = self.sandbox.requests - before
        self.runs.append(run)
        return run

    def assert_complete(self) -> None:
        """Check that all runs together have every row of the account as it is now."""
        assert_up_to_date(self.runs, self.sandbox, TREE)


@pytest.mark.parametrize("workers", [1, 8])
def test_each_run_brings_every_new_message_and_few_others(tap: Runner, workers: int) -> None:
    with Sandbox(World(users=30, conversations=100)) as sandbox:
        story = Story(tap, sandbox)
        story.run(workers=workers)
        story.assert_complete()
        first = story.requests
        for _ in range(2):
            before = {user["id"]: user for user in sandbox.world.truth[USERS]}
            run = story.run(days=2, workers=workers)
            story.assert_complete()
            assert story.requests < 0.2 * first
            # These users did not change.
            told = {row["user_id"] for row in run.rows(PARENTS)}
            assert any(
                user in before.values() for user in sandbox.world.truth[USERS] if user["id"] in told
            )
        assert "Conversations that reports name: " in run.err


def test_conversation_that_changes_without_a_message_is_read_again(tap: Runner) -> None:
    """It is resolved an hour, or ten days, after its last message."""
    with Sandbox(WORLD) as sandbox:
        story = Story(tap, sandbox)
        story.run()
        for _ in range(3):
            story.run(days=4, lookback_days=0.1)
        story.assert_complete()
        without = Story(tap, sandbox)
        without.runs = story.runs[:1]
        without.run(lookback_days=0.1, change_reports=[])
        stale = missing(sandbox.world.truth[TALKS], list(merged(without.runs)[TALKS].values()))
        story_of = merged(without.runs)[MESSAGES]
        assert missing(sandbox.world.truth[MESSAGES], list(story_of.values())) == []
        assert stale


@pytest.mark.parametrize("lookback_days", [1, 0])
def test_message_that_comes_late_into_reports_is_found_by_the_lookback(
    tap: Runner, lookback_days: int
) -> None:
    with Sandbox(WORLD, Options(report_lag=20)) as sandbox:
        story = Story(tap, sandbox)
        story.run()
        for _ in range(3):
            known = sandbox.world
            story.run(days=2, lookback_days=lookback_days)
        rows = list(merged(story.runs)[MESSAGES].values())
        # Those of the last day come with the next run.
        assert bool(missing(known.truth[MESSAGES], rows)) is not bool(lookback_days)


@pytest.mark.parametrize(("before", "after"), [("all", "updated"), ("updated", "all")])
def test_mode_may_change_between_runs(tap: Runner, before: str, after: str) -> None:
    with Sandbox(WORLD) as sandbox:
        story = Story(tap, sandbox)
        story.run(mode=before)
        story.run(days=2)
        story.assert_complete()
        story.run(days=2, mode=after)
        story.run(days=2)
        story.assert_complete()


def test_mode_all_brings_what_reports_lacked(tap: Runner) -> None:
    with Sandbox(WORLD, Options(report_lag=10_000)) as sandbox:
        story = Story(tap, sandbox)
        story.run()
        for _ in range(2):
            story.run(days=3)
        assert story.runs[-1].rows(MESSAGES) == []
        story.run(mode="all")
        story.assert_complete()


def test_run_over_all_users_follows_if_reports_do_not_go_back_far_enough(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        story = Story(tap, sandbox)
        story.run()
        for stream in TREE:
            story.runs[0].state["bookmarks"][stream]["all_until"] = "2020-01-01T00:00:00Z"
        run = story.run(reports_months=15)
        assert "the earliest start of reports: all users are read" in run.err
        assert len(run.rows(PARENTS)) == len(sandbox.world.truth[PARENTS])


@pytest.mark.parametrize("workers", [1, 4])
def test_interrupted_run_is_resumed(tap: Runner, workers: int) -> None:
    with Sandbox(World(users=20, conversations=120)) as sandbox:
        story = Story(tap, sandbox)
        story.run()
        sandbox.options.faults = [Fault(kind="status", status=400, path="/messages", after=60)]
        failed = story.run(days=90, workers=workers)
        assert failed.code == 1
        assert failed.state["bookmarks"][PARENTS]["interrupted_pass"]
        sandbox.options.faults = []
        resumed = story.run(days=1, workers=workers)
        assert "Resuming the interrupted run" in resumed.err
        read = {row["conversation_id"] for row in failed.rows(TALKS)}
        again = {row["conversation_id"] for row in resumed.rows(TALKS)}
        assert len(read & again) < len(read)
        story.run(workers=workers)
        story.assert_complete()


def test_state_does_not_grow_with_the_conversations(tap: Runner) -> None:
    sizes = []
    for count in (50, 100):
        with Sandbox(World(users=count, conversations=2 * count)) as sandbox:
            story = Story(tap, sandbox)
            story.run()
            run = story.run(days=30)
            sizes.append(max(len(str(state)) for state in run.of_type("STATE")))
    assert sizes[0] == sizes[1] < 4096


def test_deleted_conversations_are_skipped_and_counted(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        story = Story(tap, sandbox)
        story.run()
        sandbox.world = replace(sandbox.world, deleted=0.1)
        run = story.run(days=40)
        assert run.code == 0, run.err
        assert (
            "Requests for /conversations/{conversation_id} that returned 404 Not Found" in run.err
        )
        assert_up_to_date(story.runs, sandbox, [TALKS, MESSAGES])


def test_reports_with_unknown_ids_fail_each_run(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        story = Story(tap, sandbox)
        story.run()
        sandbox.world = replace(sandbox.world, deleted=1)
        until = story.runs[0].state["bookmarks"][TALKS]["all_until"]
        for _ in range(3):
            run = story.run(days=4)
            [error] = run.errors
            assert "conversations that reports name returned 404 Not Found" in error
            assert "set freshchat.mode to all" in error
            assert run.state["bookmarks"][TALKS]["all_until"] == until
            assert not run.state["bookmarks"][TALKS].get("reports_until")


def test_stream_that_is_selected_later_is_read_from_the_beginning(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        story = Story(tap, sandbox)
        config = full_config(
            sandbox, "freshchat", freshchat={"mode": "reports", "extra_streams": []}
        )
        catalog = json.loads(tap.run([*tap.command(config), "--discover"]).out)
        for entry in catalog["streams"]:
            for item in entry["metadata"]:
                if entry["tap_stream_id"] == MESSAGES and not item["breadcrumb"]:
                    item["metadata"]["selected"] = False
        story.run(catalog=catalog)
        assert story.runs[0].rows(MESSAGES) == []
        story.run(days=2)
        story.assert_complete()
        assert story.run(days=2).code == 0
        story.assert_complete()


def test_only_the_messages_can_be_selected(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        story = Story(tap, sandbox)
        config = full_config(
            sandbox, "freshchat", freshchat={"mode": "reports", "extra_streams": []}
        )
        catalog = json.loads(tap.run([*tap.command(config), "--discover"]).out)
        for entry in catalog["streams"]:
            for item in entry["metadata"]:
                if not item["breadcrumb"]:
                    item["metadata"]["selected"] = entry["tap_stream_id"] == MESSAGES
        for days in (0, 3):
            run = story.run(days=days, catalog=catalog)
            assert run.code == 0, run.err
        assert_up_to_date(story.runs, sandbox, [MESSAGES])


@pytest.mark.parametrize("customer", ["", "a"])
def test_conversation_without_a_user_is_read(tap: Runner, customer: str) -> None:
    """The conversations of this account have no `user_id`; the transcript may have one."""
    account = Account()
    account.add("a", "b")
    report = f"message_id,conversation_id,customer_id\nnew,c-a,{customer}\n"

    def before(path: str, _: dict[str, str]) -> Response | Any:
        if path == "/reports/raw/empty":
            link = {"link": {"href": "/report.csv"}, "status": "COMPLETED"}
            return {"status": "COMPLETED", "links": [link]}
        return Response(report, media_type="text/csv") if path == "/report.csv" else None

    account.before = before
    with Server(account, date_header=False) as server:
        first = tap(talking_config(server, mode="reports"))
        account.say("a", "new", datetime.now(UTC))
        config = talking_config(server, mode="reports", reports_start_date="2999-01-01")
        second = tap(config, state=first.state)
    assert second.code == 0, second.err
    assert [row["id"] for row in second.rows(MESSAGES)] == ["new"]
    assert [row["conversation_id"] for row in second.rows(TALKS)] == ["c-a"]
    assert [row["user_id"] for row in second.rows(PARENTS)] == [*customer]
    warning = "Conversations of reports without a `user_id`: 1."
    assert (warning in second.err) is not bool(customer)


def test_rows_of_reports_without_a_conversation_are_counted(tap: Runner) -> None:
    rows = "message_id,conversation_id,created_time\n1,,2026-01-31\n2,,2026-01-31\n"
    with Sandbox(WORLD) as sandbox:
        story = Story(tap, sandbox)
        story.run()
        sandbox.options.faults = [Fault(kind="body", literal=rows, path="/report-files/")]
        run = story.run(change_reports=[])
        assert run.code == 0, run.err
        assert "Rows of reports that name no conversation: 2." in run.err
