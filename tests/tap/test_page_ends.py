"""Lists by page number: short pages, hidden rows, and lists that change while they are read."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from running import assert_complete, by_stream, full_config, merged
from serving import Server

from tap_chat.http.request import Request as ListRequest
from tap_chat.platforms.rest.page_numbers import DeclaredPageNumberPaginator
from tap_chat.sandbox import Drift, Options, Sandbox, World
from tap_chat.singer.records import RecordChunk
from tap_chat.streams.paginators import Page, PageNumberPaginator
from tap_chat.streams.paginators.next_links import offers_next
from tap_chat.streams.paginators.page_sizes import ENOUGH, PageSizes
from tap_chat.streams.paginators.stated_ends import StatedEnds

if TYPE_CHECKING:
    from running import Run, Runner
    from starlette.requests import Request

MESSAGES = "freshchat_conversations_messages"
LONG = World(users=40, conversations=120)


def selecting(tap: Runner, *streams: str) -> dict[str, Any]:
    """Return a catalog that selects some streams."""
    catalog: dict[str, Any] = json.loads(tap.run([tap.command({})[0], "--discover"]).out)
    for entry in catalog["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["tap_stream_id"] in streams
    return catalog


def freshchat_config(server: Server, **settings: Any) -> dict[str, Any]:
    return {"freshchat": {"api_url": f"{server.url}/v2", "api_key": "k", **settings}}


def read(tap: Runner, sandbox: Sandbox, *streams: str, **settings: Any) -> Run:
    """Read some streams of Freshchat."""
    config = full_config(sandbox, "freshchat", freshchat=settings)
    return tap(config, catalog=selecting(tap, *streams))


@pytest.mark.parametrize("limit", [7, 30])
def test_unknown_limit_of_the_server_does_not_end_a_list(tap: Runner, limit: int) -> None:
    with Sandbox(LONG, Options(max_page_size=limit)) as sandbox:
        run = tap(full_config(sandbox, "freshchat"))
        assert_complete(run, sandbox, MESSAGES, "freshchat_users", "freshchat_agents")


@pytest.mark.parametrize("hidden", [0, 30])
@pytest.mark.parametrize("limit", [50, 30])
def test_incomplete_pages_do_not_end_a_list(tap: Runner, hidden: int, limit: int) -> None:
    with Sandbox(replace(LONG, hidden=hidden), Options(max_page_size=limit)) as sandbox:
        run = tap(full_config(sandbox, "freshchat"))
        assert_complete(run, sandbox, MESSAGES, "freshchat_users")


def test_page_with_a_next_link_is_not_the_last(tap: Runner) -> None:
    world = replace(LONG, hidden=2)
    with Sandbox(world, Options(message_links=True)) as sandbox:
        assert_complete(tap(full_config(sandbox, "freshchat")), sandbox, MESSAGES)
    # Where half of the rows are hidden, nothing else tells, unless a page was requested ahead.
    with Sandbox(world) as sandbox:
        run = tap(full_config(sandbox, "freshchat") | {"max_workers": 1})
        assert len(by_stream(run)[MESSAGES]) < len(sandbox.world.truth[MESSAGES])


def test_short_pages_cost_few_requests(tap: Runner) -> None:
    with Sandbox(World(users=200, conversations=600)) as sandbox:
        run = read(tap, sandbox, MESSAGES)
        talks = [row["conversation_id"] for row in run.records]
        # For each page after the first, the page before it is requested again.
        pages = sum(1 + 2 * (rows // 50) for rows in Counter(talks).values())
        empty = 600 - len(set(talks))
        least = 200 // 50 + 200 + pages + empty
        assert sandbox.requests <= 1.02 * least + ENOUGH


@pytest.mark.parametrize("order", ["created_time", "updated_time"])
@pytest.mark.parametrize("kind", ["delete", "update"])
@pytest.mark.parametrize("after", [2])
def test_moved_user_makes_the_reader_miss_no_other(
    tap: Runner, order: Any, kind: Any, after: int
) -> None:
    drift = Drift(kind=kind, of="users", path="/v2/users", after=after, rows=3)
    with Sandbox(World(users=60), Options(users_order=order, drifts=[drift])) as sandbox:
        first = read(tap, sandbox, "freshchat_users", items_per_page=7)
        assert first.code == 0, first.err
        assert len(by_stream(first)["freshchat_users"]) <= 60 + 3
        second = read(tap, sandbox, "freshchat_users", items_per_page=7)
        there = {(row["id"],) for row in sandbox.world.truth["freshchat_users"]}
        if kind == "delete":
            assert there <= merged([first])["freshchat_users"].keys()
        assert there <= merged([first, second])["freshchat_users"].keys()


@pytest.mark.parametrize("gone", [1, 10, 60])
@pytest.mark.parametrize("before", [1, 4])
def test_row_deleted_from_a_counted_list_makes_the_reader_miss_no_other(
    tap: Runner, gone: int, before: int
) -> None:
    agents = [{"id": f"a{number}"} for number in range(100)]

    def answer(request: Request) -> Any:
        page, size = (int(request.query_params[name]) for name in ("page", "items_per_page"))
        if len(server.requests) == before + 1:
            del agents[:gone]
        counts = {"total_items": len(agents), "total_pages": -(-len(agents) // size)}
        return {"agents": agents[(page - 1) * size : page * size], "pagination": counts}

    with Server(answer) as server:
        config = freshchat_config(server, items_per_page=10)
        run = tap(config, catalog=selecting(tap, "freshchat_agents"))
    assert run.code == 0, run.err
    ids = [record["id"] for record in run.records]
    assert {agent["id"] for agent in agents} <= set(ids)
    assert len(ids) == len(set(ids))
    # Pages that were requested ahead are requested again.
    assert len(server.requests) < 20 + 10


def test_list_that_changes_with_each_request_ends(tap: Runner) -> None:
    drift = Drift(kind="insert", of="users", path="/v2/users", times=40)
    with Sandbox(World(users=60), Options(drifts=[drift])) as sandbox:
        run = read(tap, sandbox, "freshchat_users", items_per_page=7)
        assert run.code == 0, run.err
        assert len(by_stream(run)["freshchat_users"]) >= 60
        assert sandbox.requests < 160


def test_endless_empty_pages_are_an_error(tap: Runner) -> None:
    numbers = {"pagination": {"total_pages": 10**12, "total_items": 10**13}, "agents": []}
    with Server(lambda _: numbers if len(server.requests) < 200 else []) as server:
        run = tap(freshchat_config(server), catalog=selecting(tap, "freshchat_agents"))
    assert run.code == 1
    assert "returned 21 empty pages in a row" in run.errors[0]
    assert len(server.requests) == 21


def test_page_sizes_reveal_the_limit_of_a_server() -> None:
    sizes = PageSizes(50, (20,))
    # By itself, a page that is hardly smaller than the largest may have been ended by the server.
    assert [sizes.is_last(rows) for rows in (3, 2, 5, 0, 4)] == [False, True, False, True, True]
    for _ in range(ENOUGH - 1):
        assert not sizes.is_last(5)
    assert sum(sizes.is_last(5) for _ in range(100)) == 100 - 3
    assert sizes.learn(5) == 97
    assert not sizes.is_last(5)
    assert not any(sizes.is_last(20) for _ in range(100))
    assert not sizes.is_last(50)
    assert [sizes.is_last(rows) for rows in (20, 40, 41, 50)] == [True, True, False, False]
    # Rows are hidden: pages lack some.
    assert sizes.learn(41) == 0
    assert [sizes.is_last(rows) for rows in (25, 26, 5)] == [True, False, True]


LINK = "/v2/conversations/c/messages?page=2&items_per_page=50"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"link": {"rel": "next", "href": "/a"}}, True),
        ({"link": {"rel": "NEXT_PAGE", "href": LINK}}, True),
        ({"link": {"rel": "messages", "href": LINK}}, True),
        ({"link": {"href": LINK}}, True),
        ({"link": LINK}, True),
        ({"links": [{"rel": "self", "href": "/a"}, {"rel": "next", "href": "/a"}]}, True),
        ({"links": [LINK]}, True),
        ({"links": {"next": "/a?page=2"}}, True),
        ({"links": {"next_page": {"href": "/a"}}}, True),
        ({"links": {"last_page": {"href": "/a?page=3"}}}, True),
        ({"_links": {"next": {"href": "/a"}}}, True),
        ({"pagination": {"next_page": 2}}, True),
        ({"next": "/a"}, True),
        ({"nextPage": 2}, True),
        ({"link": {"rel": "next", "href": None}}, False),
        ({"link": {"rel": "next", "href": "/a?page=1"}}, False),
        ({"link": {"rel": "self", "href": "/a?page=1"}}, False),
        ({"link": {"rel": "self", "href": "/a"}}, False),
        ({"links": {"next": None, "last_page": {"href": "/a?page=1"}}}, False),
        ({"pagination": {"next_page": None, "total_pages": 2, "current_page": 1}}, False),
        ({"pagination": {"next_page": True}}, False),
        ({"link": "next"}, False),
        ({"link": "http://["}, False),
        ({"messages": [{"link": LINK}]}, False),
        ([], False),
        (None, False),
    ],
)
def test_links_to_a_later_page_are_recognised(body: Any, expected: Any) -> None:
    assert offers_next(body, 1) is expected


@pytest.mark.parametrize("link", [{"rel": "next", "href": LINK}, {"href": LINK}, LINK])
@pytest.mark.parametrize("hidden", [1, 35, 50])
def test_page_with_a_link_is_not_the_last_though_it_is_short(link: Any, hidden: int) -> None:
    """A long list came before, so that the size of the page seems to be that of a last one."""
    sizes = PageSizes(50)
    sizes.is_last(50)
    walk = partial(PageNumberPaginator, page_size=50, page_sizes=sizes)
    assert read_pages(walk(), [50 - hidden, 50, 20], link) == 120 - hidden


def test_empty_pages_that_always_have_a_link_end_a_list() -> None:
    sizes = PageSizes(50)
    for _ in range(ENOUGH):
        walk = PageNumberPaginator(page_size=50, page_sizes=sizes)
        assert read_pages(walk, [3, *[0] * 50], {"rel": "next", "href": "/a"}, always=True) == 3
    walk = PageNumberPaginator(page_size=50, page_sizes=sizes)
    read_pages(walk, [3, 0], {"rel": "next", "href": "/a"}, always=True)
    assert walk.finished


def test_stated_number_of_pages_ends_no_list_that_has_a_link() -> None:
    walk = PageNumberPaginator(page_size=50, total_path="pages", next_url_path="links.next_page")
    assert read_pages(walk, [49, 50, 20], {"rel": "next", "href": LINK}, pages=1) == 119
    ends = StatedEnds()
    ends.is_full(50)
    declared = DeclaredPageNumberPaginator(ends, "page", "", checks=False, total_path="pages")
    assert read_pages(declared, [49, 50, 20], {"rel": "next", "href": LINK}, pages=1) == 119


def read_pages(
    paginator: PageNumberPaginator,
    sizes: list[int],
    link: Any,
    *,
    pages: int = 0,
    always: bool = False,
) -> int:
    """Return the number of rows that a paginator reads from pages of given sizes.

    Args:
        paginator: The paginator.
        sizes: The number of rows of each page.
        link: The `link` of each page but the last, if it leads to page 2.
        pages: The number of pages that each states; 0 for none.
        always: Whether the pages after the last one have a link, too.
    """
    starts = [sum(sizes[:number]) for number in range(len(sizes) + 1)]
    read = 0
    while not paginator.finished:
        params = paginator.page_request(ListRequest("http://a/b")).params
        number = params["page"] if isinstance(params, dict) else 0
        rows = sizes[number - 1] if number <= len(sizes) else 0
        first = starts[min(number, len(starts)) - 1]
        keys = [(first + place,) for place in range(rows)]
        body: dict[str, Any] = {"pages": pages} if pages else {}
        if always or number < len(sizes):
            body["link"] = json.loads(json.dumps(link).replace("page=2", f"page={number + 1}"))
        page = Page(body, RecordChunk([{"id": key[0]} for key in keys]), keys)
        read += len(paginator.advance(page).records)
    return read
