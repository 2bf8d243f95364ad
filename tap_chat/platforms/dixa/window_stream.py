"""The base of the streams of Dixa that are read in windows of time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_chat.http.errors import IncompleteResponseError
from tap_chat.platforms.dixa.export_stream import ExportStream
from tap_chat.platforms.dixa.outside import OutsideCount
from tap_chat.platforms.dixa.queries import (
    DAY,
    MILLISECOND,
    MINUTE,
    Query,
    milliseconds,
    query_of_window,
)
from tap_chat.singer.bookmarks import MillisecondBookmarks
from tap_chat.streams.windows import TimeWindow, TimeWindows, consecutive_windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk import Tap

    from tap_chat.platforms.dixa.exports import Export
    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.read_plans import ReadPlan
    from tap_chat.streams.session import Session

#: Before Dixa was founded; PostHog's source of Dixa starts here, too.
BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)


class WindowStream(ExportStream):
    """A stream that is read in windows of its replication key."""

    #: The time by which the API filters, such as `updated`.
    filtered_by: ClassVar[str]
    #: Whether a record may be later than its window. Else, the run fails if many are.
    may_be_later: ClassVar[bool] = False
    has_windows = True
    bookmarks_class = MillisecondBookmarks

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        self.outside = OutsideCount()

    @property
    @override
    def first_bookmark(self) -> int:
        return milliseconds(max(self.start_date or BEGINNING, BEGINNING))

    @property
    def lag(self) -> int:
        """How long before now the last window ends, in ms."""
        return int(self.settings.lag_minutes * MINUTE)

    @property
    def end(self) -> int:
        """The end of the last window, in ms since 1970."""
        return milliseconds(self.end_date) - self.lag

    def start_of(self, bookmark: int) -> int:
        """Return the start of the first window, in ms since 1970.

        Args:
            bookmark: The bookmark at which the run starts.
        """
        lookback = int(self.settings.lookback_days * DAY)
        return max(bookmark - lookback, milliseconds(BEGINNING))

    def windows(self, start: int, end: int) -> Iterator[TimeWindow]:
        """Return consecutive windows.

        Args:
            start: The start of the first window, in ms since 1970.
            end: The end of the last window.
        """
        # Dixa allows 31 days for a request, and a request covers its window plus 1 ms.
        size = min(self.settings.batch_size * DAY, 31 * DAY - MILLISECOND)
        return consecutive_windows(start, end, size)

    def ahead(self, windows: Iterator[TimeWindow], path: str, field: str) -> TimeWindows:
        """Return windows whose exports are fetched ahead.

        Args:
            windows: The windows, oldest first.
            path: The path of the export.
            field: The time by which the API filters.
        """

        def plan_of(window: TimeWindow) -> ReadPlan[Export]:
            return self.plan_of(query_of_window(path, field, window))

        return TimeWindows(self.windows_ahead((self.name, path), windows, plan_of, self.end))

    def read_windows(self, bookmark: int) -> Iterator[RecordChunk]:
        """Read the windows from a bookmark on, and move the bookmark over them.

        Args:
            bookmark: The bookmark, in ms since 1970.

        Yields:
            The records of the windows, each version of a record once.
        """
        newest, now = bookmark, milliseconds(self.end_date)
        spans = self.windows(self.start_of(bookmark), self.end)
        windows = self.ahead(spans, self.path, self.filtered_by)
        written: set[tuple[Any, int]] = set()
        for window in windows:
            written_before, written = written, set()
            query = query_of_window(self.path, self.filtered_by, window)
            try:
                export = self.export_of(query)
                for page in self.pages_of(query, export):
                    self.check_times(
                        query,
                        window,
                        page.chunk.bookmark_values,
                        self.outside,
                        may_be_later=self.may_be_later,
                    )
                    times = [time or 0 for time in page.chunk.bookmark_values]
                    newest = max(newest, *(time for time in times if time <= now), 0)
                    versions = [(key[0], time) for key, time in zip(page.keys, times, strict=True)]
                    # The next window may return the records at its start again.
                    written.update(v for v in versions if v[1] >= window.end - MILLISECOND)
                    yield page.chunk.only([version not in written_before for version in versions])
            except IncompleteResponseError as error:
                # The halves return its records again. No bookmark has passed them.
                self.logger.info("%s Its window is halved.", error)
                windows.halve(window)
                written = written_before
            else:
                passed = self.passed(newest, export) - self.lag
                self.window_is_written(window, passed)

    def passed(self, known: int, export: Export) -> int:
        """Return a time that had passed at the server when it sent an export, in ms since 1970.

        Args:
            known: A time that has passed at the server, in ms since 1970.
            export: The export.
        """
        newest = datetime.fromtimestamp(known // 1000, UTC)
        return milliseconds(self.safe_time(newest, export.sent_at))

    def window_is_written(self, window: TimeWindow, passed: int) -> None:
        """Move the bookmark to the end of a window whose records are all written.

        Args:
            window: The window.
            passed: The time up to which its export is complete, in ms since 1970.
        """
        self.advance_to(min(window.end, passed))

    def check_times(
        self,
        query: Query,
        window: TimeWindow,
        times: Sequence[int | None],
        outside: OutsideCount,
        *,
        may_be_later: bool = False,
    ) -> None:
        """Check that the records of a page are in their window; see `OutsideCount`.

        Args:
            query: Their query.
            window: The window.
            times: The time of each record by which the API filters.
            outside: Counts those outside.
            may_be_later: Whether a record may be later than its window.

        Raises:
            RequestError: Too many records in a row are outside.
        """
        if not outside.add(window, times, may_be_later=may_be_later):
            raise self.client.request_error(
                self.request_of(query),
                "returned records outside the requested window",
                "Dixa does not filter as it should; it can't be read without losing records.",
            )
