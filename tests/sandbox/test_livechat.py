"""LiveChat's REST API: capped queries, newest first, days of the account's zone, nested arrays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import pytest
import requests

from tap_chat.sandbox import API_KEY, ENTITY_ID, Drift, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

LATER = datetime(2026, 3, 10, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(World(livechat_version="2", chats=700)) as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    shared.world = World(livechat_version="2", chats=700)
    fresh = Options()
    for name in vars(fresh):
        setattr(shared.options, name, getattr(fresh, name))
    return shared


def get(
    sandbox: Sandbox, user: str = ENTITY_ID, key: str = API_KEY, version: str = "2", **params: Any
) -> requests.Response:
    return requests.get(
        f"{sandbox.url}/chats",
        params,
        auth=(user, key),
        headers={"X-API-Version": version},
        timeout=10,
    )


def page(sandbox: Sandbox, **params: Any) -> Any:
    answer = get(sandbox, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def every(sandbox: Sandbox, **params: Any) -> list[dict[str, Any]]:
    pages = page(sandbox, **params)["pages"]
    return [
        chat
        for number in range(1, pages + 1)
        for chat in page(sandbox, page=number, **params)["chats"]
    ]


def exploded(chats: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        chat | {"agent_email": email}
        for chat in reversed(chats)
        for email in [agent["email"] for agent in chat.get("agents", [])] or ["unassigned"]
    ]


def nested(chats: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [
        {"event_id": f"{chat['id']}_{place}"} | item | {"chat_id": chat["id"]}
        for chat in reversed(chats)
        for place, item in enumerate(chat.get(name, []))
    ]


def local(text: str) -> datetime:
    """Parse a time of LiveChat, as local time in Berlin."""
    return datetime.strptime(text, "%a, %m/%d/%y %I:%M:%S %p").replace(tzinfo=BERLIN)


def moment(chat: dict[str, Any]) -> int:
    """When a chat ended or was missed, from the text where there is no more."""
    if "ended_timestamp" in chat:
        return int(chat["ended_timestamp"])
    return int(local(chat["time"]).timestamp())


def test_same_seed_is_the_same_world() -> None:
    assert (
        World(livechat_version="2", seed=3).livechat.truth
        == World(livechat_version="2", seed=3).livechat.truth
    )
    assert (
        World(livechat_version="2", seed=3).livechat.truth
        != World(livechat_version="2", seed=4).livechat.truth
    )


def test_pages_bring_the_truth(sandbox: Sandbox) -> None:
    chats = every(sandbox)
    assert len({chat["id"] for chat in chats}) == len(chats) == 700
    truth = sandbox.world.truth
    assert exploded(chats) == truth["livechat_chats"]
    assert nested(chats, "messages") == truth["livechat_messages"]
    assert nested(chats, "events") == truth["livechat_events"]
    for stream, *key in (
        ("livechat_chats", "id", "agent_email"),
        ("livechat_messages", "chat_id", "event_id"),
        ("livechat_events", "chat_id", "event_id"),
    ):
        keys = {tuple(row[name] for name in key) for row in truth[stream]}
        assert len(keys) == len(truth[stream]) == sandbox.world.rows[stream]


def test_newest_come_first_25_a_page(sandbox: Sandbox) -> None:
    first = page(sandbox)
    assert (len(first["chats"]), first["total"], first["pages"]) == (25, 700, 28)
    assert len(page(sandbox, page=1, limit=100)["chats"]) == 25
    assert page(sandbox, page=29)["chats"] == []
    moments = [moment(chat) for chat in every(sandbox, date_from="2025-11-01")]
    assert moments == sorted(moments, reverse=True)


def test_days_together_bring_the_truth(sandbox: Sandbox) -> None:
    dates: tuple[Literal["ended", "started"], ...] = ("ended", "started")
    for date in dates:
        sandbox.options.livechat_date = date
        chats: list[dict[str, Any]] = []
        day = datetime(2025, 9, 30, tzinfo=UTC)
        while day < sandbox.world.now + timedelta(days=2):
            name = f"{day:%Y-%m-%d}"
            chats = every(sandbox, date_from=name, date_to=name) + chats
            day += timedelta(days=1)
        ids = [chat["id"] for chat in chats]
        assert len(ids) == len(set(ids)) == 700


def test_days_are_those_of_the_account_and_both_belong_to_the_query(sandbox: Sandbox) -> None:
    days = {"date_from": "2025-12-01", "date_to": "2025-12-07"}
    zones = {"Europe/Berlin": every(sandbox, **days)}
    sandbox.world = replace(sandbox.world, livechat_timezone="America/New_York")
    zones["America/New_York"] = every(sandbox, **days)
    assert every(sandbox, **days, timezone="Europe/Berlin") != zones["America/New_York"]
    for zone, chats in zones.items():
        first = datetime(2025, 12, 1, tzinfo=ZoneInfo(zone)).timestamp()
        last = datetime(2025, 12, 8, tzinfo=ZoneInfo(zone)).timestamp()
        ended = [
            row["ended_timestamp"]
            for row in {row["id"]: row for row in sandbox.world.truth["livechat_chats"]}.values()
            if first <= row.get("ended_timestamp", 0) < last
        ]
        found = [chat["ended_timestamp"] for chat in chats if "ended_timestamp" in chat]
        assert found == ended[::-1]
        assert found


def test_chats_end_about_local_midnight(sandbox: Sandbox) -> None:
    moments = [moment(chat) for chat in every(sandbox, date_from="2025-11-01")]
    assert {0, 1, 2} <= {(at + 3600 + 1) % 86400 for at in moments}


def test_dates_may_select_by_the_start(sandbox: Sandbox) -> None:
    across = next(
        chat
        for chat in every(sandbox)
        if chat["type"] == "chat" and chat["started"].split()[1] != chat["ended"].split()[1]
    )
    started, ended = (f"{local(across[name]):%Y-%m-%d}" for name in ("started", "ended"))
    cases: tuple[tuple[Literal["ended", "started"], str, str], ...]
    cases = (("ended", ended, started), ("started", started, ended))
    for date, day, other in cases:
        sandbox.options.livechat_date = date
        assert across in every(sandbox, date_from=day, date_to=day)
        assert across not in every(sandbox, date_from=other, date_to=other)


def test_text_is_local_and_timestamps_are_not(sandbox: Sandbox) -> None:
    chats = [chat for chat in every(sandbox) if chat["type"] == "chat"]
    for chat in chats:
        ended = datetime.fromtimestamp(chat["ended_timestamp"], BERLIN)
        assert local(chat["ended"]) == ended.replace(fold=0)
        assert chat["ended_timestamp"] - chat["started_timestamp"] == chat["duration"]
        assert chat["ended"].endswith(("am", "pm"))


def test_chats_are_of_every_kind(sandbox: Sandbox) -> None:
    chats = every(sandbox)
    normal = [chat for chat in chats if chat["type"] == "chat"]
    missed = [chat for chat in chats if chat["type"] == "missed_chat"]
    assert {len(chat["agents"]) for chat in normal} == {0, 1, 2, 3}
    assert missed
    for chat in missed:
        assert {"time", "message", "email", "visitor_id"} <= chat.keys()
        assert not {"agents", "ended_timestamp", "messages"} & chat.keys()
    for name in ("goals", "referrer", "custom_variables", "queue"):
        assert {name in chat for chat in normal} == {True, False}
    items = [item for chat in normal for item in chat["messages"]]
    assert sum("event_id" in item for item in items) * 4 < len(items)
    for name in ("messages", "events"):
        assert {"event_id" in item for chat in normal for item in chat[name]} == {True, False}
        assert [] in [chat[name] for chat in normal]


def test_open_chats_come_only_when_asked_for(sandbox: Sandbox) -> None:
    sandbox.world = replace(sandbox.world, chats=20_000)
    closed = page(sandbox, include_pending=0)
    both = page(sandbox, include_pending=1)
    waiting = [chat for chat in both["chats"] if chat.get("pending")]
    assert closed["total"] == 20_000
    assert both["total"] == 20_000 + len(waiting)
    assert waiting
    now = sandbox.world.now.timestamp()
    for chat in waiting:
        assert not {"ended", "ended_timestamp", "duration"} & chat.keys()
        assert chat["started_timestamp"] <= now
        assert all(event["timestamp"] <= now for event in chat["events"])
    assert not any(chat.get("pending") for chat in closed["chats"])
    # An hour or more later they have ended, under the same ids.
    sandbox.world = replace(sandbox.world, now=sandbox.world.now + timedelta(hours=5))
    ended = {row["id"]: row for row in sandbox.world.truth["livechat_chats"]}
    for chat in waiting:
        assert ended[chat["id"]]["ended_timestamp"] > now
        assert ended[chat["id"]]["started_timestamp"] == chat["started_timestamp"]


def test_only_the_newest_can_be_reached(sandbox: Sandbox) -> None:
    sandbox.options.livechat_cap = 100
    first = page(sandbox)
    assert (first["total"], first["pages"]) == (100, 4)
    assert [chat["id"] for chat in every(sandbox)] == [
        chat.id for chat in sandbox.world.livechat.chats.by_end[600:700][::-1]
    ]
    assert get(sandbox, page=5).status_code == 400
    few = page(sandbox, date_from="2026-01-31")
    assert few["total"] < 100


def test_page_size_can_be_smaller(sandbox: Sandbox) -> None:
    sandbox.options.livechat_page_size = 7
    first = page(sandbox)
    assert (len(first["chats"]), first["pages"]) == (7, 100)


def test_chats_that_end_during_a_reading_shift_the_pages(sandbox: Sandbox) -> None:
    before = page(sandbox)["chats"]
    sandbox.options.drifts = [Drift(kind="insert", of="chats", after=2, every=2, times=None)]
    pages = [page(sandbox, page=number) for number in (1, 2, 3)]
    assert pages[0]["chats"] == before
    totals = [answer["total"] for answer in (*pages, page(sandbox))]
    assert totals == [700, 700, 701, 701]
    overlaps = [
        {chat["id"] for chat in one["chats"]} & {chat["id"] for chat in two["chats"]}
        for one, two in pairwise(pages)
    ]
    assert sorted(map(len, overlaps)) == [0, 1]
    sandbox.options.drifts = []
    assert len({row["id"] for row in sandbox.world.truth["livechat_chats"]}) == 702
    assert page(sandbox)["total"] == 702
    assert (
        World(livechat_version="2", chats=700).now
        < sandbox.world.now
        < World(livechat_version="2", chats=700).now + timedelta(days=2)
    )


def test_wrong_requests_are_refused(sandbox: Sandbox) -> None:
    assert get(sandbox, user="anyone").status_code == 200
    assert get(sandbox, user="").status_code == 401
    assert get(sandbox, key="wrong").status_code == 401
    assert get(sandbox, version="3").status_code == 400
    for params in (
        {"page": 0},
        {"page": "x"},
        {"page": 1001},
        {"date_from": "2025-10-01T00:00:00Z"},
        {"date_to": "1759276800"},
        {"timezone": "Mars"},
    ):
        assert get(sandbox, **params).status_code == 400
    url = f"{sandbox.url}/chats"
    assert requests.get(url, auth=(ENTITY_ID, API_KEY), timeout=10).status_code == 400
    assert get(sandbox).headers["Deprecation"] == "true"


def test_a_zone_that_does_not_exist_is_refused(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/_sandbox"
    answer = requests.patch(url, json={"livechat_timezone": "Mars/Base"}, timeout=10)
    assert answer.status_code == 400
    assert "Mars/Base" in answer.text


def test_faults_spoil_the_chats(sandbox: Sandbox) -> None:
    first = page(sandbox)["chats"]
    sandbox.options.faults = [
        Fault(kind="repeat", path="/chats"),
        Fault(kind="drop", path="/chats"),
        Fault(kind="replace", path="/chats", field="messages", literal="{}"),
    ]
    pages = [page(sandbox, page=2)["chats"] for _ in range(4)]
    assert pages[0] == first
    assert "id" not in pages[1][-1]
    assert pages[2][-1]["messages"] == {}
    assert pages[3][:-1] == pages[1][:-1] == pages[2][:-1]


def test_time_keeps_what_existed_and_brings_what_is_new() -> None:
    world = World(livechat_version="2", chats=300)
    later = replace(world, now=LATER)
    for stream in ("livechat_chats", "livechat_messages", "livechat_events"):
        old, new = world.truth[stream], later.truth[stream]
        assert len(new) > len(old)
        assert new[: len(old)] == old
