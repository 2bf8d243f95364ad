"""Freshchat lists that change: no row is skipped when others leave a list or are not found.

Each test runs the tap at least twice, with changes during the runs or between them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from running import by_stream
from serving import Server
from starlette.responses import Response
from talking import GONE, LONG_AGO, NO_BACKEND, Account, moment, talking_config

from tap_chat.platforms.freshchat.resume import position_of

if TYPE_CHECKING:
    from running import Run, Runner

MESSAGES = "freshchat_conversations_messages"
TALKS = "freshchat_conversations"
PARENTS = "freshchat_users_conversations"
USERS = "freshchat_users"
NAMES = [f"u{number:02d}" for number in range(30)]
#: All at once, so that each is one of many.
UNDATED = {"date_header": False}


def serving(account: Account) -> Server:
    return Server(account, **UNDATED)


def ids(stream: str, *runs: Run) -> list[str]:
    """Return the distinct ids of a stream in some runs."""
    name = "conversation_id" if stream == TALKS else "id"
    return sorted({row[name] for run in runs for row in run.rows(stream)})


def all_messages(account: Account) -> list[str]:
    return sorted(row["id"] for rows in account.messages.values() for row in rows)


def state_of(run: Run, stream: str) -> dict[str, Any]:
    found: dict[str, Any] = run.state["bookmarks"][stream]
    return found


class Once:
    """Makes a change before the first request with a path and parameters.

    Args:
        path: The path of the request.
        query: Some parameters of the request.
        change: The change, as a function.
    """

    def __init__(self, path: str, change: Any, **query: str) -> None:
        self.path, self.query, self.change = path, query, change
        self.done = False

    def __call__(self, path: str, query: dict[str, str]) -> Response | None:
        if not self.done and path == self.path and self.query.items() <= query.items():
            self.done = True
            self.change()
        return None


# Users who leave the list while it is paged


@pytest.mark.parametrize("list_says", ["no total", "a total", "the same total"])
@pytest.mark.parametrize("stream", [PARENTS, USERS])
def test_deleted_user_makes_the_reader_miss_no_other(
    tap: Runner, stream: str, list_says: str
) -> None:
    account = Account(totals=list_says != "no total")
    account.add(*NAMES)

    def change() -> None:
        del account.users["u03"]
        if list_says == "the same total":
            account.add("u99", at=datetime.now(UTC))

    account.before = Once("/users", change, page="2")
    others = [PARENTS, TALKS, MESSAGES] if stream == USERS else [USERS]
    maps = dict.fromkeys(others)
    with serving(account) as server:
        config = talking_config(server) | ({"stream_maps": maps} if stream == USERS else {})
        first = tap(config)
        second = tap(config, state=first.state)
    assert (first.code, second.code) == (0, 0), first.err
    wanted = {*account.users, "u03"} if stream == USERS else {f"m-{one}" for one in account.users}
    found = ids(USERS if stream == USERS else MESSAGES, first)
    assert wanted - {*found} == set()


def test_changed_user_makes_the_reader_miss_no_other(tap: Runner) -> None:
    """The list is in the order of `updated_time`."""
    account = Account()
    account.add(*NAMES)
    with serving(account) as server:
        first = tap(talking_config(server))
        for name in NAMES:
            account.users[name]["updated_time"] = "2026-02-01T00:00:00.000Z"

        def change() -> None:
            user = account.users.pop("u04")
            account.users["u04"] = user | {"updated_time": "2026-02-02T00:00:00.000Z"}

        account.before = Once("/users", change, page="2", updated_from="2025-12-30T23:59:59.999Z")
        second = tap(talking_config(server), state=first.state)
    assert account.before.done
    assert second.code == 0, second.err
    assert ids(USERS, second) == NAMES
    latest = {row["id"]: row["updated_time"] for row in by_stream(second)[USERS]}
    assert latest["u04"] == "2026-02-02T00:00:00.000Z"


@pytest.mark.parametrize(
    ("size", "totals", "newcomer", "requests"),
    [
        (50, False, True, 1),
        (10, True, False, 3),
        # Twice three pages, and of each but the first the one before once more.
        (10, False, False, 10),
        (10, True, True, 8),
    ],
    ids=["one page", "quiet", "no total", "newcomer"],
)
def test_list_is_read_once_if_its_total_is_reached(
    tap: Runner, size: int, totals: Any, newcomer: Any, requests: int
) -> None:
    account = Account(page_size=size, totals=totals)
    account.add(*NAMES)
    if newcomer:
        account.add("u99", at=datetime.now(UTC))
    with serving(account) as server:
        assert tap(talking_config(server)).code == 0
    # Once for the stream of users, and once for the users of the conversations.
    assert sum(path == "/users" for path, _ in account.asked) == 2 * requests


@pytest.mark.parametrize("gone", [1, 3])
@pytest.mark.parametrize("page", ["2", "3"])
def test_deleted_message_makes_the_reader_miss_no_other(tap: Runner, page: str, gone: int) -> None:
    account = Account(page_size=10)
    account.add("u00")
    for number in range(29):
        account.say("u00", f"m{number:02d}", LONG_AGO)
    there = all_messages(account)

    def change() -> None:
        del account.messages["c-u00"][:gone]

    account.before = Once("/conversations/c-u00/messages", change, page=page)
    with serving(account) as server:
        first = tap(talking_config(server, items_per_page=10))
        second = tap(talking_config(server, items_per_page=10), state=first.state)
    assert account.before.done
    assert (first.code, second.code) == (0, 0), first.err
    assert ids(MESSAGES, first) == there


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("mode", ["all", "updated"])
def test_list_with_fewer_rows_than_its_total_moves_no_bookmark(
    tap: Runner, mode: str, *, interrupted: bool
) -> None:
    account = Account()
    account.add(*NAMES)
    older = moment(LONG_AGO - timedelta(days=1))
    hidden = account.users.pop("u07") | {"created_time": older, "updated_time": older}
    failing = [interrupted]

    def before(path: str, query: dict[str, str]) -> Any:
        if path == "/users" and "u07" not in account.users:
            body = account.listing(query)
            body["pagination"]["total_items"] += 1
            return body
        if failing[0] and path == f"/users/{max(NAMES, key=position_of)}/conversations":
            return Response("{}", 400)
        return None

    account.before = before
    runs: list[Run] = []
    with serving(account) as server:
        config = talking_config(server, mode=mode, lookback_days=0)
        runs.append(tap(config))
        failing[0] = False
        if interrupted:
            account.users["u07"] = hidden
            runs.append(tap(config, state=runs[-1].state))
            assert "Resuming the interrupted run" in runs[-1].err
        account.users["u07"] = hidden
        runs.append(tap(config, state=runs[-1].state))
        runs.append(tap(config, state=runs[-1].state))
    assert [run.code for run in runs] == [int(interrupted), *[0] * (len(runs) - 1)]
    assert "states that it has 30, and 29 of them came in three readings" in runs[0].err
    assert ids(MESSAGES, *runs) == all_messages(account)
    assert ids(USERS, *runs) == NAMES
    assert ids(MESSAGES, runs[-1]) == []


def test_lookback_finds_a_user_that_is_indexed_late(tap: Runner) -> None:
    account = Account()
    newest = datetime(2026, 2, 1, tzinfo=UTC)
    account.add("a", at=newest)
    with serving(account) as server:
        first = tap(talking_config(server))
        account.add("late", at=LONG_AGO, updated=newest - timedelta(hours=20))
        second = tap(talking_config(server), state=first.state)
        without = tap(talking_config(server, lookback_days=0), state=first.state)
    assert ids(USERS, second) == ["a", "late"]
    assert ids(USERS, without) == ["a"]
    assert state_of(second, USERS)["replication_key_value"][:10] == "2026-02-01"


def test_lookback_does_not_go_before_the_start_date(tap: Runner) -> None:
    account = Account()
    account.add("old", at=LONG_AGO)
    account.add("new", at=LONG_AGO + timedelta(hours=12))
    with serving(account) as server:
        config = talking_config(server) | {"start_date": "2026-01-01T06:00:00Z"}
        first = tap(config)
        second = tap(config, state=first.state)
    assert [ids(USERS, run) for run in (first, second)] == [["new"], ["new"]]


# Parents that return 404


def gone_for(account: Account, *parts: str, answer: Response = GONE, times: int = 10**9) -> Any:
    """Respond to a number of requests with 404, if their path contains one of these texts."""
    left = [times]

    def before(path: str, _: dict[str, str]) -> Response | None:
        if left[0] and any(part in path for part in parts):
            left[0] -= 1
            return answer
        return None

    account.before = before
    return before


@pytest.mark.parametrize("part", ["/conversations/c-", "/users/"])
def test_404_of_a_gateway_is_a_transient_error(tap: Runner, part: str) -> None:
    account = Account()
    account.add(*NAMES[:5])
    with serving(account) as server:
        gone_for(account, part, answer=NO_BACKEND, times=3)
        passed = tap(talking_config(server))
        gone_for(account, part, answer=NO_BACKEND)
        lasts = tap(talking_config(server, max_retries=1))
        account.before = lambda *_: None
        after = tap(talking_config(server), state=lasts.state)
    assert passed.code == 0, passed.err
    assert ids(MESSAGES, passed) == all_messages(account)
    assert lasts.code == 1
    [error] = lasts.errors
    assert "returned 404 Not Found, but not as the API does" in error
    assert after.code == 0
    assert ids(MESSAGES, after) == all_messages(account)


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize(
    "path", ["/users/u04/conversations", "/conversations/c-u04", "/conversations/c-u04/messages"]
)
def test_parent_that_was_not_found_is_requested_again(tap: Runner, path: str, workers: int) -> None:
    account = Account()
    account.add(*NAMES[:8])
    account.before = Once(path, lambda: None)
    seen: list[str] = []

    def before(asked: str, _: dict[str, str]) -> Response | None:
        if asked == path and not seen:
            seen.append(path)
            return GONE
        return None

    account.before = before
    with serving(account) as server:
        run = tap(talking_config(server) | {"max_workers": workers})
    assert run.code == 0, run.err
    assert "is deleted, and was skipped" not in run.err
    for stream in (PARENTS, TALKS):
        assert ids(stream, run) == [f"c-{name}" for name in NAMES[:8]]
    assert ids(MESSAGES, run) == all_messages(account)
    assert not any(of_stream.get("missed") for of_stream in run.state["bookmarks"].values())


def test_second_page_with_one_404_loses_nothing(tap: Runner) -> None:
    account = Account()
    account.add("a")
    for number in range(120):
        account.say("a", f"m{number}", LONG_AGO)
    pages: list[str] = []

    def before(path: str, query: dict[str, str]) -> Response | None:
        if path.endswith("/messages") and query["page"] == "2":
            pages.append(path)
            return GONE if len(pages) == 1 else None
        return None

    account.before = before
    with serving(account) as server:
        run = tap(talking_config(server))
    assert run.code == 0, run.err
    assert ids(MESSAGES, run) == all_messages(account)


@pytest.mark.parametrize("part", ["/users/u04", "c-u04"])
def test_no_bookmark_passes_a_parent_that_was_not_found(tap: Runner, part: str) -> None:
    """The third run finds it again: it reads all of it, and new messages of the others."""
    account = Account()
    account.add(*NAMES)
    with serving(account) as server:
        gone_for(account, part)
        first = tap(talking_config(server))
        second = tap(talking_config(server), state=first.state)
        account.before = lambda *_: None
        account.say("u05", "new", datetime.now(UTC))
        third = tap(talking_config(server), state=second.state)
        fourth = tap(talking_config(server), state=third.state)
    assert [run.code for run in (first, second, third, fourth)] == [0, 0, 0, 0]
    assert "is deleted, and was skipped" in second.err
    assert ids(MESSAGES, second) == []
    assert ids(MESSAGES, third) == ["m-u04", "new"]
    assert ids(MESSAGES, fourth) == ["new"]
    assert state_of(second, MESSAGES)["missed"]
    assert not state_of(third, MESSAGES)["missed"]


def test_mode_updated_keeps_the_missed_users_of_mode_all(tap: Runner) -> None:
    account = Account()
    account.add(*NAMES)
    with serving(account) as server:
        gone_for(account, "c-u04")
        first = tap(talking_config(server))
        second = tap(talking_config(server, mode="updated"), state=first.state)
        account.before = lambda *_: None
        third = tap(talking_config(server), state=second.state)
    assert (second.code, third.code) == (0, 0)
    assert ids(MESSAGES, third) == ["m-u04"]


def test_many_missing_parents_fail_one_run_only(tap: Runner) -> None:
    account = Account()
    account.add(*NAMES)
    with serving(account) as server:
        gone_for(account, "/conversations/c-")
        first = tap(talking_config(server))
        second = tap(talking_config(server), state=first.state)
        third = tap(talking_config(server), state=second.state)
        account.before = lambda *_: None
        fourth = tap(talking_config(server), state=third.state)
    assert [run.code for run in (first, second, third, fourth)] == [1, 0, 0, 0]
    [error] = first.errors
    assert error.startswith(f"Stream {TALKS}: 30 of 30 requests for /conversations/")
    assert (
        "Requests for /conversations/{conversation_id} that returned 404 Not Found: 30."
        in third.err
    )
    assert ids(MESSAGES, fourth) == all_messages(account)


def test_next_run_requests_what_an_interrupted_pass_missed(tap: Runner) -> None:
    account = Account()
    account.add(*(f"v{number}" for number in range(100)))
    talks: list[str] = []

    def before(path: str, query: dict[str, str]) -> Response | None:
        if path.endswith("/messages") and query["page"] == "1":
            talks.append(path)
            if len(talks) <= 3:
                return GONE
            if len(talks) == 80:
                return Response("{}", 400)
        return None

    account.before = before
    with serving(account) as server:
        first = tap(talking_config(server))
        account.before = lambda *_: None
        second = tap(talking_config(server), state=first.state)
    assert (first.code, second.code) == (1, 0), second.err
    assert "Resuming the interrupted run" in second.err
    assert ids(MESSAGES, first, second) == all_messages(account)
    assert len(ids(MESSAGES, second)) < 60


def test_ids_that_change_the_path_are_left_out(tap: Runner) -> None:
    """Many servers take `/users/../conversations` as `/conversations`."""
    account = Account()
    account.add(".", "..", "", "...", "a")

    def before(path: str, _: dict[str, str]) -> Any:
        talks = [{"id": key} for key in (".", "", "c-a")]
        return {"conversations": talks} if path == "/users/a/conversations" else None

    account.before = before
    with serving(account) as server:
        run = tap(talking_config(server) | {"max_workers": 4})
    assert run.code == 0, run.err
    assert ids(USERS, run) == ["", ".", "..", "...", "a"]
    assert ids(MESSAGES, run) == ["m-...", "m-a"]
    for plural, count in (("users", 3), ("conversations", 2)):
        warning = f"Freshchat's {plural} with an id that is empty or dots, and would lead to"
        assert f"{warning} another address: {count}." in run.err
    assert {
        path for path, _ in account.asked if path.startswith(("/users/", "/conversations/"))
    } == {
        "/users/.../conversations",
        "/users/a/conversations",
        "/conversations/fields",
        *(f"/conversations/c-{user}{rest}" for user in ("a", "...") for rest in ("", "/messages")),
    }


# Clocks


@pytest.mark.parametrize("mode", ["all", "updated"])
def test_local_clock_ahead_of_the_server_loses_nothing(tap: Runner, mode: str) -> None:
    behind = timedelta(days=-3)
    account = Account(clock=behind)
    account.add("a", "b")
    now = datetime.now(UTC) + behind
    with serving(account) as server:
        config = talking_config(server, mode=mode, lookback_days=0)
        first = tap(config)
        later = now + timedelta(hours=5)
        account.say("b", "later", later)
        account.users["b"]["updated_time"] = moment(later)
        account.clock = behind + timedelta(hours=6)
        second = tap(config, state=first.state)
        # Its clock goes back, and no mark does.
        account.clock = behind - timedelta(hours=10)
        third = tap(config, state=second.state)
    assert "later" in ids(MESSAGES, second)
    assert "b" in ids(USERS, second)
    marks = [state_of(run, PARENTS)["users_until"] for run in (first, second, third)]
    assert abs(datetime.fromisoformat(marks[0]) - now) < timedelta(minutes=5)
    assert marks[0] < marks[1] == marks[2]


def test_without_a_server_clock_the_local_clock_is_used(tap: Runner) -> None:
    account = Account(clock=None)
    account.add("a")
    with serving(account) as server:
        first = tap(talking_config(server))
        second = tap(talking_config(server), state=first.state)
    assert (first.code, second.code) == (0, 0)
    until = datetime.fromisoformat(state_of(first, PARENTS)["all_until"])
    assert abs(until - datetime.now(UTC)) < timedelta(minutes=5)
    assert ids(MESSAGES, second) == []


@pytest.mark.parametrize("stored", ["2999-01-01T00:00:00Z", "0001-01-01", "soon", 12, None])
@pytest.mark.parametrize("mode", ["all", "updated"])
def test_invalid_bookmark_leaves_out_nothing(tap: Runner, stored: Any, mode: str) -> None:
    account = Account()
    account.add("a")
    with serving(account) as server:
        first = tap(talking_config(server, mode=mode))
        state = first.state
        for stream in (PARENTS, TALKS, MESSAGES):
            state["bookmarks"][stream] |= {"users_until": stored, "all_until": stored}
        second = tap(talking_config(server, mode=mode), state=state)
    assert second.code == 0, second.err
    assert ids(MESSAGES, second) == ["m-a"]
    assert ("is not a time before now" in second.err) == (stored not in (None, "0001-01-01"))
    assert state_of(second, PARENTS)["users_until"][:4] == str(datetime.now(UTC).year)


def test_bookmark_of_users_does_not_pass_the_servers_clock(tap: Runner) -> None:
    account = Account(clock=timedelta(days=-3))
    now = datetime.now(UTC) - timedelta(days=3)
    account.add("odd", updated=now + timedelta(hours=20))
    with serving(account) as server:
        first = tap(talking_config(server, lookback_days=0))
        account.add("b", at=now + timedelta(hours=5))
        account.clock = timedelta(days=-3, hours=6)
        second = tap(talking_config(server, lookback_days=0), state=first.state)
    assert "b" in ids(USERS, second)


# Streams that are selected later


def catalog_without(tap: Runner, config: dict[str, Any], *left_out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tap.run([*tap.command(config), "--discover"]).out)
    for entry in found["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["tap_stream_id"] not in left_out
    return found


@pytest.mark.parametrize("mode", ["all", "updated"])
@pytest.mark.parametrize("before", ["never", "once"])
def test_reselected_stream_brings_all_since_its_last_run(
    tap: Runner, mode: str, before: str
) -> None:
    begun = timedelta(hours=-30)
    account = Account(clock=begun)
    account.add(*NAMES[:5])
    runs: list[Run] = []
    with serving(account) as server:
        config = talking_config(server, mode=mode, lookback_days=0)
        without = catalog_without(tap, config, MESSAGES)
        every = catalog_without(tap, config)
        selections = [*([every] if before == "once" else []), without, every, every]
        for number, catalog in enumerate(selections):
            state = runs[-1].state if runs else {}
            runs.append(tap(config, state=state, catalog=catalog))
            assert runs[-1].code == 0, runs[-1].err
            # Later than this run began, by the clock of the server.
            account.clock = begun + timedelta(hours=number + 1)
            later = datetime.now(UTC) + begun + timedelta(hours=number, minutes=30)
            account.say("u03", f"said{number}", later)
            account.users["u03"]["updated_time"] = moment(later)
    *_, deselected, selected, last = runs
    assert ids(MESSAGES, deselected) == []
    if mode == "all":
        assert ids(MESSAGES, last) == [f"said{len(runs) - 2}"]
    # That of the last run was said when it was over.
    assert len(ids(MESSAGES, *runs)) == len(all_messages(account)) - 1
    if before == "never":
        assert len(ids(MESSAGES, selected)) == len(all_messages(account)) - 2
