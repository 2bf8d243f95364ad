"""The platform `dixa`: the exports API of Dixa, read in windows of the time of change.

https://support.dixa.help/en/articles/174 documents it. It has no pages: an answer is an array of
everything in a window of at most 31 days.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.authenticators import BearerTokenAuthenticator
from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.errors import IncompleteResponseError
from tap_chat.http.request import Request
from tap_chat.http.responses import Response
from tap_chat.platforms.dixa import arrays
from tap_chat.platforms.dixa.arrays import Part
from tap_chat.platforms.dixa.fields import CONVERSATION_EXPORT
from tap_chat.platforms.dixa.settings import REMEDIES, DixaSettings
from tap_chat.singer.bookmarks import MillisecondBookmarks
from tap_chat.streams.probes import Probe
from tap_chat.streams.raw_records import in_one_line
from tap_chat.streams.stream import ChatStream
from tap_chat.streams.windows import TimeWindow, TimeWindows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgspec import Raw
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context

    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.session import Session

MEBIBYTE = 1024 * 1024
# So many are decoded, or found not to need it, before they are written.
RECORDS_AT_ONCE = 500

MILLISECOND = 1
MINUTE = 60_000 * MILLISECOND
DAY = 24 * 60 * MINUTE

#: So many conversations of another time, and none of the right one between, are no accident.
MANY_ODD = 10

#: Dixa was founded later; PostHog's source starts here, too.
BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)


class DixaConversationExport(ChatStream):
    """Conversations, each as it was when it was exported; a change exports it anew."""

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
        # Conversations of another time than was asked for: all, and those since the last other one.
        self._odd = self._odd_in_a_row = 0

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
        # Dixa allows 31 days, and a window is asked for with a millisecond more than it has.
        size = min(self.settings.batch_size * DAY, 31 * DAY - MILLISECOND)
        windows = TimeWindows(start, end, size, smallest=MINUTE)
        written: set[tuple[int, int]] = set()
        for window in windows:
            edge, written = written, set()
            self.clock.begin()
            try:
                largest = self.settings.max_answer_mb * MEBIBYTE
                limit = largest if windows.is_divisible(window) else None
                for page in self.window_pages(window, limit):
                    self._check_time(window, page)
                    marks = [mark or 0 for mark in page.chunk.bookmark_values]
                    newest = max(newest, *(mark for mark in marks if mark <= now), 0)
                    versions = [(key[0], mark) for key, mark in zip(page.keys, marks, strict=True)]
                    written.update(v for v in versions if v[1] >= window.end - MILLISECOND)
                    yield page.chunk.only([version not in edge for version in versions])
            except IncompleteResponseError as error:
                # What was written of it comes once more: a bookmark has not passed it.
                self.logger.info("%s Its window is halved.", error)
                windows.halve(window)
                written = edge
            else:
                passed = self.passed(datetime.fromtimestamp(newest // 1000, UTC))
                self.advance_to(min(window.end, milliseconds(passed) - lag))
        if self._odd:
            self.logger.warning(
                "%d conversations of %s have an `updated_at` of another time than was asked for:"
                " they were written.",
                self._odd,
                self.name,
            )

    def window_pages(self, window: TimeWindow, largest: int | None) -> Iterator[Page]:
        """Read one window.

        Whether Dixa's bounds belong to a window is not documented. Windows share their ends, and
        each is asked for from a millisecond before its start, so that every millisecond is in one
        even if neither bound belongs to it.

        Args:
            window: The window, in ms since 1970.
            largest: Bytes of the largest answer that is held as a whole, if a smaller window can
                be read instead.

        Yields:
            Its records, in no order. Those of an answer that is too large to be held come before
            it is known to be whole.

        Raises:
            BrokenOffError: The answer broke off, or is too large and no array, and the window can
                be halved.
        """
        request = self._request_of(window)
        body = self.client.send(request, read, largest=largest)
        if isinstance(body, Response):
            parts = self._parts(request, body)
        elif isinstance(body, Part):
            parts = iter([body])
        else:
            # Not the array it should be: `page` says so, or finds one in an envelope.
            yield self.page(request, body)
            return
        first = 0
        for part in parts:
            reader = self.raw_reader if in_one_line(part.body) else None
            for index in range(0, len(part.texts), RECORDS_AT_ONCE):
                texts = part.texts[index : index + RECORDS_AT_ONCE]
                page = reader.page(texts) if reader else None
                yield page or self._decoded(request, texts, first + index)
            first += len(part.texts)

    @override
    def probe(self) -> Probe:
        end = milliseconds(self.end_date)
        request = self._request_of(TimeWindow(end - MINUTE, end))
        return Probe(request, partial(self.page, request), "the conversations of a minute")

    def _request_of(self, window: TimeWindow) -> Request:
        return Request(
            url=f"{self.url_base}{self.path}",
            params={"updated_after": window.start - MILLISECOND, "updated_before": window.end},
            headers={"Accept": "application/json"},
        )

    def _check_time(self, window: TimeWindow, page: Page) -> None:
        """Refuse the answers to another question; they would be taken for all of the windows.

        Where Dixa's days begin is not known, and what changes meanwhile may be there, too. So odd
        are those only that are more than a day away, and a few of them say nothing of the rest.
        """
        marks = [mark for mark in page.chunk.bookmark_values if mark is not None]
        odd = [mark for mark in marks if not window.start - DAY <= mark <= window.end + DAY]
        self._odd += len(odd)
        self._odd_in_a_row = self._odd_in_a_row + len(odd) if len(odd) == len(marks) else 0
        if self._odd_in_a_row >= MANY_ODD:
            raise self.client.request_error(
                self._request_of(window),
                "gave conversations of another time than was asked for",
                "Dixa does not filter as it should; it can't be read without losing records.",
            )

    def _parts(self, request: Request, response: Response) -> Iterator[Part]:
        """Read a large array, with errors as sentences."""
        try:
            yield from arrays.parts(bytearray(response.body), response.rest or iter(()))
        except arrays.NoArrayError:
            said = f"returned more than {len(response.body)} bytes that can't be read in parts"
        except ValueError:
            said = "returned a body that is not complete JSON in UTF-8"
        else:
            return
        raise IncompleteResponseError(self.client.sentence(request, said))

    def _decoded(self, request: Request, texts: list[Raw], first: int) -> Page:
        """Decode and check records, of which the first has this number in the answer."""
        try:
            records = [responses.decode(text) for text in texts]
        except (ValueError, RecursionError, responses.UnreadableError):
            raise self.client.unreadable(request) from None
        return self.make_page(request, records, first=first)


def read(response: Response) -> Any:  # noqa: ANN401
    """Split an array into the texts of its items.

    Args:
        response: The response, with a whole body or the beginning of a larger one.

    Returns:
        The items, or the response with such a beginning as it is, or the decoded value if it is no
        array.

    Raises:
        ValueError: The body is not whole.
    """
    if response.rest is not None:
        return response
    try:
        return arrays.whole(response.body)
    except msgspec.DecodeError:
        return responses.decode(response.body)


def milliseconds(time: datetime) -> int:
    """Return a time in ms since 1970."""
    return round(time.timestamp() * 1000)
