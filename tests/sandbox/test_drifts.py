"""Lists that change while they are read, and the odd ways in which they end."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests
from msgspec import ValidationError, convert

from tap_chat.sandbox import API_KEY, ENTITY_ID, Drift, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_USER = "created_from=2000-01-01T00:00:00.000Z"
BEARER = {"Authorization": f"Bearer {API_KEY}"}
NO_PAGE = '{"error":"there is no such page"}'
WORLD = World(
    livechat_version="2", messages=100, users=30, conversations=40, dixa_conversations=20, chats=60
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    shared.world = WORLD
    for name, value in vars_of(Options()).items():
        setattr(shared.options, name, value)
    return shared


def vars_of(options: Options) -> dict[str, Any]:
    return {name: getattr(options, name) for name in vars(options)}


def messages(sandbox: Sandbox, offset: int = 0, limit: int = 10) -> requests.Response:
    params: dict[str, Any] = {"api_key": API_KEY, "offset": offset, "limit": limit}
    return requests.get(f"{sandbox.url}/v1/messages", params, timeout=10)


def ids(sandbox: Sandbox, offset: int = 0, limit: int = 10) -> list[str]:
    return [row["id"] for row in messages(sandbox, offset, limit).json()["data"]]


def freshchat(sandbox: Sandbox, path: str, **params: Any) -> Any:
    answer = requests.get(f"{sandbox.url}/v2{path}", params, headers=BEARER, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def users(sandbox: Sandbox, page: int = 1, **params: Any) -> list[str]:
    path = f"/users?{EVERY_USER}"
    body = freshchat(sandbox, path, page=page, items_per_page=10, **params)
    return [user["id"] for user in body["users"]]


def chats(sandbox: Sandbox, page: int = 1) -> requests.Response:
    headers = {"X-API-Version": "2"}
    auth = (ENTITY_ID, API_KEY)
    params = {"page": page}
    return requests.get(f"{sandbox.url}/chats", params, headers=headers, auth=auth, timeout=10)


def quoted(key: str) -> str:
    return quote(key, safe="")


def flat(pages: list[list[str]]) -> list[str]:
    return [*chain.from_iterable(pages)]


def test_message_that_leaves_pulls_the_others_past_the_reader(sandbox: Sandbox) -> None:
    sandbox.options.drifts = [Drift(kind="delete", of="messages", after=2, place=3, rows=2)]
    pages = [ids(sandbox, offset) for offset in range(0, 100, 10)]
    rows = [row["id"] for row in WORLD.chat.messages]
    assert [key for key in rows if key not in flat(pages)] == rows[20:22]
    assert rows[3] in pages[0]
    left = [row for row in WORLD.chat.messages if row["id"] not in rows[3:5]]
    assert sandbox.world.truth["chat_messages"] == left
    assert sandbox.world.rows["chat_messages"] == 98


def test_messages_enter_at_both_ends(sandbox: Sandbox) -> None:
    at_front = Drift(kind="insert", of="messages", times=None, every=2)
    sandbox.options.drifts = [at_front, Drift(kind="insert", of="messages", after=3, place=-1)]
    before = ids(sandbox)
    assert [ids(sandbox)[1:], ids(sandbox)[1:]] == [before[:9], before[:9]]
    assert ids(sandbox)[2:] == before[:8]
    rows = sandbox.world.truth["chat_messages"]
    assert len(rows) == 103 == sandbox.world.rows["chat_messages"]
    assert rows[0]["timestamp"] > rows[1]["timestamp"] > max(row["timestamp"] for row in rows[2:])
    assert ids(sandbox, 102) == ["m-000000100"]


def test_ignored_offset_of_a_growing_list_brings_new_pages_forever(
    sandbox: Sandbox,
) -> None:
    sandbox.options.drifts = [Drift(kind="insert", of="messages", times=None)]
    sandbox.options.faults = [Fault(kind="repeat", times=None)]
    pages = [tuple(ids(sandbox, offset)) for offset in range(0, 200, 10)]
    assert len(set(pages)) == 20


def test_user_that_leaves_is_in_no_list_and_has_no_page(sandbox: Sandbox) -> None:
    sandbox.options.drifts = [Drift(kind="delete", of="users", path="/v2/users", after=2)]
    pages = [users(sandbox, number) for number in (1, 2, 3)]
    everyone = [user.id for user in WORLD.freshchat.people]
    assert [key for key in everyone if key not in flat(pages)] == [everyone[20]]
    own = f"{sandbox.url}/v2/users/{quoted(everyone[0])}/conversations"
    assert requests.get(own, headers=BEARER, timeout=10).status_code == 404
    truth = sandbox.world.truth
    assert [user["id"] for user in truth["freshchat_users"]] == everyone[1:]
    whose = {row["user_id"] for row in truth["freshchat_users_conversations"]}
    assert whose == {talk.user.id for talk in WORLD.freshchat.talks} - {everyone[0]}


@pytest.mark.parametrize(
    ("order", "skipped"),
    # What moves to the end pulls one past the reader; what moves to the front is skipped itself.
    [("updated_time", 20), ("-updated_time", 29), ("created_time", None)],
)
def test_user_that_changes_moves_where_that_is_the_order(
    sandbox: Sandbox, order: Any, skipped: int | None
) -> None:
    sandbox.options.users_order = order
    place = 29 if order == "-updated_time" else 0
    sandbox.options.drifts = [Drift(kind="update", of="users", after=2, place=place)]
    before = [user.id for user in WORLD.freshchat.in_order(order)]
    pages = [users(sandbox, number) for number in (1, 2, 3)]
    missed = [key for key in before if key not in flat(pages)]
    assert missed == ([] if skipped is None else [before[skipped]])
    [changed] = sandbox.world.changes.updated
    assert changed == before[place]
    last = max(sandbox.world.truth["freshchat_users"], key=lambda user: user["updated_time"] or "")
    assert last["id"] == changed
    assert users(sandbox, updated_from=last["updated_time"]) == [changed]


def test_users_come(sandbox: Sandbox) -> None:
    sandbox.options.drifts = [Drift(kind="insert", of="users", rows=2)]
    users(sandbox)
    assert len(users(sandbox, 4)) == 2 == sandbox.world.rows["freshchat_users"] - 30
    truth = sandbox.world.truth
    assert truth["freshchat_conversations"] == WORLD.truth["freshchat_conversations"]


def test_conversation_leaves(sandbox: Sandbox) -> None:
    sandbox.options.drifts = [Drift(kind="delete", of="conversations", place=-1)]
    users(sandbox)
    gone = WORLD.freshchat.talks[-1]
    path = f"{sandbox.url}/v2/conversations/{quoted(gone.id)}"
    assert requests.get(path, headers=BEARER, timeout=10).status_code == 404
    listed = freshchat(sandbox, f"/users/{quoted(gone.user.id)}/conversations")["conversations"]
    assert gone.id not in {row["id"] for row in listed}


def test_chat_leaves_and_another_ends(sandbox: Sandbox) -> None:
    sandbox.options.drifts = [
        Drift(kind="delete", of="chats", place=1),
        Drift(kind="insert", of="chats", after=2),
    ]
    bodies = [chats(sandbox).json() for _ in range(3)]
    first, second, third = ([chat["id"] for chat in body["chats"]] for body in bodies)
    assert [body["total"] for body in bodies] == [60, 59, 60]
    assert second[:24] == [first[0], *first[2:]]
    assert third[1:] == second[:24]
    assert len(sandbox.world.livechat.truth["livechat_chats"]) == sandbox.world.rows[
        "livechat_chats"
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "of"), [("insert", "conversations"), ("update", "messages")])
def test_impossible_options_are_refused(sandbox: Sandbox, kind: str, of: str) -> None:
    with pytest.raises(ValidationError, match=f"{of} does not support {kind}"):
        convert({"kind": kind, "of": of}, Drift)
    change = {"drifts": [{"kind": kind, "of": of}]}
    assert requests.patch(f"{sandbox.url}/_sandbox", json=change, timeout=10).status_code == 400


def test_hidden_rows_have_their_places(sandbox: Sandbox) -> None:
    sandbox.world = World(messages=100, users=30, conversations=40, hidden=5)
    pages = [ids(sandbox, offset) for offset in range(0, 100, 10)]
    shown = [row["id"] for row in sandbox.world.truth["chat_messages"]]
    assert flat(pages) == shown
    assert 60 < len(shown) < 95
    listed = flat([users(sandbox, number) for number in (1, 2, 3)])
    assert listed == [user["id"] for user in sandbox.world.truth["freshchat_users"]]
    assert 10 < len(listed) < 30
    rows = {stream: len(rows) for stream, rows in sandbox.world.truth.items()}
    assert sandbox.world.rows == rows


def test_pages_of_messages_link_to_the_next(sandbox: Sandbox) -> None:
    talk = max(sandbox.world.freshchat.talks, key=lambda one: len(one.messages))
    assert len(talk.messages) > 50
    path = f"/conversations/{quoted(talk.id)}/messages"
    assert "link" not in freshchat(sandbox, path, items_per_page=50)
    sandbox.options.message_links = True
    sandbox.options.max_page_size = 30
    bodies = [freshchat(sandbox, path, page=page, items_per_page=50) for page in range(1, 5)]
    more = [30 * page < len(talk.messages) for page in range(1, 5)]
    assert ["link" in body for body in bodies] == more
    link = bodies[0]["link"]
    assert link["rel"] == "next"
    assert freshchat(sandbox, link["href"].removeprefix("/v2")) == bodies[1]


@pytest.mark.parametrize(
    ("end", "status", "body"),
    [
        ("empty", 200, '{"data":[]}'),
        ("null", 200, '{"data":null}'),
        ("object", 200, '{"data":{}}'),
        ("message", 200, '{"message":"There are no more messages."}'),
        ("nothing", 200, ""),
        ("204", 204, ""),
        *((str(status), status, NO_PAGE) for status in (400, 404, 416, 422)),
    ],
)
def test_list_ends(sandbox: Sandbox, end: Any, status: int, body: str) -> None:
    sandbox.options.messages_end = end
    assert len(ids(sandbox, 90)) == 10
    for offset in (100, 5000):
        answer = messages(sandbox, offset)
        assert (answer.status_code, answer.text) == (status, body)


def test_list_ends_with_the_last_page_again(sandbox: Sandbox) -> None:
    sandbox.options.messages_end = "last"
    sandbox.options.messages_total = True
    sandbox.world = World(messages=95)
    assert messages(sandbox, 95).json() == messages(sandbox, 90).json()
    assert messages(sandbox, 95).json()["total"] == 95
    assert len(ids(sandbox, 95)) == 5


def test_pages_may_be_empty_and_have_a_next(sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="empty_page", times=None)]
    for page in (1, 2, 500):
        body = freshchat(sandbox, f"/users?{EVERY_USER}", page=page)
        assert body["users"] == []
        assert f"page={page + 1}&" in body["links"]["next_page"]["href"]
    assert chats(sandbox).json()["chats"] == ids(sandbox) == []
    sandbox.options.message_links = True
    path = f"/conversations/{quoted(sandbox.world.freshchat.talks[0].id)}/messages"
    assert freshchat(sandbox, path, page=70).keys() == {"messages", "link"}


def test_page_count_can_be_exaggerated(sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="many_pages", times=None)]
    sandbox.options.livechat_beyond = "empty"
    body = freshchat(sandbox, "/agents", page=99)
    assert (body["agents"], body["pagination"]["total_pages"]) == ([], 10**12)
    body = chats(sandbox, 10**6).json()
    assert (body["chats"], body["pages"]) == ([], 10**12)


def test_chat_is_listed_twice(sandbox: Sandbox) -> None:
    sandbox.options.livechat_twice = 20
    pages = [chats(sandbox, page).json() for page in (1, 2, 3)]
    listed = [chat["id"] for page in pages for chat in page["chats"]]
    assert [len(listed), len(set(listed))] == [63, 60]
    assert {page["total"] for page in pages} == {63}


def test_livechat_counts_more_than_it_lists(sandbox: Sandbox) -> None:
    sandbox.options.livechat_excess = 2
    pages = [chats(sandbox, page).json() for page in (1, 2, 3)]
    assert sum(len(page["chats"]) for page in pages) == 60
    assert {page["total"] for page in pages} == {62}


def test_livechat_reaches_less_than_it_counts(sandbox: Sandbox) -> None:
    sandbox.options.livechat_cap = 50
    assert chats(sandbox, 2).json()["total"] == 50
    sandbox.options.livechat_count = "all"
    assert chats(sandbox, 2).json()["total"] == 60
    assert chats(sandbox, 3).status_code == 400
    sandbox.options.livechat_beyond = "empty"
    assert chats(sandbox, 3).json() == {"chats": [], "total": 60, "pages": 3}


@pytest.mark.parametrize(
    ("odd", "low", "high"), [("seconds", 0, 10**10), ("ahead", 10**12, 10**13)]
)
def test_one_conversation_of_dixa_has_an_odd_time(
    sandbox: Sandbox, odd: Any, low: int, high: int
) -> None:
    usual = WORLD.truth["dixa_conversation_export"]
    sandbox.world = replace(WORLD, dixa_odd=odd)
    [(before, after)] = [
        (row["updated_at"], other["updated_at"])
        for row, other in zip(usual, sandbox.world.truth["dixa_conversation_export"], strict=True)
        if row != other
    ]
    assert low < after < high
    params = {"updated_after": before, "updated_before": before + 1}
    url = f"{sandbox.url}/v1/conversation_export"
    rows = requests.get(url, params, headers=BEARER, timeout=10).json()
    assert after in {row["updated_at"] for row in rows}


def test_temporary_404(sandbox: Sandbox) -> None:
    path = "/v2/conversations/"
    some = Fault(kind="status", status=404, page=True, path=path, share=0.5, times=None, lasts=60)
    sandbox.options.faults = [some]
    urls = [f"{sandbox.url}{path}{quoted(talk.id)}" for talk in sandbox.world.freshchat.talks]

    def statuses() -> list[int]:
        answers = [requests.get(url, headers=BEARER, timeout=10) for url in urls]
        kinds = {answer.headers["Content-Type"] for answer in answers if answer.status_code == 404}
        assert all(kind.startswith("text/html") for kind in kinds)
        return [answer.status_code for answer in answers]

    first = statuses()
    assert 8 < first.count(404) < 32
    # A minute later.
    some.ends = time.monotonic()
    assert set(statuses()) == {200}
    sandbox.options.faults = [Fault(kind="status", status=404, path=path)]
    answer = requests.get(urls[0], headers=BEARER, timeout=10)
    assert answer.headers["Content-Type"] == "application/json"


def test_server_is_years_behind(sandbox: Sandbox) -> None:
    sandbox.options.clock = -timedelta(days=3650).total_seconds()
    assert " 2016 " in messages(sandbox).headers["Date"]
