"""The paginators of a declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_chat.declarations import format as declared
from tap_chat.streams import paginators

if TYPE_CHECKING:
    from tap_chat.streams.paginators import Paginator


def paginator_of(paginator: declared.Paginator | None) -> Paginator:  # noqa: PLR0911 - one for each paginator
    """Return a new paginator for one list.

    Args:
        paginator: What the declaration says; None if it says nothing.
    """
    match paginator:
        case declared.OffsetPaginator():
            return paginators.OffsetPaginator(
                paginator.limit,
                paginator.offset_param or "offset",
                paginator.limit_param or "limit",
                offset_body_path=paginator.offset_body_path or "",
                limit_body_path=paginator.limit_body_path or "",
                offset=paginator.offset,
                total_path=paginator.total_path or "",
                has_more_path=paginator.has_more_path or "",
                maximum_offset=paginator.maximum_offset,
            )
        case declared.PageNumberPaginator():
            return paginators.PageNumberPaginator(
                paginator.page_param or "page",
                paginator.page_body_path or "",
                base_page=paginator.base_page,
                page=paginator.page,
                total_path=paginator.total_path or "",
                has_more_path=paginator.has_more_path or "",
                maximum_page=paginator.maximum_page,
                stop_after_empty_page=paginator.stop_after_empty_page,
            )
        case declared.CursorPaginator():
            return paginators.CursorPaginator(
                paginator.cursor_path,
                paginator.cursor_param or "cursor",
                paginator.cursor_body_path or "",
                has_more_path=paginator.has_more_path or "",
                stop_after_empty_page=paginator.stop_after_empty_page,
            )
        case declared.HeaderCursorPaginator():
            return paginators.HeaderCursorPaginator(paginator.cursor_key, paginator.cursor_param)
        case declared.JSONLinkPaginator():
            return paginators.JSONLinkPaginator(paginator.next_url_path)
        case declared.HeaderLinkPaginator():
            return paginators.HeaderLinkPaginator(paginator.links_next_key)
        case _:
            return paginators.SinglePagePaginator()
