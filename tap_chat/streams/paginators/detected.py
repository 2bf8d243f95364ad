"""Lists whose first page tells how they are paged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.streams.paginators.base import Paginator

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_chat.http.request import Request
    from tap_chat.streams.paginators.pages import Page
    from tap_chat.streams.read_plans import Expected


class DetectedPaginator(Paginator):
    """Pages as the first page tells.

    Args:
        detect: Returns the paginator of a list, given its first page. That page must be what the
            paginator would have requested first.
    """

    reads_headers = True

    def __init__(self, detect: Callable[[Page], Paginator]) -> None:
        super().__init__()
        self._detect = detect
        self._detected: Paginator | None = None
        self._request: Request | None = None

    @override
    def page_request(self, request: Request) -> Request:
        self._request = request
        return self._detected.page_request(request) if self._detected else request

    @override
    def expected_requests(self, request: Request, most_ahead: int) -> list[Expected[Request]]:
        if self._detected:
            return self._detected.expected_requests(request, most_ahead)
        return super().expected_requests(request, most_ahead)

    @override
    def accepts_ahead(self, page: Page) -> bool:
        return self._detected is not None and self._detected.accepts_ahead(page)

    @override
    def advance(self, page: Page) -> Page:
        if not self._detected:
            self._detected = self._detect(page)
            if self._request:
                self._detected.page_request(self._request)
        return self._followed(self._detected, self._detected.advance(page))

    @override
    def miss(self, predicate: str) -> Page:
        if not self._detected:
            return super().miss(predicate)
        return self._followed(self._detected, self._detected.miss(predicate))

    @override
    def move_on(self, page: Page) -> bool:
        return not self.finished

    @property
    @override
    def total(self) -> int | None:
        return self._detected.total if self._detected else None

    @property
    @override
    def shortfall(self) -> tuple[int, int] | None:
        return self._detected.shortfall if self._detected else None

    @property
    @override
    def doubt(self) -> str:
        return self._detected.doubt if self._detected else ""

    def _followed(self, detected: Paginator, page: Page) -> Page:
        self.finished, self.missing = detected.finished, detected.missing
        return page
