"""Chatwoot's API: lists of open conversations, newest activity first; messages after an id."""

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
WORLD = World(chatwoot_conversations=120, chatwoot_contacts=70, chatwoot_messages=230)


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


def get(
    sandbox: Sandbox, path: str, key: str = API_KEY, account: int = 3, **params: Any
) -> requests.Response:
    return requests.get(
        f"{sandbox.url}/chatwoot/api/v1/accounts/{account}/{path}",
        params,
        headers={"api_access_token": key},
        timeout=10,
    )


def every(sandbox: Sandbox, path: str, **params: Any) -> list[dict[str, Any]]:
    """Return the records of a list, from all pages up to an empty one."""
    found: list[dict[str, Any]] = []
    for number in range(1, 100):
        body = get(sandbox, path, page=number, **params).json()
        page = body.get("data", body)["payload"]
        if not page:
            break
        found += page
    return found


def messages(sandbox: Sandbox, key: int) -> list[dict[str, Any]]:
    """Return the messages of a conversation, each time those after the last one."""
    found: list[dict[str, Any]] = []
    while page := get(
        sandbox, f"conversations/{key}/messages", after=found[-1]["id"] if found else 0
    ).json()["payload"]:
        found += page
    return found


def test_lists_bring_the_truth(sandbox: Sandbox) -> None:
    truth = sandbox.world.truth
    found = every(sandbox, "conversations", status="all")
    assert sorted(found, key=lambda row: row["id"]) == truth["chatwoot_conversations"]
    whole = [
        row for talk in truth["chatwoot_conversations"] for row in messages(sandbox, talk["id"])
    ]
    assert whole == truth["chatwoot_messages"]
    assert every(sandbox, "contacts") == truth["chatwoot_contacts"]
    for name in ("inboxes", "labels"):
        assert get(sandbox, name).json()["payload"] == truth[f"chatwoot_{name}"]
    for name in ("agents", "teams"):
        assert get(sandbox, name).json() == truth[f"chatwoot_{name}"]


def test_only_open_conversations_come_unless_all_are_asked_for(sandbox: Sandbox) -> None:
    whole = every(sandbox, "conversations", status="all")
    found = every(sandbox, "conversations")
    assert found == [row for row in whole if row["status"] == "open"]
    assert {row["status"] for row in whole} == {"open", "resolved", "pending", "snoozed"}


def test_latest_activity_comes_first(sandbox: Sandbox) -> None:
    found = [row["last_activity_at"] for row in every(sandbox, "conversations", status="all")]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) < len(found)


def test_size_of_a_page_is_a_setting_of_the_installation(sandbox: Sandbox) -> None:
    sandbox.options.chatwoot_page_size = 7
    answer = get(sandbox, "conversations", status="all", per_page=100).json()
    assert len(answer["data"]["payload"]) == 7
    assert len(get(sandbox, "contacts").json()["payload"]) == 15
    assert len(every(sandbox, "conversations", status="all")) == 120


def test_messages_come_100_at_a_time_after_an_id(sandbox: Sandbox) -> None:
    first = get(sandbox, "conversations/1/messages", after=0).json()["payload"]
    ids = [row["id"] for row in first]
    assert len(ids) == 100
    assert ids == sorted(ids)
    newest = get(sandbox, "conversations/1/messages").json()["payload"]
    assert len(newest) == 20
    assert newest == messages(sandbox, 1)[-20:]
    assert {row["message_type"] for row in first} == {0, 1, 2}


def test_anonymous_contacts_are_not_listed(sandbox: Sandbox) -> None:
    for row in every(sandbox, "contacts"):
        assert row["email"] or row["phone_number"]


def test_wrong_requests_are_refused(sandbox: Sandbox) -> None:
    assert get(sandbox, "agents", key="wrong").status_code == 401
    assert get(sandbox, "agents", account=4).status_code == 404
    assert get(sandbox, "agent").status_code == 404
    assert get(sandbox, "conversations/999/messages").status_code == 404
    assert get(sandbox, "contacts", page="x").status_code == 422


def test_refusal_does_not_say_when_to_come_back(sandbox: Sandbox) -> None:
    sandbox.options.chatwoot_rate_limit = 1
    answers = [get(sandbox, "teams") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "Retry-After" not in answers[1].headers


def test_activity_moves_a_conversation_to_the_front(sandbox: Sandbox) -> None:
    last = every(sandbox, "conversations", status="all")[-1]["id"]
    sandbox.options.drifts = [Drift(kind="update", of="chatwoot_conversations", place=-1)]
    every(sandbox, "conversations", status="all")
    assert every(sandbox, "conversations", status="all")[0]["id"] == last


def test_faults_spoil_the_records(sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="drop"), Fault(kind="repeat")]
    first, second = (get(sandbox, "contacts", page=n).json()["payload"] for n in (1, 2))
    assert "id" not in first[-1]
    assert second[:-1] == first[:-1]


def test_time_keeps_what_existed_and_brings_what_is_new() -> None:
    old, new = WORLD.truth, replace(WORLD, now=LATER).truth
    for stream in ("conversations", "messages", "contacts"):
        before, after = ([row["id"] for row in world[f"chatwoot_{stream}"]] for world in (old, new))
        assert set(before) < set(after)
    assert new["chatwoot_conversations"][: len(old)] != old["chatwoot_conversations"]
    texts = [
        {row["id"]: row["content"] for row in world["chatwoot_messages"]} for world in (old, new)
    ]
    assert texts[0].items() <= texts[1].items()
