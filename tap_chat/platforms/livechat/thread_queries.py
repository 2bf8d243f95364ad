"""The queries of LiveChat's archive: one for each window of time, with pages of 100 threads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.platforms.livechat.account_stream import BEGINNING
from tap_chat.platforms.livechat.archive import ArchiveStream, thread_row
from tap_chat.platforms.livechat.visibility import describe_groups
from tap_chat.platforms.livechat.web_api import PAGE_SIZE
from tap_chat.singer.timestamps import write_datetime
from tap_chat.streams.probes import Probe
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.windows import TimeWindow, TimeWindows, consecutive_windows, windows_plan

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
        spans = consecutive_windows(first, last, self.settings.batch_size * DAY)
        return TimeWindows(self.read_ahead(windows_plan(self.name, spans, self.window_plan)))

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
    return isinstance(count, int) and count > LARGEST_COUNT
