"""Reads the rows of Freshchat's raw reports, window by window."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tap_chat.escapes import printable
from tap_chat.http.rate_limits.throttle import Throttle
from tap_chat.platforms.freshchat.report_columns import ReportColumns
from tap_chat.platforms.freshchat.report_fields import CHAT_TRANSCRIPTS, columns_of
from tap_chat.platforms.freshchat.report_files import FileError, csv_files
from tap_chat.platforms.freshchat.report_jobs import Reports
from tap_chat.platforms.freshchat.report_queue import ReportQueue, ReportSpan
from tap_chat.singer.timestamps import read_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_chat.http.request import Request
    from tap_chat.platforms.freshchat.streams import FreshchatStream
    from tap_chat.singer.records import Record

#: The API of requests for reports, which have a rate limit of their own.
REPORTS_API = "reports"

TRANSCRIPT = "Chat-Transcript"
TRANSCRIPTS = ReportColumns(
    names=columns_of(CHAT_TRANSCRIPTS),
    time="created_time",
    required=("message_id", "conversation_id"),
    aliases={"created_time": ("created_at",), "message": ("text", "message_text")},
)

#: The longest windows: of transcripts, and of other reports. With the overlap, spans stay below
#: the limits of 24 hours and about a month.
TRANSCRIPT_WINDOW = timedelta(hours=24) - timedelta(minutes=1)
WINDOW = timedelta(days=28)

#: Freshchat documents no bounds. A span starts this much before its window, so that nothing is
#: missed if a bound does not belong to it. Times may be in whole seconds.
OVERLAP = timedelta(seconds=1)

#: How far the clock of this machine may be ahead.
CLOCK_MARGIN = timedelta(minutes=1)

#: Records that are yielded at once.
CHUNK = 500

#: Rows may be this far outside of their window without a warning.
TOLERANCE = timedelta(minutes=5)

#: Characters of a column's name that are shown.
SHOWN_NAME = 60

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def earliest_start(now: datetime, months: int) -> datetime:
    """Return the earliest start of a report, with a day for the clock of the server.

    Args:
        now: The present time.
        months: How many months back reports go.
    """
    year, month = divmod(12 * now.year + now.month - 1 - months, 12)
    return datetime(year, month + 1, min(now.day, 28), tzinfo=UTC) + timedelta(days=1)


def latest_end(wanted: datetime, started: datetime) -> datetime:
    """Return the latest end of a report: Freshchat may refuse one in the future by its clock.

    Args:
        wanted: The end that is wanted.
        started: When the run began, by the clock of this machine.
    """
    return min(wanted, started - CLOCK_MARGIN)


class ReportReader:
    """Reads the rows of reports that have the same columns.

    Args:
        stream: The stream, whose requests they are.
        columns: The columns.

    Attributes:
        reports: Gets the reports.
    """

    def __init__(self, stream: FreshchatStream, columns: ReportColumns) -> None:
        session = stream.session
        workers, max_wait = session.fan_out.workers, stream.settings.max_wait
        loading = session.shared_once(
            "files of reports",
            lambda: Throttle(None, workers=workers, max_wait=max_wait, name="freshchat files"),
        )
        queue = session.shared_once("reports", lambda: ReportQueue(is_ahead=workers > 1))
        self.reports = Reports(stream, session.apis[REPORTS_API].throttle, loading, queue)
        self._columns = columns
        self._stream = stream
        self._unknown = set[str]()
        self._counts = Counter[str]()

    def records(self, span: ReportSpan) -> Iterator[tuple[Request, list[Record]]]:
        """Read a report.

        Args:
            span: The report.

        Yields:
            Some records, and their request for errors.

        Raises:
            RequestError: It can't be read.
        """
        for request, file in self.reports.files(span):
            predicate = ""
            try:
                for rows in csv_files(file):
                    for records in self._chunks(request, span, rows):
                        yield request, records
            except FileError as error:
                predicate = error.predicate
            if predicate:
                raise self._stream.client.request_error(
                    request, predicate, "Run again; if it fails each time, ask Freshchat's support."
                )

    def report(self) -> None:
        """Warn at the end of what was unusual."""
        name = self._stream.name
        if count := self._counts["unread"]:
            self._stream.logger.warning(
                "Rows of %s with a time that can't be read: %d. It is in `other_columns`.",
                name,
                count,
            )
        if count := self._counts["short"]:
            self._stream.logger.warning(
                "Rows of %s with fewer cells than their header: %d. The file may be cut off.",
                name,
                count,
            )
        if count := self._counts["outside"]:
            self._stream.logger.warning(
                "Rows of %s with a time outside the requested span: %d. They were written. Perhaps"
                " the times are not in UTC.",
                name,
                count,
            )

    def _chunks(
        self, request: Request, span: ReportSpan, rows: Iterator[list[str]]
    ) -> Iterator[list[Record]]:
        header: list[str] | None = None
        records: list[Record] = []
        for cells in rows:
            if not cells:
                continue  # an empty line
            if header is None:
                header = self._columns.header(cells)
                # Also if there are no rows: an error in place of the report may be one line.
                self._check_header(request, header)
                continue
            self._counts["short"] += len(cells) < len(header)
            records.append(self._columns.record(header, cells))
            if len(records) == CHUNK:
                yield self._checked(span, records)
                records = []
        if records:
            yield self._checked(span, records)

    def _check_header(self, request: Request, header: Sequence[str]) -> None:
        """Check that a file is the report, and warn once of each unknown column."""
        if missing := self._columns.missing(header):
            raise self._stream.client.request_error(
                request,
                f"returned a report without the column {missing[0]}",
                "Freshchat has changed the report; a newer version of the tap may know it.",
            )
        for name in self._columns.unknown(header):
            if name not in self._unknown:
                self._unknown.add(name)
                self._stream.logger.warning(
                    "The reports of %s have a column '%s' that is not declared: it is in"
                    " `other_columns`.",
                    self._stream.name,
                    printable(name[:SHOWN_NAME]),
                )

    def _checked(self, span: ReportSpan, records: list[Record]) -> list[Record]:
        """Count the times that can't be read, or are outside the span."""
        for record in records:
            time = read_datetime(record.get(self._columns.time))
            if time is None:
                self._counts["unread"] += 1
            elif not span.start - TOLERANCE <= time <= span.end + TOLERANCE:
                self._counts["outside"] += 1
        return records


def windows(start: datetime, end: datetime, size: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Yield the windows from a start to an end, oldest first.

    They end at multiples of their size, so that two streams request the same reports.

    Args:
        start: The start of the first window.
        end: The end of the last one.
        size: The size of a window; the first and the last may be smaller.
    """
    while start < end:
        stop = min(BEGINNING + ((start - BEGINNING) // size + 1) * size, end)
        yield start, stop
        start = stop


def span_of(event: str, window: tuple[datetime, datetime]) -> ReportSpan:
    """Return the report of a window."""
    start, end = window
    return ReportSpan(event, start - OVERLAP, end)
