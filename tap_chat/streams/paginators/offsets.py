"""Lists with offsets, from which rows may leave, and which they may enter, while they are read.

An offset counts the rows before a page. If rows leave the list between two requests, the same
number of other rows would be skipped. So each request begins at the last row of the page before: if
the page begins with a known row, nothing was skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.streams.paginators.base import (
    BEYOND_END,
    NO_CONTENT,
    Paginator,
    says_more,
)
from tap_chat.streams.paginators.list_order import ListOrder
from tap_chat.streams.paginators.list_size import ListSize
from tap_chat.streams.paginators.pace import Pace
from tap_chat.streams.paginators.pages import (
    EMPTY_PAGE,
    Page,
    PaginationError,
    RepeatedPageError,
)
from tap_chat.streams.paginators.recent_rows import RecentRows
from tap_chat.streams.paginators.request_field import RequestField
from tap_chat.streams.read_plans import Expected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_chat.http.request import Request
    from tap_chat.streams.paginators.pages import Key

# After so many pages that do not begin at the requested row, pages count as not overlapping.
MAX_REFUSALS = 2


class OffsetPaginator(Paginator):
    """Pages by the number of rows before them.

    | state | requests | if the page | then |
    | --- | --- | --- | --- |
    | overlapping | the last known row and the next ones | begins with that row | take it |
    | | | begins with an unknown row | search |
    | | | is refused, or its offset was rounded | continue side by side |
    | side by side | the rows after the known ones | comes | hold it, check |
    | checking | the page before the held one | ends as before | take the held page |
    | | | ends otherwise | drop the held page, search |
    | searching | 1, 2, 4, ... pages before | begins with a known row | take it |

    A list ends at a stated end, or if two requests for the same position return nothing new: no
    row, the last page again, or a status that says that the page does not exist. A short page does
    not end a list.

    Args:
        limit: The number of rows per page.
        offset_param: The query parameter that takes the offset.
        limit_param: The query parameter that takes the limit.
        offset_body_path: The path in the JSON body that takes the offset instead: names with dots
            between them.
        limit_body_path: The path in the JSON body that takes the limit instead.
        offset: The offset of the first page.
        total_path: The path at which a response states the number of rows in all pages; empty if
            none, None to look for it under the usual names.
        has_more_path: The path at which a response says whether more pages follow; empty if none.
        maximum_offset: The first offset that is not requested; None for no maximum.
        reach_remedy: What to do if the server returns only a part of the list.
    """

    def __init__(  # noqa: PLR0913 - one argument for each option of such APIs
        self,
        limit: int,
        offset_param: str = "offset",
        limit_param: str = "limit",
        *,
        offset_body_path: str = "",
        limit_body_path: str = "",
        offset: int = 0,
        total_path: str | None = None,
        has_more_path: str = "",
        maximum_offset: int | None = None,
        reach_remedy: str = "",
    ) -> None:
        super().__init__()
        self.missing = NO_CONTENT
        self._limit = limit
        self._limit_field = RequestField(limit_param, limit_body_path)
        self._offset_field = RequestField(offset_param, offset_body_path)
        self._first = offset
        self._has_more_path = has_more_path
        self._maximum = maximum_offset
        self._reach_remedy = reach_remedy
        self._offset = 0  # of the next request; it and all places count from the first one
        self._next = 0  # the place of the first row that is not read
        self._last: list[Key] = []  # the keys of the page before
        self._size = ListSize(limit, total_path, offset)
        self._rows = RecentRows()
        self._order = ListOrder(self._rows, reach_remedy)
        self._overlaps: bool | None = None  # whether pages may; None if that is not known
        self._refusals = 0  # how often they did not
        self._offset_counts = False  # whether another offset has led to another page
        self._held: Page | None = None  # a page, while the one before it is checked
        self._back = 0  # how far the walk has gone back, while it searches
        self._has_moved = False  # whether known rows may come again
        self._has_missed = False  # whether a page did not exist since the last new row
        self._ends_at = -1  # the place where nothing new was seen
        self._has_read_ahead = False  # whether a page was requested ahead of its turn
        self._pace = Pace()

    @override
    def page_request(self, request: Request) -> Request:
        return self._request_at(request, self._offset)

    def _request_at(self, request: Request, offset: int) -> Request:
        request = self._limit_field.set(request, self._limit)
        return self._offset_field.set(request, self._first + offset)

    @override
    def expected_requests(self, request: Request, most_ahead: int) -> list[Expected[Request]]:
        expected = [Expected(self.page_request(request), is_check=self._held is not None)]
        may_end = self._has_missed or self._offset == self._ends_at
        if may_end or not self._size.is_full:
            return expected
        if self._is_overlap:
            rows = len(self._last) - 1
            offsets = self._offsets_ahead(self._offset + rows, rows, most_ahead)
            expected += [Expected(self._request_at(request, offset)) for offset in offsets]
        elif self._is_side_by_side:
            expected += self._side_by_side_ahead(request, most_ahead)
        return expected

    @override
    def accepts_ahead(self, page: Page) -> bool:
        if self._held:
            return page.keys[-1:] == self._last[-1:]
        is_full = len(page.keys) >= len(self._last)
        rows = page.after(1) if self._is_overlap else page
        is_next = page.keys[:1] == self._last[-1:] if self._is_overlap else is_full
        is_accepted = (
            (self._is_overlap or self._is_side_by_side)
            and is_next
            # Without further rows, the list may end: then this position is requested again.
            and (self._is_overlap or bool(rows.keys))
            and not self._order.are_of_first_page(rows.keys)
            and ((self._is_overlap and not self._has_moved) or self._rows.are_new(rows.keys))
            and not self._may_end(page)
        )
        self._has_read_ahead = self._has_read_ahead or is_accepted
        if not is_accepted:
            self._pace.surprise()
        return is_accepted

    def _may_end(self, page: Page) -> bool:
        """Return whether the list may end with a page."""
        try:
            says_end = says_more(page.body, self._has_more_path) is False
        except PaginationError:
            return True
        return says_end or self._is_at_end(page, self._offset + len(page.keys))

    def _offsets_ahead(self, offset: int, rows: int, most: int) -> Iterator[int]:
        """Yield the offsets of the pages that are expected from an offset on.

        Args:
            offset: The offset of the first one.
            rows: The new rows of each.
            most: The maximum number of pages.
        """
        total = self._size.total
        # A total that was passed is wrong.
        end = total if total is not None and total >= self._next else None
        again = 0 if self._is_overlap else 1
        for page in range(self._pace.most(most, is_end_stated=end is not None, again=again)):
            start = offset + page * rows
            # Where a stated end ends the list, the last page is requested after all others.
            reach = start + rows if self._size.is_end_declared else start + 1
            is_last = self._maximum is not None and self._first + start + rows >= self._maximum
            if is_last or (end is not None and reach >= end):
                return
            yield start

    def _side_by_side_ahead(self, request: Request, most: int) -> Iterator[Expected[Request]]:
        """Yield the requests after the next one: for each page, it and then a check."""
        is_check = self._held is not None
        rows = len(self._last)
        if not is_check:
            yield Expected(self._request_at(request, self._next - rows), is_check=True)
        held = len(self._held.keys) if self._held else rows
        if held < rows:
            return
        for offset in self._offsets_ahead(self._next + held, rows, most // 2):
            yield Expected(self._request_at(request, offset))
            yield Expected(self._request_at(request, offset - rows), is_check=True)

    @property
    def _is_overlap(self) -> bool:
        """Whether the next page begins with the last row of the one before, as others did."""
        is_next = self._offset == self._next - 1 and not self._back and not self._held
        return is_next and self._overlaps is True

    @property
    def _is_side_by_side(self) -> bool:
        """Whether the next request is for rows after the known ones, or a check of those."""
        is_next = self._offset == self._next or self._held is not None
        return is_next and self._overlaps is False and self._offset_counts and not self._back

    @property
    @override
    def total(self) -> int | None:
        return self._size.total

    @property
    @override
    def shortfall(self) -> tuple[int, int] | None:
        total = self._size.total
        return (total, self._next) if total is not None and self._next < total else None

    @override
    def advance(self, page: Page) -> Page:
        self._order.check_lap(page)
        self._size.see(page)
        if not self._next:
            return self._take(page, page)
        if self._held:
            return self._check(page, self._held)
        if self._back:
            return self._search(page)
        if self._offset == self._next:
            return self._side_by_side(page)
        return self._overlapping(page)

    @override
    def move_on(self, page: Page) -> bool:
        """Return whether no end is stated."""
        if says_more(page.body, self._has_more_path) is False:
            return False
        return not self._is_at_end(page, self._next)

    def _is_at_end(self, page: Page, place: int) -> bool:
        """Return whether a list ends at a place, as the settings or a page state."""
        if self._maximum is not None and self._first + place >= self._maximum:
            return True
        return self._size.is_beyond_stated_end(page.body, place)

    @override
    def miss(self, predicate: str) -> Page:
        self._pace.surprise()
        is_overlap = self._offset < self._next
        if not self._next:
            self.finished = True
        elif is_overlap and not self._overlaps:
            return self._refuse()
        elif not self._has_missed:
            # The server may have a problem: check whether it still returns the page before.
            self._has_missed = True
            return self._go_back(self._size.largest if is_overlap else len(self._last))
        elif is_overlap:
            raise PaginationError(
                f"{predicate}, though it returned the first row of that page", self._reach_remedy
            )
        elif self._size.may_be_cut_off(self._next):
            raise PaginationError(f"{predicate} after {self._next} rows", self._reach_remedy)
        else:
            self.finished = True
        return EMPTY_PAGE

    # Reading

    def _overlapping(self, page: Page) -> Page:
        """Move on from a page that should begin with the last row of the one before."""
        if page.keys[:1] == self._last[-1:]:
            return self._joined(page)
        new, is_joined = self._rows.new_in(page), self._rows.has_first_of(page)
        # If the offset was rounded, the page begins as the one before, or earlier.
        is_rounded = not new.records or (is_joined and not self._is_late(page.keys[0]))
        if is_rounded and not self._overlaps:
            return self._refuse()
        self._order.count_mixed(page, new)
        if not is_joined:
            return self._go_back(self._size.largest)
        self._overlaps = self._offset_counts = True
        return self._take_moved(page, new)

    def _joined(self, page: Page) -> Page:
        """Move on from a page that begins with the last row of the one before."""
        self._overlaps = self._offset_counts = True
        if len(page.keys) == 1:
            return self._end(page.after(1))
        is_anew = self._order.begins_anew(page.keys[1:], has_moved=self._has_moved)
        if not (is_anew or self._has_moved):
            return self._take(page, page.after(1))
        new = self._rows.new_in(page)
        if is_anew and self._is_read(new):
            self.finished = True
            return new
        self._order.count_joined()
        return self._take_moved(page, new)

    def _side_by_side(self, page: Page) -> Page:
        """Move on from a page that should have no row of the one before."""
        new = self._rows.new_in(page)
        if page.records and not new.records:
            return self._repeated(page, new)
        if self._offset_counts:
            is_anew = self._order.begins_anew(page.keys, has_moved=self._has_moved)
            if is_anew and self._is_read(new):
                self.finished = True
                return new
        is_full = len(self._last) == self._limit or (self._has_read_ahead and self._size.is_full)
        if page.records or is_full:
            self._held = page
            self._offset, self.missing = self._next - len(self._last), frozenset()
            return EMPTY_PAGE
        return self._take(page, new)

    def _repeated(self, page: Page, new: Page) -> Page:
        """Move on from a page of known rows, where no known row should be."""
        if self._has_moved and page.keys != self._last:
            return self._take_known(page, new)
        # The server may replace an offset that is too large by its largest one, a round number.
        is_cut_off = self._size.may_be_cut_off(self._next, self._next - len(page.keys))
        if page.keys != self._last or not self._offset_counts or is_cut_off:
            raise RepeatedPageError
        # After the end, some servers return the last page again.
        return self._end(new)

    def _check(self, page: Page, held: Page) -> Page:
        """Move on from the page before one that is held."""
        self._held = None
        new = self._rows.new_in(held)
        self._order.count_mixed(held, new)
        if page.keys[-1:] != self._last[-1:]:
            self._back = self._next - self._offset
            self._has_moved = True
            return self._search(page)
        self._offset = self._next
        self._check_new(held)
        self._offset_counts = True
        return self._take(held, new)

    def _search(self, page: Page) -> Page:
        """Move on from a page that was requested to find a known row."""
        if self._offset == 0 and not page.keys:
            raise PaginationError("returned an empty list that had rows before")
        if self._offset == 0 or self._rows.has_first_of(page):
            self._back = 0
            return self._take(page, self._rows.new_in(page))
        return self._go_back(2 * self._back)

    # Moving on

    def _take_moved(self, page: Page, new: Page) -> Page:
        """Go on after a page that may have known rows anywhere; return its new rows."""
        self._has_moved = True
        self._order.count_scattered(page, new)
        return self._take_known(page, new)

    def _take_known(self, page: Page, new: Page) -> Page:
        is_cut_off = self._size.is_full and not self._is_read(new)
        if self._order.count_known(page, new, self._last, is_cut_off=is_cut_off):
            self.finished = True
            return new
        return self._take(page, new)

    def _take(self, page: Page, new: Page) -> Page:
        """Go on after a page; return its new rows."""
        if not page.keys:
            return self._end(new)
        if self._offset == 0:
            self._rows.begin(page.keys)
        # Apart from the overlap, the page should be full of new rows.
        is_full = len(page.keys) >= len(self._last)
        self._pace.note(is_expected=is_full and len(new.keys) >= len(page.keys) - 1)
        self._size.take(page, is_later=bool(new.keys) and self._next > 0)
        self._last = page.keys
        self._next = self._offset + len(page.keys)
        self._rows.add(new.keys)
        if new.records:
            self._order.count_new()
            self._has_missed = False
        self._go_on()
        self.finished = not self.move_on(page)
        return new

    def _end(self, new: Page) -> Page:
        """End the list if this position had nothing new before: servers may be out of sync."""
        is_first = self._offset not in {0, self._ends_at}
        self._ends_at = self._offset
        if is_first:
            return new
        self._order.check_end(self._next)
        if self._overlaps and not self._size.has_gaps and self._size.may_be_cut_off(self._next):
            predicate = f"returned nothing after {self._next} rows"
            raise PaginationError(predicate, self._reach_remedy)
        self.finished = True
        return new

    def _go_on(self, *, is_overlap: bool = True) -> None:
        """Request the next rows, with the last known row or without it."""
        # If a server returns one row at a time, the page would have only the known row.
        is_overlap = is_overlap and self._overlaps is not False and self._size.largest > 1
        self._offset = self._next - is_overlap
        # If a known row is missing twice, the list has not ended: the next error says why.
        is_error = self._has_missed and self._overlaps
        self.missing = BEYOND_END - {404} if is_error else BEYOND_END

    def _go_back(self, rows: int) -> Page:
        """Go back this many rows, to find where a known row is now."""
        if not self._back:
            self._order.count_return()
            self._has_moved = True
        self._back = rows
        self._offset = max(0, self._next - rows)
        # The page existed.
        self.missing = frozenset()
        return EMPTY_PAGE

    def _refuse(self) -> Page:
        """Go on without an overlap, because the server did not return one."""
        self._refusals += 1
        if self._refusals >= MAX_REFUSALS:
            self._overlaps = False
        self._go_on(is_overlap=False)
        return EMPTY_PAGE

    # What the pages show

    def _is_read(self, new: Page) -> bool:
        """Return whether all stated rows are read, including the new rows of a page."""
        total = self._size.total_of(new.body)
        return total is not None and self._rows.count + len(new.keys) >= total

    def _is_late(self, key: Key) -> bool:
        """Return whether a row is in the second half of the page before."""
        return key in self._last[len(self._last) // 2 :]
