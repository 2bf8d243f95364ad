"""Intercom's REST API: searches by cursor, capped parts, conversations that are gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_chat.sandbox import API_KEY, Drift, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

LATER = datetime(2026, 3, 10, tzinfo=UTC)
WORLD = World(intercom_conversations=320, intercom_contacts=170, intercom_parts=520)
ASCENDING = {"field": "updated_at", "order": "ascending"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(WORLD) as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    shared.world = WORLD
    fresh = Options()
    for name in vars(fresh):
        setattr(shared.options, name, getattr(fresh, name))
    return shared


def ask(
    sandbox: Sandbox, path: str, body: Any = None, key: str = API_KEY, version: str = "2.14"
) -> requests.Response:
    return requests.request(
        "POST" if body else "GET",
        f"{sandbox.url}/intercom/{path}",
        json=body,
        headers={"Authorization": f"Bearer {key}", "Intercom-Version": version},
        timeout=10,
    )


def search(
    sandbox: Sandbox, kind: str = "conversations", after: int | str = 0, **body: Any
) -> list[dict[str, Any]]:
    """Return everything that a search finds, page by page."""
    query = {"field": "updated_at", "operator": ">", "value": after}
    found, pages = [], {"per_page": 150}
    while True:
        answer = ask(sandbox, f"{kind}/search", {"query": query, "pagination": pages, **body})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["data" if kind == "contacts" else "conversations"]
        if "next" not in page["pages"]:
            return found
        pages["starting_after"] = page["pages"]["next"]["starting_after"]


def test_lists_bring_the_truth(sandbox: Sandbox) -> None:
    truth = sandbox.world.truth
    found = search(sandbox, sort=ASCENDING)
    assert sorted(found, key=lambda row: row["id"]) == truth["intercom_conversations"]
    parts = [
        part | {"_conversations_id": row["id"]}
        for row in truth["intercom_conversations"]
        for part in ask(sandbox, f"conversations/{row['id']}").json()["conversation_parts"][
            "conversation_parts"
        ]
    ]
    assert parts == truth["intercom_conversation_parts"]
    assert len({part["id"] for part in parts}) == len(parts)
    contacts = search(sandbox, "contacts", sort=ASCENDING)
    assert sorted(contacts, key=lambda row: row["created_at"]) == truth["intercom_contacts"]
    for path, name in {"admins": "admins", "teams": "teams", "tags": "data"}.items():
        assert ask(sandbox, path).json()[name] == truth[f"intercom_{path}"]


def test_search_without_an_order_is_by_relevance(sandbox: Sandbox) -> None:
    found = [row["updated_at"] for row in search(sandbox)]
    assert sorted(found) != found != sorted(found, reverse=True)
    ordered = [row["updated_at"] for row in search(sandbox, sort=ASCENDING)]
    assert ordered == sorted(found)


def test_conversations_that_change_in_one_second_are_lost_after_it(sandbox: Sandbox) -> None:
    times = [row["updated_at"] for row in search(sandbox, sort=ASCENDING)]
    tied = next(time for time in times if times.count(time) > 2)
    later = search(sandbox, after=str(tied), sort=ASCENDING)
    assert tied not in [row["updated_at"] for row in later]
    found = search(sandbox, after=tied - 1, sort=ASCENDING)
    assert len(found) - len(later) == times.count(tied)


def test_contacts_are_found_by_the_day(sandbox: Sandbox) -> None:
    whole = search(sandbox, "contacts", sort=ASCENDING)
    moment = whole[len(whole) // 2]["updated_at"]
    found = search(sandbox, "contacts", after=moment, sort=ASCENDING)
    assert found == [row for row in whole if row["updated_at"] // 86400 > moment // 86400]


def test_conversation_has_its_newest_parts_alone(sandbox: Sandbox) -> None:
    first = sandbox.world.truth["intercom_conversations"][0]
    assert "conversation_parts" not in first
    listed = ask(sandbox, f"conversations/{first['id']}").json()["conversation_parts"]
    times = [part["created_at"] for part in listed["conversation_parts"]]
    assert (len(times), listed["total_count"]) == (500, 520)
    assert times == sorted(times)
    assert times[0] == first["created_at"] + 21 * 60


def test_conversations_may_be_gone(sandbox: Sandbox) -> None:
    sandbox.world = replace(WORLD, intercom_gone=0.2)
    statuses = [
        ask(sandbox, f"conversations/{row['id']}").status_code
        for row in sandbox.world.truth["intercom_conversations"]
    ]
    assert 20 < statuses.count(404) < 120
    assert set(statuses) == {200, 404}


def test_wrong_requests_are_refused(sandbox: Sandbox) -> None:
    assert ask(sandbox, "admins", key="wrong").status_code == 401
    assert ask(sandbox, "admins", version="").status_code == 400
    assert ask(sandbox, "admin").status_code == 404
    assert ask(sandbox, "conversations").status_code == 404
    query = {"field": "updated_at", "operator": ">", "value": 0}
    for change in (
        {"query": query | {"operator": ">="}},
        {"query": query | {"value": "yesterday"}},
        {"query": query | {"field": "state"}},
        {"pagination": {"per_page": 151}},
        {"pagination": {"starting_after": "?"}},
        {"sort": {"field": "updated_at", "order": "asc"}},
    ):
        answer = ask(sandbox, "conversations/search", {"query": query, **change})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "parameter_invalid"
    both = {"operator": "AND", "value": [query, query | {"operator": "<", "value": 1}]}
    assert ask(sandbox, "conversations/search", {"query": both}).json()["total_count"] == 0


def test_limit_is_stated_in_every_response(sandbox: Sandbox) -> None:
    sandbox.options.intercom_rate_limit = 2
    answers = [ask(sandbox, "tags") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert "Retry-After" not in answers[2].headers
    assert "X-RateLimit-Limit" not in requests.get(f"{sandbox.url}/chats", timeout=10).headers


def test_changes_move_conversations_to_the_end(sandbox: Sandbox) -> None:
    first = search(sandbox, sort=ASCENDING)[0]["id"]
    drift = Drift(kind="update", of="intercom_conversations", place=0)
    sandbox.options.drifts = [drift]
    search(sandbox, sort=ASCENDING)
    assert search(sandbox, sort=ASCENDING)[-1]["id"] == first


def test_faults_spoil_the_records(sandbox: Sandbox) -> None:
    page = search(sandbox, sort=ASCENDING)[:100]
    sandbox.options.faults = [Fault(kind="drop"), Fault(kind="repeat", after=1)]
    query = {"field": "updated_at", "operator": ">", "value": 0}
    body: dict[str, Any] = {"query": query, "sort": ASCENDING, "pagination": {"per_page": 150}}
    first = ask(sandbox, "conversations/search", body).json()
    assert "id" not in first["conversations"][-1]
    body["pagination"]["starting_after"] = first["pages"]["next"]["starting_after"]
    second, third = (ask(sandbox, "conversations/search", body).json() for _ in range(2))
    assert second["conversations"] != third["conversations"] == page
    assert len(first["conversations"]) == 100


def test_time_keeps_what_existed_and_brings_what_is_new() -> None:
    old, new = WORLD.truth, replace(WORLD, now=LATER).truth
    for stream in ("conversations", "conversation_parts", "contacts"):
        before, after = ([row["id"] for row in world[f"intercom_{stream}"]] for world in (old, new))
        assert set(before) < set(after) or stream == "conversation_parts"
        assert len(after) > len(before)
    assert old["intercom_conversations"] != new["intercom_conversations"][: len(old)]
