"""The chats of LiveChat.

A query lists chats newest first, with 25 per page, and returns at most 25,000 chats. So the stream
reads windows of days.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from singer_sdk.authenticators import BasicAuthenticator
from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.errors import MissingError
from tap_chat.http.request import Request
from tap_chat.platforms.livechat import fields
from tap_chat.platforms.livechat.base import BEGINNING, ENDED, ChatPart, LiveChatStream
from tap_chat.platforms.livechat.pages import ChatPage, QueryCap, WindowResult, rows_by_agent
from tap_chat.streams.probes import Probe
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.windows import TimeWindow, TimeWindows

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context

    from tap_chat.http.errors import RequestError
    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.session import Session

#: Days are those of the account's time zone, which is not known here: from UTC-12 to UTC+14.
EARLIEST_ZONE = timedelta(hours=14)
LATEST_ZONE = timedelta(hours=12)

#: Statuses that may refuse a page after the last chat that a query returns.
MISSING_PAGE_STATUSES = (400, 404, 416, 422)

#: The most passes over the pages of a window, if chats vanish while it is read.
PASSES = 5


class LiveChatChats(LiveChatStream):
    """The chats, one row for each agent of a chat."""

    name = "livechat_chats"
    records_path = "chats"
    primary_keys = ("id", "agent_email")
    replication_key = ENDED
    schema = fields.CHATS

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        # The chat whose parts are still to be read.
        self._chat_id: str | None = None
        # When the newest chat ended, as far as is known, in seconds since 1970.
        self._newest = 0

    @property
    @override
    def authenticator(self) -> Auth:
        return BasicAuthenticator(
            username=self.settings.entity_id, password=self.settings.access_token
        )

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        windows = self._windows(self._start())
        cap = QueryCap(self.settings.max_rows)
        written, halved_until = set[str](), 0
        for window in windows:
            self.clock.begin()
            # The halves of a window return its chats again.
            written = written if window.start < halved_until else set()
            first_page = self._fetch_page(window, 1)
            if not cap.covers(first_page.total) and windows.is_divisible(window):
                windows.halve(window)
                continue
            result = yield from self._read_window(window, first_page, written)
            may_lack = cap.leaves_out(result)
            if may_lack and windows.is_divisible(window):
                self.logger.info("%s Its days are halved.", self._count_sentence(result))
                windows.halve(window)
                halved_until = max(halved_until, window.end)
                continue
            self._check_complete(result, may_lack=may_lack)
            self._advance_bookmarks(window)

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
        lookback = timedelta(days=self.settings.lookback_days)
        start = max(datetime.fromtimestamp(bookmark, UTC) - lookback, BEGINNING) - LATEST_ZONE
        end = (self.end_date + EARLIEST_ZONE).date().toordinal() + 1
        return TimeWindows(start.date().toordinal(), end, self.settings.batch_size)

    @property
    def _selected_streams(self) -> list[LiveChatStream]:
        """Those of this stream and its children that the run writes."""
        streams = (self, *self.child_streams)
        return [
            stream for stream in streams if isinstance(stream, LiveChatStream) and stream.selected
        ]

    def _advance_bookmarks(self, window: TimeWindow) -> None:
        """Move the bookmarks to the end of a window whose records are written."""
        # All chats are written that ended before the last day ended in the earliest time zone.
        last_day_end = datetime.combine(date.fromordinal(window.end), datetime.min.time(), UTC)
        passed = self.safe_time(datetime.fromtimestamp(self._newest, UTC))
        reached = int(min(last_day_end - EARLIEST_ZONE, self.end_date, passed).timestamp())
        for stream in self._selected_streams:
            if stream.has_bookmarks:
                stream.state_manager.advance_to(ENDED, reached)
        self._session.write_state(self.tap_state)

    def _read_window(
        self, window: TimeWindow, first_page: ChatPage, written: set[str]
    ) -> Generator[RecordChunk, None, WindowResult]:
        """Read the chats of a window, each once, as its rows.

        A chat that enters the list moves others to later pages: these come twice, and are written
        once. A chat that vanishes moves others to pages that were read already. So the pages are
        read again until LiveChat returned all chats that it counts, or a pass has no new chat.

        Args:
            window: The window.
            first_page: Its first page.
            written: The ids of the chats that are written; those of the window are added.

        Yields:
            The rows of each chat.

        Returns:
            The result of reading the pages.

        Raises:
            RequestError: A day has more chats than a query returns.
        """
        seen: set[str] = set()
        for repetition in range(PASSES):
            if first_page.total >= self.settings.max_rows:
                raise self._too_many(first_page)
            given: set[str] = set()
            pages_read = pages_with_news = chats_listed = 0
            plan = ReadPlan(self.name, partial(self._next_pages, window, first_page))
            for page in chain([first_page], self.read_ahead(plan)):
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
                first_page, pages_read, pages_with_news, chats_listed, len(given), not given <= seen
            )
            if result.is_complete or (repetition and not result.has_new_chats):
                break
            seen |= given
            first_page = self._fetch_page(window, 1)
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

    def _next_pages(
        self,
        window: TimeWindow,
        page: ChatPage,
        _: RequestsAhead,
    ) -> Iterator[Fetched[ChatPage]]:
        """Fetch the pages after the first, until one has nothing new or is refused."""
        known = page.ids
        number, last = 1, page.pages <= 1
        while not last:
            number += 1
            try:
                page = self._fetch_page(window, number)
            except MissingError:
                return
            last = number >= page.pages or page.ids <= known
            known |= page.ids
            yield Fetched(page, page.size, last)

    def _fetch_page(self, window: TimeWindow, number: int) -> ChatPage:
        """Fetch and check a page of a window."""
        request = self._request_of(window, number)
        missing = MISSING_PAGE_STATUSES if number > 1 else ()
        return self._parse_page(
            request, *self.client.send(request, responses.decode_sized, missing=missing)
        )

    @override
    def probe(self) -> Probe:
        day = self.end_date.date().toordinal()
        request = self._request_of(TimeWindow(day, day + 1), 1)
        return Probe(request, partial(self._parse_page, request, 0), "the chats of a day")

    def _request_of(self, window: TimeWindow, number: int) -> Request:
        return Request(
            url=f"{self.url_base}{self.path}",
            params={
                "date_from": date.fromordinal(window.start).isoformat(),
                "date_to": date.fromordinal(window.end - 1).isoformat(),
                "include_pending": self.settings.include_pending,
                "page": number,
            },
            headers={"Accept": "application/json", "X-API-Version": "2"},
        )

    def _parse_page(self, request: Request, size: int, body: Any) -> ChatPage:  # noqa: ANN401
        total, pages, chats = (responses.find(body, name) for name in ("total", "pages", "chats"))
        if not (isinstance(total, int) and isinstance(pages, int) and isinstance(chats, list)):
            raise self.client.request_error(
                request,
                "returned a body without the list `chats` and the numbers `total` and `pages`, but"
                f" {responses.describe_shape(body)}",
                self.records_remedy,
            )
        rows = [rows_by_agent(chat) if isinstance(chat, dict) else [chat] for chat in chats]
        for index, of_chat in enumerate(rows):
            for row in of_chat:
                self.conform(request, index, row)
        return ChatPage(request, total, pages, rows, size)

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        # One context per chat, not per row. The chat is not part of it, because the SDK logs it.
        if self._chat_id is not None:
            chat_id, self._chat_id = self._chat_id, None
            yield {"chat_id": chat_id}
