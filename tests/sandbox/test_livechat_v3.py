"""LiveChat's v3 APIs: page ids that come alone, estimates, late changes, and what a token sees."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_chat.sandbox import API_KEY, ENTITY_ID, Drift, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

WORLD = World(livechat_version="3.6", chats=160)
LATER = datetime(2026, 3, 10, tzinfo=UTC)
ARCHIVES = "/v3.6/agent/action/list_archives"
LIST_CHATS = "/v3.6/agent/action/list_chats"


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


def post(sandbox: Sandbox, path: str = ARCHIVES, **body: Any) -> requests.Response:
    return requests.post(sandbox.url + path, json=body, auth=(ENTITY_ID, API_KEY), timeout=10)


def page(sandbox: Sandbox, path: str = ARCHIVES, **body: Any) -> Any:
    answer = post(sandbox, path, **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def every(sandbox: Sandbox, path: str = ARCHIVES, **body: Any) -> list[dict[str, Any]]:
    """Return the rows of all pages of a query."""
    name = "chats" if path == ARCHIVES else "chats_summary"
    found = page(sandbox, path, **{"limit": 50, "sort_order": "asc"} | body)
    rows: list[dict[str, Any]] = found[name]
    while "next_page_id" in found:
        found = page(sandbox, path, page_id=found["next_page_id"])
        rows += found[name]
    return rows


def problem(response: requests.Response) -> str:
    """Return the type of an error."""
    assert response.status_code >= 400, response.text
    return str(response.json()["error"]["type"])


def ids(chats: list[dict[str, Any]]) -> list[str]:
    return [chat["thread"]["id"] for chat in chats]


def test_same_seed_is_the_same_account() -> None:
    assert replace(WORLD).livechat.truth == WORLD.livechat.truth
    assert replace(WORLD, seed=8).livechat.truth != WORLD.livechat.truth
    truth = WORLD.livechat.truth
    assert {stream: len(rows) for stream, rows in truth.items()} == WORLD.livechat.rows
    for stream in ("livechat_thread_events", "livechat_thread_users"):
        keys = {(row["thread_id"], row["id"]) for row in truth[stream]}
        assert len(keys) == len(truth[stream])


def test_a_chat_comes_once_for_each_of_its_threads(sandbox: Sandbox) -> None:
    chats = every(sandbox)
    assert ids(chats) == [row["id"] for row in sandbox.world.truth["livechat_threads"]]
    assert max(Counter(chat["id"] for chat in chats).values()) > 1
    by_id = {chat["thread"]["id"]: chat for chat in chats}
    for chat in chats:
        if following := chat["thread"].get("next_thread_id"):
            assert by_id[following]["id"] == chat["id"]
            assert by_id[following]["thread"]["previous_thread_id"] == chat["thread"]["id"]


def test_the_threads_are_the_chats_of_version_2() -> None:
    old = {row["id"] for row in replace(WORLD, livechat_version="2").truth["livechat_chats"]}
    assert old <= {row["id"] for row in WORLD.truth["livechat_threads"]}


def test_a_page_has_10_threads_unless_asked_otherwise_the_newest_first(sandbox: Sandbox) -> None:
    chats = page(sandbox)["chats"]
    assert ids(chats) == ids(every(sandbox))[:-11:-1]
    assert len(page(sandbox, limit=100)["chats"]) == 100
    for limit in (0, 101, "x"):
        assert problem(post(sandbox, limit=limit)) == "validation"


@pytest.mark.parametrize("further", [{"limit": 5}, {"filters": {}}, {"sort_order": "asc"}])
def test_a_page_id_comes_alone(sandbox: Sandbox, further: dict[str, Any]) -> None:
    next_id = page(sandbox, limit=5)["next_page_id"]
    assert problem(post(sandbox, page_id=next_id, **further)) == "validation"


def test_a_page_id_remembers_the_query_and_leads_back(sandbox: Sandbox) -> None:
    since = "2025-12-01T00:00:00.000000+01:00"
    first = page(sandbox, limit=7, sort_order="asc", filters={"from": since})
    second = page(sandbox, page_id=first["next_page_id"])
    assert "previous_page_id" not in first
    assert (
        ids(first["chats"] + second["chats"])
        == [
            row["id"]
            for row in sandbox.world.truth["livechat_threads"]
            if row["created_at"] >= "2025-11-30T23:00:00.000000Z"
        ][:14]
    )
    assert page(sandbox, page_id=second["previous_page_id"])["chats"] == first["chats"]


def test_a_page_id_belongs_to_a_token_and_a_list_and_expires(sandbox: Sandbox) -> None:
    next_id = page(sandbox)["next_page_id"]
    url = sandbox.url + ARCHIVES
    bearer = {"Authorization": f"Bearer {API_KEY}"}
    other = requests.post(url, json={"page_id": next_id}, headers=bearer, timeout=10)
    assert problem(other) == "validation"
    assert problem(post(sandbox, LIST_CHATS, page_id=next_id)) == "validation"
    assert problem(post(sandbox, page_id="MTUxNzM5ODEzMTQ5Ng==")) == "validation"
    sandbox.world = replace(WORLD, now=WORLD.now + timedelta(days=29))
    assert post(sandbox, page_id=next_id).status_code == 200
    sandbox.world = replace(WORLD, now=WORLD.now + timedelta(days=30))
    assert problem(post(sandbox, page_id=next_id)) == "validation"


def test_the_number_of_chats_is_an_estimate(sandbox: Sandbox) -> None:
    count = len(every(sandbox))
    assert 0 < abs(page(sandbox)["found_chats"] - count) <= 2
    sandbox.options.livechat_found = "none"
    assert page(sandbox)["found_chats"] == 0
    sandbox.options.livechat_found = "many"
    assert page(sandbox)["found_chats"] > 2 * count


@pytest.mark.parametrize(
    ("bounds", "expected"), [("both", 3), ("from", 2), ("to", 2), ("neither", 1)]
)
def test_the_ends_of_an_interval_belong_to_it_or_not(
    sandbox: Sandbox, bounds: str, expected: int
) -> None:
    threads = WORLD.truth["livechat_threads"][90:93]
    assert len({thread["created_at"] for thread in threads}) == 3
    sandbox.options.livechat_bounds = bounds
    filters = {"from": threads[0]["created_at"], "to": threads[2]["created_at"]}
    assert len(every(sandbox, filters=filters)) == expected


def test_filters_may_compare_the_last_event(sandbox: Sandbox) -> None:
    thread = next(row for row in WORLD.truth["livechat_threads"] if row["ended_at"])
    hour = {"from": thread["created_at"], "to": thread["created_at"]}
    assert thread["id"] in ids(every(sandbox, filters=hour))
    sandbox.options.livechat_compares = "last_event"
    assert thread["id"] not in ids(every(sandbox, filters=hour))
    assert len(every(sandbox)) == len(WORLD.truth["livechat_threads"])


def test_dates_need_an_offset_and_unknown_filters_are_refused(sandbox: Sandbox) -> None:
    for filters in ({"from": "2026-01-01T00:00:00"}, {"from": "2026-01-01"}, {"date_from": 1}):
        assert problem(post(sandbox, filters=filters)) == "validation"


def test_pages_by_time_repeat_threads_of_the_same_millisecond(sandbox: Sandbox) -> None:
    expected = len(WORLD.truth["livechat_threads"])
    sandbox.options.livechat_paging = "time"
    for order in ("asc", "desc"):
        found = ids(every(sandbox, sort_order=order))
        assert len(set(found)) == expected < len(found)


def test_pages_by_number_lose_threads_if_others_vanish(sandbox: Sandbox) -> None:
    sandbox.options.livechat_paging = "offset"
    sandbox.options.drifts = [Drift(kind="delete", of="threads", rows=2)]
    found = ids(every(sandbox))
    assert len(found) == len(WORLD.truth["livechat_threads"]) - 2
    assert set(found) < {row["id"] for row in WORLD.truth["livechat_threads"]}


def test_a_thread_begins_while_the_list_is_read(sandbox: Sandbox) -> None:
    sandbox.options.drifts = [Drift(kind="insert", of="threads", rows=3)]
    assert len(every(sandbox)) == len(WORLD.truth["livechat_threads"]) + 3


def test_a_thread_is_active_until_it_ends(sandbox: Sandbox) -> None:
    active = [chat for chat in every(sandbox) if chat["thread"]["active"]]
    assert active
    [summary] = every(sandbox, LIST_CHATS, filters={"active": True})
    assert summary["last_thread_summary"]["id"] in ids(active)
    assert "events" not in summary["last_thread_summary"]
    assert len(every(sandbox, LIST_CHATS)) == len({chat["id"] for chat in every(sandbox)})
    sandbox.world = replace(WORLD, livechat_lists="ended")
    assert not set(ids(active)) & set(ids(every(sandbox)))
    sandbox.world = replace(WORLD, now=WORLD.now + timedelta(days=4))
    later = {chat["thread"]["id"]: chat["thread"] for chat in every(sandbox)}
    for chat in active:
        events = later[chat["thread"]["id"]].get("events", [])
        assert not later[chat["thread"]["id"]]["active"]
        assert len(events) >= len(chat["thread"].get("events", []))


def test_threads_change_late_but_not_later_than_the_setting_says(sandbox: Sandbox) -> None:
    def after(days: float) -> dict[str, Any]:
        sandbox.world = replace(WORLD, now=WORLD.now + timedelta(days=days))
        return {chat["thread"]["id"]: chat for chat in every(sandbox)}

    before, soon, much_later = after(0), after(5), after(60)
    changed = [key for key in before if soon[key] != before[key]]
    assert len(changed) > 3
    names = {name for key in changed for name in soon[key]["thread"]}
    assert {"tags", "summary", "next_thread_id"} <= names
    assert all(much_later[key] == soon[key] for key in before)


def test_a_token_of_an_agent_with_the_role_normal_sees_no_deleted_text(sandbox: Sandbox) -> None:
    def deleted() -> list[dict[str, Any]]:
        events = sandbox.world.truth["livechat_thread_events"]
        return [event for event in events if event.get("deleted")]

    assert all("text" in event for event in deleted())
    sandbox.world = replace(WORLD, livechat_role="normal")
    assert not any("text" in event for event in deleted())
    assert {"visibility" in event for event in deleted()} == {True, False}


def test_a_token_may_see_its_own_groups_alone(sandbox: Sandbox) -> None:
    everything = every(sandbox)
    sandbox.world = replace(WORLD, livechat_groups="own")
    own = every(sandbox)
    assert {group for chat in own for group in chat["access"]["group_ids"]} == {0, 2}
    assert 0 < len(own) < len(everything)
    assert len(every(sandbox, filters={"group_ids": [0]})) < len(own)


def test_a_plan_hides_the_events_of_old_threads(sandbox: Sandbox) -> None:
    sandbox.world = replace(WORLD, livechat_history_days=60)
    threads = [chat["thread"] for chat in every(sandbox)]
    restricted = [thread for thread in threads if "restricted_access" in thread]
    assert 0 < len(restricted) < len(threads)
    assert not any("events" in thread for thread in restricted)
    truth = sandbox.world.truth
    assert sandbox.world.rows["livechat_thread_events"] == len(truth["livechat_thread_events"])


def test_events_are_of_every_kind() -> None:
    truth = WORLD.truth
    events = truth["livechat_thread_events"]
    assert {event["type"] for event in events} == {
        "message", "file", "form", "filled_form", "rich_message", "custom", "system_message",
        "system",
    }  # fmt: skip
    assert {len(event["id"]) == 36 for event in events} == {True, False}
    assert {event["visibility"] for event in events} == {"all", "agents"}
    by_system = [event for event in events if event["type"].startswith("system")]
    assert not any("author_id" in event for event in by_system)
    assert any("archived" in event.get("system_message_type", "") for event in by_system)
    with_events = {event["thread_id"] for event in events}
    assert 0 < len({row["id"] for row in truth["livechat_threads"]} - with_events) < 30


@pytest.mark.parametrize(
    ("action", "stream", "fields"),
    [
        ("list_agents", "livechat_agents", ["groups", "suspended", "last_logout", "job_title"]),
        ("list_groups", "livechat_groups", ["agent_priorities", "routing_status"]),
        ("list_tags", "livechat_tags", []),
    ],
)
def test_lists_have_some_fields_only_if_asked(
    sandbox: Sandbox, action: str, stream: str, fields: list[str]
) -> None:
    path = f"/v3.6/configuration/action/{action}"
    plain, full = page(sandbox, path), page(sandbox, path, fields=fields)
    assert len(plain) == len(full) == len(WORLD.truth[stream])
    assert not any(name in row for row in plain for name in fields)
    assert all(any(name in row for row in full) for name in fields)


def test_only_own_bots_are_listed_unless_asked_for_all(sandbox: Sandbox) -> None:
    path = "/v3.6/configuration/action/list_bots"
    assert len(page(sandbox, path)) == 1
    assert len(page(sandbox, path, all=True)) == len(WORLD.truth["livechat_bots"]) == 3


@pytest.mark.parametrize("name", ["total_chats", "response_time", "ratings", "duration"])
def test_a_report_has_a_record_a_day(sandbox: Sandbox, name: str) -> None:
    path = f"/v3.6/reports/chats/{name}"
    filters = {"from": "2025-12-01T00:00:00Z", "to": "2025-12-07T23:59:59.999999Z"}
    body = page(sandbox, path, filters=filters, timezone="UTC")
    assert list(body["records"]) == [f"2025-12-0{day}" for day in range(1, 8)]
    created = [row["created_at"] for row in WORLD.truth["livechat_threads"]]
    assert body["total"] == sum("2025-12-01" <= time < "2025-12-08" for time in created)
    assert len(page(sandbox, path)["records"]) == 8


def test_a_report_has_the_days_of_a_time_zone(sandbox: Sandbox) -> None:
    path = "/v3.6/reports/chats/total_chats"
    filters = {"from": "2025-12-01T00:00:00+09:00", "to": "2025-12-01T23:59:59.999999+09:00"}
    assert list(page(sandbox, path, filters=filters, timezone="Asia/Tokyo")["records"]) == [
        "2025-12-01"
    ]
    in_zone_of_agent = page(sandbox, path, filters=filters)
    assert list(in_zone_of_agent["records"]) == ["2025-11-30", "2025-12-01"]
    assert problem(post(sandbox, path, timezone="Mars/Base")) == "validation"
    assert problem(post(sandbox, path, filters={"from": "2025-12-01T00:00:00Z"})) == "validation"


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {API_KEY}",
        f"Basic {b64encode(f'{ENTITY_ID}:{API_KEY}'.encode()).decode()}",
    ],
)
def test_a_token_comes_in_two_forms(sandbox: Sandbox, authorization: str) -> None:
    headers = {"Authorization": authorization}
    answer = requests.post(f"{sandbox.url}{ARCHIVES}", json={}, headers=headers, timeout=10)
    assert answer.status_code == 200
    wrong = {"Authorization": authorization[:-4]}
    refused = requests.post(f"{sandbox.url}{ARCHIVES}", json={}, headers=wrong, timeout=10)
    assert problem(refused) == "authentication"


def test_errors_have_a_type(sandbox: Sandbox) -> None:
    assert problem(post(sandbox, "/v3.1/agent/action/list_archives")) == "unsupported_version"
    assert problem(post(sandbox, "/v3.6/agent/action/list_customers")) == "not_found"
    assert post(sandbox, "/v3.5/agent/action/list_archives").status_code == 200
    body = '{"error":{"type":"request_timeout","message":"Request timed out"}}'
    sandbox.options.faults = [Fault(kind="status", status=504, literal=body)]
    assert problem(post(sandbox)) == "request_timeout"
    assert post(sandbox).status_code == 200


def test_other_versions_have_other_names(sandbox: Sandbox) -> None:
    active = {"active": True}
    new = page(sandbox, LIST_CHATS.replace("v3.6", "v3.7"), filters=active)
    [chat] = new["chats_info"]
    assert chat["last_thread_info"]["active"]
    old = LIST_CHATS.replace("v3.6", "v3.5")
    assert problem(post(sandbox, old, filters=active)) == "validation"
    assert page(sandbox, old)["chats_summary"]


def test_a_region_must_be_named(sandbox: Sandbox) -> None:
    sandbox.options.livechat_region = "fra"
    refused = post(sandbox)
    assert problem(refused) == "misdirected_request"
    region = refused.json()["error"]["data"]["region"]
    answer = requests.post(
        sandbox.url + ARCHIVES,
        json={},
        auth=(ENTITY_ID, API_KEY),
        headers={"X-Region": region},
        timeout=10,
    )
    assert answer.status_code == 200


def test_headers_say_when_a_version_ends(sandbox: Sandbox) -> None:
    assert not {"Legacy", "Deprecation"} & {*post(sandbox).headers}
    sandbox.options.livechat_legacy = "2026-12-31"
    sandbox.options.livechat_deprecation = "2027-03-31"
    headers = post(sandbox).headers
    assert (headers["Legacy"], headers["Deprecation"]) == ("2026-12-31", "2027-03-31")


def test_faults_spoil_the_threads(sandbox: Sandbox) -> None:
    first = page(sandbox, limit=5)
    sandbox.options.faults = [
        Fault(kind="repeat", path="list_archives"),
        Fault(kind="drop", path="list_archives", field="thread"),
        Fault(kind="empty_page", path="list_archives"),
    ]
    repeated, dropped, emptied = (page(sandbox, page_id=first["next_page_id"]) for _ in range(3))
    assert repeated["chats"] == first["chats"]
    assert "thread" not in dropped["chats"][-1]
    assert emptied["chats"] == []
    assert emptied["next_page_id"]


def test_time_keeps_what_existed_and_brings_what_is_new() -> None:
    later = replace(WORLD, now=LATER).truth
    for stream in ("livechat_threads", "livechat_thread_events", "livechat_thread_users"):
        keys = [(row.get("thread_id"), row["id"]) for row in WORLD.truth[stream]]
        then = {(row.get("thread_id"), row["id"]) for row in later[stream]}
        assert set(keys) < then
