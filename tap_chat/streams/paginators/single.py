"""Lists in one response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.streams.paginators.base import Paginator

if TYPE_CHECKING:
    from tap_chat.http.request import Request
    from tap_chat.streams.paginators.pages import Page


class SinglePagePaginator(Paginator):
    """One page and no more.

    Args:
        page_size: The most records that the API returns; 0 if that is not known.
    """

    def __init__(self, page_size: int = 0) -> None:
        super().__init__()
        self._page_size = page_size
        self._is_full = False

    @property
    @override
    def doubt(self) -> str:
        if self._is_full:
            return f"has {self._page_size} rows, the most that the API returns"
        return super().doubt

    @override
    def page_request(self, request: Request) -> Request:
        return request

    @override
    def move_on(self, page: Page) -> bool:
        self._is_full = 0 < self._page_size <= len(page.records)
        return False
