"""Freshchat's API: next links, a mandatory filter, ids in paths, and messages without a count."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from tap_chat.sandbox import API_KEY, Fault, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_USER = "created_from=2000-01-01T00:00:00.000Z"
LATER = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(World(users=60, conversations=80)) as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    shared.world = World(users=60, conversations=80)
    shared.options.faults = []
    shared.options.links = "relative"
    return shared


def get(sandbox: Sandbox, path: str, token: str = API_KEY) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{sandbox.url}/v2{path}", headers=headers, timeout=10)


def body(sandbox: Sandbox, path: str) -> Any:
    answer = get(sandbox, path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def everything(sandbox: Sandbox, name: str, query: str = "items_per_page=50") -> list[Any]:
    records: list[Any] = []
    for page in range(1, 100):
        answer = body(sandbox, f"/{name}?page={page}&{query}")
        records += answer[name]
        if page == answer["pagination"]["total_pages"]:
            return records
    raise AssertionError


def all_messages(sandbox: Sandbox, conversation: str, query: str = "") -> list[Any]:
    records: list[Any] = []
    page = 0
    while len(records) == 50 * page:
        page += 1
        path = f"/conversations/{quote(conversation, safe='')}/messages?items_per_page=50"
        records += body(sandbox, f"{path}&page={page}{query}")["messages"]
    return records


def test_same_seed_is_the_same_world() -> None:
    assert World(seed=3).freshchat.truth == World(seed=3).freshchat.truth
    for stream in ("users", "users_conversations", "conversations_messages"):
        name = f"freshchat_{stream}"
        assert World(seed=3).truth[name] != World(seed=4).truth[name]


def test_sizes_are_those_asked_for() -> None:
    rows = World(users=1000, conversations=3000).rows
    assert rows["freshchat_users"] == 1000
    assert rows["freshchat_users_conversations"] == rows["freshchat_conversations"] == 3000
    assert World(users=0).rows["freshchat_conversations"] == 0
    assert World(users=1).rows["freshchat_conversations"] == 60


@pytest.mark.parametrize("name", ["roles", "agents", "groups", "channels"])
def test_lists_bring_the_truth(sandbox: Sandbox, name: str) -> None:
    for size in (20, 50, 7):
        records = everything(sandbox, name, f"items_per_page={size}")
        assert records == sandbox.world.truth[f"freshchat_{name}"]


def test_account_and_fields_have_no_envelope(sandbox: Sandbox) -> None:
    truth = sandbox.world.truth
    assert [body(sandbox, "/accounts/configuration")] == truth["freshchat_account"]
    assert body(sandbox, "/conversations/fields") == truth["freshchat_conversations_properties"]


def test_fan_out_brings_the_truth(sandbox: Sandbox) -> None:
    users = everything(sandbox, "users", f"items_per_page=50&{EVERY_USER}")
    children = [
        child | {"user_id": user["id"]}
        for user in users
        for child in body(sandbox, f"/users/{quote(user['id'], safe='')}/conversations")[
            "conversations"
        ]
    ]
    conversations = [
        body(sandbox, f"/conversations/{quote(child['id'], safe='')}") for child in children
    ]
    messages = [
        message | {"conversation_id": child["id"]}
        for child in children
        for message in all_messages(sandbox, child["id"])
    ]
    truth = sandbox.world.truth
    assert users == truth["freshchat_users"]
    assert children == truth["freshchat_users_conversations"]
    assert conversations == truth["freshchat_conversations"]
    assert messages == truth["freshchat_conversations_messages"]


def test_users_need_a_filter_in_the_right_format(sandbox: Sandbox) -> None:
    assert get(sandbox, "/users").status_code == 400
    assert get(sandbox, "/users?page=2&items_per_page=20").status_code == 400
    assert get(sandbox, "/users?updated_from=2025-10-01T00:00:00Z").status_code == 400
    assert get(sandbox, f"/users?{EVERY_USER}&page=0").status_code == 400
    answer = get(sandbox, "/users?created_from=1759276800000")
    assert answer.status_code == 400
    assert answer.json().keys() == {"code", "status", "message"}


@pytest.mark.parametrize("field", ["created", "updated"])
def test_filters_include_both_ends(sandbox: Sandbox, field: str) -> None:
    users = sandbox.world.truth["freshchat_users"]
    times = sorted(user[f"{field}_time"] for user in users if user[f"{field}_time"])
    low, high = times[10], times[30]
    found = everything(sandbox, "users", f"{field}_from={low}&{field}_to={high}")
    assert found == [user for user in users if low <= (user[f"{field}_time"] or "") <= high]
    assert len(found) >= 21


def test_users_who_never_changed_are_hidden_from_updated_from_or_equal_their_creation(
    sandbox: Sandbox,
) -> None:
    users = sandbox.world.truth["freshchat_users"]
    found = everything(sandbox, "users", "updated_from=2000-01-01T00:00:00.000Z")
    hidden = [user for user in users if user not in found]
    assert hidden
    assert {user["updated_time"] for user in hidden} == {None}
    assert any(user["updated_time"] == user["created_time"] for user in found)
    assert any(user["updated_time"] > user["created_time"] for user in found)


def test_pages_are_numbered_and_no_larger_than_50(sandbox: Sandbox) -> None:
    page = body(sandbox, f"/users?{EVERY_USER}")
    assert len(page["users"]) == 20
    assert page["pagination"] == {
        "total_items": 60,
        "total_pages": 3,
        "current_page": 1,
        "items_per_page": 20,
    }
    assert len(body(sandbox, f"/users?{EVERY_USER}&items_per_page=100")["users"]) == 50
    assert body(sandbox, f"/users?{EVERY_USER}&page=4")["users"] == []


@pytest.mark.parametrize(
    ("links", "start"),
    [("relative", "/v2/users?"), ("path", "/users?"), ("absolute", "http://127.0.0.1:")],
)
def test_next_link_has_the_form_asked_for_and_lacks_the_filter(
    sandbox: Sandbox, links: Any, start: str
) -> None:
    sandbox.options.links = links
    first = body(sandbox, f"/users?{EVERY_USER}&items_per_page=50")
    href = first["links"]["next_page"]["href"]
    assert href.startswith(start)
    assert parse_qs(urlsplit(href).query) == {"page": ["2"], "items_per_page": ["50"]}
    last = body(sandbox, f"/users?{EVERY_USER}&items_per_page=50&page=2")
    assert "next_page" not in last["links"]
    # Exactly one full page.
    assert "next_page" not in body(sandbox, "/groups?items_per_page=50")["links"]


def test_links_may_be_absent(sandbox: Sandbox) -> None:
    sandbox.options.links = "absent"
    assert body(sandbox, f"/users?{EVERY_USER}").keys() == {"users", "pagination"}


def test_ids_need_percent_encoding(sandbox: Sandbox) -> None:
    truth = sandbox.world.truth
    for ids in (
        {row["id"] for row in truth["freshchat_users"]},
        {row["conversation_id"] for row in truth["freshchat_conversations"]},
    ):
        assert set("/ ?#%ü日") <= set("".join(ids))
    user = next(row["id"] for row in truth["freshchat_users"] if "/" in row["id"])
    assert get(sandbox, f"/users/{quote(user)}/conversations").status_code == 404


def test_messages_take_their_conversation_from_the_path(sandbox: Sandbox) -> None:
    kinds = set()
    for row in sandbox.world.truth["freshchat_conversations"]:
        for message in all_messages(sandbox, row["conversation_id"]):
            named = message.get("conversation_id")
            twin = message.get("freshchat_conversation_id")
            kinds.add((named and named == row["conversation_id"], twin == row["conversation_id"]))
    assert kinds == {(True, False), (False, True), (None, False)}


def test_messages_are_of_many_kinds_and_numbers(sandbox: Sandbox) -> None:
    truth = sandbox.world.truth
    parts = [row["message_parts"] for row in truth["freshchat_conversations_messages"]]
    assert [] in parts
    assert {key for part in parts for item in part for key in item} > {"text", "email", "file"}
    counts = {len(talk.messages) for talk in sandbox.world.freshchat.talks}
    assert {0, 50, 100} <= counts
    assert any(count > 100 for count in counts)
    assert any(
        not body(sandbox, f"/users/{quote(user['id'], safe='')}/conversations")["conversations"]
        for user in truth["freshchat_users"]
    )
    internal = [row["conversation_internal_id"] for row in truth["freshchat_conversations"]]
    assert all(int(float(number)) != number < 2**63 for number in internal)
    assert any("cf_étage" in row["properties"] for row in truth["freshchat_conversations"])


def test_from_time_is_exclusive(sandbox: Sandbox) -> None:
    talk = max(sandbox.world.freshchat.talks, key=lambda talk: len(talk.messages))
    messages = all_messages(sandbox, talk.id)
    times = [message["created_time"] for message in messages]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) < len(times)
    newer = all_messages(sandbox, talk.id, f"&from_time={times[60]}")
    assert newer == [message for message in messages if message["created_time"] > times[60]]
    assert all_messages(sandbox, talk.id, f"&from_time={times[0]}") == []
    path = f"/conversations/{quote(talk.id, safe='')}/messages?from_time=yesterday"
    assert get(sandbox, path).status_code == 400


def test_messages_come_without_pagination(sandbox: Sandbox) -> None:
    talk = max(sandbox.world.freshchat.talks, key=lambda talk: len(talk.messages))
    path = f"/conversations/{quote(talk.id, safe='')}/messages"
    page = body(sandbox, f"{path}?items_per_page=100")
    assert page.keys() == {"messages"}
    assert len(page["messages"]) == 50
    assert len(body(sandbox, path)["messages"]) == 20
    assert body(sandbox, f"{path}?page=99")["messages"] == []


def test_the_deleted_are_listed_but_gone(sandbox: Sandbox) -> None:
    whole = sandbox.world
    sandbox.world = replace(whole, deleted=0.2)
    truth = sandbox.world.truth
    users = everything(sandbox, "users", EVERY_USER)
    assert users == whole.truth["freshchat_users"] == truth["freshchat_users"]
    found, statuses = [], set()
    for user in users:
        answer = get(sandbox, f"/users/{quote(user['id'], safe='')}/conversations")
        statuses.add(answer.status_code)
        found += [
            child | {"user_id": user["id"]} for child in answer.json().get("conversations", [])
        ]
    assert found == truth["freshchat_users_conversations"]
    for row in found:
        path = f"/conversations/{quote(row['id'], safe='')}"
        answer = get(sandbox, path)
        assert get(sandbox, f"{path}/messages").status_code == answer.status_code
        kept = [row["conversation_id"] for row in truth["freshchat_conversations"]]
        assert (answer.status_code == 200) == (row["id"] in kept)
        statuses.add(answer.status_code)
    assert statuses == {200, 404}
    assert answer.status_code == 200 or answer.json().keys() == {"code", "status", "message"}
    assert 0 < len(kept) < len(found) < len(whole.truth["freshchat_users_conversations"])


def test_wrong_requests_are_refused(sandbox: Sandbox) -> None:
    assert get(sandbox, "/roles", token="x").status_code == 401
    assert get(sandbox, "/conversations").status_code == 404
    assert get(sandbox, "/users/nobody/conversations").status_code == 404
    assert get(sandbox, "/conversations/nothing").status_code == 404


def test_faults_spoil_one_path_and_no_other(sandbox: Sandbox) -> None:
    faults = [
        Fault(kind="self_link", path="/users"),
        Fault(kind="foreign_link", path="/users"),
        Fault(kind="repeat", path="/users"),
        Fault(kind="drop", path="/users", field="created_time"),
    ]
    sandbox.options.faults = faults
    assert "page=2" in body(sandbox, "/agents")["links"]["next_page"]["href"]
    pages = [body(sandbox, f"/users?{EVERY_USER}&page=2") for _ in range(5)]
    links = [page["links"]["next_page"]["href"] for page in pages]
    assert "page=2" in links[0]
    assert urlsplit(links[1]).netloc == "elsewhere.invalid"
    assert pages[2]["users"] == body(sandbox, f"/users?{EVERY_USER}")["users"]
    assert pages[2]["links"] == pages[4]["links"]
    assert "created_time" not in pages[3]["users"][-1]
    assert pages[4]["users"][:-1] == pages[3]["users"][:-1]


def test_fault_finds_the_path_of_an_odd_id(sandbox: Sandbox) -> None:
    user = next(
        row["user_id"]
        for row in sandbox.world.truth["freshchat_users_conversations"]
        if "?" in row["user_id"]
    )
    sandbox.options.faults = [Fault(kind="status", path=f"/{user}/conversations")]
    path = f"/users/{quote(user, safe='')}/conversations"
    assert [get(sandbox, path).status_code for _ in range(2)] == [500, 200]


def test_faults_spoil_single_objects_and_messages(sandbox: Sandbox) -> None:
    talk = max(sandbox.world.freshchat.talks, key=lambda talk: len(talk.messages))
    path = f"/conversations/{quote(talk.id, safe='')}"
    first = body(sandbox, f"{path}/messages")
    sandbox.options.faults = [
        Fault(kind="replace", path="/conversations/", field="conversation_id", literal="12"),
        Fault(kind="repeat", path="/messages"),
        Fault(kind="drop", path="/accounts/", field="account_id"),
    ]
    assert body(sandbox, path)["conversation_id"] == 12
    assert body(sandbox, f"{path}/messages?page=2") == first
    assert "account_id" not in body(sandbox, "/accounts/configuration")


def keyed(world: World, stream: str, key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in world.truth[f"freshchat_{stream}"]}


def test_time_keeps_what_existed_and_brings_what_is_new() -> None:
    world = World(users=60, conversations=80)
    later = replace(world, now=LATER)
    for stream, key, time in (
        ("users", "id", "updated_time"),
        ("conversations", "conversation_id", "updated_time"),
        ("conversations_messages", "id", "created_time"),
    ):
        old, new = keyed(world, stream, key), keyed(later, stream, key)
        assert len(old) == world.rows[f"freshchat_{stream}"]
        assert old.keys() < new.keys()
        changed = [(old[name], new[name]) for name in old if old[name] != new[name]]
        assert bool(changed) == (stream != "conversations_messages")
        assert all(before["created_time"] == after["created_time"] for before, after in changed)
        assert all((before[time] or "") < after[time] for before, after in changed)
        arrived = [row for name, row in new.items() if row != old.get(name)]
        seen = "2026-01-31T12:00:00.000Z"
        assert all((row[time] or row["created_time"]) > seen for row in arrived)


def test_old_conversations_of_users_who_do_not_change_get_messages() -> None:
    world = World(users=60, conversations=80)
    later = replace(world, now=LATER)
    users, later_users = keyed(world, "users", "id"), keyed(later, "users", "id")
    talks = keyed(world, "conversations", "conversation_id")
    old = keyed(world, "conversations_messages", "id")
    new = [row for row in later.truth["freshchat_conversations_messages"] if row["id"] not in old]
    owners = {
        talks[row["conversation_id"]]["user_id"] for row in new if row["conversation_id"] in talks
    }
    assert any(users[owner] == later_users[owner] for owner in owners)
    truths = (world.truth, later.truth)
    statuses = {row["status"] for truth in truths for row in truth["freshchat_conversations"]}
    assert statuses == {"new", "assigned", "resolved", "reopened"}


def post(sandbox: Sandbox, event: str, start: str, end: str) -> requests.Response:
    return requests.post(
        f"{sandbox.url}/v2/reports/raw",
        json={"event": event, "start": start, "end": end, "format": "csv"},
        headers={"Authorization": f"Bearer {API_KEY}"},
        timeout=10,
    )


def links(sandbox: Sandbox, posted: requests.Response) -> list[str]:
    assert posted.status_code == 202, posted.text
    job = body(sandbox, posted.json()["link"]["href"])
    assert job["status"] == "COMPLETED"
    return [part["link"]["href"] for part in job["links"]]


@pytest.mark.parametrize(
    ("event", "start", "end", "words"),
    [
        ("Chat-Transcript", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.001Z", "too long"),
        ("CSAT-Score", "2025-12-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "too long"),
        ("CSAT-Score", "2024-10-01T00:00:00.000Z", "2024-10-02T00:00:00.000Z", "15 months"),
        ("Messages", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "no such event"),
        ("CSAT-Score", "yesterday", "2026-01-02T00:00:00.000Z", "times in UTC"),
    ],
)
def test_report_has_limits(sandbox: Sandbox, event: str, start: str, end: str, words: str) -> None:
    refused = post(sandbox, event, start, end)
    assert refused.status_code == 400
    assert words in refused.json()["message"]


def test_file_is_on_another_host_and_takes_no_token(sandbox: Sandbox) -> None:
    posted = post(sandbox, "CSAT-Score", "2025-12-15T00:00:00.000Z", "2026-01-12T00:00:00.000Z")
    [first, second] = links(sandbox, posted)
    assert urlsplit(first).hostname == "localhost" != urlsplit(sandbox.url).hostname
    assert requests.get(second, timeout=10).content.startswith(b"PK")
    for url, headers in [
        (first, {"Authorization": f"Bearer {API_KEY}"}),
        (first.replace("sandbox-signature", "other"), {}),
        (first.replace("localhost", "127.0.0.1"), {}),
    ]:
        refused = requests.get(url, headers=headers, timeout=10)
        assert (refused.status_code, refused.text[:7]) == (403, "<Error>")
    sandbox.options.report_link_seconds = 1e-9
    try:
        [late, _] = links(sandbox, posted)
        assert requests.get(late, timeout=10).status_code == 403
    finally:
        sandbox.options.report_link_seconds = 3600.0


def test_report_is_not_ready_at_once_or_fails(sandbox: Sandbox) -> None:
    span = ("CSAT-Score", "2025-12-15T00:00:00.000Z", "2026-01-12T00:00:00.000Z")
    sandbox.options.report_delay = 3600.0
    try:
        pending = post(sandbox, *span).json()["link"]["href"]
        assert body(sandbox, pending)["status"] == "PENDING"
    finally:
        sandbox.options.report_delay = 0.0
    assert body(sandbox, pending)["status"] == "COMPLETED"
    sandbox.options.faults = [Fault(kind="report", literal="FAILED")]
    failed = post(sandbox, *span).json()["link"]["href"]
    assert body(sandbox, failed)["status"] == "FAILED"
    assert get(sandbox, "/reports/raw/unknown").status_code == 404
