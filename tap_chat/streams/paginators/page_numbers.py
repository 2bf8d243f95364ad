"""Lists with page numbers, from which rows may leave, and which they may enter, while read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.streams.paginators.base import (
    BEYOND_END,
    MAX_EMPTY_PAGES,
    Paginator,
    says_more,
    stated_number,
)
from tap_chat.streams.paginators.links import link_in, resolve_link
from tap_chat.streams.paginators.next_links import offers_next
from tap_chat.streams.paginators.pace import Pace
from tap_chat.streams.paginators.pages import EMPTY_PAGE, Page, PaginationError, RepeatedPageError
from tap_chat.streams.paginators.recent_rows import RecentRows
from tap_chat.streams.paginators.request_field import RequestField
from tap_chat.streams.read_plans import Expected

if TYPE_CHECKING:
    from tap_chat.http.request import Request
    from tap_chat.streams.paginators.page_sizes import PageSizes
    from tap_chat.streams.paginators.pages import Key

# How often the end of a page may change while the next one is asked for.
MAX_MOVES = 5

# How many empty pages in a row are passed because each links to the next one.
MAX_LINKED_EMPTY_PAGES = 3


class PageNumberPaginator(Paginator):
    """Pages by number.

    Rows that leave a list pull others to the page before, which was read already. So the page
    before is asked for once more where rows may have moved: at each page, or where the list states
    the number of its rows, when that number changes. This is the state of a walk:

    | state | asks for | then |
    | --- | --- | --- |
    | reading | the next page | rows may have moved: hold the page, continue checking |
    | checking | the page before | it ends as it did: take the held page, continue reading |
    | | | it ends otherwise: drop the held page, continue searching |
    | searching | pages before | one begins with a known row, or is the first: read on from there |

    A list ends after the stated number of pages, at an empty page, or where the body says that
    nothing follows. A short page is the last one if `page_sizes` takes it for that. A page that
    links to a later one is not the last, whatever else it says; of empty ones, a few are passed.

    Args:
        page_param: The query parameter that takes the number.
        page_body_path: The place in the JSON body that takes it instead: names with dots between
            them.
        base_page: The number of the first page of the list.
        page: The number of the first page to ask for, if it is another.
        page_size: The number of rows to ask for; None to leave that to the server.
        page_size_param: The query parameter that takes the size.
        total_path: The path at which a response states the number of pages; empty if none.
        total_rows_path: The path at which it states the number of rows in all pages; empty if none.
        next_url_path: The path of the link to the next page; empty if none. The link must have the
            next number as its `page_param`. If the object that may have the link has none, the list
            has ended.
        has_more_path: The path at which a response says whether more pages follow; empty if none.
        maximum_page: The number of the first page that is not requested; None for no maximum.
        stop_after_empty_page: Whether the list ends at an empty page, whatever its number.
        page_sizes: The sizes of the pages of the stream; None to read on to an empty page.
        may_ignore_page: Whether the server may ignore the number and always return the whole list.
        is_read_again: Whether the caller reads the list again if it has fewer rows than stated.
            Otherwise the paginator does, after it has read ahead.
    """

    def __init__(  # noqa: PLR0913 - one argument for each option of such APIs
        self,
        page_param: str = "page",
        page_body_path: str = "",
        *,
        base_page: int = 1,
        page: int | None = None,
        page_size: int | None = None,
        page_size_param: str = "",
        total_path: str = "",
        total_rows_path: str = "",
        next_url_path: str = "",
        has_more_path: str = "",
        maximum_page: int | None = None,
        stop_after_empty_page: bool = True,
        page_sizes: PageSizes | None = None,
        may_ignore_page: bool = False,
        is_read_again: bool = False,
    ) -> None:
        super().__init__()
        self._field = RequestField(page_param, page_body_path)
        self._base = base_page
        self._first = base_page if page is None else page
        self._size = page_size
        self._size_field = RequestField(page_size_param)
        self._total_path = total_path
        self._total_rows_path = total_rows_path
        self._next_url_path = next_url_path
        self._has_more_path = has_more_path
        self._maximum = maximum_page
        self._stop_after_empty_page = stop_after_empty_page
        self._sizes = page_sizes
        self._may_ignore_page = may_ignore_page
        self._may_read_again = not is_read_again
        self._url = ""  # of the last request
        self._number = self._first
        self._furthest = self._first - 1
        self._last: list[Key] = []  # the keys of the page before
        self._short = 0  # its rows, if it was short and may be the last
        self._total_rows: int | None = None  # as it stated them
        self._pages: int | None = None  # the number of pages, as it stated them
        self._largest = 0  # the rows of the largest page
        self._has_read_ahead = False  # whether a page was requested ahead of its turn
        self._pace = Pace()
        self._held: Page | None = None  # a page, while the one before it is checked
        self._repeated = 0  # rows that came twice
        self._is_past_end = False  # whether it stands for the place after the last page
        self._back = 0  # how many pages the walk has gone back, while it searches
        self._moves = 0  # how often the page before had changed, since the walk came further
        self._has_moved = False  # whether known rows may come again
        self._known_pages = 0  # pages in a row of which all rows are known
        self._rows = RecentRows()

    @override
    def page_request(self, request: Request) -> Request:
        self._url = request.url
        return self._request_of(request, self._number)

    @override
    def expected_requests(self, request: Request, most_ahead: int) -> list[Expected[Request]]:
        is_check = self._held is not None
        expected = [Expected(self.page_request(request), is_check=is_check)]
        if self._back or self._is_past_end or not self._last:
            return expected
        checks = is_check or self._checks_all
        # While the page before is checked, the next one is held.
        first = self._number + 1 + is_check
        # A check is sent when the page after it has come, so each page keeps one worker busy.
        numbers = self._numbers_ahead(first, most_ahead)
        if numbers and checks and not is_check:
            expected.append(Expected(self._request_of(request, first - 2), is_check=True))
        for number in numbers:
            expected.append(Expected(self._request_of(request, number)))
            if checks:
                expected.append(Expected(self._request_of(request, number - 1), is_check=True))
        return expected

    @override
    def accepts_ahead(self, page: Page) -> bool:
        if self._held:
            return page.keys[-1:] == self._last[-1:]
        is_accepted = (
            bool(page.keys)
            and not self._back
            and self._stated_rows(page) == self._total_rows
            and self._rows.are_new(page.keys)
            and not self._may_end(page)
        )
        self._has_read_ahead = self._has_read_ahead or is_accepted
        if not is_accepted:
            self._pace.surprise()
        return is_accepted

    def _numbers_ahead(self, first: int, most: int) -> range:
        """Return the numbers of the pages that are expected, from the first of them on."""
        end = self._stated_end
        most = self._pace.most(most, is_end_stated=end is not None, again=1)
        ends = [first + most, end, None if self._maximum is None else self._maximum - 1]
        return range(first, min(end for end in ends if end is not None))

    @property
    def _stated_end(self) -> int | None:
        """The number of the first page that is not requested ahead, if the server states it."""
        if self._pages is not None:
            # The last page ends the list: it is requested after all others.
            return self._base + self._pages - 1
        if self._total_rows is not None and self._largest >= (self._size or 1):
            rows_left = self._total_rows - self._rows.count
            return self._furthest + 1 + max(0, -(-rows_left // self._largest))
        return None

    def _may_end(self, page: Page) -> bool:
        """Return whether the list may end with a page."""
        body, pages = page.body, self._stated_pages(page)
        ends = [self._maximum, None if pages is None else self._base + pages]
        if any(end is not None and self._number >= end - 1 for end in ends):
            return True
        try:
            if says_more(body, self._has_more_path) is False:
                return True
            if self._next_url_path:
                link = link_in(body, self._next_url_path)
                if link is None:
                    return pages is None
                self._check_link(link)
        except PaginationError:
            return True
        return len(page.keys) < len(self._last)

    @property
    @override
    def total(self) -> int | None:
        return self._total_rows

    @property
    def _checks_all(self) -> bool:
        """Whether the page before each page is requested again, because no total is stated."""
        return self._total_rows is None and self._moves < MAX_MOVES

    def _request_of(self, request: Request, number: int) -> Request:
        request = self._field.set(request, number)
        return request if self._size is None else self._size_field.set(request, self._size)

    @override
    def advance(self, page: Page) -> Page:
        if self._held:
            return self._check(page, self._held)
        if self._back:
            return self._search(page)
        return self._read(page)

    def _read(self, page: Page) -> Page:
        """Move on from the next page."""
        # After the end, some servers return the last page again.
        if page.keys == self._last and (self._short or self._may_ignore_page):
            return self._end_after_last()
        if self._may_have_moved(page):
            return self._hold(page)
        return self._take(page)

    def _check(self, page: Page, held: Page) -> Page:
        """Move on from the page before one that is held."""
        self._held = None
        is_past_end, self._is_past_end = self._is_past_end, False
        if page.keys[-1:] == self._last[-1:]:
            self._number += 1
            if is_past_end:
                self._end()
                return EMPTY_PAGE
            return self._take(held)
        self._moves += 1
        self._has_moved = True
        self._back = 1
        return self._search(page)

    def _search(self, page: Page) -> Page:
        """Move on from a page that was requested to find a known row."""
        if self._number > self._first and not self._rows.has_first_of(page):
            self._number = max(self._first, self._number - self._back)
            self._back *= 2
            return EMPTY_PAGE
        self._back = self._short = 0
        return self._take(page)

    def _take(self, page: Page) -> Page:
        """Go on after a page; return its new rows."""
        new = self._rows.new_in(page) if self._has_moved else page
        if self._has_read_ahead:
            self._repeated += len(new.keys) - len(self._rows.new_in(new).keys)
        self._check_new(new)
        is_known = bool(page.records) and not new.records and self._number > self._furthest
        self._known_pages = self._known_pages + 1 if is_known else 0
        if self._known_pages > MAX_EMPTY_PAGES:
            raise RepeatedPageError
        if self._number > self._furthest:
            self._furthest = self._number
            self._moves = 0
        self._rows.add(new.keys)
        self._largest = max(self._largest, len(page.keys))
        is_last = not self.move_on(page)
        is_full = len(page.keys) >= len(self._last)
        self._pace.note(is_expected=is_full and len(new.keys) == len(page.keys))
        self._last, self._total_rows = page.keys, self._stated_rows(page)
        self._pages = self._stated_pages(page)
        if is_last:
            self._end()
        self._check_empty(page)
        return new

    @override
    def miss(self, predicate: str) -> Page:
        return self._end_after_last()

    def _end_after_last(self) -> Page:
        """End the list, because there is no page after the last one; return an empty page."""
        self._pace.surprise()
        if self._has_read_ahead and self._checks_all:
            self._is_past_end = True
            return self._hold(EMPTY_PAGE)
        self._end()
        return EMPTY_PAGE

    def _hold(self, page: Page) -> Page:
        """Hold a page while the one before it is checked; return an empty page."""
        self._held = page
        self._number -= 1
        self.missing = frozenset()
        return EMPTY_PAGE

    def _end(self) -> None:
        """End the list, or read it again, because rows may have moved between pages.

        If pages are requested at the same time, a later one may be older than the one before: then
        a row that came back by a place is on neither. The stated number of rows shows that.
        """
        self.finished = True
        rows = self._rows.count - self._repeated
        if self._has_read_ahead and self._may_read_again and rows < (self._total_rows or 0):
            self.finished = self._has_read_ahead = False
            self._pace = Pace(is_allowed=False)
            self._number, self._short, self._last = self._first, 0, []
            self._has_moved = True
            self.missing = frozenset()

    def _may_have_moved(self, page: Page) -> bool:
        """Return whether rows may have moved since the page before was read."""
        if self._number == self._first or self._moves >= MAX_MOVES:
            return False
        total = self._stated_rows(page)
        if total is not None:
            return total != self._total_rows
        # No row can move from an empty page to one that was not full.
        return bool(page.keys) or not self._short or self._has_read_ahead

    def _stated_rows(self, page: Page) -> int | None:
        return stated_number(page.body, self._total_rows_path)

    def _stated_pages(self, page: Page) -> int | None:
        return stated_number(page.body, self._total_path)

    @override
    def move_on(self, page: Page) -> bool:
        self.missing = frozenset()
        if page.records and self._short:
            self._learn(self._short)
        self._short = 0
        if self._is_last(page):
            return False
        self._number += 1
        return self._maximum is None or self._number < self._maximum

    def _learn(self, rows: int) -> None:
        """Learn that a page follows one that seemed to be the last.

        Args:
            rows: The rows of that one.
        """
        passed = self._sizes.learn(rows) if self._sizes else 0
        if passed:
            raise PaginationError(
                f"returned more rows after a page of {rows}, the size of {passed} last pages",
                f"It limits pages to {rows} rows: ask for {rows} at once.",
            )

    def _is_last(self, page: Page) -> bool:
        """Return whether the list ends with a page."""
        has_more = says_more(page.body, self._has_more_path)
        if has_more is False:
            return True
        link = link_in(page.body, self._next_url_path) if self._next_url_path else None
        if link is not None:
            self._check_link(link)
            return False
        if offers_next(page.body, self._number, self._field.param):
            may_end = not page.records and self._stop_after_empty_page
            return may_end and not self._passes_empty()
        return self._ends_without_link(page, has_more=bool(has_more))

    def _ends_without_link(self, page: Page, *, has_more: bool) -> bool:
        """Return whether the list ends with a page that links to no later one.

        Args:
            page: The page.
            has_more: Whether the body says that more pages follow.
        """
        pages = self._stated_pages(page)
        parent = self._next_url_path.partition(".")[0]
        if pages is None and parent and isinstance(responses.find(page.body, parent), dict):
            return True
        if pages is not None:
            return self._number >= self._base + pages - 1
        if not page.records:
            return self._stop_after_empty_page and not has_more
        return not has_more and self._ends_short(len(page.records))

    def _passes_empty(self) -> bool:
        """Return whether the list continues after an empty page that links to the next one.

        All rows of a page may be hidden; or a server links from each page, whether the list has
        ended or not.
        """
        if self._empty_pages >= MAX_LINKED_EMPTY_PAGES:
            return False
        return self._empty_pages > 0 or self._sizes is None or self._sizes.passes_empty()

    def _ends_short(self, rows: int) -> bool:
        """Return whether a list ends with a page of this many rows, although nothing says so."""
        if self._sizes and self._sizes.is_last(rows):
            return True
        if not self._sizes or self._sizes.is_short(rows):
            self._short, self.missing = rows, BEYOND_END
        return False

    def _check_link(self, link: object) -> None:
        """Check that a link leads to the next page, so that no page is left out."""
        query = parse_qs(urlsplit(resolve_link(link, self._url)).query)
        if query.get(self._field.param) != [str(self._number + 1)]:
            raise PaginationError("returned a next link that does not lead to the next page")
