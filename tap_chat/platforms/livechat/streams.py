"""The platform `livechat`: LiveChat's v2 API (https://developers.livechat.com/docs/v2/).

A query lists chats newest first, 25 a page, and reaches no more than 25,000 of them, so time is
walked in windows of days. Messages and events are parts of a chat and cost no request.
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
from tap_chat.platforms.livechat.base import BEGINNING, MARK, ChatPart, LiveChatStream
from tap_chat.platforms.livechat.pages import Found, Listing, Reach
from tap_chat.singer.bookmarks import WindowBookmarks
from tap_chat.streams.fan_out import Fetched, ReadPlan
from tap_chat.streams.probes import Probe
from tap_chat.streams.windows import TimeWindow, TimeWindows

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context

    from tap_chat.http.errors import RequestError
    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.session import Session

#: A day of the account is one in its own time zone, which is not known here: from UTC-12 to UTC+14.
EARLIEST_ZONE = timedelta(hours=14)
LATEST_ZONE = timedelta(hours=12)

#: The agent of a chat that has none.
UNASSIGNED = "unassigned"

#: The statuses with which a page may be refused that can't be reached.
BEYOND = (400, 404, 416, 422)

#: How often the pages of a window are read at most if rows vanish while they are.
PASSES = 5


class LiveChatChats(LiveChatStream):
    """The chats, one row for each agent of a chat."""

    name = "livechat_chats"
    records_path = "chats"
    primary_keys = ("id", "agent_email")
    replication_key = "ended_timestamp"
    schema = fields.CHATS
    bookmarks_class = WindowBookmarks

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        # The chat whose parts are still to be read.
        self._chat_id: str | None = None
        # When the last chat ended, as far as it is known, in seconds since 1970.
        self._newest = 0

    @property
    @override
    def authenticator(self) -> Auth:
        return BasicAuthenticator(
            username=self.settings.entity_id, password=self.settings.access_token
        )

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        bookmarks = {stream.name: stream.planned_start for stream in self._family}
        self._newest = max(bookmarks.values())
        behind = min(bookmarks, key=lambda name: bookmarks[name])
        if bookmarks[behind] < self._newest:
            self.logger.info(
                "All streams of LiveChat are read from %d on, as %s was read until then.",
                bookmarks[behind],
                behind,
            )
        windows = self._windows(bookmarks[behind])
        reach = Reach(self.settings.max_rows)
        written, until = set[str](), 0
        for window in windows:
            self.clock.begin()
            written = written if window.start < until else set()
            first = self._listing(window, 1)
            if not reach.covers(first.total) and windows.is_divisible(window):
                windows.halve(window)
                continue
            found = yield from self._read(window, first, written)
            beyond = reach.leaves_out(found)
            if beyond and windows.is_divisible(window):
                self.logger.info("%s Its days are halved.", self._told(found))
                windows.halve(window)
                until = max(until, window.end)
                continue
            self._judge(found, beyond=beyond)
            self._reach(window)

    def _windows(self, bookmark: int) -> TimeWindows:
        """Return the days to read."""
        lookback = timedelta(days=self.settings.lookback_days)
        start = max(datetime.fromtimestamp(bookmark, UTC) - lookback, BEGINNING) - LATEST_ZONE
        end = (self.end_date + EARLIEST_ZONE).date().toordinal() + 1
        return TimeWindows(start.date().toordinal(), end, self.settings.batch_size)

    @property
    def _family(self) -> list[LiveChatStream]:
        """The streams that are written in this run: what others have read says nothing of them."""
        streams = (self, *self.child_streams)
        return [one for one in streams if isinstance(one, LiveChatStream) and one.selected]

    def _reach(self, window: TimeWindow) -> None:
        """Move the bookmarks to the end of a window whose records are all written."""
        # Everything is written that ended before the last day was over, wherever it was.
        over = datetime.combine(date.fromordinal(window.end), datetime.min.time(), UTC)
        passed = self.passed(datetime.fromtimestamp(self._newest, UTC))
        reached = int(min(over - EARLIEST_ZONE, self.end_date, passed).timestamp())
        for stream in self._family:
            if stream.has_bookmarks:
                stream.state_manager.advance_to(MARK, reached)
        self._session.write_state(self.tap_state)

    def _read(
        self, window: TimeWindow, listing: Listing, written: set[str]
    ) -> Generator[RecordChunk, None, Found]:
        """Read the chats of a window, each once, as its rows.

        New chats push others to later pages while they are read: these come twice, and the second
        is left out. A chat that vanishes pulls others to earlier pages, where they were not seen;
        so the pages are read again until all come that LiveChat counts, or nothing new does.

        Args:
            window: The window.
            listing: Its first page.
            written: The ids of chats that are written; those of the window are added.
        """
        seen: set[str] = set()
        for again in range(PASSES):
            if listing.total >= self.settings.max_rows:
                raise self._too_many(listing)
            given: set[str] = set()
            asked = pages = listed = 0
            following = ReadPlan(self.name, partial(self._following, window, listing))
            for page in chain([listing], self.read_ahead(following)):
                asked += 1
                if not page.ids <= given:
                    pages, listed = pages + 1, listed + len(page.chats)
                given |= page.ids
                for rows in page.chats:
                    if rows[0]["id"] not in written:
                        written.add(rows[0]["id"])
                        yield self._chunk(rows, page)
            found = Found(listing, asked, pages, listed, len(given), not given <= seen)
            if found.complete or (again and not found.more):
                break
            seen |= given
            listing = self._listing(window, 1)
        return found

    def _chunk(self, rows: list[Record], page: Listing) -> RecordChunk:
        """Return the rows of a chat, from which its parts are read, too."""
        self._chat_id = rows[0]["id"]
        for stream in self.child_streams:
            if isinstance(stream, ChatPart):
                stream.chat, stream.request = rows[0], page.request
        ended = self.bookmark_type.read(rows[0].get(MARK))
        if ended is not None and ended <= self.end_date.timestamp():
            self._newest = max(self._newest, int(ended))
        return self.chunk(rows)

    def _judge(self, found: Found, *, beyond: bool) -> None:
        """Say if a window lacks chats that LiveChat counts in it.

        Args:
            found: What its pages gave.
            beyond: Whether some of its chats may be out of reach.

        Raises:
            RequestError: There may be more.
        """
        if found.complete:
            return
        if beyond and found.cut_off and not found.more:
            raise self._too_many(found.listing)
        if found.more or found.far_off:
            raise self.client.request_error(
                found.listing.request,
                self._problem_of(found),
                "Try again later; if it is so each time, ask LiveChat.",
            )
        # Each page came twice, and the same: there is no more to be had.
        self.logger.warning("%s", self._told(found))

    def _told(self, found: Found) -> str:
        return self.client.sentence(found.listing.request, self._problem_of(found))

    def _problem_of(self, found: Found) -> str:
        total, given = found.listing.total, found.given
        return f"counts {total} chats in all pages, but gave {given}, however often it was asked"

    def _too_many(self, listing: Listing) -> RequestError:
        return self.client.request_error(
            listing.request,
            f"lists {listing.total} chats on one day, of which not all can be read",
            "A day is the smallest window; see the setting livechat.max_rows.",
        )

    def _following(self, window: TimeWindow, listing: Listing) -> Iterator[Fetched[Listing]]:
        """Read the pages of a window after the first, until one has nothing new or is refused."""
        known = listing.ids
        number, last = 1, listing.pages <= 1
        while not last:
            number += 1
            try:
                listing = self._listing(window, number)
            except MissingError:
                return
            last = number >= listing.pages or listing.ids <= known
            known |= listing.ids
            yield Fetched(listing, listing.size, last)

    def _listing(self, window: TimeWindow, number: int) -> Listing:
        """Read one page of a window, and check it."""
        request = self._request_of(window, number)
        missing = BEYOND if number > 1 else ()
        return self._checked(
            request, *self.client.send(request, responses.decode_sized, missing=missing)
        )

    @override
    def probe(self) -> Probe:
        day = self.end_date.date().toordinal()
        request = self._request_of(TimeWindow(day, day + 1), 1)
        return Probe(request, partial(self._checked, request, 0), "the chats of a day")

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

    def _checked(self, request: Request, size: int, body: Any) -> Listing:  # noqa: ANN401
        total, pages, chats = (responses.find(body, name) for name in ("total", "pages", "chats"))
        if not (isinstance(total, int) and isinstance(pages, int) and isinstance(chats, list)):
            raise self.client.request_error(
                request,
                "answered without the list `chats` and the numbers `total` and `pages`, but"
                f" {responses.describe_shape(body)}",
                self.records_remedy,
            )
        rows = [by_agent(chat) if isinstance(chat, dict) else [chat] for chat in chats]
        for index, of_chat in enumerate(rows):
            for row in of_chat:
                self.conform(request, index, row)
        return Listing(request, total, pages, rows, size)

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        # One for each chat, not for each row. The chat itself is not part of the context, which
        # the SDK logs.
        if self._chat_id is not None:
            chat_id, self._chat_id = self._chat_id, None
            yield {"chat_id": chat_id}


class LiveChatMessages(ChatPart):
    """What was said in the chats."""

    name = "livechat_messages"
    parent_stream_type = LiveChatChats
    records_path = "messages"
    schema = fields.MESSAGES


class LiveChatEvents(ChatPart):
    """Everything that happened in the chats: messages, attachments and events of the system."""

    name = "livechat_events"
    parent_stream_type = LiveChatChats
    records_path = "events"
    schema = fields.EVENTS


STREAMS = (LiveChatChats, LiveChatMessages, LiveChatEvents)


def by_agent(chat: Record) -> list[Record]:
    """Return a chat once for each of its agents, or once for `unassigned`."""
    emails = [agent.get("email") for agent in chat.get("agents") or ()]
    unique = dict.fromkeys(email or UNASSIGNED for email in emails or [None])
    return [chat | {"agent_email": email} for email in unique]
