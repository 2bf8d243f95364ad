"""The messages of Dixa, read in windows of creation, and again when their conversation changes.

The message export filters by the time of creation alone. So a message that is edited, or that Dixa
adds late, would never come. A change of its conversation shows that: a run lists the conversations
that have changed since the last one, and reads all messages of each by its id.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from tap_chat.http.errors import IncompleteResponseError, MissingError
from tap_chat.platforms.dixa.changed import ChangedConversation, conversation_of, owner_of
from tap_chat.platforms.dixa.export_stream import OtherBody
from tap_chat.platforms.dixa.fields import MESSAGES
from tap_chat.platforms.dixa.outside import MANY_OUTSIDE, OutsideCount
from tap_chat.platforms.dixa.queries import (
    MOST_CONVERSATIONS,
    Query,
    query_of_conversations,
    query_of_window,
)
from tap_chat.platforms.dixa.window_stream import WindowStream
from tap_chat.streams.read_plans import Fetched, ReadPlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.platforms.dixa.exports import Export
    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.session import Session
    from tap_chat.streams.windows import TimeWindow

CONVERSATIONS = "/conversation_export"
UPDATED = "updated"

#: The key in the STATE of the time until which the changes of conversations are read: every message
#: that is written is as it was then, or later.
CHANGES_UNTIL = "changes_until"


class DixaMessages(WindowStream):
    """The messages of all conversations."""

    name = "dixa_messages"
    path = "/message_export"
    filtered_by = "created"
    # The filter may compare the time of the conversation: Dixa does not say.
    may_be_later = True
    replication_key = "created_at"
    schema = MESSAGES
    bookmark_keys = ("replication_key_value", CHANGES_UNTIL)

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        # The number of messages in a row that are of none of the requested conversations.
        self._others_in_a_row = 0
        # The changed conversations that are outside their window, and those that are deleted.
        self._changed_outside = OutsideCount()
        self._deleted = self._deleted_in_a_row = 0
        # The time until which changes are read; 0 in a first run.
        self._changes_until = 0
        # Whether this run reads everything, and a time before which all its windows were read.
        self._is_first = True
        self._read_after = sys.maxsize

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        bookmark = self.starting_bookmark or self.first_bookmark
        start, changes_from = self.start_of(bookmark), self._changes_from
        rereads = self.settings.reread_messages
        self._is_first, self._changes_until = changes_from is None, changes_from or 0
        if changes_from is None and rereads and self.config.get("end_date"):
            # A window that is read alone. An interrupted run leaves no bookmark before this ends.
            yield from self._read_changed(start, start)
        yield from self.read_windows(bookmark)
        if changes_from is not None and rereads:
            yield from self._read_changed(changes_from, start)
        self._warn()

    @property
    def _changes_from(self) -> int | None:
        """The time from which changes of conversations are read; None for a first run.

        The bookmark can be long before it: a first run reads each message as it is now, whenever it
        was created.
        """
        bookmark: int | None = self.stream_state.get("replication_key_value")
        if self.starting_bookmark is None or bookmark is None:
            return None
        saved = self.stream_state.get(CHANGES_UNTIL)
        if not isinstance(saved, int) or self.state_manager.is_in_future(saved):
            return bookmark
        return saved

    @override
    def window_is_written(self, window: TimeWindow, passed: int) -> None:
        self._read_after = min(self._read_after, passed)
        if self._is_first and self.has_bookmarks:
            self.stream_state[CHANGES_UNTIL] = min(self.end, self._read_after)
        super().window_is_written(window, passed)

    def _changes_are_written(self, until: int, passed: int) -> None:
        """Save that the changes until a time are written.

        Args:
            until: The time, in ms since 1970.
            passed: The time up to which their list is complete, in ms since 1970.
        """
        self._read_after = min(self._read_after, passed)
        if self.has_bookmarks and not self._is_first:
            until = min(until, self._read_after)
            self._changes_until = max(self._changes_until, until)
            self.stream_state[CHANGES_UNTIL] = self._changes_until
            self._session.write_state(self.tap_state)

    def _read_changed(self, changes_from: int, start: int) -> Iterator[RecordChunk]:
        """Read the messages of the conversations that have changed.

        Args:
            changes_from: The time from which changes are listed, in ms since 1970.
            start: The start of the windows that this run has read, in ms since 1970.
        """
        windows = self.ahead(self.windows(changes_from, self.end), CONVERSATIONS, UPDATED)
        for window in windows:
            query = query_of_window(CONVERSATIONS, UPDATED, window)
            try:
                export = self.export_of(query)
                changed = {
                    conversation.id: conversation.changed_at
                    for conversation in self._conversations(query, window, export)
                    if not conversation.is_covered(start)
                }
            except IncompleteResponseError as error:
                self.logger.info("%s Its window is halved.", error)
                windows.halve(window)
                continue
            passed = self.passed(window.start, export) - self.lag
            # An interrupted run continues at the change that it had reached.
            ordered = sorted(changed, key=lambda key: (changed[key], key))
            for batch in self._batches(ordered):
                yield from self._read_batch(batch)
                self._changes_are_written(min(changed[batch[-1]], window.end), passed)
            self._changes_are_written(window.end, passed)

    def _conversations(
        self, query: Query, window: TimeWindow, export: Export
    ) -> Iterator[ChangedConversation]:
        """Read the conversations in the response to a query of a window.

        Raises:
            RequestError: The response has no list of conversations, or that of another window.
        """
        request = self.request_of(query)
        for part in self.parts_of(query, export):
            try:
                if isinstance(part, OtherBody):
                    conversations = msgspec.convert(
                        self.find_records(part.value), list[ChangedConversation]
                    )
                else:
                    conversations = [conversation_of(text) for text in part.texts]
            except msgspec.ValidationError:
                raise self.client.request_error(
                    request, "returned no list of conversations with ids", self.records_remedy
                ) from None
            times = [conversation.updated_at for conversation in conversations]
            known = [time for time in times if isinstance(time, int)]
            self.check_times(query, window, known, self._changed_outside)
            yield from conversations

    def _batches(self, ids: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Return the conversations of each request, whose messages are fetched ahead."""
        size = MOST_CONVERSATIONS
        batches = [tuple(ids[first : first + size]) for first in range(0, len(ids), size)]
        plan = ReadPlan(
            (self.name, "batches", tuple(ids[:1])),
            lambda _: map(Fetched, batches),
            lambda batch: [self.plan_of(self._query_of(batch))],
        )
        return self.read_ahead(plan)

    def _read_batch(self, batch: tuple[int, ...]) -> Iterator[RecordChunk]:
        query = self._query_of(batch)
        try:
            for page in self.pages_of(query, self.export_of(query)):
                self._check_conversations(query, batch, page)
                yield page.chunk
        except IncompleteResponseError as error:
            self.logger.info("%s Its conversations are halved.", error)
        except MissingError as error:
            if query.is_smallest:
                self._skip_conversation(query, error)
                return
            self.logger.debug("Dixa refuses %d ids in a request: they are halved.", len(batch))
        else:
            self._deleted_in_a_row = 0
            return
        middle = len(batch) // 2
        yield from self._read_batch(batch[:middle])
        yield from self._read_batch(batch[middle:])

    def _skip_conversation(self, query: Query, error: MissingError) -> None:
        """Count a conversation that no longer exists.

        Raises:
            RequestError: Dixa refuses it for another reason, or nearly all.
        """
        self._deleted_in_a_row += 1
        if error.status != HTTPStatus.NOT_FOUND or self._deleted_in_a_row >= MANY_OUTSIDE:
            raise self.client.request_error(
                self.request_of(query),
                f"{error.predicate} for the messages of a single conversation",
                "Set dixa.reread_messages to false to read new messages alone; edited and late"
                " ones then come within dixa.lookback_days.",
            ) from None
        self._deleted += 1

    def _query_of(self, batch: tuple[int, ...]) -> Query:
        return query_of_conversations(self.path, batch)

    def _check_conversations(self, query: Query, batch: tuple[int, ...], page: Page) -> None:
        """Check that messages are those of the requested conversations, as a filter may fail.

        Raises:
            RequestError: `MANY_OUTSIDE` messages in a row are of other conversations.
        """
        for record in page.chunk.records:
            csid = record.get("csid") if isinstance(record, dict) else owner_of(record).csid
            is_other = csid is not None and csid not in batch
            self._others_in_a_row = self._others_in_a_row + 1 if is_other else 0
            if self._others_in_a_row >= MANY_OUTSIDE:
                raise self.client.request_error(
                    self.request_of(query),
                    "returned messages of other conversations",
                    "Dixa does not filter as it should; it can't be read without losing records.",
                )

    def _warn(self) -> None:
        """Warn of what is outside the window that was requested, and of what is deleted."""
        if self._deleted:
            self.logger.warning(
                "Changed conversations of %s that returned 404 Not Found: %d. They are deleted, and"
                " were skipped.",
                self.name,
                self._deleted,
            )
        if self._changed_outside.total:
            self.logger.warning(
                "Conversations of %s with an `updated_at` outside the requested window: %d. Their"
                " messages were written.",
                self.name,
                self._changed_outside.total,
            )
        if self.outside.total:
            self.logger.warning(
                "Messages of %s with a `created_at` before the requested window: %d. They were"
                " written.",
                self.name,
                self.outside.total,
            )
        if self.outside.later:
            self.logger.warning(
                "Messages of %s with a `created_at` after the requested window: %d. Dixa seems to"
                " select messages by the creation of their conversation. The messages of a"
                " conversation from before the start come when it changes.",
                self.name,
                self.outside.later,
            )
