"""The queries of LiveChat's chats: one for each window of days, with pages of 25 chats.

The first page states the number of chats. So the first pages of the next windows are fetched ahead,
and the further pages of each window, too.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.clock import FAR, time_of
from tap_chat.http.errors import MissingError
from tap_chat.http.request import Request
from tap_chat.platforms.livechat.base import LiveChatStream
from tap_chat.platforms.livechat.pages import ChatPage, QueryCap, rows_by_agent
from tap_chat.streams.probes import Probe
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.windows import TimeWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from singer_sdk import Tap

    from tap_chat.http.responses import Response
    from tap_chat.streams.session import Session

#: Statuses that may refuse a page after the last chat that a query returns.
MISSING_PAGE_STATUSES = (400, 404, 416, 422)


class ChatQueries(LiveChatStream):
    """The stream of the chats, as far as it sends requests."""

    records_path = "chats"

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        # How many chats a query returns. Workers only look at it.
        self.cap = QueryCap(self.settings.max_rows)

    def window_pages(self, window: TimeWindow, attempt: int = 0) -> Generator[ChatPage, None, None]:
        """Read the pages of a window, until one has nothing new or is refused.

        Args:
            window: The window.
            attempt: How often it was read before.

        Yields:
            Each page.
        """
        for first_page in self.read_ahead(self.window_plan(window, attempt)):
            yield first_page
            known = first_page.ids
            number, last = 1, first_page.pages <= 1
            while not last:
                number += 1
                try:
                    for page in self.read_ahead(self._page_plan(window, number, attempt)):
                        last = number >= page.pages or page.ids <= known
                        known |= page.ids
                        yield page
                except MissingError:
                    return

    def window_plan(self, window: TimeWindow, attempt: int = 0) -> ReadPlan[ChatPage]:
        """Return the plan of the first page of a window, which leads to the others."""

        def leads_to(page: ChatPage) -> Iterator[ReadPlan[ChatPage]]:
            if self.cap.covers(page.total):
                for number in range(2, page.expected_pages + 1):
                    yield self._page_plan(window, number, attempt)

        return self._page_plan(window, 1, attempt, leads_to)

    def _page_plan(
        self,
        window: TimeWindow,
        number: int,
        attempt: int,
        leads_to: Callable[[ChatPage], Iterator[ReadPlan[ChatPage]]] | None = None,
    ) -> ReadPlan[ChatPage]:
        def steps(_: RequestsAhead) -> Iterator[Fetched[ChatPage]]:
            page = self._fetch_page(window, number)
            yield Fetched(page, page.size, last=True)

        return ReadPlan((self.name, window, attempt, number), steps, leads_to)

    def _fetch_page(self, window: TimeWindow, number: int) -> ChatPage:
        """Fetch and check a page of a window."""
        request = self._request_of(window, number)
        missing = MISSING_PAGE_STATUSES if number > 1 else ()
        return self._parse_page(request, *self.client.send(request, read, missing=missing))

    @override
    def probe(self) -> Probe:
        day = self.end_date.date().toordinal()
        request = self._request_of(TimeWindow(day, day + 1), 1)
        return Probe(request, partial(self._parse_page, request), "the chats of a day")

    def _request_of(self, window: TimeWindow, number: int) -> Request:
        return Request(
            url=f"{self.url_base}{self.path}",
            params={
                "date_from": date.fromordinal(window.start).isoformat(),
                "date_to": date.fromordinal(window.end - 1).isoformat(),
                "include_pending": self.settings.include_pending,
                "page": number,
            },
            headers={"Accept": "application/json", "X-API-Version": "2"},
        )

    def _parse_page(
        self,
        request: Request,
        body: Any,  # noqa: ANN401
        size: int = 0,
        sent_at: datetime = FAR,
    ) -> ChatPage:
        total, pages, chats = (responses.find(body, name) for name in ("total", "pages", "chats"))
        if not (isinstance(total, int) and isinstance(pages, int) and isinstance(chats, list)):
            raise self.client.request_error(
                request,
                "returned a body without the list `chats` and the numbers `total` and `pages`, but"
                f" {responses.describe_shape(body)}",
                self.records_remedy,
            )
        rows = [rows_by_agent(chat) if isinstance(chat, dict) else [chat] for chat in chats]
        with self._checking:
            for index, of_chat in enumerate(rows):
                for row in of_chat:
                    self.conform(request, index, row)
        return ChatPage(request, total, pages, rows, size, sent_at)


def read(response: Response) -> tuple[Any, int, datetime]:
    """Return the decoded body of a response, its size in bytes, and when it was sent."""
    return responses.decode(response.body), len(response.body), time_of(response)
