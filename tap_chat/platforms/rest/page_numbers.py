"""Lists with page numbers, as declarations describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.streams.paginators import (
    BEYOND_END,
    EMPTY_PAGE,
    PageNumberPaginator,
    PaginationError,
    RepeatedPageError,
)
from tap_chat.streams.paginators.base import NO_CONTENT, says_more
from tap_chat.streams.paginators.next_links import offers_next

if TYPE_CHECKING:
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.paginators.stated_ends import StatedEnds

REPEATED_REMEDY = (
    "Check the parameter of the page number; if the API returns all rows at once, the paginator is"
    " `single_page`."
)


class DeclaredPageNumberPaginator(PageNumberPaginator):
    """Pages by number, of which nothing but the declaration is known.

    A list ends at a page without rows, at the stated number of pages, or where the body says that
    nothing follows. What contradicts that is checked with one more request: the next page may have
    rows.

    Args:
        ends: What the lists of the stream show about ends.
        page_param: See `PageNumberPaginator`.
        page_body_path: See `PageNumberPaginator`.
        checks: Whether a page is requested again after the next one, if no number of rows is
            stated.
        options: See `PageNumberPaginator`.
    """

    def __init__(
        self,
        ends: StatedEnds,
        page_param: str,
        page_body_path: str,
        *,
        checks: bool = True,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(page_param, page_body_path, **options)
        self._ends = ends
        self._checks = checks
        self._is_in_gap = False  # whether the page before had no rows
        self._doubt = ""

    @property
    @override
    def doubt(self) -> str:
        return self._doubt if self._doubt and self._ends.is_first_doubt() else ""

    @override
    def _read(self, page: Page) -> Page:
        if self._number == self._first + 1 and page.keys and page.keys != self._last:
            self._ends.has_pages = True
        if page.keys and page.keys == self._last:
            # After the end, some servers return the last page again; others ignore the number.
            if not self._ends.has_pages or self._number <= self._last_number(page):
                raise RepeatedPageError(REPEATED_REMEDY)
            return self._end_after_last()
        return super()._read(page)

    @property
    @override
    def _checks_all(self) -> bool:
        return self._checks and super()._checks_all

    @override
    def _may_have_moved(self, page: Page) -> bool:
        is_stated = self._stated_rows(page) is not None
        return (is_stated or self._checks) and super()._may_have_moved(page)

    @override
    def _stated_rows(self, page: Page) -> int | None:
        rows = responses.stated_total(page.body)
        # What is declared as the number of pages does not count rows, nor does a lower number.
        is_count = rows is not None and rows >= self._rows.count
        return rows if is_count and rows != super()._stated_pages(page) else None

    @override
    def _stated_pages(self, page: Page) -> int | None:
        return None if self._ends.is_wrong else super()._stated_pages(page)

    def _last_number(self, page: Page) -> int:
        """Return the number of the last page, as a page states it; otherwise a lower number."""
        pages = self._stated_pages(page)
        return self._first - 1 if pages is None else self._base + pages - 1

    @override
    def _is_last(self, page: Page) -> bool:
        rows = len(page.records)
        if not rows and self._stop_after_empty_page:
            return not self._may_be_gap(page)
        has_more = says_more(page.body, self._has_more_path)
        if has_more is False:
            return True
        self._is_in_gap = False
        # A 404 is an error, as in dlt: `response_actions` say if it is the end.
        self.missing = NO_CONTENT
        if self._stated_pages(page) is not None and self._number >= self._last_number(page):
            if self._number > self._last_number(page) and rows:
                self._ends.refute()
            elif not has_more and (not rows or self._is_trusted(page)):
                return True
            self._short, self.missing = rows, BEYOND_END
            return False
        self._short = 0 if self._ends.is_full(rows) else rows
        return False

    def _is_trusted(self, page: Page) -> bool:
        """Return whether a list ends with a page because it states no more pages."""
        if offers_next(page.body, self._number, self._field.param):
            self._ends.is_full(len(page.records))
            return False
        return self._ends.is_trusted(len(page.records))

    def _may_be_gap(self, page: Page) -> bool:
        """Return whether the page after an empty one is requested, as rows should follow."""
        try:
            has_more = says_more(page.body, self._has_more_path)
        except PaginationError:
            has_more = None
        last = self._last_number(page)
        if not (has_more or self._number < last):
            return False
        if self._is_in_gap:
            # The stated number may be that of the rows.
            rows = last - self._base + 1
            if has_more:
                self._doubt = "says that more pages follow, and the next ones have no rows"
            elif not self._rows.count <= rows <= self._largest * (self._number - self._first):
                self._doubt = (
                    f"states that it has {rows} pages, and ended before page {self._number}"
                )
            return False
        self._is_in_gap = True
        self.missing = BEYOND_END
        return True

    @override
    def _check_empty(self, page: Page) -> None:
        is_bounded = self._maximum is not None or self._stated_pages(page) is not None
        if self._stop_after_empty_page or not is_bounded:
            super()._check_empty(page)


class DetectedPageNumberPaginator(DeclaredPageNumberPaginator):
    """Pages by number, of which nothing but the number of pages is known.

    The first page was requested without a number, so it may be 0 or 1.

    Args:
        ends: What the lists of the stream show about ends.
        total_path: The JSONPath of the number of pages.
    """

    def __init__(self, ends: StatedEnds, total_path: str) -> None:
        super().__init__(ends, "page", "", base_page=0, total_path=total_path)

    @override
    def _read(self, page: Page) -> Page:
        if self._first == 0 and self._number == 1 and page.keys == self._last:
            self._base = self._first = self._furthest = 1
            self._number = 2
            return EMPTY_PAGE
        return super()._read(page)
