"""Front's core API: events since a time, and links to another host."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

LATER = datetime(2026, 3, 10, tzinfo=UTC)
LISTS = ["contacts", "teammates", "inboxes", "tags", "channels"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(front_conversations=30)) as running:
        yield running


def get(sandbox: Sandbox, path: str, key: str = API_KEY, **params: Any) -> requests.Response:
    url = path if path.startswith("http") else f"{sandbox.url}/front/{path}"
    headers = {"Authorization": f"Bearer {key}"}
    return requests.get(url, params, headers=headers, timeout=10)


def every(sandbox: Sandbox, path: str, **params: Any) -> list[dict[str, Any]]:
    body = get(sandbox, path, **params).json()
    rows: list[dict[str, Any]] = body["_results"]
    while link := body.get("_pagination", {}).get("next"):
        body = get(sandbox, link).json()
        rows += body["_results"]
    return rows


def test_same_seed_is_the_same_world() -> None:
    assert World(seed=3).front.truth == World(seed=3).front.truth
    assert World(seed=3).front.truth != World(seed=4).front.truth


def test_events_and_what_they_touch_are_the_truth(sandbox: Sandbox) -> None:
    truth = sandbox.world.truth
    events = every(sandbox, "events", sort_by="created_at", sort_order="asc")
    assert events == truth["front_events"] == every(sandbox, "events")[::-1]
    keys = list(dict.fromkeys(event["conversation"]["id"] for event in events))
    found: dict[str, list[Any]] = {"conversations": [], "messages": [], "comments": []}
    for key in keys:
        path = f"conversations/{key}"
        found["conversations"].append(get(sandbox, path).json())
        for name in ("messages", "comments"):
            rows = every(sandbox, f"{path}/{name}", limit=2)
            found[name] += [row | {"_conversations_id": key} for row in rows]
    for name, rows in found.items():
        expected = {row["id"]: row for row in truth[f"front_{name}"]}
        assert {row["id"]: row for row in rows} == expected
        assert len(rows) == len(expected)


@pytest.mark.parametrize("name", LISTS)
def test_pages_bring_the_truth(sandbox: Sandbox, name: str) -> None:
    assert every(sandbox, name, limit=3) == sandbox.world.truth[f"front_{name}"]


def test_a_page_of_events_has_15_at_most(sandbox: Sandbox) -> None:
    assert len(get(sandbox, "events", limit=100).json()["_results"]) == 15


def test_next_links_lead_to_another_host(sandbox: Sandbox) -> None:
    link = get(sandbox, "events").json()["_pagination"]["next"]
    assert urlsplit(link).hostname == "localhost"
    assert urlsplit(link).port == urlsplit(sandbox.url).port


def test_events_after_a_time_lack_those_at_that_time(sandbox: Sandbox) -> None:
    events = sandbox.world.truth["front_events"]
    times = [event["emitted_at"] for event in events]
    # A rule comments and tags at the same time.
    moment = next(time for time in times if times.count(time) > 1)
    for bound, expected in (("(", moment.__lt__), ("[", moment.__le__)):
        sandbox.options.front_after = bound
        found = every(sandbox, "events", **{"q[after]": moment, "sort_order": "asc"})
        assert [event["emitted_at"] for event in found] == [*filter(expected, times)]


def test_a_conversation_changes_only_with_an_event(sandbox: Sandbox) -> None:
    before, after = sandbox.world.front, replace(sandbox.world, now=LATER).front
    seen = {event["id"] for event in before.events}
    touched = {event["conversation"]["id"] for event in after.events if event["id"] not in seen}
    changed = {
        key
        for key, talk in after.by_id.items()
        if key not in before.by_id
        or after.conversation(talk) != before.conversation(before.by_id[key])
    }
    assert changed == touched
    assert changed & before.by_id.keys()


def test_deleted_conversations_have_events_and_return_404() -> None:
    with Sandbox(World(front_conversations=30, front_deleted=0.3)) as sandbox:
        keys = {event["conversation"]["id"] for event in every(sandbox, "events")}
        gone = {key for key in keys if get(sandbox, f"conversations/{key}").status_code == 404}
        assert 0 < len(gone) < 30
        kept = {row["id"] for row in sandbox.world.truth["front_conversations"]}
        assert keys - gone == kept
        key = gone.pop()
        assert get(sandbox, f"conversations/{key}/messages").status_code == 404


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("events", {"key": "wrong"}, 401),
        ("events", {"page_token": "x"}, 400),
        ("events", {"sort_by": "id"}, 400),
        ("nothing", {}, 404),
    ],
)
def test_wrong_requests_are_refused(
    sandbox: Sandbox, path: str, params: dict[str, Any], status: int
) -> None:
    assert get(sandbox, path, **params).status_code == status


def test_limits_of_the_company_and_of_conversations() -> None:
    with Sandbox(World(), Options(front_rate_limit=3, front_tier_limit=1)) as sandbox:
        path = f"conversations/{sandbox.world.truth['front_conversations'][0]['id']}"
        answers = [get(sandbox, path), get(sandbox, path), get(sandbox, "tags")]
        answers.append(get(sandbox, "tags"))
    assert [answer.status_code for answer in answers] == [200, 429, 200, 429]
    assert answers[0].headers["X-RateLimit-Remaining"] == "2"
    assert answers[1].headers["Retry-After"] == "1"
    assert int(answers[3].headers["Retry-After"]) > 50


def test_faults_spoil_a_page(sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="drop", field="id", path="/comments")]
    path = f"conversations/{sandbox.world.truth['front_comments'][0]['_conversations_id']}"
    assert "id" not in get(sandbox, f"{path}/comments").json()["_results"][-1]
    sandbox.options.faults = [Fault(kind="drop", field="status", path="/conversations/")]
    assert "status" not in get(sandbox, path).json()
