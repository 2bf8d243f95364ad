"""Lists in one response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.streams.paginators.base import Paginator

if TYPE_CHECKING:
    from tap_chat.http.request import Request
    from tap_chat.streams.paginators.pages import Page


class SinglePagePaginator(Paginator):
    """One page and no more."""

    @override
    def page_request(self, request: Request) -> Request:
        return request

    @override
    def move_on(self, page: Page) -> bool:
        return False
