"""The chats of LiveChat.

A query lists chats newest first, with 25 per page, and returns at most 25,000 chats. So the stream
reads windows of days.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.http.clock import FAR
from tap_chat.platforms.livechat import fields
from tap_chat.platforms.livechat.account_stream import BEGINNING
from tap_chat.platforms.livechat.base import ENDED, ChatPart, LiveChatStream
from tap_chat.platforms.livechat.pages import WindowResult
from tap_chat.platforms.livechat.queries import ChatQueries
from tap_chat.streams.windows import TimeWindows, consecutive_windows

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.http.errors import RequestError
    from tap_chat.platforms.livechat.pages import ChatPage
    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.session import Session
    from tap_chat.streams.windows import TimeWindow

#: Days are those of the account's time zone, which is not known here: from UTC-12 to UTC+14.
EARLIEST_ZONE = timedelta(hours=14)
LATEST_ZONE = timedelta(hours=12)

#: The most passes over the pages of a window, if chats vanish while it is read.
PASSES = 5


class LiveChatChats(ChatQueries):
    """The chats, one row for each agent of a chat."""

    name = "livechat_chats"
    primary_keys = ("id", "agent_email")
    replication_key = ENDED
    schema = fields.CHATS

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        # The chat whose parts are still to be read.
        self._chat_id: str | None = None
        # When the newest chat ended, as far as is known, in seconds since 1970.
        self._newest = 0

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        windows = self._windows(self._start())
        written, halved_until = set[str](), 0
        for window in windows:
            # The halves of a window return its chats again.
            written = written if window.start < halved_until else set()
            is_divisible = window.size > 1
            result = yield from self._read_window(window, written, is_divisible=is_divisible)
            if result is None:
                windows.halve(window)
                continue
            may_lack = self.cap.leaves_out(result)
            if may_lack and is_divisible:
                self.logger.info("%s Its days are halved.", self._count_sentence(result))
                windows.halve(window)
                halved_until = max(halved_until, window.end)
                continue
            self._check_complete(result, may_lack=may_lack)
            self._advance_bookmarks(window, result)

    def _start(self) -> int:
        """Return the earliest start of the streams, in seconds since 1970."""
        starts = {stream.name: stream.planned_start for stream in self._selected_streams}
        self._newest = max(starts.values())
        earliest = min(starts, key=lambda name: starts[name])
        if starts[earliest] < self._newest:
            self.logger.info(
                "All streams of LiveChat are read from %d on, the bookmark of %s.",
                starts[earliest],
                earliest,
            )
        return starts[earliest]

    def _windows(self, bookmark: int) -> TimeWindows:
        """Return the windows to read, in days.

        Args:
            bookmark: Where the run starts, in seconds since 1970.
        """
        lookback = timedelta(days=self.settings.lookback)
        start = max(datetime.fromtimestamp(bookmark, UTC) - lookback, BEGINNING) - LATEST_ZONE
        end = (self.end_date + EARLIEST_ZONE).date().toordinal() + 1
        days = consecutive_windows(start.date().toordinal(), end, self.settings.batch_size)
        return TimeWindows(self.windows_ahead(self.name, days, self.window_plan, end))

    @property
    def _selected_streams(self) -> list[LiveChatStream]:
        """Those of this stream and its children that the run writes."""
        streams = (self, *self.child_streams)
        return [
            stream for stream in streams if isinstance(stream, LiveChatStream) and stream.selected
        ]

    def _advance_bookmarks(self, window: TimeWindow, result: WindowResult) -> None:
        """Move the bookmarks to the end of a window whose records are written."""
        # All chats are written that ended before the last day ended in the earliest time zone.
        last_day_end = datetime.combine(date.fromordinal(window.end), datetime.min.time(), UTC)
        passed = self.safe_time(datetime.fromtimestamp(self._newest, UTC), result.sent_at)
        reached = int(min(last_day_end - EARLIEST_ZONE, self.end_date, passed).timestamp())
        for stream in self._selected_streams:
            if stream.has_bookmarks:
                stream.state_manager.advance_to(ENDED, reached)
        self._session.write_state(self.tap_state)

    def _read_window(
        self, window: TimeWindow, written: set[str], *, is_divisible: bool
    ) -> Generator[RecordChunk, None, WindowResult | None]:
        """Read the chats of a window, each once, as its rows.

        A chat that enters the list moves others to later pages: these come twice, and are written
        once. A chat that vanishes moves others to pages that were read already. So the pages are
        read again until LiveChat returned all chats that it counts, or a pass has no new chat.

        Args:
            window: The window.
            written: The ids of the chats that are written; those of the window are added.
            is_divisible: Whether the window can be halved.

        Yields:
            The rows of each chat.

        Returns:
            The result of reading the pages; None if nothing was written, because the window has
            more chats than a query returns, and can be halved.

        Raises:
            RequestError: A day has more chats than a query returns.
        """
        seen: set[str] = set()
        sent_at = FAR
        for attempt in range(PASSES):
            given: set[str] = set()
            pages_read = pages_with_news = chats_listed = 0
            with closing(self.window_pages(window, attempt)) as pages:
                first_page = next(pages)
                if is_divisible and not (attempt or self.cap.covers(first_page.total)):
                    return None
                if first_page.total >= self.settings.max_rows:
                    raise self._too_many(first_page)
                for page in chain([first_page], pages):
                    sent_at = min(sent_at, page.sent_at)
                    pages_read += 1
                    if not page.ids <= given:
                        pages_with_news += 1
                        chats_listed += len(page.chats)
                    given |= page.ids
                    for rows in page.chats:
                        if rows[0]["id"] not in written:
                            written.add(rows[0]["id"])
                            yield self._chunk(rows, page)
            result = WindowResult(
                first_page,
                pages_read,
                pages_with_news,
                chats_listed,
                len(given),
                not given <= seen,
                sent_at,
            )
            if result.is_complete or (attempt and not result.has_new_chats):
                break
            seen |= given
        return result

    def _chunk(self, rows: list[Record], page: ChatPage) -> RecordChunk:
        """Return the rows of a chat, and hand the chat to the streams of its parts."""
        self._chat_id = rows[0]["id"]
        for stream in self.child_streams:
            if isinstance(stream, ChatPart):
                stream.chat, stream.request = rows[0], page.request
        ended = self.bookmark_type.read(rows[0].get(ENDED))
        if ended is not None and ended <= self.end_date.timestamp():
            self._newest = max(self._newest, int(ended))
        return self.chunk(rows)

    def _check_complete(self, result: WindowResult, *, may_lack: bool) -> None:
        """Check whether LiveChat returned all chats that it counts in a window.

        Args:
            result: The result of reading its pages.
            may_lack: Whether some of its chats may be out of reach.

        Raises:
            RequestError: There may be more chats.
        """
        if result.is_complete:
            return
        if may_lack and result.is_cut_off and not result.has_new_chats:
            raise self._too_many(result.first_page)
        if result.has_new_chats or result.lacks_many:
            raise self.client.request_error(
                result.first_page.request,
                self._count_problem(result),
                "Try again later; if it fails each time, ask LiveChat.",
            )
        # Two passes returned the same chats: LiveChat returns no more.
        self.logger.warning("%s", self._count_sentence(result))

    def _count_sentence(self, result: WindowResult) -> str:
        return self.client.sentence(result.first_page.request, self._count_problem(result))

    def _count_problem(self, result: WindowResult) -> str:
        total, given = result.first_page.total, result.chats
        return f"counts {total} chats in all pages, but returned {given}, in several attempts"

    def _too_many(self, page: ChatPage) -> RequestError:
        return self.client.request_error(
            page.request,
            f"lists {page.total} chats on one day, of which not all can be read",
            "A day is the smallest window; see the setting livechat.max_rows.",
        )

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        # One context per chat, not per row. The chat is not part of it, because the SDK logs it.
        if self._chat_id is not None:
            chat_id, self._chat_id = self._chat_id, None
            yield {"chat_id": chat_id}
