"""LiveChat's reports about chats: numbers by day, read in windows of days.

https://platform.text.com/docs/data-reporting/reports-api
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.clock import FAR
from tap_chat.platforms.livechat import account_fields
from tap_chat.platforms.livechat.account_stream import BEGINNING
from tap_chat.platforms.livechat.settings import remedies_of, zone_of
from tap_chat.platforms.livechat.web_api import WebStream
from tap_chat.singer.bookmarks import DATETIMES, TimeWindowBookmarks
from tap_chat.singer.timestamps import write_datetime
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.windows import TimeWindow, consecutive_windows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from singer_sdk.helpers.types import Context

    from tap_chat.http.request import Request
    from tap_chat.singer.bookmarks import BookmarkType
    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.paginators import Page

DAY = re.compile(r"\d{4}-\d\d-\d\d")
#: Both ends of the interval of a report belong to it.
LAST_MOMENT = timedelta(microseconds=1)

#: A window is so many times as long as one of threads: it has a record a day, and costs a request.
WINDOW_FACTOR = 12


class Report(WebStream):
    """A report with a record for each day that has chats."""

    records_path = "records"
    primary_keys = ("date",)
    replication_key = "date"
    has_windows = True
    bookmarks_class = TimeWindowBookmarks
    # In another time zone, the days are others, too.
    account_settings = ("user", "reports_timezone")
    remedies = remedies_of("reports", "reports_read")

    @property
    @override
    def bookmark_type(self) -> BookmarkType:
        return DATETIMES

    @property
    @override
    def first_bookmark(self) -> str:
        return write_datetime(max(self.start_date or BEGINNING, BEGINNING))

    @property
    def zone(self) -> tzinfo:
        """The time zone of the days."""
        return zone_of(self.settings.reports_timezone)

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        bookmark = datetime.fromisoformat(self.starting_bookmark or self.first_bookmark)
        start = max(bookmark - timedelta(days=self.settings.lookback), BEGINNING)
        # A day is read as a whole, even if `end_date` is in it: another run may have written it.
        first, last = (moment.astimezone(self.zone).date() for moment in (start, self.end_date))
        end = last.toordinal() + 1
        days = consecutive_windows(first.toordinal(), end, self.settings.batch_size * WINDOW_FACTOR)
        for window in self.windows_ahead(self.name, days, self._plan_of, end):
            for page in self.read_ahead(self._plan_of(window)):
                yield page.chunk
                sent_at = responses.http_date(page.headers.get("Date", "")) or FAR
                passed = self.safe_time(bookmark, sent_at)
                reached = min(self._midnight(window.end), self.end_date, passed)
                self.advance_to(write_datetime(reached.astimezone(UTC)))

    def _plan_of(self, window: TimeWindow) -> ReadPlan[Page]:
        """Return the plan of the request of a window of days."""

        def steps(ahead: RequestsAhead) -> Iterator[Fetched[Page]]:
            yield from self.fetch_pages(self._request_of(window), None, None, ahead)

        return ReadPlan((self.name, window), steps)

    def _request_of(self, window: TimeWindow) -> Request:
        start = self._midnight(window.start)
        # In UTC, as the hour before midnight may come twice.
        last = self._midnight(window.end).astimezone(UTC) - LAST_MOMENT
        end = last.astimezone(self.zone)
        return self.post(
            self.action,
            {
                "distribution": "day",
                "timezone": self.settings.reports_timezone,
                "filters": {
                    "from": start.isoformat(timespec="microseconds"),
                    "to": end.isoformat(timespec="microseconds"),
                },
            },
        )

    def _midnight(self, day: int) -> datetime:
        return datetime.combine(date.fromordinal(day), time.min, self.zone)

    @override
    def find_records(self, body: Any) -> Any:
        found = super().find_records(body)
        if not isinstance(found, dict):
            return found
        # A day without chats has no numbers.
        return [_record(day, numbers) for day, numbers in found.items() if numbers != {}]


def _record(day: str, numbers: Any) -> Any:  # noqa: ANN401 - anything but a record is an error later
    if not DAY.fullmatch(day) or not isinstance(numbers, dict):
        return None
    return {"date": day, **numbers}


class LiveChatTotalChats(Report):
    """The number of chats by day."""

    name = "livechat_report_total_chats"
    action = "reports/chats/total_chats"
    schema = account_fields.TOTAL_CHATS


class LiveChatResponseTime(Report):
    """The mean time until an agent responds, by day."""

    name = "livechat_report_response_time"
    action = "reports/chats/response_time"
    schema = account_fields.RESPONSE_TIME


class LiveChatRatings(Report):
    """The number of ratings by day."""

    name = "livechat_report_ratings"
    action = "reports/chats/ratings"
    schema = account_fields.RATINGS


class LiveChatDuration(Report):
    """The mean duration of chats by day."""

    name = "livechat_report_duration"
    action = "reports/chats/duration"
    schema = account_fields.DURATION
