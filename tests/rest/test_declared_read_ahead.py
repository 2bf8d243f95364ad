"""Lists of declarations are read with many workers as with one, and no row that stays is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fuzz.effort import examples
from hypothesis import given
from hypothesis import strategies as st
from listing import Listing, Reading, read

from tap_chat.declarations import format as declared
from tap_chat.platforms.rest.paginators import Paginators

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_chat.streams.paginators import Paginator

    New = Callable[[], Callable[[], Paginator]]

WORKERS = [4, 16, 64]
BEYOND: Any = st.sampled_from(["empty", "none", "null", "last"])
PLACES = st.frozensets(st.integers(0, 150), max_size=4)
KINDS = [["delete"], ["insert"], ["to_end"], ["append", "to_end"]]
# A row that was read, and moves to the end while the last page by offset is read, looks like the
# row that the page should begin with.
OF_OFFSETS = KINDS[:2]


def stream(paginator: declared.Paginator) -> New:
    """Return a function that returns the paginators of a new stream."""
    return lambda: Paginators("rows", paginator).new


def read_with(listing: Listing, new: New, workers: int) -> Reading:
    return read(replace(listing), new(), workers)


@st.composite
def static_lists(draw: st.DrawFn) -> tuple[Listing, New]:
    """Return a list that does not change, and a declaration that may be right."""
    by: Any = draw(st.sampled_from(["offset", "page"]))
    limit = draw(st.sampled_from([1, 2, 5, 10])) if by == "offset" else 10
    stated = ["total", "low total", "high total", "more", "pages"]
    states = draw(st.frozensets(st.sampled_from(stated), max_size=1))
    listing = Listing(
        draw(st.integers(0, 20).map(lambda pages: pages * limit) | st.integers(0, 150)),
        by=by,
        takes=draw(st.sampled_from(["any", "any", "multiples", "rounded"])),
        beyond=draw(BEYOND),
        largest=draw(st.sampled_from([100, 100, limit, max(1, limit - 1)])),
        hidden=draw(st.just(frozenset()) | PLACES),
        states=states,
        failing=draw(st.just(frozenset()) | PLACES),
    )
    options: dict[str, Any] = {
        "has_more_path": "more" if "more" in states else None,
        "total_path": draw(st.sampled_from(["pages" if "pages" in states else "total", None])),
    }
    if by == "offset":
        return listing, stream(
            declared.OffsetPaginator(limit=limit, offset_param="at", limit_param="limit", **options)
        )
    return listing, stream(declared.PageNumberPaginator(base_page=1, page_param="at", **options))


@examples(60)
@given(static_lists())
def test_any_list_is_read_as_with_one_worker(case: tuple[Listing, New]) -> None:
    listing, new = case
    expected = read_with(listing, new, 1)
    # Pages on which all rows are hidden look like the end.
    assert expected.error or expected.warnings or listing.hidden or expected.ids == listing.rows
    for workers in WORKERS:
        assert read_with(listing, new, workers) == expected


DECLARATIONS: dict[str, tuple[declared.Paginator, dict[str, Any]]] = {
    "offset": (declared.OffsetPaginator(limit=10, offset_param="at"), {}),
    "offset to a total": (
        declared.OffsetPaginator(limit=10, offset_param="at"),
        {"states": frozenset({"total"})},
    ),
    "page number": (
        declared.PageNumberPaginator(base_page=1, page_param="at", total_path=None),
        {"by": "page"},
    ),
    "page number of a total": (
        declared.PageNumberPaginator(base_page=1, page_param="at", total_path="pages"),
        {"by": "page", "states": frozenset({"pages"})},
    ),
    "page number of rows": (
        declared.PageNumberPaginator(base_page=1, page_param="at", total_path="pages"),
        {"by": "page", "states": frozenset({"total", "pages"})},
    ),
}


@examples(100)
@given(
    st.sampled_from(sorted(DECLARATIONS)),
    st.integers(0, 250),
    st.data(),
)
def test_no_row_is_lost_that_stays_while_others_move(
    name: str, count: int, data: st.DataObject
) -> None:
    paginator, options = DECLARATIONS[name]
    kinds: Any = data.draw(st.sampled_from(OF_OFFSETS if "offset" in name else KINDS))
    changes = st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 250)), min_size=1)
    steps: Any = data.draw(st.dictionaries(st.integers(1, 25), changes, max_size=3))
    for workers in (1, *WORKERS):
        listing = Listing(count, changes=steps, delay=0.001, **options)
        reading = read(listing, stream(paginator)(), workers)
        assert reading.error or listing.stayed <= set(reading.ids)
