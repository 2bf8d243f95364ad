"""A walk over pages always ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from tap_chat.http.request import Request
from tap_chat.singer.records import RecordChunk
from tap_chat.streams.paginators import (
    Page,
    PageNumberPaginator,
    PaginationError,
    Paginator,
    RepeatedPageError,
)
from tap_chat.streams.paginators.base import MAX_EMPTY_PAGES


def page(*ids: int) -> Page:
    return Page(
        None, RecordChunk([{"id": number} for number in ids]), [(number,) for number in ids]
    )


class Endless(Paginator):
    """A list that always states that more pages follow."""

    @override
    def page_request(self, request: Request) -> Request:
        return request

    @override
    def move_on(self, page: Page) -> bool:
        return True


@given(head=st.integers(0, 20), loop=st.integers(1, 30), size=st.integers(1, 3))
def test_loop_of_any_length_is_detected(head: int, loop: int, size: int) -> None:
    paginator = Endless()
    pages = [page(*range(number * size, number * size + size)) for number in range(head + loop)]
    turns = (*range(head), *(head + turn % loop for turn in range(10 * (head + loop))))

    def walk() -> None:
        for turn in turns:
            paginator.advance(pages[turn])

    with pytest.raises(RepeatedPageError):
        walk()
    assert not paginator.finished


def test_endless_empty_pages_are_cut_off() -> None:
    paginator = Endless()
    for _ in range(MAX_EMPTY_PAGES):
        paginator.advance(page())
    with pytest.raises(PaginationError, match="21 empty pages in a row"):
        paginator.advance(page())


@pytest.mark.parametrize("host", ["http://API.example", "//api.example", ""])
def test_next_link_may_spell_the_host_in_any_case(host: str) -> None:
    paginator = PageNumberPaginator(next_url_path="links.next_page")
    request = Request("http://api.EXAMPLE/v2/users")
    paginator.page_request(request)
    link = {"links": {"next_page": {"href": f"{host}/v2/users?page=2"}}}
    paginator.advance(Page(link, RecordChunk([{"id": 1}]), [(1,)]))
    assert paginator.page_request(request).params == {"page": 2}
