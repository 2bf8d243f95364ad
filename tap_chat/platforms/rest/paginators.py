"""The paginators of declarations, as those that all platforms share."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from tap_chat.declarations import format as declared
from tap_chat.platforms.rest.detection import describe_paging, is_followed
from tap_chat.platforms.rest.offsets import DeclaredOffsetPaginator
from tap_chat.platforms.rest.page_numbers import (
    DeclaredPageNumberPaginator,
    DetectedPageNumberPaginator,
)
from tap_chat.streams import paginators
from tap_chat.streams.paginators.stated_ends import StatedEnds

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_chat.streams.paginators import Page, Paginator

logger = logging.getLogger(__name__)

#: The paginators that end a list with its first page if they look for the next one where it is not.
ENDED_BY_THE_FIRST_PAGE = (
    declared.SinglePagePaginator,
    declared.JSONLinkPaginator,
    declared.HeaderLinkPaginator,
    declared.CursorPaginator,
    declared.HeaderCursorPaginator,
)
#: The number of lists of a stream whose headers are looked at for the next page, too.
DOUBTED_BY_HEADERS = 10


@dataclass
class Paginators:
    """Makes the paginators of one stream: one for each of its lists.

    Attributes:
        stream: The name of the stream, for the log.
        declaration: What the declaration says; None for what the first page of a list tells.
        hosts: The hosts that next links may lead to, besides that of the page; None if no setting
            names them.
        checks_pages: The addition `check_pages`.
        page_size: The addition `page_size`; 0 if it is not there.
    """

    stream: str
    declaration: declared.Paginator | None
    hosts: Collection[str] | None = None
    checks_pages: bool = True
    page_size: int = 0
    _ends: StatedEnds = field(default_factory=StatedEnds)
    _has_logged: bool = False
    _has_doubted: bool = False
    _lists: int = 0

    def new(self) -> Paginator:
        """Return a new paginator for one list."""
        paginator = self._of(self.declaration)
        if isinstance(self.declaration, ENDED_BY_THE_FIRST_PAGE):
            paginator.doubts = self._doubts
            # The headers of all lists would take much memory.
            self._lists += 1
            paginator.reads_headers |= self._lists <= DOUBTED_BY_HEADERS
        return paginator

    def _doubts(self, page: Page) -> str:
        """Return why rows may be missing after a list of one page, as a predicate; else empty."""
        if self._has_doubted or not is_followed(page):
            return ""
        self._has_doubted = True
        return (
            "ended with its first page, but that page seems to have one after it. Perhaps the"
            f" paginator is {msgspec.json.encode(describe_paging(page)).decode()}"
        )

    def _of(self, declaration: declared.Paginator | None) -> Paginator:  # noqa: PLR0911 - one each
        match declaration:
            case declared.SinglePagePaginator():
                return paginators.SinglePagePaginator(self.page_size)
            case declared.OffsetPaginator():
                return DeclaredOffsetPaginator(
                    self._ends,
                    declaration.limit,
                    offset_param=declaration.offset_param or "offset",
                    limit_param=declaration.limit_param or "limit",
                    offset_body_path=declaration.offset_body_path or "",
                    limit_body_path=declaration.limit_body_path or "",
                    offset=declaration.offset,
                    total_path=declaration.total_path or "",
                    has_more_path=declaration.has_more_path or "",
                    maximum_offset=declaration.maximum_offset,
                    stop_after_empty_page=declaration.stop_after_empty_page,
                )
            case declared.PageNumberPaginator():
                return DeclaredPageNumberPaginator(
                    self._ends,
                    declaration.page_param or "page",
                    declaration.page_body_path or "",
                    checks=self.checks_pages,
                    base_page=declaration.base_page,
                    page=declaration.page,
                    total_path=declaration.total_path or "",
                    has_more_path=declaration.has_more_path or "",
                    maximum_page=declaration.maximum_page,
                    stop_after_empty_page=declaration.stop_after_empty_page,
                )
            case declared.JSONLinkPaginator():
                return paginators.JSONLinkPaginator(
                    declaration.next_url_path, self.hosts, self.page_size
                )
            case declared.HeaderLinkPaginator():
                return paginators.HeaderLinkPaginator(
                    declaration.links_next_key, self.hosts, self.page_size
                )
            case declared.CursorPaginator():
                return paginators.CursorPaginator(
                    declaration.cursor_path,
                    declaration.cursor_param or "cursor",
                    declaration.cursor_body_path or "",
                    has_more_path=declaration.has_more_path or "",
                    stop_after_empty_page=declaration.stop_after_empty_page,
                    page_size=self.page_size,
                )
            case declared.HeaderCursorPaginator():
                return paginators.HeaderCursorPaginator(
                    declaration.cursor_key, declaration.cursor_param
                )
            case _:
                return paginators.DetectedPaginator(self._detect)

    def _detect(self, page: Page) -> Paginator:
        """Return the paginator that the first page of a list tells."""
        described = describe_paging(page)
        if not self._has_logged:
            self._has_logged = True
            logger.info(
                "The first page of %s tells how its list is paged. To be sure, declare it:"
                " paginator: %s",
                self.stream,
                msgspec.json.encode(described).decode(),
            )
        if described["type"] == "page_number":
            return DetectedPageNumberPaginator(self._ends, total_path=described["total_path"])
        return self._of(msgspec.convert(described, declared.Paginator))
