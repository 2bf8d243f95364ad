"""The threads of LiveChat's archive, read in windows of time.

LiveChat does not say whether the archive has threads that are active, and which time of a thread
its filters compare. A thread that ends later may therefore be missing, or be incomplete, in the
windows of the time in which it began. So the bookmark stays before the threads that are active.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from singer_sdk.mapper import SameRecordTransform
from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.clock import FAR, is_behind
from tap_chat.platforms.livechat import archive_fields
from tap_chat.platforms.livechat.account_stream import BEGINNING
from tap_chat.platforms.livechat.archive import CREATED, ArchiveStream, ThreadPart
from tap_chat.platforms.livechat.chat_summaries import active_since
from tap_chat.platforms.livechat.thread_queries import ThreadQueries
from tap_chat.singer.timestamps import read_datetime, write_datetime

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.session import Session
    from tap_chat.streams.windows import TimeWindow

#: The threads that are active may hold the bookmark for so long.
LONGEST_ACTIVE = timedelta(days=30)

#: A window may repeat the last threads of the window before it: of these, so many are remembered.
RECENT_THREADS = 1000

#: The stream of the chats in version 2 of the API.
OLDEST_STREAM = "livechat_chats"


class LiveChatThreads(ThreadQueries):
    """The threads of the chats: each is a conversation from its beginning to its end."""

    name = "livechat_threads"
    primary_keys = ("id",)
    replication_key = CREATED
    schema = archive_fields.THREADS

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        # The latest time in the records so far, which has passed at the server.
        self._newest = BEGINNING
        # The last records that were written: their ids, and what shows whether they have changed.
        self._recent: dict[str, tuple[object, ...]] = {}
        # The threads with restricted access, and those of them that have no events.
        self._restricted = self._hidden = 0
        # The records of the chunk that the SDK's loop has not come to.
        self._left_in_chunk = 0

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        self._warn_of_other_version()
        windows = self.windows_from(self._start())
        held_at = min(self._oldest_active(), self._listed_at())
        for window in windows:
            sent_at = yield from self._read_window(window)
            if sent_at is None:
                windows.halve(window)
            else:
                self._advance_bookmarks(window, sent_at, held_at)
        self._warn_of_restricted()
        for part in self.child_streams:
            if isinstance(part, ThreadPart):
                part.warn_of_repeated()

    def _start(self) -> str:
        """Return the earliest start of the streams."""
        starts = {stream.name: stream.planned_start for stream in self._selected_streams}
        earliest = min(starts, key=lambda name: starts[name])
        if starts[earliest] < max(starts.values()):
            self.logger.info(
                "All streams of LiveChat's threads are read from %s on, the bookmark of %s.",
                starts[earliest],
                earliest,
            )
        self._newest = datetime.fromisoformat(max(starts.values()))
        return starts[earliest]

    def _read_window(self, window: TimeWindow) -> Generator[RecordChunk, None, datetime | None]:
        """Read the threads of a window.

        Args:
            window: The window.

        Yields:
            The records of each page, or of each thread.

        Returns:
            When the earliest page was sent, by the server's clock; `FAR` if it is unknown. None if
            the window is too large, and nothing of it was written.
        """
        sent_at: datetime | None = FAR
        for page in self.read_ahead(self.window_plan(window)):
            if page is None or sent_at is None:
                sent_at = None
                continue
            sent_at = min(sent_at, responses.http_date(page.headers.get("Date", "")) or FAR)
            yield from self._chunks(page)
        return sent_at

    def _chunks(self, page: Page) -> Iterator[RecordChunk]:
        """Yield the new records of a page, and hand the chats to the streams of their parts."""
        chats = self.find_records(page.body)
        pairs = zip(page.records, chats, strict=True)
        new = [(row, chat) for row, chat in pairs if self._is_new(row, chat)]
        # A stream map may filter out threads, whose parts are not written then.
        size = len(new) if type(self.stream_maps[0]) is SameRecordTransform else 1
        for first in range(0, len(new), max(size, 1)):
            part = new[first : first + size]
            for stream in self.child_streams:
                if isinstance(stream, ThreadPart):
                    stream.chats = [chat for _, chat in part]
            self._left_in_chunk = len(part)
            yield self.chunk([row for row, _ in part])

    def _is_new(self, row: Record, chat: Record) -> bool:
        """Return whether a thread was not written before in this version; a window may repeat it.

        Args:
            row: Its record.
            chat: The row of the archive.
        """
        events = chat["thread"].get("events")
        version = (row.get("active"), len(events) if isinstance(events, list) else events)
        is_new = self._recent.pop(row["id"], None) != version
        self._recent[row["id"]] = version
        if len(self._recent) > RECENT_THREADS:
            del self._recent[next(iter(self._recent))]
        if is_new:
            if row.get("restricted_access") is not None:
                self._restricted += 1
                self._hidden += not chat["thread"].get("events")
            created = read_datetime(row.get(CREATED))
            if created and created <= self.end_date:
                self._newest = max(self._newest, created)
        return is_new

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        # One context for a chunk. The threads are not part of it, because the SDK logs it.
        self._left_in_chunk -= 1
        if self._left_in_chunk == 0:
            yield {"thread_id": record["id"]}

    @property
    def _selected_streams(self) -> list[ArchiveStream]:
        """Those of this stream and its children that the run writes."""
        streams = (self, *self.child_streams)
        return [
            stream for stream in streams if isinstance(stream, ArchiveStream) and stream.selected
        ]

    def _advance_bookmarks(self, window: TimeWindow, sent_at: datetime, held_at: datetime) -> None:
        """Move the bookmarks to the end of a window whose records are written.

        Args:
            window: The window.
            sent_at: When its earliest page was sent.
            held_at: The time that the bookmarks may not pass.
        """
        end = datetime.fromtimestamp(window.end, UTC)
        passed = self.safe_time(self._newest, sent_at)
        reached = write_datetime(min(end, self.end_date, passed, held_at))
        for stream in self._selected_streams:
            if stream.has_bookmarks:
                stream.state_manager.advance_to(CREATED, reached)
        self._session.write_state(self.tap_state)

    def _oldest_active(self) -> datetime:
        """Return when the oldest active thread began; `FAR` if there is none.

        Those that began more than `LONGEST_ACTIVE` before now do not count: a thread may stay
        active forever, and each run would pay for what it holds.
        """
        began = list(active_since(self))
        earliest = self.end_date - LONGEST_ACTIVE
        if forgotten := sum(time < earliest for time in began):
            self.logger.warning(
                "Threads of LiveChat that have been active for more than %d days: %d. What happens"
                " in them later is only read again if you set livechat.lookback_days to a higher"
                " value.",
                LONGEST_ACTIVE.days,
                forgotten,
            )
        return min((time for time in began if time >= earliest), default=FAR)

    def _listed_at(self) -> datetime:
        """Return when the active threads were listed, by the server's clock; `FAR` if unknown.

        The list lacks a thread that began later, which the archive may lack as well.
        """
        listed_at = self.clock.earliest
        return FAR if is_behind(listed_at, self._newest) else listed_at

    def _warn_of_restricted(self) -> None:
        if self._restricted:
            self.logger.warning(
                "LiveChat restricts the access to %d threads, of which %d have no events: see"
                " `restricted_access` in %s.",
                self._restricted,
                self._hidden,
                self.name,
            )

    def _warn_of_other_version(self) -> None:
        """Warn if the STATE has bookmarks of version 2 of the API, and none of this stream."""
        bookmarks = self.tap_state.get("bookmarks", {})
        before = bookmarks.get(OLDEST_STREAM, {}).get("replication_key_value")
        if before is None or self.saved_state.get("replication_key_value") is not None:
            return
        self.logger.warning(
            "The STATE has bookmarks of %s, which version 2 of LiveChat's API has. %s starts at the"
            " setting start_date: set it to %s to read only later threads, or set"
            " livechat.api_version to 2 to continue as before.",
            OLDEST_STREAM,
            self.name,
            day_of(before),
        )


def day_of(bookmark: object) -> str:
    """Return the day of a bookmark of version 2 of the API, less a day for its time zone."""
    try:
        time = datetime.fromtimestamp(int(str(bookmark)), UTC) - timedelta(days=1)
    except (ValueError, OverflowError, OSError):
        return "the time at which its chats end"
    return time.date().isoformat()
