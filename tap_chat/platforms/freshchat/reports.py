"""The streams of Freshchat's raw reports: ratings, events of conversations, transcripts.

A report covers a span of time, and is made by a job. Each stream is read in windows, oldest first.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_chat.platforms.freshchat import report_fields
from tap_chat.platforms.freshchat.report_columns import OTHER, ReportColumns, digest_of, read_number
from tap_chat.platforms.freshchat.report_reader import (
    OVERLAP,
    TRANSCRIPT,
    TRANSCRIPT_WINDOW,
    TRANSCRIPTS,
    WINDOW,
    ReportReader,
    earliest_start,
    latest_end,
    span_of,
    windows,
)
from tap_chat.platforms.freshchat.streams import FreshchatStream
from tap_chat.platforms.freshchat.users import days_before
from tap_chat.singer.bookmarks import Bookmarks
from tap_chat.singer.timestamps import read_datetime, write_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from singer_sdk.helpers.types import Context

    from tap_chat.platforms.freshchat.report_queue import ReportSpan
    from tap_chat.singer.bookmarks import Bookmark
    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.read_plans import ReadPlan

    Window = tuple[datetime, datetime]

#: Other names of columns that most reports have.
SHARED_ALIASES = {"agent_id": ("actor_id",), "agent_name": ("actor_name",)}


class ReportBookmarks(Bookmarks):
    """Bookmarks that the windows of a stream move, not its records."""

    @override
    def advance(self, values: Sequence[object], replication_key: str) -> None:
        self.unusable += sum(value is None for value in values)


class FreshchatReport(FreshchatStream):
    """A stream of reports."""

    path = "/reports/raw"
    records_path = ""
    raw_reader = None
    bookmarks_class = ReportBookmarks
    #: The reports. They have the same columns.
    events: ClassVar[tuple[str, ...]]
    columns: ClassVar[ReportColumns]
    #: The longest window.
    window: ClassVar[timedelta] = WINDOW
    #: The number of rows that have the key of another, and differ from it.
    _repeated = 0

    @cached_property
    def reader(self) -> ReportReader:
        """Reads the reports."""
        return ReportReader(self, self.columns)

    @property
    @override
    def first_bookmark(self) -> str:
        wanted = self._wanted_start
        return write_datetime(max(self._earliest, wanted) if wanted else self._earliest)

    @property
    def _wanted_start(self) -> datetime | None:
        """The start that the settings want."""
        starts = (self.start_date, read_datetime(self.settings.reports_start_date))
        return max((start for start in starts if start), default=None)

    @property
    def _earliest(self) -> datetime:
        """The earliest start of a report."""
        return earliest_start(self.started, self.settings.reports_months)

    @override
    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        self.reader.reports.expect(self._spans(self.planned_start))
        yield from ()

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        self._log_earliest()
        start = self.starting_bookmark
        self.reader.reports.expect(self._spans(start))
        written = set[object]()
        windows_to_read = [*self._windows(start)]
        for number, window in enumerate(windows_to_read):
            self.progress.reach(number / len(windows_to_read))
            written_before, written = written, set()
            for event in self.events:
                yield from self._read_report(event, window, written_before, written)
            self._advance(window)
        self._report_unusual()

    def _report_unusual(self) -> None:
        """Warn at the end of what was unusual."""
        self.reader.report()
        if self._repeated:
            self.logger.warning(
                "Rows of %s with the key of another row: %d. A loader that merges keeps the last.",
                self.name,
                self._repeated,
            )

    def _read_report(
        self, event: str, window: Window, written_before: set[object], written: set[object]
    ) -> Iterator[RecordChunk]:
        """Read a report of a window.

        Args:
            event: The report.
            window: The window.
            written_before: The keys of the records at the end of the window before.
            written: Gets the keys of the records at the end of this window.
        """
        first = 0
        rows: dict[int, int] = {}
        for request, records in self.reader.records(span_of(event, window)):
            finished = [self._finish_apart(event, record, rows) for record in records]
            page = self.make_page(request, finished, first=first)
            first += len(records)
            # The next report may have the rows at its start again.
            times = map(read_datetime, page.chunk.bookmark_values)
            written.update(
                key
                for key, time in zip(page.keys, times, strict=True)
                if time and time >= window[1] - 2 * OVERLAP
            )
            yield page.chunk.only([key not in written_before for key in page.keys])

    def _finish_apart(self, event: str, row: Record, rows: dict[int, int]) -> Record:
        """Return a finished record, with a key of its own if another row of the report has its key.

        Args:
            event: The report.
            row: The row.
            rows: The digests of the rows of the report so far, by those of their keys: a large
                report takes little memory.
        """
        digest = hash(repr(row))
        record = self.finish(event, row)
        key = hash(tuple(record[name] for name in self.primary_keys))
        if rows.setdefault(key, digest) != digest:
            if self.columns.identity:
                return {**record, "id": digest_of(event, row, ())}
            self._repeated += 1
        return record

    def finish(self, event: str, record: Record) -> Record:
        """Return a record with the fields that are derived.

        Args:
            event: The report.
            record: The row.
        """
        time = self.columns.time
        has_time = record.get(time) or time in record.get(OTHER, {})
        # Without a time, the other fields of the identity are the same for many rows.
        identity = self.columns.identity if has_time else ()
        return {**record, "id": digest_of(event, record, identity)}

    def _advance(self, window: Window) -> None:
        """Move the bookmark to the end of a window, or to when its reports were made."""
        start, end = window
        made_at = min(
            self.reader.reports.job(span_of(event, window)).sent_at for event in self.events
        )
        passed = self.safe_time(start, made_at)
        self.advance_to(write_datetime(max(start, min(end, passed))))

    def _windows(self, bookmark: Bookmark | None) -> Iterator[Window]:
        since = days_before(str(bookmark or self.first_bookmark), self.settings.lookback_days)
        start = read_datetime(max(since or "", self.first_bookmark))
        end = latest_end(self.end_date, self.started)
        return windows(start or self._earliest, end, self.window)

    def _spans(self, bookmark: Bookmark | None) -> Iterator[ReportSpan]:
        for window in self._windows(bookmark):
            for event in self.events:
                yield span_of(event, window)

    def _log_earliest(self) -> None:
        """Log if this run can't start where it should, because reports do not go back so far."""
        saved = read_datetime(self.saved_state.get("replication_key_value"))
        wanted = saved or self._wanted_start
        if wanted is None or wanted < self._earliest:
            log = self.logger.info if wanted is None else self.logger.warning
            log(
                "Freshchat makes reports of the last %d months (freshchat.reports_months): %s is"
                " read from %s on.",
                self.settings.reports_months,
                self.name,
                self._earliest.date(),
            )


