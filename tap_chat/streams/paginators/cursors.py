"""Lists whose pages have a cursor for the next page: in the body, or in a header."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.http.json_path import find_first
from tap_chat.streams.paginators.base import Paginator, says_more
from tap_chat.streams.paginators.pages import PaginationError
from tap_chat.streams.paginators.repeats import RepeatDetector
from tap_chat.streams.paginators.request_field import RequestField

if TYPE_CHECKING:
    from tap_chat.http.request import Request
    from tap_chat.streams.paginators.pages import Page

Cursor = str | int | Decimal

# How links begin. A server that is sent one as a cursor returns an error, or the first page again.
LINKS = ("http://", "https://")
LINK_REMEDY = "If it leads to the next page, the list is paged by links, not by cursors."


class BaseCursorPaginator(Paginator):
    """Pages by the cursor of the page before.

    A list ends at a page without a cursor, or at an empty page that repeats the cursor of its
    request. Any other repeated cursor is an error.

    Args:
        cursor_param: The query parameter that takes the cursor.
        cursor_body_path: The path in the JSON body that takes the cursor instead: names with dots
            between them.
    """

    def __init__(self, cursor_param: str, cursor_body_path: str = "") -> None:
        super().__init__()
        self._field = RequestField(cursor_param, cursor_body_path)
        self._cursor: Cursor | None = None
        self._cursors = RepeatDetector()

    @override
    def page_request(self, request: Request) -> Request:
        if self._cursor is None:
            return request
        return self._field.set(request, self._cursor)

    @override
    def move_on(self, page: Page) -> bool:
        cursor = self.find_cursor(page)
        if cursor is None or (cursor == self._cursor and not page.records):
            return False
        if not isinstance(cursor, (str, int, Decimal)) or isinstance(cursor, bool):
            raise PaginationError("returned a cursor that is neither a text nor a number")
        if isinstance(cursor, str) and cursor.startswith(LINKS):
            raise PaginationError("returned a link where a cursor is expected", LINK_REMEDY)
        if self._cursors.add(cursor):
            raise PaginationError("repeated a cursor")
        self._cursor = cursor
        return True

    @abstractmethod
    def find_cursor(self, page: Page) -> object:
        """Return the cursor of the next page, or None if there is none."""


class CursorPaginator(BaseCursorPaginator):
    """Pages with the cursor in their body.

    Args:
        cursor_path: The JSONPath of the cursor in a response.
        cursor_param: The query parameter that takes the cursor.
        cursor_body_path: The path in the JSON body of the request that takes it instead.
        has_more_path: The JSONPath of what says whether more pages follow; empty if none.
        stop_after_empty_page: Whether the list ends at an empty page, even if it has a cursor.
        page_size: The number of records of every page but the last; 0 if that is not known.
    """

    def __init__(  # noqa: PLR0913 - what a declaration may say
        self,
        cursor_path: str = "cursors.next",
        cursor_param: str = "cursor",
        cursor_body_path: str = "",
        *,
        has_more_path: str = "",
        stop_after_empty_page: bool = False,
        page_size: int = 0,
    ) -> None:
        super().__init__(cursor_param, cursor_body_path)
        self._page_size = page_size
        self._path = cursor_path
        self._has_more_path = has_more_path
        self._stop_after_empty_page = stop_after_empty_page

    @override
    def find_cursor(self, page: Page) -> object:
        if self._stop_after_empty_page and not page.records:
            return None
        if len(page.records) < self._page_size:
            return None
        has_more = says_more(page.body, self._has_more_path)
        if has_more is False:
            return None
        cursor = find_first(page.body, self._path) or None
        if cursor is None and has_more:
            raise PaginationError(
                f"says that more pages follow, but has no cursor at `{self._path}`",
                "Correct `cursor_path`.",
            )
        return cursor


class HeaderCursorPaginator(BaseCursorPaginator):
    """Pages with the cursor in a header of their response.

    Args:
        cursor_key: The name of the header.
        cursor_param: The query parameter that takes the cursor.
    """

    reads_headers = True

    def __init__(self, cursor_key: str = "next", cursor_param: str = "cursor") -> None:
        super().__init__(cursor_param)
        self._header = cursor_key

    @override
    def find_cursor(self, page: Page) -> object:
        return page.headers.get(self._header) or None
