"""A walk over pages ends, whatever the server does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_chat.pagination import NextLinkPaginator, OffsetPaginator, Page, RepeatedPageError
from tap_chat.records import Block


def page(*ids: int) -> Page:
    return Page(None, Block([{"id": number} for number in ids]), [(number,) for number in ids])


@given(head=st.integers(0, 20), loop=st.integers(1, 30), size=st.integers(1, 3))
def test_loop_of_any_length_is_found(head: int, loop: int, size: int) -> None:
    paginator = OffsetPaginator(size)
    pages = [page(*range(number * size, number * size + size)) for number in range(head + loop)]
    turns = (*range(head), *(head + turn % loop for turn in range(10 * (head + loop))))

    def walk() -> None:
        for turn in turns:
            paginator.advance(pages[turn])

    with pytest.raises(RepeatedPageError):
        walk()
    assert not paginator.finished


def test_empty_page_is_the_end() -> None:
    paginator = OffsetPaginator(2)
    paginator.advance(page(1, 2))
    assert paginator.current_value == 2
    paginator.advance(page(3))
    assert paginator.current_value == 3
    assert not paginator.finished
    paginator.advance(page())
    assert paginator.finished


@pytest.mark.parametrize("rows", [(1,), (1, 2)])
def test_page_that_comes_again_is_an_error_even_if_it_is_short(rows: tuple[int, ...]) -> None:
    paginator = OffsetPaginator(2)
    paginator.advance(page(*rows))
    with pytest.raises(RepeatedPageError):
        paginator.advance(page(*rows))


def test_only_the_page_after_a_short_one_may_be_missing() -> None:
    paginator = OffsetPaginator(2)
    assert not paginator.confirming
    paginator.advance(page(1, 2))
    assert not paginator.confirming
    paginator.advance(page(3))
    assert paginator.confirming


def test_page_that_came_long_before_is_an_error() -> None:
    paginator = OffsetPaginator(2)
    for number in range(0, 12, 2):
        paginator.advance(page(number, number + 1))
    with pytest.raises(RepeatedPageError):
        paginator.advance(page(4, 5))


def test_page_may_not_be_missing_where_the_server_gives_fewer_than_asked_for() -> None:
    paginator = OffsetPaginator(3)
    confirming = []
    for read in (page(1, 2), page(3, 4), page(5)):
        paginator.advance(read)
        confirming.append(paginator.confirming)
    assert confirming == [True, False, True]


@pytest.mark.parametrize("host", ["http://API.example", "//api.example", ""])
def test_next_link_may_spell_the_host_in_any_case(host: str) -> None:
    paginator = NextLinkPaginator("http://api.EXAMPLE/v2", 2)
    link = {"links": {"next_page": {"href": f"{host}/v2/users?page=2"}}}
    paginator.advance(Page(link, Block([{"id": 1}]), [(1,)]))
    assert paginator.current_value == 2
