"""The paginators of declarations, as those that all platforms share."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from tap_chat.declarations import format as declared
from tap_chat.platforms.rest.detection import describe_paging
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

    def new(self) -> Paginator:
        """Return a new paginator for one list."""
        return self._of(self.declaration)

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
