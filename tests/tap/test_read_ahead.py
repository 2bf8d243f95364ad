"""Numbered pages are requested ahead of the reader, and it gets what it gets without that."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from fuzz.effort import examples
from hypothesis import given
from hypothesis import strategies as st
from listing import Listing, read

from tap_chat.streams.paginators import OffsetPaginator, PageNumberPaginator, PageSizes, Paginator

if TYPE_CHECKING:
    from collections.abc import Callable

    New = Callable[[], Paginator]

WORKERS = [4, 16, 64]


def offsets(limit: int = 10, **options: Any) -> New:
    return partial(OffsetPaginator, limit, "at", "limit", **options)


def numbers(limit: int = 10, *, is_limit_learned: bool = False, **options: Any) -> New:
    def new() -> Paginator:
        sizes = PageSizes(limit, (2,)) if is_limit_learned else None
        return PageNumberPaginator(
            "at", page_size=limit, page_size_param="limit", page_sizes=sizes, **options
        )

    return new


BEYOND: Any = st.sampled_from(["empty", "none", "null", "last", 204, 400, 404])
PLACES = st.frozensets(st.integers(0, 150), max_size=4)


@st.composite
def static_lists(draw: st.DrawFn) -> tuple[Listing, New]:
    """Return a list that does not change, and a paginator that reads it, more or less."""
    limit = draw(st.sampled_from([1, 2, 5, 10]))
    by: Any = draw(st.sampled_from(["offset", "page"]))
    stated = ["total", "low total", "high total", "more"] if by == "offset" else []
    stated = stated or ["total", "pages", "more", "link"]
    states = draw(st.frozensets(st.sampled_from(stated), max_size=2))
    listing = Listing(
        draw(st.integers(0, 20).map(lambda pages: pages * limit) | st.integers(0, 150)),
        by=by,
        takes=draw(st.sampled_from(["any", "any", "multiples", "rounded"])),
        beyond=draw(BEYOND),
        largest=draw(st.sampled_from([100, 100, limit, max(1, limit - 1)])),
        reach=draw(st.none() | st.none() | st.integers(1, 50)),
        hidden=draw(st.just(frozenset()) | PLACES),
        states=states,
        broken=draw(st.none() | st.none() | st.integers(0, 150)),
        failing=draw(st.just(frozenset()) | PLACES),
    )
    has_more_path = "more" if "more" in states else ""
    if by == "offset":
        total_path = draw(st.sampled_from([None, "", "total" if "total" in states else ""]))
        return listing, offsets(limit, total_path=total_path, has_more_path=has_more_path)
    return listing, numbers(
        limit,
        is_limit_learned=draw(st.booleans()),
        total_path="pages" if "pages" in states else "",
        total_rows_path="total" if "total" in states else "",
        next_url_path="next" if "link" in states else "",
        has_more_path=has_more_path,
        may_ignore_page=draw(st.booleans()),
        maximum_page=draw(st.none() | st.none() | st.integers(2, 30)),
    )


@examples(40)
@given(static_lists(), st.sampled_from([2 * 1024 * 1024, 2000, 300]))
def test_any_list_is_read_as_with_one_worker(case: tuple[Listing, New], buffer_bytes: int) -> None:
    listing, new = case
    expected = read(replace(listing), new, 1)
    for workers in WORKERS:
        assert read(replace(listing), new, workers, buffer_bytes=buffer_bytes) == expected


@examples(10)
@given(static_lists())
def test_refusals_change_no_row(case: tuple[Listing, New]) -> None:
    listing, new = case
    expected = read(replace(listing), new, 1)
    assert read(replace(listing, most_at_once=2), new, 16) == expected


PAGINATORS: dict[str, tuple[New, dict[str, Any]]] = {
    "overlapping": (offsets(), {}),
    "side by side": (offsets(), {"takes": "multiples"}),
    "rounded": (offsets(), {"takes": "rounded"}),
    "with a total": (offsets(), {"states": frozenset({"total"})}),
    "to a total": (offsets(total_path="total"), {"states": frozenset({"total"})}),
    "by number": (numbers(), {"by": "page"}),
    "by number, 404": (numbers(is_limit_learned=True), {"by": "page", "beyond": 404}),
    "of a number of pages": (
        numbers(total_path="pages", total_rows_path="total"),
        {"by": "page", "states": frozenset({"total", "pages"})},
    ),
    "of a number of rows": (
        numbers(total_rows_path="total"),
        {"by": "page", "states": frozenset({"total"})},
    ),
}
KINDS = [["delete"], ["insert"], ["to_end"], ["append", "to_end"]]


@examples(100)
@given(
    st.sampled_from(sorted(PAGINATORS)),
    st.integers(0, 250),
    st.sampled_from(KINDS),
    st.data(),
)
def test_no_row_is_lost_that_stays_while_others_move(
    name: str, count: int, kinds: list[str], data: st.DataObject
) -> None:
    """A row may be on another page for each request, and move to the end of the list."""
    new, options = PAGINATORS[name]
    changes = st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 250)), min_size=1)
    steps: Any = data.draw(st.dictionaries(st.integers(1, 25), changes, max_size=3))
    for workers in WORKERS:
        listing = Listing(count, changes=steps, delay=0.001, **options)
        reading = read(listing, new, workers)
        assert reading.error or listing.stayed <= set(reading.ids)


@pytest.mark.parametrize("name", sorted(PAGINATORS))
@pytest.mark.parametrize("count", [0, 4, 10, 40, 75, 300, 1000])
def test_requests_beyond_the_end_are_at_most_a_third_of_the_pages(name: str, count: int) -> None:
    new, options = PAGINATORS[name]
    alone = Listing(count, **options)
    read(alone, new, 1)
    for workers in WORKERS:
        listing = Listing(count, delay=0.002, **options)
        assert len(read(listing, new, workers).ids) == count
        extra = listing.beyond_end - alone.beyond_end
        assert extra <= (0 if "states" in options else len(set(alone.asked)) / 3)
        # The last page of an unknown number is requested again, in its turn.
        assert len(listing.asked) - len(alone.asked) <= extra + 3


@pytest.mark.parametrize("name", sorted(PAGINATORS))
def test_one_worker_requests_nothing_ahead(name: str) -> None:
    new, options = PAGINATORS[name]
    listing = Listing(300, most_at_once=1, **options)
    assert len(read(listing, new, 1).ids) == 300


@pytest.mark.parametrize("name", sorted(PAGINATORS))
def test_list_keeps_the_workers_busy(name: str) -> None:
    new, options = PAGINATORS[name]
    listing = Listing(1500, delay=0.02, **options)
    assert read(listing, new, 16).ids == [f"r{number}" for number in range(1500)]
    assert listing.most >= 5


@pytest.mark.parametrize("name", sorted(PAGINATORS))
def test_fast_server_needs_no_requests_ahead(name: str) -> None:
    new, options = PAGINATORS[name]
    listing = Listing(1500, seconds=0.001, **options)
    assert len(read(listing, new, 16).ids) == 1500
    assert listing.most == 1
