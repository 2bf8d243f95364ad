"""The activity log of Dixa's main API, read in windows of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.platforms.dixa import main_fields as fields
from tap_chat.platforms.dixa.main_api import MainStream, decoded, without_zone
from tap_chat.platforms.dixa.main_paging import read_whole_list
from tap_chat.platforms.dixa.outside import OutsideCount
from tap_chat.platforms.dixa.queries import DAY, MILLISECOND, milliseconds
from tap_chat.platforms.dixa.window_stream import BEGINNING
from tap_chat.singer.bookmarks import Bookmarks
from tap_chat.singer.timestamps import read_datetime, write_datetime
from tap_chat.streams.raw_records import members
from tap_chat.streams.read_plans import ReadPlan, RequestsAhead
from tap_chat.streams.windows import TimeWindow, consecutive_windows, windows_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.http.request import Request
    from tap_chat.singer.bookmarks import Bookmark
    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.raw_records import PageReader
    from tap_chat.streams.read_plans import Fetched
    from tap_chat.streams.session import Session

SECOND = 1000 * MILLISECOND
WINDOW = 7 * DAY

#: How much more than its window a request covers, at both ends. It is not documented whether the
#: bounds belong to it, or whether it knows fractions of a second.
MARGIN = SECOND


class WindowedDatetimes(Bookmarks):
    """Bookmarks that are date-times. The windows of a stream move them, not its records."""

    @override
    def advance(self, values: Sequence[object], replication_key: str) -> None:
        self.unusable += sum(read_datetime(value) is None for value in values)


class LogStream(MainStream):
    """A stream that follows the activity log in windows of time."""

    has_windows = True

    @property
    @override
    def first_bookmark(self) -> Bookmark | None:
        return write_datetime(max(self.start_date or BEGINNING, BEGINNING))

    def windows_after(self, bookmark: Bookmark) -> Iterator[TimeWindow]:
        """Yield the windows from a bookmark to the end of the run, in ms since 1970.

        Args:
            bookmark: The bookmark, from which the lookback of the settings is taken.
        """
        lookback = timedelta(days=self.settings.lookback_days)
        start = max(datetime.fromisoformat(bookmark) - lookback, BEGINNING)
        return consecutive_windows(whole_second(start), self._end, WINDOW)

    def passed_by(self, window: TimeWindow, known: datetime) -> Bookmark:
        """Return the bookmark after a window: not later than the server's clock, less the lag.

        Args:
            window: The window, in ms since 1970.
            known: A time that has passed at the server.
        """
        passed = self.safe_time(known, self.clock.earliest) - self._lag
        return write_datetime(min(datetime.fromtimestamp(window.end / SECOND, UTC), passed))

    @property
    def _end(self) -> int:
        """The end of the last window, in ms since 1970."""
        return whole_second(self.end_date - self._lag)

    @property
    def _lag(self) -> timedelta:
        return timedelta(minutes=self.settings.lag_minutes)


class DixaActivityLog(LogStream):
    """The activities in conversations, with their authors.

    Attributes:
        newest: The time of the newest entry that was read.
    """

    name = "dixa_activity_log"
    path = "/conversations/activitylog"
    replication_key = "activityTimestamp"
    schema = fields.ACTIVITY_LOG
    bookmarks_class = WindowedDatetimes

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        self._outside = OutsideCount()
        self.newest = BEGINNING

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        windows = self.windows_after(self.starting_bookmark or self.first_bookmark)
        for window in self.read_ahead(windows_plan(self.name, windows, self._plan_of)):
            for page in self.read_ahead(self._plan_of(window)):
                yield page.chunk
            self.advance_to(self.passed_by(window, self.newest))
        if self._outside.total:
            self.logger.warning(
                "Entries of %s with a time outside the requested window: %d. They were written.",
                self.name,
                self._outside.total,
            )

    def _plan_of(self, window: TimeWindow) -> ReadPlan[Page]:
        """Return the plan of the pages of a window."""
        return ReadPlan((self.name, window), partial(self.fetch_window, window, self.page_reader))

    def fetch_window(
        self, window: TimeWindow, reader: PageReader | None, ahead: RequestsAhead
    ) -> Iterator[Fetched[Page]]:
        """Fetch the entries of a window.

        Args:
            window: The window, in ms since 1970.
            reader: Reads pages without decoding their records; None to decode them.
            ahead: Sends requests ahead.

        Yields:
            Each page, with the entries of the window that were not read before.
        """
        request = self.new_request(None).with_params(
            {"fromDatetime": iso(window.start - MARGIN), "toDatetime": iso(window.end + MARGIN)}
        )
        pages = read_whole_list(
            partial(self.fetch_pages, request, None, reader, ahead),
            lambda _: False,  # the window has passed
            partial(self._warn_unsettled, window),
        )
        for step in pages:
            yield step._replace(value=self._inside(request, window, step.value))

    def _inside(self, request: Request, window: TimeWindow, page: Page) -> Page:
        """Return the entries of a page without those that another window has.

        Raises:
            RequestError: Too many entries in a row are outside the window.
        """
        # A catalog may remove the replication key.
        values = page.chunk.bookmark_values or [
            without_zone(decoded(members(record).get("activityTimestamp")))
            for record in page.records
        ]
        times = [read_datetime(value) for value in values]
        known = (time for time in times if time and time <= self.end_date)
        self.newest = max(self.newest, BEGINNING, *known)
        stamps = [None if time is None else milliseconds(time) for time in times]
        if not self._outside.add(window, stamps):
            raise self.client.request_error(
                request,
                "returned records outside the requested window",
                "Dixa does not filter as it should; it can't be read without losing records.",
            )
        # The next window has the entries at the end of this one, if there is a next one.
        end = window.end + (window.end == self._end)
        return page.only([not is_neighbours(stamp, window.start, end) for stamp in stamps])

    def _warn_unsettled(self, window: TimeWindow) -> None:
        self.logger.warning(
            "The entries of %s from %s to %s changed while they were read, each of three times."
            " Some may be missing.",
            self.name,
            iso(window.start),
            iso(window.end),
        )


def is_neighbours(stamp: int | None, start: int, end: int) -> bool:
    """Return whether the window before or after another one has a time.

    A request covers more than its window. A time far outside is wrong, and has no window.

    Args:
        stamp: The time, in ms since 1970; None if it is unknown.
        start: The start of the window.
        end: Its end, which is outside.
    """
    if stamp is None:
        return False
    return start - 2 * MARGIN <= stamp < start or end <= stamp < end + 2 * MARGIN


def whole_second(time: datetime) -> int:
    """Return the last whole second up to a time, in ms since 1970."""
    return milliseconds(time) // SECOND * SECOND


def iso(stamp: int) -> str:
    """Return ms since 1970 as Dixa's filters take them, without fractions of a second."""
    return datetime.fromtimestamp(stamp // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
