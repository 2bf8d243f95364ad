"""Each paginator over HTTP: it reads every row once, ends for a reason, and never runs forever."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from running import chat_config
from serving import Server, rows
from starlette.responses import Response

from tap_chat.http.errors import RequestError
from tap_chat.http.request import Request as ListRequest
from tap_chat.singer.records import RecordChunk
from tap_chat.streams.paginators import (
    CursorPaginator,
    HeaderCursorPaginator,
    HeaderLinkPaginator,
    JSONLinkPaginator,
    OffsetPaginator,
    Page,
    PageNumberPaginator,
    Paginator,
    SinglePagePaginator,
)
from tap_chat.streams.paginators.base import MAX_EMPTY_PAGES
from tap_chat.streams.paginators.links import resolve_link
from tap_chat.streams.paginators.pages import PaginationError
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    Rows = list[dict[str, Any]]
    Answer = Callable[[Rows, dict[str, Any], str], Any]

SIZE = 10


def respond(body: Any, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(body), headers=names, media_type="application/json")


def part(items: Rows, start: Any) -> Rows:
    return items[int(start) : int(start) + SIZE]


def following(items: Rows, start: Any) -> int | None:
    """Return where the next page starts, or None if there is none."""
    return int(start) + SIZE if int(start) + SIZE < len(items) else None


def by_offset(items: Rows, asked: dict[str, Any], _: str) -> Any:
    assert asked.get("limit") in {None, str(SIZE), SIZE}
    return {"data": part(items, asked["from"]), "total_rooms": len(items)}


def by_offset_with_more(items: Rows, asked: dict[str, Any], _: str) -> Any:
    more = following(items, asked["offset"]) is not None
    return {"data": part(items, asked["offset"]), "more": more}


def by_nested_offset(items: Rows, asked: dict[str, Any], _: str) -> Any:
    assert asked["query"] == "made up"
    assert asked["paging"]["limit"] == SIZE
    return {"data": part(items, asked["paging"]["offset"])}


def by_page(items: Rows, asked: dict[str, Any], _: str) -> Any:
    return {"data": part(items, int(asked["page"]) * SIZE)}


def by_page_of_total(items: Rows, asked: dict[str, Any], _: str) -> Any:
    start = (int(asked["p"]) - 1) * SIZE
    return {"data": part(items, start), "pages": {"all": -(-len(items) // SIZE)}}


def by_page_with_more(items: Rows, asked: dict[str, Any], _: str) -> Any:
    start = (int(asked["p"]) - 1) * SIZE
    return {"data": part(items, start), "more": str(following(items, start) is not None)}


def by_nested_page(items: Rows, asked: dict[str, Any], _: str) -> Any:
    return {"data": part(items, asked["paging"]["page"] * SIZE)}


def by_link(form: str) -> Answer:
    def answer(items: Rows, asked: dict[str, Any], url: str) -> Any:
        start = asked.get("start", 0)
        after = following(items, start)
        link = form.format(url=url, start=after) if after is not None else None
        return {"data": part(items, start), "paging": {"next": link}}

    return answer


def by_linked_object(items: Rows, asked: dict[str, Any], url: str) -> Any:
    body = by_link("{url}/v1/messages?start={start}")(items, asked, url)
    return body | {"links": {"next_page": {"href": body["paging"]["next"]}}}


def by_header_link(items: Rows, asked: dict[str, Any], _: str) -> Any:
    start = asked.get("start", 0)
    after = following(items, start)
    link = '</v1/messages?start=0>; rel="first"; title="a, \\"b\\" <c>"'
    if after is not None:
        link += f', </v1/messages?start={after}&key=a%2Fb>; title=x; rel="last next"'
    assert asked.get("key") in {None, "a/b"}
    return respond({"data": part(items, start)}, link=link)


def by_cursor(items: Rows, asked: dict[str, Any], _: str) -> Any:
    start = str(asked.get("cursor", "at 0")).removeprefix("at ")
    after = following(items, start)
    cursors = {"next": f"at {after}"} if after is not None else {}
    return {"data": part(items, start), "cursors": cursors}


def by_number_cursor(items: Rows, asked: dict[str, Any], _: str) -> Any:
    start = int(asked.get("after", 0))
    more = following(items, start) is not None
    # There is always a cursor, and `has_more` is what ends the list.
    return {"data": part(items, start), "has_more": more, "last": start + SIZE}


def by_nested_cursor(items: Rows, asked: dict[str, Any], _: str) -> Any:
    assert asked["query"] == "made up"
    start = asked.get("pagination", {}).get("starting_after", "0")
    after = following(items, start)
    following_page = None if after is None else {"starting_after": str(after)}
    return {"data": part(items, start), "pages": {"next": following_page}}


def by_header_cursor(items: Rows, asked: dict[str, Any], _: str) -> Any:
    start = asked.get("token", 0)
    after = following(items, start)
    headers = {} if after is None else {"x-next-token": str(after)}
    return respond({"data": part(items, start)}, **headers)


def at_once(items: Rows, _: dict[str, Any], __: str) -> Any:
    return {"data": items}


@dataclass
class Mechanism:
    """A way to page.

    Attributes:
        paginator: Returns the paginator of a list.
        respond: Returns the response, given the server's rows, the parameters or body, and the URL.
        body: The JSON body of each request; None for requests by GET.
    """

    paginator: Callable[[], Paginator]
    respond: Answer
    body: Any = None


SEARCH = {"query": "made up", "paging": {"sort": "id"}}
MECHANISMS = {
    "offset with total": Mechanism(
        lambda: OffsetPaginator(SIZE, "from", total_path="total_rooms"), by_offset
    ),
    "offset with has_more": Mechanism(
        lambda: OffsetPaginator(SIZE, has_more_path="more"), by_offset_with_more
    ),
    "offset in body": Mechanism(
        lambda: OffsetPaginator(
            SIZE, offset_body_path="paging.offset", limit_body_path="paging.limit"
        ),
        by_nested_offset,
        body=SEARCH,
    ),
    "page number": Mechanism(lambda: PageNumberPaginator(base_page=0), by_page),
    "page number with total": Mechanism(
        lambda: PageNumberPaginator("p", total_path="pages.all"), by_page_of_total
    ),
    "page number with has_more": Mechanism(
        lambda: PageNumberPaginator("p", has_more_path="more"), by_page_with_more
    ),
    "page number in body": Mechanism(
        lambda: PageNumberPaginator(page_body_path="paging.page", base_page=0),
        by_nested_page,
        body=SEARCH,
    ),
    **{
        f"{name} link": Mechanism(lambda: JSONLinkPaginator("paging.next"), by_link(form))
        for name, form in {
            "absolute": "{url}/v1/messages?start={start}",
            "host": "{url}/v1/messages?start={start}#here",
            "path": "/v1/messages?start={start}",
            "relative": "messages?start={start}",
            "query": "?start={start}&like=%7Bid%7D+",
        }.items()
    },
    "link object": Mechanism(lambda: JSONLinkPaginator("links.next_page"), by_linked_object),
    "header link": Mechanism(HeaderLinkPaginator, by_header_link),
    "cursor": Mechanism(CursorPaginator, by_cursor),
    "cursor with has_more": Mechanism(
        lambda: CursorPaginator("last", "after", has_more_path="has_more"), by_number_cursor
    ),
    "cursor in body": Mechanism(
        lambda: CursorPaginator(
            "pages.next.starting_after", cursor_body_path="pagination.starting_after"
        ),
        by_nested_cursor,
        body=SEARCH,
    ),
    "header cursor": Mechanism(
        lambda: HeaderCursorPaginator("X-Next-Token", "token"), by_header_cursor
    ),
    "single page": Mechanism(SinglePagePaginator, at_once),
}


def read(server: Server, new_paginator: Callable[[], Paginator], body: Any = None) -> Rows:
    """Read the messages of a server with a paginator."""
    tap = TapChat(config=chat_config(server) | {"max_workers": 1})
    stream: Any = tap.streams["chat_messages"]
    stream.new_paginator = new_paginator
    if body is not None:
        request = ListRequest(f"{server.url}/v1/messages", "POST", body=body)
        stream.new_request = lambda _: request
    found = [record for page in stream.read_pages(None) for record in page.records]
    return [json.loads(bytes(row)) if not isinstance(row, dict) else row for row in found]


def serving(mechanism: Mechanism, items: Rows) -> Server:
    """Return a server that pages rows by a mechanism."""

    def answer(request: Request) -> Any:
        asked: dict[str, Any] = dict(request.query_params)
        # The key is in each request, and no link takes its place.
        assert asked.pop("api_key")
        if mechanism.body is not None:
            assert request.method == "POST"
            asked = json.loads(server.bodies[-1])
        return mechanism.respond(items, asked, server.url)

    server = Server(answer)
    return server


MANY = pytest.mark.parametrize("name", MECHANISMS)


@MANY
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 25])
def test_every_row_is_read_once_and_the_list_ends(name: str, count: int) -> None:
    mechanism = MECHANISMS[name]
    with serving(mechanism, rows(count)) as server:
        assert read(server, mechanism.paginator, mechanism.body) == rows(count)
    if "link" in name or "cursor" in name:
        assert len(server.requests) == max(1, -(-count // SIZE))


@MANY
def test_second_and_third_run_read_the_current_list(name: str) -> None:
    mechanism = MECHANISMS[name]
    items = rows(25)
    with serving(mechanism, items) as server:
        assert read(server, mechanism.paginator, mechanism.body) == items
        del items[3:9]
        items[0] = items[0] | {"message": "changed"}
        assert read(server, mechanism.paginator, mechanism.body) == items
        items += [{"id": f"new{number}"} for number in range(40)]
        assert read(server, mechanism.paginator, mechanism.body) == items


def ask(answer: Callable[[int], Any], paginator: Paginator) -> tuple[Rows, Server]:
    """Read a list whose responses depend on the number of the request alone."""
    with Server(lambda _: answer(len(server.requests) - 1)) as server:
        return read(server, lambda: paginator), server


def refused(answer: Callable[[int], Any], paginator: Paginator) -> tuple[str, Server]:
    """Return the sentence of the error that a list ends with."""
    with Server(lambda _: answer(len(server.requests) - 1)) as server:
        with pytest.raises(RequestError) as caught:
            read(server, lambda: paginator)
        return str(caught.value), server


def turning(*cursors: Any) -> Callable[[int], Any]:
    """Return new rows for each request, and cursors one after the other, again and again."""
    return lambda turn: {
        "data": [{"id": f"{turn}"}],
        "cursors": {"next": cursors[turn % len(cursors)]},
    }


@pytest.mark.parametrize("cursors", ["a", "ab", "abc", [1, 2]], ids=str)
def test_cursor_that_comes_again_is_an_error(cursors: Any) -> None:
    sentence, server = refused(turning(*cursors), CursorPaginator())
    assert "repeated a cursor" in sentence
    assert len(server.requests) == len(cursors) + 1


def test_cursor_in_a_header_that_comes_again_is_an_error() -> None:
    def answer(turn: int) -> Any:
        return respond({"data": [{"id": f"{turn}"}]}, next="same")

    assert "repeated a cursor" in refused(answer, HeaderCursorPaginator())[0]


def test_empty_page_with_the_cursor_that_was_sent_is_the_end() -> None:
    """Some APIs give a last cursor, from which the next run continues."""

    def answer(turn: int) -> Any:
        return {"data": [] if turn else rows(3), "cursors": {"next": "end"}}

    found, server = ask(answer, CursorPaginator())
    assert found == rows(3)
    assert len(server.requests) == 2


@pytest.mark.parametrize("cursor", [None, "", [], {}, False, 0], ids=repr)
def test_list_ends_without_a_cursor(cursor: Any) -> None:
    found, server = ask(lambda _: {"data": rows(3), "cursors": {"next": cursor}}, CursorPaginator())
    assert found == rows(3)
    assert len(server.requests) == 1


@pytest.mark.parametrize("cursor", [["a"], {"href": "/a"}, True], ids=repr)
def test_cursor_of_another_type_is_an_error(cursor: Any) -> None:
    sentence, _ = refused(turning(cursor), CursorPaginator())
    assert "returned a cursor that is neither a text nor a number" in sentence


def test_fraction_is_a_cursor_and_is_sent_as_it_came() -> None:
    def answer(turn: int) -> Any:
        cursor = "null" if turn else "1.50"
        return Response(f'{{"data": [{{"id": "{turn}"}}], "cursors": {{"next": {cursor}}}}}')

    found, server = ask(answer, CursorPaginator())
    assert found == [{"id": "0"}, {"id": "1"}]
    assert "cursor=1.50" in str(server.requests[1].url)


def test_link_in_place_of_a_cursor_is_an_error() -> None:
    sentence, server = refused(turning("https://api.example.com/?page=2"), CursorPaginator())
    assert "returned a link where a cursor is expected" in sentence
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "new",
    [CursorPaginator, PageNumberPaginator, partial(OffsetPaginator, SIZE)],
    ids=["cursor", "page number", "offset"],
)
@pytest.mark.parametrize("more", [None, "maybe", 1, []], ids=repr)
def test_body_that_does_not_say_whether_more_follows_is_an_error(new: Any, more: Any) -> None:
    sentence, _ = refused(
        lambda _: {"data": rows(3), "cursors": {"next": "a"}, "paging": {"more": more}},
        new(has_more_path="paging.more"),
    )
    assert "does not say at `paging.more` whether more pages follow" in sentence


def test_page_that_comes_again_under_new_cursors_is_an_error() -> None:
    """The server ignores the parameter of the cursor."""
    sentence, server = refused(
        lambda turn: {"data": rows(3), "cursors": {"next": f"{turn + 1}"}}, CursorPaginator()
    )
    assert "repeated a page" in sentence
    assert len(server.requests) == 2


@pytest.mark.parametrize("new", [CursorPaginator, HeaderCursorPaginator, JSONLinkPaginator])
def test_empty_pages_without_an_end_are_an_error(new: Callable[[], Paginator]) -> None:
    def answer(turn: int) -> Any:
        place = f"{turn + 1}"
        return respond({"data": [], "cursors": {"next": place}, "next": f"?a={place}"}, next=place)

    sentence, server = refused(answer, new())
    assert f"returned {MAX_EMPTY_PAGES + 1} empty pages in a row" in sentence
    assert len(server.requests) == MAX_EMPTY_PAGES + 1


def test_empty_page_ends_a_list_with_cursors_if_declared() -> None:
    found, _ = ask(
        lambda turn: {"data": rows(3) if not turn else [], "cursors": {"next": f"{turn + 1}"}},
        CursorPaginator(stop_after_empty_page=True),
    )
    assert found == rows(3)


@pytest.mark.parametrize("new", [HeaderLinkPaginator, HeaderCursorPaginator])
@pytest.mark.parametrize("headers", [{}, {"link": "", "next": ""}, {"link": '<a>; rel="prev"'}])
def test_list_ends_where_the_header_is_missing(
    new: Callable[[], Paginator], headers: dict[str, str]
) -> None:
    found, server = ask(lambda _: respond({"data": rows(3)}, **headers), new())
    assert found == rows(3)
    assert len(server.requests) == 1


@pytest.mark.parametrize("loop", [1, 2, 5])
def test_link_that_comes_again_is_an_error(loop: int) -> None:
    sentence, server = refused(
        lambda turn: {"data": [{"id": f"{turn}"}], "next": f"?page={turn % loop}"},
        JSONLinkPaginator(),
    )
    assert "repeated a next link" in sentence
    assert len(server.requests) == loop + 1


@pytest.mark.parametrize("link", ["http://[::1", 7, ["/a"], {"href": 7}, "javascript:a", "ftp:a"])
def test_link_that_is_not_a_url_is_an_error(link: Any) -> None:
    sentence, _ = refused(lambda _: {"data": rows(3), "next": link}, JSONLinkPaginator())
    assert "returned a next link that is not a URL" in sentence


@pytest.mark.parametrize("form", ["http://{}/a", "//{}/a", "https://{}/a", "http://a:b@{}/a"])
@pytest.mark.parametrize("new", [HeaderLinkPaginator, JSONLinkPaginator])
def test_link_to_another_host_is_not_followed(form: str, new: Callable[[], Paginator]) -> None:
    """The API key would go there."""
    with Server(lambda _: {"data": []}) as other:
        link = form.format(other.url.partition("//")[2])
        sentence, server = refused(
            lambda _: respond({"data": rows(3), "next": link}, link=f"<{link}>; rel=next"), new()
        )
    assert "returned a next link to another host, which is not followed" in sentence
    assert (len(server.requests), len(other.requests)) == (1, 0)


PAGE = "https://api2.example.com/events"


@pytest.mark.parametrize(
    "host", ["acme.api.example.com", "ACME.api.example.com", "a.b.example.com"]
)
def test_link_to_a_subdomain_of_a_named_host_is_followed(host: str) -> None:
    assert resolve_link(f"https://{host}/events?a=b", PAGE, {"*.example.com"}).endswith("?a=b")


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "evilexample.com",
        "acme.example.com.evil.com",
        "acme.example.com:8443",
        "acme.example.com@evil.com",
        "evil.com@acme.example.com",
        # For some clients, the host ends at the backslash.
        "evil.com\\.example.com",
        "evil.com%2f.example.com",
        ".example.com",
    ],
)
def test_link_to_a_host_that_only_looks_like_a_subdomain_is_not_followed(host: str) -> None:
    with pytest.raises(PaginationError, match="to another host"):
        resolve_link(f"https://{host}/events", PAGE, {"*.example.com"})


def test_link_to_the_same_host_is_followed_by_the_scheme_of_the_page() -> None:
    """Behind a proxy that ends TLS, servers may link to another scheme."""

    def answer(turn: int) -> Any:
        link = f"https://{server.url.partition('//')[2]}/a?b=1" if not turn else None
        return {"data": [{"id": f"{turn}"}], "next": link}

    with Server(lambda _: answer(len(server.requests) - 1)) as server:
        found = read(server, JSONLinkPaginator)
    assert found == [{"id": "0"}, {"id": "1"}]
    assert [request.url.path for request in server.requests] == ["/v1/messages", "/a"]


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ("<a>; rel=next", "a"),
        ('<a>;rel="NEXT"', "a"),
        ('<a>; rel="prev"; rel="next", <b>; REL = "next"', "b"),
        ('<a,b;c="d">; title="e, <f>; rel=next"; rel="x next y"', 'a,b;c="d"'),
        ("<a>; rel=nextpage", None),
        ("<a>; relation=next", None),
        ("<a>", None),
        ("a; rel=next", None),
        ("", None),
    ],
)
def test_link_in_a_header_is_found_as_the_standard_has_it(header: str, link: str | None) -> None:
    page = Page(None, RecordChunk([]), [], {"Link": header})
    assert HeaderLinkPaginator().find_link(page) == link


def test_links_may_be_in_several_headers() -> None:
    def answer(turn: int) -> Response:
        response = respond({"data": [{"id": f"{turn}"}]}, link='<?a=b>; rel="first"')
        if not turn:
            response.headers.append("Link", "<?a=c>; rel=next")
        return response

    found, server = ask(answer, HeaderLinkPaginator())
    assert found == [{"id": "0"}, {"id": "1"}]
    assert server.requests[1].query_params["a"] == "c"


def test_maximum_ends_a_list() -> None:
    with serving(MECHANISMS["page number"], rows(95)) as server:
        pages = read(server, lambda: PageNumberPaginator(base_page=0, maximum_page=3))
        assert pages == rows(30)
    with serving(MECHANISMS["offset with total"], rows(95)) as server:
        found = read(server, lambda: OffsetPaginator(SIZE, "from", maximum_offset=30))
        assert rows(30) == found[:30]
        assert max(int(request.query_params["from"]) for request in server.requests) < 30


def test_list_may_be_read_from_a_later_place() -> None:
    with serving(MECHANISMS["page number"], rows(45)) as server:
        assert read(server, lambda: PageNumberPaginator(base_page=0, page=2)) == rows(45)[20:]
    with serving(MECHANISMS["offset with total"], rows(45)) as server:
        new = lambda: OffsetPaginator(SIZE, "from", offset=20, total_path="total_rooms")  # noqa: E731
        assert read(server, new) == rows(45)[20:]
