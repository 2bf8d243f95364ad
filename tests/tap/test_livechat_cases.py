"""LiveChat's v3 APIs: responses that its documents allow, and that the sandbox does not give."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfoNotFoundError

import pytest
from serving import Server
from starlette.responses import JSONResponse

from tap_chat.platforms.livechat import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from running import Run, Runner
    from starlette.requests import Request

THREADS, EVENTS, USERS = "livechat_threads", "livechat_thread_events", "livechat_thread_users"
END = datetime(2026, 1, 31, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def thread(
    name: str, created: datetime, *texts: str, ids: Any = None, **fields: Any
) -> dict[str, Any]:
    """Return a row of the archive: a chat with one thread."""
    events = [
        {"id": f"{name}_{number}", "type": "message", "text": text, "visibility": "all"}
        | {"created_at": time_of(created + number * MINUTE)}
        for number, text in enumerate(texts)
    ]
    for event, own in zip(events, ids or (), strict=False):
        event["id"] = own
    row = {"id": name, "active": False, "created_at": time_of(created), "events": events, **fields}
    users = [{"id": "customer", "type": "customer"}, {"id": "agent", "type": "agent"}]
    return {"id": f"chat of {name}", "users": users, "thread": row}


def time_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Account:
    """An account that a test scripts: a filter on the creation of threads, pages by numbers.

    Attributes:
        chats: The rows of the archive.
        active: The times at which the active threads began.
        size: The threads of a page.
        asked: The action and the body of each request.
        found: What the archive says of its number of threads.
        answer_to: Returns another response to a request, or None.
    """

    def __init__(self, *chats: dict[str, Any]) -> None:
        self.chats = list(chats)
        self.active: list[datetime] = []
        self.reports: dict[str, Any] = {}
        self.size = 100
        self.found = 0
        self.now = END
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answer_to: Callable[[str, dict[str, Any]], Any] = lambda *_: None
        self._pages: dict[str, list[dict[str, Any]]] = {}

    def respond(self, action: str, body: dict[str, Any]) -> Any:
        self.asked.append((action, body))
        own = self.answer_to(action, body)
        if own is None:
            own = getattr(self, action, list)(*([body] if hasattr(self, action) else []))
        response = own if isinstance(own, JSONResponse) else JSONResponse(own)
        response.headers["Date"] = self.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return response

    def list_archives(self, body: dict[str, Any]) -> Any:
        if "page_id" in body:
            return self._page(self._pages[body["page_id"]])
        start, end = (datetime.fromisoformat(body["filters"][name]) for name in ("from", "to"))
        rows = [
            chat
            for chat in self.chats
            if start <= datetime.fromisoformat(chat["thread"]["created_at"]) <= end
        ]
        size = min(self.size, body["limit"])
        return self._page(sorted(rows, key=lambda row: row["thread"]["created_at"]), size)

    def _page(self, rows: list[dict[str, Any]], size: int = 0) -> dict[str, Any]:
        size = size or self.size
        page: dict[str, Any] = {"chats": rows[:size], "found_chats": self.found or len(rows)}
        if rows[size:]:
            page["next_page_id"] = f"{len(self._pages)}="
            self._pages[page["next_page_id"]] = rows[size:]
        return page

    def list_chats(self, _body: dict[str, Any]) -> Any:
        threads = [{"id": "T", "created_at": time_of(time)} for time in self.active]
        chats = [{"id": "C", "last_thread_summary": row} for row in threads]
        return {"chats_summary": chats, "found_chats": len(chats)}

    def total_chats(self, body: dict[str, Any]) -> Any:
        first, last = (body["filters"][name][:10] for name in ("from", "to"))
        days = {day: row for day, row in self.reports.items() if first <= day <= last}
        return {"records": days, "total": len(days)}

    def count(self, action: str) -> int:
        return sum(asked == action for asked, _ in self.asked)


class Reading:
    """Runs the tap against an account."""

    def __init__(self, tap: Runner, url: str) -> None:
        self.tap, self.url = tap, url

    def __call__(self, *, start: str | None = "2026-01-01", **more: Any) -> Run:
        state = more.pop("state", None)
        config = {
            "end_date": END.isoformat(),
            "livechat": {"api_url": self.url, "entity_id": "e", "access_token": "t"}
            | {"backoff_factor": 0.01, "max_outage": 1, "max_wait": 1}
            | more,
        }
        if start:
            config["start_date"] = start
        return self.tap(config, **({"state": state} if state else {}))


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def read(tap: Runner, account: Account) -> Iterator[Reading]:
    def respond(request: Request) -> Any:
        return account.respond(*asked_of(server, request))

    with Server(respond, date_header=False) as server:
        yield Reading(tap, server.url)


def asked_of(server: Server, request: Request) -> tuple[str, dict[str, Any]]:
    return request.url.path.rsplit("/", 1)[1], json.loads(server.bodies[-1])


def windows(account: Account) -> int:
    """Return the number of the requests for first pages of the archive."""
    return sum(action == "list_archives" and "filters" in body for action, body in account.asked)


def bookmark(run: Run) -> datetime:
    """Return the bookmark of the threads."""
    return datetime.fromisoformat(run.state["bookmarks"][THREADS]["replication_key_value"])


def test_events_with_one_id_arrive_and_are_counted(account: Account, read: Reading) -> None:
    # As in LiveChat's own sample of a thread.
    account.chats = [
        thread("A", END - DAY, "Hello there", "Thank you", ids=["x", "x"]),
        thread("B", END - DAY, "Hello", ids=["x"]),
    ]
    run = read()
    assert [row["text"] for row in run.rows(EVENTS)] == ["Hello there", "Thank you", "Hello"]
    warning = "Records of livechat_thread_events with the key of another record of their thread"
    assert f"{warning}, and other content: 1." in run.err
    account.chats[0]["thread"]["events"][1] = dict(account.chats[0]["thread"]["events"][0])
    assert "with the key of another record" not in read().err


def test_restricted_thread_with_events_is_not_said_to_have_none(
    account: Account, read: Reading
) -> None:
    why = {"restricted_access": "You can't access threads older than 60 days"}
    account.chats = [thread("A", END - DAY, "x", **why), thread("B", END - DAY, **why)]
    assert "restricts the access to 2 threads, of which 1 have no events" in read().err


def test_value_in_place_of_the_events_is_an_error_that_names_the_stream(
    account: Account, read: Reading
) -> None:
    account.chats = [thread("A", END - DAY)]
    account.chats[0]["thread"]["events"] = 7
    run = read()
    assert run.code == 1
    assert "Stream livechat_thread_events" in run.errors[0]


def test_time_before_the_first_thread_costs_two_requests(account: Account, read: Reading) -> None:
    account.chats = [thread(f"T{day}", END - day * DAY, "x") for day in (70, 40, 5)]
    first = read(start=None)
    assert len(first.rows(THREADS)) == 3
    assert windows(account) == 2 + 3
    account.asked.clear()
    read(start=None, state=first.state)
    assert len(account.asked) == 6


def test_empty_account_costs_two_requests(account: Account, read: Reading) -> None:
    assert read(start=None).code == 0
    assert windows(account) == 2


def test_threads_before_the_first_of_the_list_arrive(account: Account, read: Reading) -> None:
    account.chats = [thread(f"T{day}", END - day * DAY, "x") for day in (170, 140, 5)]
    latest = account.chats[-1]
    # LiveChat does not say by which time it sorts.
    account.answer_to = lambda _, body: (
        {"chats": [latest], "found_chats": 3} if body.get("limit") == 1 else None
    )
    assert len(read(start=None).rows(THREADS)) == 3


@pytest.mark.parametrize("status", [400, 422])
def test_refused_search_for_the_first_thread_leaves_out_nothing(
    account: Account, read: Reading, status: int
) -> None:
    account.chats = [thread("A", END - 5 * DAY, "x")]
    error = {"error": {"type": "validation", "message": "too long"}}
    account.answer_to = lambda _, body: (
        JSONResponse(error, status) if body.get("limit") == 1 else None
    )
    assert len(read(start="2025-01-01").rows(THREADS)) == 1


def test_window_of_one_page_is_not_halved(account: Account, read: Reading) -> None:
    account.chats = [thread("A", END - 5 * DAY, "x")]
    account.found = 1_000_000  # an estimate
    assert len(read().rows(THREADS)) == 1
    assert windows(account) <= 2


def test_bookmark_does_not_pass_the_time_at_which_active_threads_were_listed(
    account: Account, read: Reading
) -> None:
    # A thread begins after that, and the archive has it when it has ended.
    account.now = END - DAY

    def later(action: str, _body: dict[str, Any]) -> None:
        if action == "list_archives":
            account.now = END - DAY + 5 * MINUTE

    account.answer_to = later
    first = read(lookback_days=0)
    account.chats = [thread("A", END - DAY + MINUTE, "x")]
    account.now = END
    assert len(read(lookback_days=0, state=first.state).rows(THREADS)) == 1


def test_thread_that_is_active_for_too_long_does_not_hold_the_bookmark(
    account: Account, read: Reading
) -> None:
    account.active = [END - 40 * DAY]
    run = read()
    assert "Threads of LiveChat that have been active for more than 30 days: 1." in run.err
    assert bookmark(run) == END
    account.active = [END - 40 * DAY, END - 20 * DAY]
    assert bookmark(read()) == END - 20 * DAY


def test_empty_page_before_others_and_a_lost_page_id(account: Account, read: Reading) -> None:
    account.chats = [thread(f"T{number}", END - DAY + number * MINUTE) for number in range(5)]
    account.size = 2
    refused = JSONResponse({"error": {"type": "validation", "message": "page_id"}}, 400)
    empty = {"chats": [], "found_chats": 5, "next_page_id": "0="}
    account.answer_to = lambda _, body: (
        {**account.list_archives(body), "next_page_id": "empty"}
        if "filters" in body and body.get("limit") == 100
        else {"empty": empty, "1=": refused}.get(body.get("page_id", ""))
    )
    failed = read()
    assert failed.code == 1
    account.answer_to = lambda *_: None
    second = read(state=failed.state)
    assert {row["id"] for row in second.rows(THREADS)} == {f"T{number}" for number in range(5)}


def test_long_report_costs_a_request_a_year(account: Account, read: Reading) -> None:
    account.reports = {"2026-01-05": {"total": 3}, "2026-01-06": {}}
    run = read(start=None, extra_streams=["livechat_report_total_chats"])
    assert run.rows("livechat_report_total_chats") == [{"date": "2026-01-05", "total": 3}]
    assert account.count("total_chats") < 30


def test_utc_needs_no_database_of_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_zone(name: str) -> None:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(settings, "ZoneInfo", no_zone)
    assert settings.zone_problem("UTC") is None
    assert settings.zone_problem("Asia/Beirut") is not None


def test_report_has_the_hour_that_comes_twice_before_midnight(
    account: Account, read: Reading
) -> None:
    # In Beirut, clocks went from midnight back to eleven at the end of 2025-10-25.
    days = {"lookback_days": 0, "batch_size": 1, "reports_timezone": "Asia/Beirut"}
    report = {"extra_streams": ["livechat_report_total_chats"]}
    run = read(start="2025-10-14T00:00:00Z", **days, **report)
    assert run.code == 0, run.err
    ends = [body["filters"]["to"] for action, body in account.asked if action == "total_chats"]
    assert "2025-10-25T23:59:59.999999+02:00" in ends


def test_active_chats_need_version_3_6(account: Account, read: Reading) -> None:
    run = read(api_version="3.5", extra_streams=["livechat_active_chats"])
    assert run.code == 1
    assert "`livechat.extra_streams` may have livechat_active_chats from version 3.6 on" in run.err
    assert not account.asked
    assert read(api_version="3.5").code == 0
