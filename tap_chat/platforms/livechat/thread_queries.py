"""The queries of LiveChat's archive: one for each window of time, with pages of 100 threads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.errors import RequestError
from tap_chat.platforms.livechat.account_stream import BEGINNING
from tap_chat.platforms.livechat.archive import ArchiveStream, thread_row
from tap_chat.platforms.livechat.visibility import describe_groups
from tap_chat.platforms.livechat.web_api import NEXT_PAGE, PAGE_SIZE, decoded
from tap_chat.singer.timestamps import read_datetime, write_datetime
from tap_chat.streams.probes import Probe
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.windows import TimeWindow, TimeWindows, consecutive_windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_chat.http.request import Request
    from tap_chat.streams.paginators import Page

MILLISECOND = timedelta(milliseconds=1)
#: In seconds.
HOUR, DAY = 3600, 86400

#: A window with more threads than this is halved, unless it is as small as `SMALLEST`: a run that
#: is interrupted repeats its window. LiveChat's number of threads is an estimate.
LARGEST_COUNT = 5000
SMALLEST = HOUR

#: If a run starts with more windows than this, it looks for the first thread.
SEARCHED_WINDOWS = 3


class ThreadQueries(ArchiveStream):
    """The stream of the threads, as far as it sends requests."""

    records_path = "chats"

    def windows_from(self, bookmark: str) -> TimeWindows:
        """Return the windows to read, in seconds since 1970.

        Args:
            bookmark: Where the run starts.
        """
        start = datetime.fromisoformat(bookmark) - timedelta(days=self.settings.lookback)
        first, last = int(max(start, BEGINNING).timestamp()), ceil(self.end_date.timestamp())
        spans = self._spans(TimeWindow(first, last))
        return TimeWindows(self.windows_ahead(self.name, spans, self.window_plan, last))

    def _spans(self, whole: TimeWindow) -> Iterator[TimeWindow]:
        """Yield the windows of a span: one up to its first thread, which should be empty, and more.

        LiveChat charges for each request, and a first run may start years before the first thread.
        The window up to that thread is read as well: LiveChat may sort by another time.
        """
        size = self.settings.batch_size * DAY
        begun = whole.start
        if whole.size > SEARCHED_WINDOWS * size:
            begun = self._first_thread(whole)
        if begun > whole.start:
            yield TimeWindow(whole.start, begun)
        yield from consecutive_windows(begun, whole.end, size)

    def _first_thread(self, window: TimeWindow) -> int:
        """Return when the first thread of a window began; its start if LiveChat does not say so."""
        request = self._request_of(window)
        request = replace(request, body=request.body | {"limit": 1})
        try:
            chats = self.find_records(self.client.send(request, decoded))
        except RequestError as error:
            # Each of the smaller windows is requested: what is wrong is an error there.
            self.logger.debug("The first thread was not found: %s", error)
            return window.start
        if chats == []:
            return window.end
        first = chats[0] if isinstance(chats, list) else None
        created = read_datetime(responses.find(first, "thread.created_at"))
        if created is None:
            return window.start
        return min(max(int(created.timestamp()), window.start), window.end)

    def window_plan(self, window: TimeWindow) -> ReadPlan[Page | None]:
        """Return the plan of the pages of a window; its only value is None if it is too large."""

        def steps(ahead: RequestsAhead) -> Iterator[Fetched[Page | None]]:
            request = self._request_of(window)
            for number, page in enumerate(self.fetch_pages(request, None, None, ahead)):
                if number == 0 and window.size > SMALLEST and is_too_large(page.value):
                    yield Fetched(None, last=True)
                    return
                yield page

        return ReadPlan((self.name, window), steps)

    def _request_of(self, window: TimeWindow) -> Request:
        """Return the request of the first page of a window.

        LiveChat does not document whether the bounds of a request belong to its interval. Windows
        share their ends, and each request starts a millisecond before its window, and ends one
        after it.
        """
        start, end = (datetime.fromtimestamp(time, UTC) for time in (window.start, window.end))
        bounds = {
            "from": write_datetime(start - MILLISECOND),
            "to": write_datetime(end + MILLISECOND),
        }
        return self.post(self.action, {"filters": bounds, "sort_order": "asc", "limit": PAGE_SIZE})

    @override
    def find_records(self, body: Any) -> Any:
        found = super().find_records(body)
        is_empty = found is None and responses.find(body, "found_chats") == 0
        return [] if is_empty else found

    @override
    def check_page(self, request: Request, body: Any, context: Context | None = None) -> Page:
        chats = self.find_records(body)
        if not isinstance(chats, list):
            raise self.no_records_error(request, body)
        return self.make_page(request, [thread_row(chat) for chat in chats], body)

    @override
    def probe(self) -> Probe:
        end = ceil(self.end_date.timestamp())
        request = self._request_of(TimeWindow(end - DAY, end))
        request = replace(request, body=request.body | {"limit": 1})
        return Probe(
            request,
            partial(self.check_page, request),
            "the first thread of a day",
            partial(describe_groups, self),
        )


def is_too_large(page: Page) -> bool:
    """Return whether a window has too many threads, given its first page."""
    count = responses.find(page.body, "found_chats")
    has_more = bool(responses.find(page.body, NEXT_PAGE))
    return has_more and isinstance(count, int) and count > LARGEST_COUNT
