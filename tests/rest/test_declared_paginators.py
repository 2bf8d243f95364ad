"""The paginators of declarations: they read every row once, and end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from running import chat_config
from serving import Server, rows
from starlette.responses import Response

from tap_chat.declarations import format as declared
from tap_chat.http.errors import RequestError
from tap_chat.http.request import Request as ListRequest
from tap_chat.platforms.rest.paginators import Paginators
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    Rows = list[dict[str, Any]]

SIZE = 10
OFFSET = {"type": "offset", "limit": SIZE}
PAGE = {"type": "page_number"}


class Stream:
    """The lists of one stream, read with the paginators of a declaration.

    Args:
        server: The server.
        paginator: The paginator of the declaration; None for none.
        workers: The number of requests at once.
        body: The JSON body of each request; None for requests by GET.
        checks: The addition `check_pages`.
    """

    def __init__(
        self,
        server: Server,
        paginator: dict[str, Any] | None,
        workers: int = 1,
        body: Any = None,
        *,
        checks: bool = True,
    ) -> None:
        tap = TapChat(config=chat_config(server) | {"max_workers": workers})
        stream: Any = tap.streams["chat_messages"]
        declaration: Any = msgspec.convert(paginator or {"type": "auto"}, declared.Paginator)
        stream.new_paginator = Paginators("rows", declaration, checks_pages=checks).new
        if body is not None:
            request = ListRequest(f"{server.url}/v1/messages", "POST", body=body)
            stream.new_request = lambda _: request
        self._stream = stream

    def read(self) -> list[str]:
        """Read a list; return the ids of its rows."""
        chunks = [page.records for page in self._stream.read_pages(None)]
        found = [record for records in chunks for record in records]
        return [(r if isinstance(r, dict) else json.loads(bytes(r)))["id"] for r in found]


def ids(count: int) -> list[str]:
    return [row["id"] for row in rows(count)]


def by_offset(items: Rows, size: int = SIZE, **more: Any) -> Callable[[Request], Any]:
    """Return a function that responds with the rows after an offset."""

    def respond(request: Request) -> Any:
        asked = request.query_params
        offset, limit = int(asked["offset"]), min(size, int(asked["limit"]))
        page = [row for row in items[offset : offset + limit] if row]
        stated = {name: value(page) if callable(value) else value for name, value in more.items()}
        return {"data": page, **stated}

    return respond


def by_page(items: Rows, first: int = 0, **more: Any) -> Callable[[Request], Any]:
    """Return a function that responds with the rows of a numbered page."""

    def respond(request: Request) -> Any:
        number = int(request.query_params.get("page", first)) - first
        page = [row for row in items[number * SIZE : (number + 1) * SIZE] if row]
        stated = {name: value(page) if callable(value) else value for name, value in more.items()}
        return {"data": page, **stated}

    return respond


def hidden(count: int, *places: range) -> Rows:
    """Return rows of which some are hidden: they have places, and are on no page."""
    gone = {place for part in places for place in part}
    return [{} if number in gone else row for number, row in enumerate(rows(count))]


COUNTS = (0, 1, 9, 10, 11, 20, 25, 100)


@pytest.mark.parametrize("workers", [1, 4, 16])
@pytest.mark.parametrize("paginator", [OFFSET, PAGE], ids=["offset", "page number"])
@pytest.mark.parametrize("states", ["total", "has_more", "nothing"])
def test_every_row_is_read_once(paginator: dict[str, Any], states: str, workers: int) -> None:
    declaration = paginator | {"total_path": None, "has_more_path": None}
    for count in COUNTS:
        total = count if paginator is OFFSET else -(-count // SIZE)
        last = rows(count)[-1:]
        stated: dict[str, Any] = {
            "total": {"total_path": "meta.total"},
            "has_more": {"has_more_path": "more"},
            "nothing": {},
        }[states]
        answer = by_offset if paginator is OFFSET else by_page

        def more(page: Rows, last: Rows = last) -> bool:
            return bool(page) and page[-1:] != last

        with Server(answer(rows(count), meta={"total": total}, more=more)) as server:
            stream = Stream(server, declaration | stated, workers)
            assert stream.read() == ids(count)
            assert stream.read() == ids(count)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 25])
@pytest.mark.parametrize("states", ["total", "has_more", "nothing"])
def test_requests_are_few(count: int, states: str) -> None:
    """dlt sends one for each page, and one more if nothing states the end."""
    stated = {"total": {"total_path": "n"}, "has_more": {"has_more_path": "m"}}.get(states, {})

    def more(page: Rows) -> bool:
        return bool(page) and page[-1:] != rows(count)[-1:]

    with Server(by_offset(rows(count), n=count, m=more)) as server:
        paginator = OFFSET | {"total_path": None, **stated}
        assert Stream(server, paginator).read() == ids(count)
    pages = max(1, -(-(count - 1) // (SIZE - 1)))  # each page begins with the last row before it
    # A full last page is checked, whatever is stated.
    extra = {"total": count % SIZE == 0 or count in {1, 9}, "has_more": 0, "nothing": count > 0}
    assert len(server.requests) <= pages + extra[states] + (states == "total")


@pytest.mark.parametrize("size", [SIZE, 7])
def test_total_of_the_page_does_not_end_a_list_with_offsets(size: int) -> None:
    with Server(by_offset(rows(25), size, total=len)) as server:
        assert Stream(server, OFFSET).read() == ids(25)


def test_total_of_the_page_does_not_end_a_list_with_page_numbers() -> None:
    with Server(by_page(rows(45), total=1)) as server:
        stream = Stream(server, PAGE)
        assert stream.read() == ids(45)
        assert stream.read() == ids(45)


def test_total_that_was_trusted_and_is_wrong_is_an_error() -> None:
    items = rows(5)
    with Server(by_offset(items, 5, total=len)) as server:
        stream = Stream(server, OFFSET)
        for _ in range(7):
            assert stream.read() == ids(5)
        items += rows(25)[5:]
        with pytest.raises(RequestError, match="returned rows after its stated end, where"):
            stream.read()


def test_end_that_is_stated_rightly_is_checked_rarely() -> None:
    with Server(by_offset(rows(SIZE), total=SIZE)) as server:
        stream = Stream(server, OFFSET)
        for _ in range(100):
            assert stream.read() == ids(SIZE)
    assert len(server.requests) <= 100 + 9


def test_total_as_a_text_or_a_fraction_is_a_total() -> None:
    for total in ("25", 25.0):
        with Server(by_offset(rows(25), total=total)) as server:
            assert Stream(server, OFFSET).read() == ids(25)
        assert len(server.requests) == 3


def test_server_that_limits_pages_further_loses_nothing() -> None:
    """dlt adds its own limit to the offset, and skips the rows between."""
    for stated in ({"total": 100}, {}):
        with Server(by_offset(rows(100), 7, **stated)) as server:
            assert Stream(server, OFFSET | {"limit": 50}).read() == ids(100)


@pytest.mark.parametrize("answer", [by_offset, by_page])
@pytest.mark.parametrize("states", ["total", "has_more"])
def test_page_without_rows_does_not_end_a_list_that_has_more(answer: Any, states: str) -> None:
    items = hidden(45, range(10, 20), range(33, 35))
    stated: dict[str, Any] = {"total": 45 if answer is by_offset else 5}
    if states == "has_more":
        stated = {"more": lambda page: page[-1:] != rows(45)[-1:]}
    paginator = (OFFSET if answer is by_offset else PAGE) | {
        "total_path": "total" if states == "total" else None,
        "has_more_path": "more" if states == "has_more" else None,
    }
    with Server(answer(items, **stated)) as server:
        assert Stream(server, paginator).read() == [row["id"] for row in items if row]


@pytest.mark.parametrize("answer", [by_offset, by_page])
def test_pages_without_rows_are_passed_if_declared(answer: Any) -> None:
    items = hidden(95, range(10, 60))
    total = 95 if answer is by_offset else 10
    paginator = (OFFSET if answer is by_offset else PAGE) | {"stop_after_empty_page": False}
    with Server(answer(items, total=total)) as server:
        assert Stream(server, paginator).read() == [row["id"] for row in items if row]


@pytest.mark.parametrize("answer", [by_offset, by_page])
def test_has_more_that_is_always_true_ends_with_a_warning(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    paginator = (OFFSET if answer is by_offset else PAGE) | {
        "total_path": None,
        "has_more_path": "more",
    }
    with Server(answer(rows(25), more="true")) as server:
        stream = Stream(server, paginator)
        assert stream.read() == ids(25)
        assert stream.read() == ids(25)
    warnings = [line for line in caplog.messages if "says that more pages follow" in line]
    assert len(warnings) == 1
    assert len(server.requests) <= 2 * 8


def test_last_page_that_comes_again_ends_a_list() -> None:
    """The server takes a number that is too large for that of its last page."""

    def respond(request: Request) -> Any:
        number = min(int(request.query_params.get("page", 0)), 2)
        return {"data": rows(30)[number * SIZE :][:SIZE]}

    with Server(respond) as server:
        assert Stream(server, PAGE).read() == ids(30)
    assert len(server.requests) < 12


@pytest.mark.parametrize("stated", [{}, {"total": 5}])
def test_number_that_the_server_ignores_is_an_error(stated: dict[str, Any]) -> None:
    """dlt reads the first page forever, or as often as it expects pages."""
    with (
        Server(lambda _: {"data": rows(SIZE), **stated}) as server,
        pytest.raises(RequestError, match="repeated a page"),
    ):
        Stream(server, PAGE).read()
    assert len(server.requests) < 5


def test_offset_that_the_server_ignores_is_an_error() -> None:
    with (
        Server(lambda _: {"data": rows(SIZE), "total": 50}) as server,
        pytest.raises(RequestError, match="repeated a page"),
    ):
        Stream(server, OFFSET).read()


def test_number_of_rows_in_place_of_that_of_pages_costs_one_request() -> None:
    with Server(by_page(rows(25), total=25)) as server:
        assert Stream(server, PAGE).read() == ids(25)
    numbers = [int(request.query_params["page"]) for request in server.requests]
    assert max(numbers) == 4


@pytest.mark.parametrize(("maximum", "count"), [(1, 10), (10, 10), (15, 20), (20, 20), (90, 45)])
def test_maximum_offset_is_the_first_that_is_not_asked_for(maximum: int, count: int) -> None:
    with Server(by_offset(rows(45))) as server:
        paginator = OFFSET | {"maximum_offset": maximum, "total_path": None}
        assert Stream(server, paginator).read() == ids(count)


def test_first_offset_and_first_page_are_kept() -> None:
    with Server(by_offset(rows(45), total=45)) as server:
        assert Stream(server, OFFSET | {"offset": 20}).read() == ids(45)[20:]
    with Server(by_page(rows(45), 1, total=5)) as server:
        assert Stream(server, PAGE | {"base_page": 1, "page": 3}).read() == ids(45)[20:]


@pytest.mark.parametrize("workers", [1, 16])
@pytest.mark.parametrize("checks", [True, False])
def test_pages_are_checked_for_rows_that_leave_unless_switched_off(
    workers: int,
    checks: bool,  # noqa: FBT001
) -> None:
    items = rows(300)
    respond = by_page(items, total=30)

    def leaving(request: Request) -> Any:
        if len(server.requests) == 40:
            del items[0]
        return respond(request)

    with Server(leaving) as server:
        found = Stream(server, PAGE, workers, checks=checks).read()
    if checks:
        assert set(found) == set(ids(300))
    else:
        # Half of what checks take, and a few requests ahead.
        assert len(server.requests) < 40
        assert found == ids(300)


def test_values_are_put_into_the_body_of_the_request() -> None:
    def respond(_: Request) -> Any:
        asked = json.loads(server.bodies[-1])
        assert asked["query"] == "made up"
        paging = asked["paging"]
        offset = paging["offset"] if "offset" in paging else paging["page"] * SIZE
        page = rows(25)[offset : offset + SIZE]
        return {"data": page, "next": None if offset >= 20 else f"{offset}"}

    body = {"query": "made up", "paging": {"limit": 1}}
    for paginator in (
        OFFSET | {"offset_body_path": "paging.offset", "limit_body_path": "paging.limit"},
        PAGE | {"page_body_path": "paging.page"},
    ):
        with Server(respond) as server:
            assert Stream(server, paginator, body=body).read() == ids(25)


def test_values_are_found_by_any_json_path() -> None:
    links = [{"rel": "self"}, {"rel": "next", "href": "?offset=10&limit=10"}]

    def respond(request: Request) -> Any:
        offset = int(request.query_params.get("offset", 0))
        return {"data": rows(20)[offset:][:SIZE], "links": links[: 1 if offset else 2]}

    with Server(respond) as server:
        paginator = {"type": "json_link", "next_url_path": "links[?(@.rel=='next')].href"}
        assert Stream(server, paginator).read() == ids(20)


# --- Paging that the first page tells ------------------------------------------------------------


def detected(
    body: Callable[[int], dict[str, Any]], *, headers: Any = None, count: int = 25, **more: Any
) -> Server:
    """Return a server whose pages have more members, given the place of their first row."""

    def respond(request: Request) -> Any:
        asked = request.query_params
        start = int(asked.get("start", 0) or 0) if "page" not in asked else int(asked["page"])
        page = {"data": rows(count)[start : start + SIZE], **body(start), **more}
        found = headers(start) if headers else {}
        return Response(json.dumps(page), headers=found, media_type="application/json")

    return Server(respond)


def following(start: int, count: int = 25) -> int | None:
    return start + SIZE if start + SIZE < count else None


def test_link_in_the_header_is_found_first() -> None:
    def headers(start: int) -> dict[str, str]:
        after = following(start)
        return {} if after is None else {"link": f'<?start={after}>; rel="next"'}

    with detected(lambda _: {"next": "/wrong"}, headers=headers) as server:
        assert Stream(server, None).read() == ids(25)


def test_link_in_the_body_is_found() -> None:
    def body(start: int) -> dict[str, Any]:
        after = following(start)
        return {"meta": {"next_page": None if after is None else f"/v1/messages?start={after}"}}

    with detected(body) as server:
        assert Stream(server, {"type": "auto"}).read() == ids(25)
    assert len(server.requests) == 3


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("workers", [1, 8])
def test_number_of_pages_is_found_whatever_the_first_number_is(first: int, workers: int) -> None:
    """dlt takes 0 for the first number: of pages from 1, it reads the first twice, and no last."""
    with Server(by_page(rows(45), first, meta={"total_pages": 5})) as server:
        assert Stream(server, None, workers).read() == ids(45)


def test_cursor_is_found() -> None:
    def respond(request: Request) -> Any:
        start = int(request.query_params.get("cursor", 0))
        return {"data": rows(25)[start : start + SIZE], "next_cursor": following(start)}

    with Server(respond) as server:
        assert Stream(server, None).read() == ids(25)


def test_cursor_of_another_parameter_is_an_error() -> None:
    """dlt reads the first page forever."""
    with (
        Server(lambda _: {"data": rows(SIZE), "next_cursor": "a"}) as server,
        pytest.raises(RequestError, match="repeated a"),
    ):
        Stream(server, None).read()
    assert len(server.requests) < 4


def test_page_that_tells_nothing_is_the_only_one() -> None:
    with detected(lambda _: {}) as server:
        assert Stream(server, None).read() == ids(SIZE)
    assert len(server.requests) == 1
