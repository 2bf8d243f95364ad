"""Lists with offsets, as declarations describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.streams.paginators import BEYOND_END, EMPTY_PAGE, OffsetPaginator, PaginationError
from tap_chat.streams.paginators.base import MAX_EMPTY_PAGES, says_more
from tap_chat.streams.paginators.next_links import offers_next

if TYPE_CHECKING:
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.paginators.stated_ends import StatedEnds


class DeclaredOffsetPaginator(OffsetPaginator):
    """Pages by the number of rows before them, of which nothing but the declaration is known.

    A list ends at a page without new rows, at its stated total, or where the body says that nothing
    follows. What contradicts that is checked with one more request: the next rows may be hidden,
    and others follow.

    Args:
        ends: What the lists of the stream show about ends.
        limit: The number of rows per page.
        offset: The offset of the first page.
        maximum_offset: The offset from which on no page begins, in steps of `limit`; None for no
            maximum.
        stop_after_empty_page: Whether a list ends at a page without rows. Otherwise it continues to
            its total, or to the maximum.
        options: See `OffsetPaginator`.
    """

    def __init__(
        self,
        ends: StatedEnds,
        limit: int,
        *,
        offset: int = 0,
        maximum_offset: int | None = None,
        stop_after_empty_page: bool = True,
        **options: Any,  # noqa: ANN401
    ) -> None:
        if maximum_offset is not None:
            # The last page has all its rows.
            pages = max(1, -(-(maximum_offset - offset) // limit))
            maximum_offset = offset + pages * limit
        super().__init__(limit, offset=offset, maximum_offset=maximum_offset, **options)
        self._ends = ends
        self._stop_after_empty_page = stop_after_empty_page
        self._is_past_end = False  # whether the stated end is checked
        self._gap = 0  # the places after the last row that have none
        self._doubt = ""

    @property
    @override
    def doubt(self) -> str:
        return self._doubt if self._doubt and self._ends.is_first_doubt() else ""

    @property
    @override
    def shortfall(self) -> tuple[int, int] | None:
        shortfall = None if self._ends.is_wrong else super().shortfall
        return shortfall if shortfall and self._ends.is_first_doubt() else None

    @override
    def advance(self, page: Page) -> Page:
        page = self._within_maximum(page)
        if self._is_past_end and not page.records:
            self.finished = True
            return page
        return self._after_gap(page) if self._gap else super().advance(page)

    def _within_maximum(self, page: Page) -> Page:
        """Return a page without the rows from the maximum on."""
        if self._maximum is None:
            return page
        rows = self._maximum - self._first - self._offset
        return page.only([place < rows for place in range(len(page.keys))])

    @override
    def move_on(self, page: Page) -> bool:
        self._ends.is_full(len(page.keys))
        has_more = says_more(page.body, self._has_more_path)
        if has_more is False or self._is_at_maximum(self._next):
            return False
        total = self._size.total_of(page.body)
        if total is None or self._next < total or self._ends.is_wrong:
            return True
        if self._is_past_end and total < self._next:
            self._ends.refute()
            self._is_past_end = False
            return True
        links_on = offers_next(page.body, self._next - 1, self._offset_field.param)
        if not has_more and not links_on and self._ends.is_trusted(len(page.keys)):
            return False
        self._is_past_end = True
        self._go_on(is_overlap=self._overlaps is True)
        return True

    def _is_at_maximum(self, place: int) -> bool:
        return self._maximum is not None and self._first + place >= self._maximum

    @override
    def miss(self, predicate: str) -> Page:
        if self._gap:
            return self._after_gap(EMPTY_PAGE)
        if self._is_past_end:
            self.finished = True
            return EMPTY_PAGE
        return super().miss(predicate)

    @override
    def _end(self, new: Page) -> Page:
        if self._is_past_end:
            self.finished = True
            return new
        if self._may_skip(new):
            return self._skip(new)
        # The known row before shows that nothing follows: once is enough.
        self._ends_at = self._offset
        return super()._end(new)

    def _may_skip(self, page: Page) -> bool:
        """Return whether rows may follow places that have none.

        Args:
            page: A page without new rows.

        Raises:
            PaginationError: There are too many such pages in a row, and nothing but `has_more`.
        """
        total = None if self._ends.is_wrong else self._size.total_of(page.body)
        is_stated = total is not None and self._next + self._gap < total
        if self._stop_after_empty_page:
            return not self._gap and (is_stated or self._says_more(page))
        if total is not None or self._maximum is not None:
            return total is None or is_stated
        if self._gap >= MAX_EMPTY_PAGES * self._limit and self._says_more(page):
            raise PaginationError(f"returned {MAX_EMPTY_PAGES + 1} empty pages in a row")
        return self._says_more(page)

    def _says_more(self, page: Page) -> bool:
        """Return whether a page says that more follow. A page without rows may say nothing."""
        try:
            return bool(says_more(page.body, self._has_more_path))
        except PaginationError:
            return False

    def _skip(self, new: Page) -> Page:
        """Go on after as many places as a page has."""
        self._gap += self._limit
        self._offset = self._next + self._gap
        self.missing = BEYOND_END
        return self._end_in_gap(new) if self._is_at_maximum(self._offset) else new

    def _after_gap(self, page: Page) -> Page:
        """Move on from a page after places that have no rows."""
        self._size.see(page)
        new = self._rows.new_in(page)
        if new.records:
            self._gap = 0
            self._size.has_gaps = True
            return self._take(page, new)
        if self._may_skip(page):
            return self._skip(new)
        if self._says_more(page):
            self._doubt = "says that more pages follow, and the next ones have no rows"
        return self._end_in_gap(new)

    def _end_in_gap(self, new: Page) -> Page:
        self._gap = 0
        self._ends_at = self._offset
        return super()._end(new)
