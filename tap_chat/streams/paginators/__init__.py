"""Paginators, one for each way in which APIs page lists.

| class | how the next page is requested | where the list ends |
| --- | --- | --- |
| `SinglePagePaginator` | nothing | its only page |
| `OffsetPaginator` | the number of rows before it | nothing new, a total, `has_more`, a maximum |
| `PageNumberPaginator` | its number | an empty page, a total, `has_more`, a maximum |
| `JSONLinkPaginator` | a link in the body | a page without a link |
| `HeaderLinkPaginator` | a link in the header `Link` | a page without a link |
| `CursorPaginator` | a cursor in the body | a page without a cursor, `has_more` |
| `HeaderCursorPaginator` | a cursor in a header | a page without a cursor |
| `DetectedPaginator` | as one of these, as the first page tells | as that one |

A repeated page, link or cursor is an error, so that reading always ends.
"""

from __future__ import annotations

from tap_chat.streams.paginators.base import BEYOND_END, Paginator
from tap_chat.streams.paginators.cursors import CursorPaginator, HeaderCursorPaginator
from tap_chat.streams.paginators.detected import DetectedPaginator
from tap_chat.streams.paginators.links import HeaderLinkPaginator, JSONLinkPaginator
from tap_chat.streams.paginators.offsets import OffsetPaginator
from tap_chat.streams.paginators.page_numbers import PageNumberPaginator
from tap_chat.streams.paginators.page_sizes import PageSizes
from tap_chat.streams.paginators.pages import (
    EMPTY_PAGE,
    Page,
    PaginationError,
    RepeatedPageError,
)
from tap_chat.streams.paginators.single import SinglePagePaginator

__all__ = [
    "BEYOND_END",
    "EMPTY_PAGE",
    "CursorPaginator",
    "DetectedPaginator",
    "HeaderCursorPaginator",
    "HeaderLinkPaginator",
    "JSONLinkPaginator",
    "OffsetPaginator",
    "Page",
    "PageNumberPaginator",
    "PageSizes",
    "PaginationError",
    "Paginator",
    "RepeatedPageError",
    "SinglePagePaginator",
]
