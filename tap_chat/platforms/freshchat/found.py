"""Finds the conversations that Freshchat's raw reports name in a span of time.

Transcripts name those with messages, also of users that did not change. Other reports name those
that were created, assigned or resolved without a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_chat.http.clock import FAR, is_behind
from tap_chat.platforms.freshchat.report_reader import (
    TRANSCRIPT,
    TRANSCRIPT_WINDOW,
    TRANSCRIPTS,
    WINDOW,
    ReportReader,
    latest_end,
    span_of,
    windows,
)
from tap_chat.platforms.freshchat.reports import FreshchatConversationEvents
from tap_chat.platforms.freshchat.resume import PassBatch, batches
from tap_chat.platforms.freshchat.streams import is_addressable
from tap_chat.singer.timestamps import write_datetime
from tap_chat.streams.read_plans import Fetched, RequestsAhead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_chat.platforms.freshchat.report_queue import ReportSpan
    from tap_chat.platforms.freshchat.resume import PassProgress
    from tap_chat.platforms.freshchat.streams import FreshchatStream
    from tap_chat.singer.records import Record


class ConversationFinder:
    """Finds the conversations that reports name.

    Args:
        stream: The stream, whose requests they are.

    Attributes:
        users: The conversations that were found, each with its user, as far as a report names it.
    """

    def __init__(self, stream: FreshchatStream) -> None:
        self._stream = stream
        self.users: dict[str, str] = {}
        self._nameless = 0

    def pending(
        self,
        since: datetime,
        progress: PassProgress | None,
        _: RequestsAhead,
    ) -> Iterator[Fetched[PassBatch]]:
        """Read all reports since a time, then yield the conversations that are left to read.

        Args:
            since: The time.
            progress: How far the pass has come; None at its start.

        Yields:
            A batch without conversations, then those that are left.
        """
        made_at = FAR
        end = latest_end(self._stream.end_date, self._stream.started)
        reports = list(self._reports(since, end))
        for reader, spans in reports:
            reader.reports.expect(spans)
        for reader, spans in reports:
            for span in spans:
                for _request, records in reader.records(span):
                    for record in records:
                        self._add(record)
                made_at = min(made_at, reader.reports.job(span).sent_at)
        if made_at is FAR or is_behind(made_at, since):
            made_at = self._stream.started
        listed_at = write_datetime(min(made_at, end))
        if self._nameless:
            self._stream.logger.warning(
                "Rows of reports that name no conversation: %d. What they tell of is not read.",
                self._nameless,
            )
        self._stream.warn_of_unaddressable("conversations", list(self.users))
        yield Fetched(PassBatch(listed_at))
        for batch in batches(filter(is_addressable, self.users), listed_at, progress):
            yield Fetched(batch)

    def _reports(
        self, since: datetime, end: datetime
    ) -> Iterator[tuple[ReportReader, list[ReportSpan]]]:
        """Yield each kind of report, with its spans between two times."""
        stream = self._stream
        changes: list[str] = [*stream.settings.change_reports]
        kinds = (
            ([TRANSCRIPT], TRANSCRIPTS, TRANSCRIPT_WINDOW),
            (changes, FreshchatConversationEvents.columns, WINDOW),
        )
        for events, columns, size in kinds:
            spans = [
                span_of(event, window) for window in windows(since, end, size) for event in events
            ]
            yield ReportReader(stream, columns), spans

    def _add(self, record: Record) -> None:
        conversation, user = record.get("conversation_id"), record.get("customer_id")
        if conversation:
            self.users[conversation] = user or self.users.get(conversation, "")
        else:
            self._nameless += 1