class FreshchatCsatScores(FreshchatReport):
    """The ratings of conversations. They are in no other part of the API."""

    name = "freshchat_csat_scores"
    events = ("CSAT-Score",)
    primary_keys = ("id",)
    replication_key = "created_at"
    schema = report_fields.CSAT_SCORES
    columns = ReportColumns(
        names=report_fields.columns_of(schema),
        time="created_at",
        required=("conversation_id",),
        aliases={
            "created_at": ("csat_rated_at", "created_time"),
            "value": ("csat_score", "rating"),
            "csat_id": ("survey_id",),
            "csat_response": ("comment", "feedback"),
            **SHARED_ALIASES,
        },
        identity=("conversation_id", "interaction_id", "csat_id", "created_at", "agent_id"),
    )

    @override
    def finish(self, event: str, record: Record) -> Record:
        return super().finish(event, record) | {"score": read_number(record.get("value"))}


class FreshchatConversationEvents(FreshchatReport):
    """The events of conversations: created, assigned, resolved, labelled."""

    name = "freshchat_conversation_events"
    events = (
        "Conversation-Created",
        "Conversation-Agent-Assigned",
        "Conversation-Group-Assigned",
        "Conversation-Resolved",
        "Conversation-Resolution-Label",
    )
    primary_keys = ("id",)
    replication_key = "created_at"
    schema = report_fields.CONVERSATION_EVENTS
    columns = ReportColumns(
        names=report_fields.columns_of(schema),
        time="created_at",
        required=("conversation_id",),
        aliases={
            "created_at": ("created_time", "assigned_at", "resolved_at"),
            "label_category_name": ("resolution_label", "label"),
            # Freshchat: a file was seen that lacks the first letter.
            "label_sub_category_name": ("abel_sub_category_name", "sub_label"),
            **SHARED_ALIASES,
        },
        identity=(
            "conversation_id",
            "interaction_id",
            "created_at",
            "agent_id",
            "group_id",
            "label_category_id",
            "label_category_name",
            "label_sub_category_id",
            "label_sub_category_name",
        ),
    )

    @override
    def finish(self, event: str, record: Record) -> Record:
        return super().finish(event, record) | {"event": event}


class FreshchatChatTranscripts(FreshchatReport):
    """The messages of conversations as transcripts: texts without their parts."""

    name = "freshchat_chat_transcripts"
    events = (TRANSCRIPT,)
    primary_keys = ("message_id",)
    replication_key = "created_time"
    schema = report_fields.CHAT_TRANSCRIPTS
    columns = TRANSCRIPTS
    window = TRANSCRIPT_WINDOW

    @override
    def finish(self, event: str, record: Record) -> Record:
        if not record.get("message_id"):
            record["message_id"] = digest_of(event, record, ())
        return record
