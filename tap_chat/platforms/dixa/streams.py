"""The conversations of Dixa, read in windows of the time of change.

The API has no pages: a response is an array of all conversations in a window of at most 31 days.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from singer_sdk.authenticators import BearerTokenAuthenticator
from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.continuing import read_on
from tap_chat.http.errors import IncompleteResponseError
from tap_chat.http.request import Request
from tap_chat.http.responses import Response
from tap_chat.platforms.dixa import arrays
from tap_chat.platforms.dixa.arrays import Part
from tap_chat.platforms.dixa.exports import Export, read_export, read_items
from tap_chat.platforms.dixa.fields import CONVERSATION_EXPORT
from tap_chat.platforms.dixa.settings import REMEDIES, DixaSettings
from tap_chat.singer.bookmarks import MillisecondBookmarks
from tap_chat.streams.probes import Probe
from tap_chat.streams.raw_records import is_one_line
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.stream import ChatStream
from tap_chat.streams.windows import (
    TimeWindow,
    TimeWindows,
    consecutive_windows,
    windows_plan,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgspec import Raw
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context

    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.session import Session

MEBIBYTE = 1024 * 1024

#: Bytes of a response that are held until it is written; the rest waits at the server. Several
#: responses are fetched ahead, so each is held in part only.
AHEAD_BYTES = MEBIBYTE // 2

#: Seconds for which a response may wait without a risk that the server ends it.
PATIENCE = 5.0

#: Records per page: this many records of a response are decoded before they are written.
PAGE_SIZE = 500

MILLISECOND = 1
MINUTE = 60_000 * MILLISECOND
DAY = 24 * 60 * MINUTE

#: The run fails after this many conversations in a row that are outside the window.
MANY_OUTSIDE = 10

#: Before Dixa was founded; PostHog's source of Dixa starts here, too.
BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)


class DixaConversationExport(ChatStream):
    """The conversations. A conversation that changes is exported again."""

    name = "dixa_conversation_export"
    path = "/conversation_export"
    section = "dixa"
    remedies = REMEDIES
    records_path = "data"
    records_at_root = True
    primary_keys = ("id",)
    replication_key = "updated_at"
    schema = CONVERSATION_EXPORT
    settings: DixaSettings
    bookmarks_class = MillisecondBookmarks

    @property
    @override
    def authenticator(self) -> Auth:
        return BearerTokenAuthenticator(token=self.settings.api_token)

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        # The number of conversations outside the requested window: of all, and of those in a row.
        self._outside = self._outside_in_a_row = 0

    @property
    @override
    def first_bookmark(self) -> int:
        return milliseconds(max(self.start_date or BEGINNING, BEGINNING))

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        bookmark = self.starting_bookmark or self.first_bookmark
        start = max(bookmark - int(self.settings.lookback_days * DAY), milliseconds(BEGINNING))
        newest, now = bookmark, milliseconds(self.end_date)
        lag = int(self.settings.lag_minutes * MINUTE)
        end = now - lag
        # Dixa allows 31 days for a request, and and a request covers its window plus 1 ms.
        size = min(self.settings.batch_size * DAY, 31 * DAY - MILLISECOND)
        spans = consecutive_windows(start, end, size)
        windows = TimeWindows(self.read_ahead(windows_plan(self.name, spans, self._plan_of)))
        written: set[tuple[int, int]] = set()
        for window in windows:
            written_before, written = written, set()
            try:
                [export] = self.read_ahead(self._plan_of(window))
                for page in self._pages(window, export):
                    self._check_time(window, page)
                    times = [time or 0 for time in page.chunk.bookmark_values]
                    newest = max(newest, *(time for time in times if time <= now), 0)
                    versions = [(key[0], time) for key, time in zip(page.keys, times, strict=True)]
                    # The next window may return the conversations at its start again.
                    written.update(v for v in versions if v[1] >= window.end - MILLISECOND)
                    yield page.chunk.only([version not in written_before for version in versions])
            except IncompleteResponseError as error:
                # The halves return its records again. No bookmark has passed them.
                self.logger.info("%s Its window is halved.", error)
                windows.halve(window)
                written = written_before
            else:
                known = datetime.fromtimestamp(newest // 1000, UTC)
                passed = self.safe_time(known, export.sent_at)
                self.advance_to(min(window.end, milliseconds(passed) - lag))
        if self._outside:
            self.logger.warning(
                "%d conversations of %s have an `updated_at` outside the requested window: they"
                " were written.",
                self._outside,
                self.name,
            )

    def _plan_of(self, window: TimeWindow) -> ReadPlan[Export]:
        """Return the plan of the request of a window."""
        limit = self._limit_of(window)
        largest = None if limit is None else min(limit, AHEAD_BYTES)

        def steps(_: RequestsAhead) -> Iterator[Fetched[Export]]:
            export = self.client.send(self._request_of(window), read_export, largest=largest)
            yield Fetched(export, export.size, last=True)

        return ReadPlan((self.name, window), steps)

    def _limit_of(self, window: TimeWindow) -> int | None:
        """Return the size in bytes up to which the body of a window is held as a whole.

        None for a window that is not halved: its body is held whatever its size.
        """
        return self.settings.max_response_mb * MEBIBYTE if window.size > MINUTE else None

    def _items(self, window: TimeWindow, export: Export) -> Any:  # noqa: ANN401
        """Return the items of a window, as `read_items` does, up to the limit of the settings."""
        if not isinstance(export.items, Response):
            return export.items
        request, largest = self._request_of(window), self._limit_of(window)
        try:
            return read_on(self.client, request, export.items, read_items, largest=largest)
        except IncompleteResponseError:
            if time.monotonic() - export.received_at < PATIENCE:
                raise
        # The server may have ended the response because it waited. Nothing of it was written.
        return self.client.send(request, read_items, largest=largest)

    def _pages(self, window: TimeWindow, export: Export) -> Iterator[Page]:
        """Read the conversations of a window.

        Args:
            window: The window, in ms since 1970.
            export: The response.

        Yields:
            The conversations, in no order. Those of a large body are yielded before the whole body
            is read.

        Raises:
            IncompleteResponseError: The window can be halved, and the body broke off, or is too
                large and not an array.
        """
        request = self._request_of(window)
        items = self._items(window, export)
        if isinstance(items, Response):
            parts = self._parts(request, items)
        elif isinstance(items, Part):
            parts = iter([items])
        else:
            # Not an array: `check_page` finds one in the object, or raises an error.
            yield self.check_page(request, items)
            return
        first = 0
        for part in parts:
            reader = self.raw_reader if is_one_line(part.body) else None
            for index in range(0, len(part.texts), PAGE_SIZE):
                texts = part.texts[index : index + PAGE_SIZE]
                page = reader.page(texts) if reader else None
                yield page or self._decoded(request, texts, first + index)
            first += len(part.texts)

    @override
    def probe(self) -> Probe:
        end = milliseconds(self.end_date)
        request = self._request_of(TimeWindow(end - MINUTE, end))
        return Probe(request, partial(self.check_page, request), "the conversations of a minute")

    def _request_of(self, window: TimeWindow) -> Request:
        """Return the request of a window.

        Dixa does not document whether the bounds of a request belong to its interval. Windows share
        their ends, and each request starts a millisecond before its window. So every millisecond is
        read, even if neither bound belongs to the interval.
        """
        return Request(
            url=f"{self.url_base}{self.path}",
            params={"updated_after": window.start - MILLISECOND, "updated_before": window.end},
            headers={"Accept": "application/json"},
        )

    def _check_time(self, window: TimeWindow, page: Page) -> None:
        """Check that the conversations of a page are in the window, as a failing filter loses some.

        It is not known when Dixa's days begin, and a conversation may change during the export. So
        a conversation counts as outside if it is more than a day away, and a few are accepted.

        Args:
            window: The requested window.
            page: A page of the response.

        Raises:
            RequestError: `MANY_OUTSIDE` conversations in a row are outside.
        """
        times = [time for time in page.chunk.bookmark_values if time is not None]
        outside = [time for time in times if not window.start - DAY <= time <= window.end + DAY]
        self._outside += len(outside)
        self._outside_in_a_row = (
            self._outside_in_a_row + len(outside) if len(outside) == len(times) else 0
        )
        if self._outside_in_a_row >= MANY_OUTSIDE:
            raise self.client.request_error(
                self._request_of(window),
                "returned conversations outside the requested window",
                "Dixa does not filter as it should; it can't be read without losing records.",
            )

    def _parts(self, request: Request, response: Response) -> Iterator[Part]:
        """Read a large array in parts, with errors as sentences."""
        try:
            yield from arrays.parts(bytearray(response.body), response.rest or iter(()))
        except arrays.NoArrayError:
            predicate = f"returned more than {len(response.body)} bytes that can't be read in parts"
        except ValueError:
            predicate = "returned a body that is not complete JSON in UTF-8"
        else:
            return
        raise IncompleteResponseError(self.client.sentence(request, predicate))

    def _decoded(self, request: Request, texts: list[Raw], first: int) -> Page:
        """Decode and check records. `first` is the number of the first one in the response."""
        try:
            records = [responses.decode(text) for text in texts]
        except (ValueError, RecursionError, responses.UnreadableError):
            raise self.client.unreadable(request) from None
        return self.make_page(request, records, first=first)


def milliseconds(time: datetime) -> int:
    """Return a time in ms since 1970."""
    return round(time.timestamp() * 1000)
