"""Lists that are paged by offset, and rows that enter and leave them meanwhile.

An offset counts the rows before a page. Where some of them leave the list between two requests,
as many would be skipped without a word. So each page is asked for with an overlap of one row: if it
begins with a row that is known, nothing was skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.streams.paginators.base import (
    BEYOND_END,
    NO_CONTENT,
    Paginator,
    says_more,
    stated_number,
    with_value,
)
from tap_chat.streams.paginators.pages import (
    EMPTY_PAGE,
    Page,
    PaginationError,
    RepeatedPageError,
)
from tap_chat.streams.paginators.recent_rows import REMEMBERED_ROWS, RecentRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_chat.http.request import Request
    from tap_chat.streams.paginators.pages import Key

# How often the walk goes back without a row that is new.
MOST_RETURNS = 3

# Rows in a row that may be known, as where many enter the list before the place that it is read at.
MOST_KNOWN_ROWS = 2 * REMEMBERED_ROWS

# Pages in a row of which most rows may be known, and that may be the same.
MOST_MIXED_PAGES = 20
MOST_SAME_PAGES = 2

# Pages that may have known rows behind new ones, as after rows that changed went to the end.
MOST_SCATTERED_PAGES = 5

# How often a list may begin anew.
MOST_LAPS = 2

# How often an overlap must fail at the beginning until it is taken for the server's way.
MOST_REFUSALS = 2

# A server that reaches only so many rows reaches a round number of them.
ROUND = 1000


class OffsetPaginator(Paginator):
    """Pages by the number of records to skip, each from the last row of the page before on.

    A page that begins with a row that is not known shows that rows left the list: the walk goes
    back until one does begin with a known row, and on from there. The list ends where there is
    nothing but the known row. A short page ends nothing.

    Some servers make the number of a page of the offset, or refuse what is no multiple of the page
    size. There pages can't overlap, and each is followed by the one before it once more, which must
    end with the same row. The list ends at an empty page, at the last page once more, or where the
    server says twice that nothing is there, and between that the page before is.

    Args:
        limit: The number of rows to ask for.
        offset_param: The query parameter that takes the offset.
        limit_param: The query parameter that takes the limit.
        offset_body_path: The place in the JSON body that takes the offset instead: names with dots
            between them.
        limit_body_path: The place in the JSON body that takes the limit instead.
        offset: The offset of the first page.
        total_path: Where the body states the number of rows in all pages; empty if it does not,
            None to look for it under the usual names.
        has_more_path: Where the body says whether more pages follow; empty if it does not.
        maximum_offset: The first offset not to ask for; None for no maximum.
        reach_remedy: What to do where the server reaches only a part of the list.
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
        self._limit_param = "" if limit_body_path else limit_param
        self._limit_body_path = limit_body_path
        self._offset_param = "" if offset_body_path else offset_param
        self._offset_body_path = offset_body_path
        self._first = offset
        self._total_path = total_path
        self._has_more_path = has_more_path
        self._maximum = maximum_offset
        self._reach_remedy = reach_remedy
        self._last: list[Key] | None = None  # the keys of the page before
        self._offset = 0  # of the next request, from the first one on
        self._body: Any = None  # the last one, which may state a total
        self._trail = RecentRows()
        self._largest = 0
        self._next = 0  # the place of the first row that is not read
        self._held: Page | None = None  # until the page before it is seen once more
        self._back = 0  # how far the walk has gone back, until it has found its place
        self._moved = False  # whether rows that are known may be anywhere
        self._overlaps: bool | None = None  # whether pages may; None if that is not known
        self._moves = False  # whether the offset leads to another page
        self._refusals = self._missed = self._returns = 0
        self._known = self._mixed = self._same = self._scattered = 0
        self._ends_at = -1  # where nothing more was seen
        self._uneven = False  # whether pages before the last lack rows
        self._laps = 0  # how often the list began anew
        self._rows = 0  # all that were new
        self._tail: tuple[Any, ...] | None = None  # the last of them

    @property
    @override
    def shortfall(self) -> tuple[int, int] | None:
        total = self._stated_total(self._body)
        return (total, self._next) if total is not None and self._next < total else None

    def _stated_total(self, body: Any) -> int | None:  # noqa: ANN401
        """Return the number of rows that the list states, from the first offset on."""
        if self._total_path is None:
            total = responses.stated_total(body)
        else:
            total = stated_number(body, self._total_path)
        return None if total is None else total - self._first

    @override
    def page_request(self, request: Request) -> Request:
        request = with_value(request, self._limit, self._limit_param, self._limit_body_path)
        offset = self._first + self._offset
        return with_value(request, offset, self._offset_param, self._offset_body_path)

    @override
    def move_on(self, page: Page) -> bool:
        """Return whether the body says that no page follows."""
        if says_more(page.body, self._has_more_path) is False:
            return False
        if self._maximum is not None and self._first + self._next >= self._maximum:
            return False
        total = self._stated_total(page.body) if self._total_path else None
        return total is None or self._next < total

    @override
    def advance(self, page: Page) -> Page:
        if self._laps >= MOST_LAPS and len(page.keys) > 1:
            raise RepeatedPageError
        self._largest = max(self._largest, len(page.keys))
        if not self._next:
            return self._take(page, page)
        if self._held:
            return self._checked(page, self._held)
        if self._back:
            return self._returned(page)
        if self._offset == self._next:
            return self._beside(page)
        return self._overlapping(page)

    @override
    def miss(self, said: str) -> Page:
        overlapping = self._offset < self._next
        if not self._next:
            self.finished = True
        elif overlapping and not self._overlaps:
            return self._refused()
        elif self._missed == 0:
            # The server may be in trouble: see whether it still gives the page before.
            self._missed = 1
            return self._go_back(self._largest if overlapping else len(self._last or ()))
        elif overlapping:
            raise PaginationError(f"{said}, though it gave what begins there", self._reach_remedy)
        elif self._may_be_cut_off(self._next):
            raise PaginationError(f"{said} after {self._next} rows", self._reach_remedy)
        else:
            self.finished = True
        return EMPTY_PAGE

    def _overlapping(self, page: Page) -> Page:
        """Move on from a page that should begin with the last row of the one before."""
        if page.keys and self._last is not None and page.keys[0] == self._last[-1]:
            return self._joined(page)
        new, joins = self._trail.new_in(page), self._trail.has_first_of(page)
        # A page of which the offset was made the number begins as the one before, or earlier.
        if not self._overlaps and (not new.records or (joins and not self._is_late(page.keys[0]))):
            return self._refused()
        self._count_mixed(page, new)
        if not joins:
            return self._go_back(self._largest)
        self._overlaps = self._moves = True
        return self._among_known(page, new)

    def _joined(self, page: Page) -> Page:
        """Move on from a page that begins with the last row of the one before."""
        self._overlaps = self._moves = True
        if len(page.keys) == 1:
            return self._nothing_more(page.after(1))
        anew = self._begins_anew(page.keys[1:])
        if not (anew or self._moved):
            return self._take(page, page.after(1))
        new = self._trail.new_in(page)
        if anew and self._is_read(new):
            self.finished = True
            return new
        self._mixed = 0
        return self._among_known(page, new)

    def _nothing_more(self, new: Page) -> Page:
        """End the list where nothing more is seen twice: once, a server may be behind another."""
        place, before = self._offset, self._ends_at
        self._ends_at = place
        if before != place != 0:
            return new
        if self._scattered > MOST_SCATTERED_PAGES and self._rows < self._next:
            raise PaginationError(
                "gave its rows in another order each time",
                "A list without a fixed order can't be read without losing records.",
            )
        if self._overlaps and not self._uneven and self._may_be_cut_off(self._next):
            raise PaginationError(
                f"said that nothing follows {self._next} rows", self._reach_remedy
            )
        self.finished = True
        return new

    def _among_known(self, page: Page, new: Page) -> Page:
        """Move on from a page that has known rows anywhere."""
        self._moved = True
        # New rows are the last of a page.
        self._scattered += page.keys[len(page.keys) - len(new.keys) :] != new.keys
        return new if self._count_known(page, new) else self._take(page, new)

    def _begins_anew(self, keys: Sequence[tuple[Any, ...]]) -> bool:
        """Say whether rows are those of the first page, as where the offset wraps around."""
        if 2 * self._trail.from_first(keys) <= len(keys):
            return False
        # Once, it may be rows that moved to the end.
        self._laps += 1 if self._moved else MOST_LAPS
        return True

    def _is_read(self, new: Page) -> bool:
        """Say whether the list says that it has no more than what was read, and a page."""
        total = self._stated_total(new.body)
        return total is not None and self._rows + len(new.keys) >= total

    def _is_late(self, key: tuple[Any, ...]) -> bool:
        """Say whether a row is in the second half of the page before."""
        last = self._last or ()
        return key in last[len(last) // 2 :]

    def _beside(self, page: Page) -> Page:
        """Move on from a page that should have no row of the one before."""
        new = self._trail.new_in(page)
        if page.records and not new.records:
            if self._moved and page.keys != self._last:
                return new if self._count_known(page, new) else self._take(page, new)
            # Or an offset that is too large is made the largest there is, which is a round one.
            cut_off = self._may_be_cut_off(self._next, self._next - len(page.keys))
            if page.keys != self._last or not self._moves or cut_off:
                raise RepeatedPageError
            # Beyond the end, some servers give the last page once more.
            return self._nothing_more(new)
        if self._moves and self._begins_anew(page.keys) and self._is_read(new):
            self.finished = True
            return new
        last = self._last or ()
        if page.records or len(last) == self._limit:
            # As the pages have no row in common, the one before is looked at once more.
            self._held = page
            self._offset, self.missing = self._next - len(last), frozenset()
            return EMPTY_PAGE
        return self._take(page, new)

    def _checked(self, page: Page, held: Page) -> Page:
        """Move on from the page before one that is held, which shows if rows have left the list."""
        self._held = None
        new = self._trail.new_in(held)
        self._count_mixed(held, new)
        if page.keys[-1:] != (self._last or [])[-1:]:
            self._back = self._next - self._offset
            self._moved = True
            return self._returned(page)
        self._offset = self._next
        self._check_new(held)
        self._moves = True
        return self._take(held, new)

    def _returned(self, page: Page) -> Page:
        """Move on from a page that the walk has gone back to."""
        if self._offset == 0 and not page.keys:
            raise PaginationError("gave an empty list, which had rows a moment ago")
        if self._offset == 0 or self._trail.has_first_of(page):
            self._back = 0
            return self._take(page, self._trail.new_in(page))
        return self._go_back(2 * self._back)

    def _take(self, page: Page, new: Page) -> Page:
        """Go on after a page; return what is new of it."""
        if not page.keys:
            return self._nothing_more(new)
        if self._offset == 0:
            self._trail.begin(page.keys)
        # Where more follows a page that lacks rows, some are hidden.
        self._uneven = self._uneven or (bool(new.keys) and self._next > 0 and not self._is_full)
        self._last, self._body = page.keys, page.body
        self._next = self._offset + len(page.keys)
        self._trail.add(new.keys)
        self._rows += len(new.keys)
        if new.records:
            self._tail = new.keys[-1]
            self._returns = self._missed = 0
        self._go_on()
        self.finished = not self.move_on(page)
        return new

    def _go_on(self, *, beside: bool = False) -> None:
        """Ask for what follows, with the last row that is known or `beside` it."""
        # Of a server that gives one row at a time, a known row would be all.
        overlap = not beside and self._overlaps is not False and self._largest > 1
        self._offset = self._next - overlap
        # A row that is known and gone twice is no end, and the next error says what is wrong.
        self.missing = BEYOND_END - {404} if self._missed and self._overlaps else BEYOND_END

    def _go_back(self, rows: int) -> Page:
        """Ask for what was so many rows before, to see where that is now."""
        if not self._back:
            self._returns += 1
            if self._returns > MOST_RETURNS:
                raise PaginationError(
                    "did not give the last row of the page before, however often it was asked",
                    "Try again later; if it is so each time, the list has no fixed order, and can't"
                    " be read without losing records.",
                )
            self._moved = True
        self._back = rows
        self._offset = max(0, self._next - rows)
        # It was there.
        self.missing = frozenset()
        return EMPTY_PAGE

    def _refused(self) -> Page:
        """Go on without an overlap, which the server did not give."""
        self._refusals += 1
        if self._refusals >= MOST_REFUSALS:
            self._overlaps = False
        self._go_on(beside=True)
        return EMPTY_PAGE

    def _count_known(self, page: Page, new: Page) -> bool:
        """Count pages with nothing new, and say whether they show that the list has ended."""
        if new.records:
            self._known = self._same = 0
            return False
        self._known += len(page.keys)
        self._same = self._same + 1 if page.keys == self._last else 0
        if self._same < MOST_SAME_PAGES and self._known < MOST_KNOWN_ROWS:
            return False
        # Beyond the end, some servers give the last page once more. Any other page is none.
        last = page.keys[-1] == self._tail
        if not (self._same and last) or (self._is_full and not self._is_read(new)):
            # Or an offset that is too large is made the largest there is.
            raise RepeatedPageError(self._reach_remedy)
        self.finished = True
        return True

    def _count_mixed(self, page: Page, new: Page) -> None:
        """Count pages of which most came before, as where the offset does not count."""
        mixed = 0 < 2 * len(new.records) <= len(page.records)
        self._mixed = self._mixed + 1 if mixed else 0
        if self._mixed >= MOST_MIXED_PAGES:
            raise PaginationError(f"gave {self._mixed} pages in a row of which most came before")

    def _may_be_cut_off(self, rows: int, *offsets: int) -> bool:
        """Say whether what seems to be the end of the list may be only as far as the server goes.

        Args:
            rows: The rows before.
            offsets: Others that may be as far as it goes.
        """
        if not self._is_full:
            return False
        total = self._stated_total(self._body)
        if total is not None:
            return rows < total
        return any(place > 0 and place % ROUND == 0 for place in (rows, *offsets))

    @property
    def _is_full(self) -> bool:
        """Whether the last page has as many rows as the server gives at once."""
        return len(self._last or ()) >= min(self._limit, self._largest)
