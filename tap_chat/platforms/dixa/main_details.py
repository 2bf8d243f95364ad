"""The ratings and notes of conversations, one request each.

The activity log tells which conversations have news. Dixa documents entries for notes and ratings
there; it does not say whether they change the `updated_at` of the conversation in the exports.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_chat.platforms.dixa import main_fields as fields
from tap_chat.platforms.dixa.main_api import without_zone
from tap_chat.platforms.dixa.main_log import DixaActivityLog, LogStream, iso
from tap_chat.platforms.dixa.queries import milliseconds
from tap_chat.singer.timestamps import normalise_datetime
from tap_chat.streams.paginators import SinglePagePaginator
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.recent_contexts import RecentContexts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.singer.bookmarks import Bookmark
    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.paginators import Page, Paginator
    from tap_chat.streams.session import Session
    from tap_chat.streams.windows import TimeWindow

#: The key of a STATE: the end of the part of the log whose conversations were read.
LOG_UNTIL = "log_until"

#: The conversations of a `Batch`.
CONVERSATIONS_AT_ONCE = 50

#: What the names of entries contain that bring neither a rating nor a note. An entry with another
#: name may bring either: Dixa's documents do not have all names.
IRRELEVANT = (
    "message", "tag", "assign", "claim", "reserved", "transfer", "offer", "queue", "language",
    "autoreply", "created", "closed", "reopened", "pending", "followup", "link",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of the conversations of a window.

    Attributes:
        ids: Their ids.
        window: The window, if these are the last ones of it.
    """

    ids: Sequence[int] = ()
    window: TimeWindow | None = None


class DetailStream(LogStream):
    """A list of each conversation of which the log has an entry."""

    #: What the names of entries contain that bring a record of this stream.
    signs: ClassVar[tuple[str, ...]]
    parent_keys = ("conversation_id",)
    has_bookmarks = True
    bookmark_keys = (LOG_UNTIL,)

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        self._log = DixaActivityLog(tap, session)
        self._log.client = self.client  # errors and requests are those of this stream
        self._recent = RecentContexts()
        self._oldest: TimeWindow | None = None  # the first window with entries

    @property
    @override
    def planned_start(self) -> Bookmark:
        return max(filter(None, (self._log_until, self.first_bookmark)))

    @property
    def _log_until(self) -> str | None:
        """The saved time until which the log was read; None if there is none, or a wrong one."""
        saved = normalise_datetime(self.saved_state.get(LOG_UNTIL))
        return None if saved and self.state_manager.is_in_future(saved) else saved

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        start = self.planned_start
        is_first = self._log_until is None
        if is_first and self.saved_state.get(LOG_UNTIL) is not None:
            self.logger.warning(
                "The state's bookmark of %s is in the future, and would leave out new records: the"
                " stream is read from its start.",
                self.name,
            )
        for batch in self.read_ahead(self._conversations_plan(start)):
            for conversation in batch.ids:
                for page in self.read_pages({"conversation_id": conversation}):
                    yield page.chunk
            if batch.window:
                passed = self.passed_by(batch.window, self._log.newest)
                self.stream_state[LOG_UNTIL] = max(start, passed)
                self._session.write_state(self.tap_state)
        if is_first:
            self._warn_of_beginning(datetime.fromisoformat(start))

    def _warn_of_beginning(self, start: datetime) -> None:
        """Log a warning if the log begins after the first window."""
        if self._oldest and self._oldest.start > milliseconds(start):
            self.logger.warning(
                "The activity log of Dixa has no entries before %s: %s has nothing of"
                " conversations that have no later ones.",
                iso(self._oldest.start),
                self.name,
            )

    @override
    def new_paginator(self) -> Paginator:
        return SinglePagePaginator()

    def _conversations_plan(self, start: Bookmark) -> ReadPlan[Batch]:
        """Return the plan of the conversations with entries from a time on, and of their lists."""

        def plans(batch: Batch) -> Iterator[ReadPlan[Page | None]]:
            for conversation in batch.ids:
                yield self.plan({"conversation_id": conversation})

        def steps(ahead: RequestsAhead) -> Iterator[Fetched[Batch]]:
            for window in self.windows_after(start):
                yield from self._batches(window, ahead)

        return ReadPlan((self.name, start), steps, plans)

    def _batches(self, window: TimeWindow, ahead: RequestsAhead) -> Iterator[Fetched[Batch]]:
        """Read the log of a window; yield a batch per page without conversations, then these."""
        ids: dict[int, None] = {}
        for step in self._log.fetch_window(window, None, ahead):
            if step.value.records and self._oldest is None:
                self._oldest = window
            for entry in step.value.records:
                conversation = entry.get("conversationId")
                if conversation is not None and self.brings_news(entry):
                    ids[conversation] = None
            yield Fetched(Batch())
        # What is read once in this run is read after all entries of its windows.
        new = [conversation for conversation in ids if self._recent.add(conversation)]
        starts = range(0, len(new), CONVERSATIONS_AT_ONCE) or [0]
        for index in starts:
            part = new[index : index + CONVERSATIONS_AT_ONCE]
            yield Fetched(Batch(part, window if index == starts[-1] else None))

    def brings_news(self, entry: Record) -> bool:
        """Return whether an entry of the log may bring a new or changed record of this stream.

        Args:
            entry: The entry.
        """
        names = [plain(entry.get(field)) for field in ("_type", "activityType")]
        if any(sign in name for name in names for sign in self.signs):
            return True
        return not any(word in name for name in names for word in IRRELEVANT + OTHER_SIGNS)


class DixaRatings(DetailStream):
    """The ratings of conversations: one row for each question of a survey."""

    name = "dixa_ratings"
    path = "/conversations/{conversation_id}/ratings"
    primary_keys = ("conversation_id", "id", "ratingType")
    schema = fields.RATINGS
    signs = ("rating", "rated")

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        self._same_key = 0

    @override
    def mend(self, record: Record) -> None:
        super().mend(record)
        if record.get("ratingType") is None:
            record["ratingType"] = fields.NO_TYPE
        times = record.get("timestamps")
        if isinstance(times, dict):
            record["timestamps"] = {name: without_zone(time) for name, time in times.items()}

    @override
    def read_pages(self, context: Context | None) -> Iterator[Page]:
        for page in super().read_pages(context):
            self._same_key += sum(count - 1 for count in Counter(page.keys).values())
            yield page

    @override
    def report(self) -> None:
        super().report()
        if self._same_key:
            self.logger.warning(
                "Ratings with the conversation, survey and type of another: %d. A loader that"
                " merges keeps one of them.",
                self._same_key,
            )


class DixaNotes(DetailStream):
    """The internal notes of conversations."""

    name = "dixa_notes"
    path = "/conversations/{conversation_id}/notes"
    primary_keys = ("conversation_id", "id")
    schema = fields.NOTES
    signs = ("note",)


#: What the names of entries contain that bring a record of one of these streams only.
OTHER_SIGNS = DixaRatings.signs + DixaNotes.signs

STREAMS = (DixaRatings, DixaNotes)


def plain(name: Any) -> str:  # noqa: ANN401
    """Return the name of an entry in lower case, without what separates words."""
    return "".join(filter(str.isalnum, name)).lower() if isinstance(name, str) else ""
