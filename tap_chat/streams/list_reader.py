"""Reads the pages of one list, with requests ahead of its reader where the next ones are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_chat.escapes import printable
from tap_chat.http import responses
from tap_chat.http.errors import MissingError, RequestError
from tap_chat.streams.paginators import Page, PaginationError
from tap_chat.streams.read_plans import Fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_sdk.helpers.types import Context

    from tap_chat.http.request import Request
    from tap_chat.http.responses import Response
    from tap_chat.streams.paginators import Paginator
    from tap_chat.streams.paginators.pages import Headers
    from tap_chat.streams.raw_records import PageReader
    from tap_chat.streams.read_plans import RequestsAhead
    from tap_chat.streams.record_stream import RecordStream


#: One request may be sent ahead for so many seconds that a response takes. Most pages take about as
#: long to decode and write: if responses come sooner, more threads only cost CPU time.
SECONDS_FOR_ONE_AHEAD = 0.002

#: How a response says that a list is empty, as a predicate.
NULL_LIST = "returned null instead of the list"


class Received(NamedTuple):
    """What was received for a request.

    Attributes:
        size: The bytes of the body.
        body: A page, or the decoded body.
        headers: The headers, if the paginator reads them.
        seconds: The time that the response took.
    """

    size: int
    body: Any
    headers: Headers
    seconds: float = inf


@dataclass
class ListReader:
    """Reads the pages of one list.

    Attributes:
        stream: The stream.
        list_request: The request of the list, without pagination.
        paginator: A new paginator.
        context: The parent's keys, or None.
        raw_reader: Reads pages without decoding their records; None to decode them.
    """

    stream: RecordStream
    list_request: Request
    paginator: Paginator
    context: Context | None
    raw_reader: PageReader | None
    _fastest: float = inf  # seconds of the response that took the least time

    def pages(self, ahead: RequestsAhead) -> Iterator[Fetched[Page]]:
        """Read the pages of the list.

        Args:
            ahead: Sends requests ahead.

        Yields:
            Each page.

        Raises:
            MissingError: The parent no longer exists.
            RequestError: A page can't be read, or is repeated.
        """
        paginator = self.paginator
        has_ended = False
        while not has_ended:
            most_ahead = min(ahead.most, self._useful_ahead())
            expected = paginator.expected_requests(self.list_request, most_ahead)
            request = expected[0].request
            fetched = ahead.take(expected, self._send_ahead)
            try:
                if fetched:
                    self._see(fetched.value)
                page = self._checked_ahead(request, fetched.value) if fetched else None
                if fetched and page:
                    size, page = fetched.size, paginator.advance(page)
                else:
                    if fetched:
                        ahead.drop()
                    size, page = self._fetch(request)
            except PaginationError as error:
                remedy = error.remedy or self.stream.paging_remedy
                raise self.stream.client.request_error(request, error.predicate, remedy) from None
            if self.context is None and paginator.total is not None:
                self.stream.progress.expect(paginator.total)
            has_ended = paginator.finished
            if has_ended:
                self._warn_of_shortfall()
            yield Fetched(page, size, has_ended)

    def _see(self, received: Received) -> None:
        self._fastest = min(self._fastest, received.seconds)

    def _useful_ahead(self) -> int:
        """Return the number of requests ahead with which responses come as fast as needed."""
        return 0 if self._fastest == inf else int(self._fastest / SECONDS_FOR_ONE_AHEAD)

    def _fetch(self, request: Request) -> tuple[int, Page]:
        """Fetch a page, and let the paginator advance; return its size and its new part."""
        paginator = self.paginator
        missing_parent = self.stream.missing_parent if self.context is not None else frozenset()
        try:
            received = self.stream.client.send(
                request, self._read, missing=paginator.missing | missing_parent
            )
        except MissingError as error:
            if error.status not in paginator.missing:
                raise
            return 0, paginator.miss(error.predicate)
        self._see(received)
        if absence := self._absence(received.body):
            return received.size, paginator.miss(absence)
        return received.size, paginator.advance(self._checked(request, received))

    def _send_ahead(
        self, request: Request, is_wanted: Callable[[], bool]
    ) -> Fetched[Received | None]:
        """Send a request ahead. A page without records counts as none: the list may have ended.

        An empty body is an error, and every status but 200.
        """
        received = self.stream.client.send_once(request, self._received, is_wanted=is_wanted)
        body = received.body
        records = body.records if isinstance(body, Page) else self.stream.find_records(body)
        return Fetched(received, received.size) if records else Fetched(None)

    def _read(self, response: Response) -> Received:
        """Read a response. If the page may be past the end, its body may be empty."""
        if not response.body and self.paginator.may_be_past_end:
            return Received(0, None, self._headers(response))
        return self._received(response)

    def _received(self, response: Response) -> Received:
        body = response.body
        page = self.raw_reader.read(body, self.context) if self.raw_reader else None
        decoded = page or responses.decode(body)
        return Received(len(body), decoded, self._headers(response), response.seconds)

    def _headers(self, response: Response) -> Headers:
        # Keep headers only if needed: they take more memory than a small page.
        return response.headers if self.paginator.reads_headers else {}

    def _checked_ahead(self, request: Request, received: Received) -> Page | None:
        """Return a page that was requested ahead; None if it must be requested in its turn."""
        if self._absence(received.body):
            return None
        try:
            page = self._checked(request, received)
        except RequestError:  # raised by the response to the request in its turn
            return None
        return page if self.paginator.accepts_ahead(page) else None

    def _checked(self, request: Request, received: Received) -> Page:
        page = self.stream.check_received(request, received.body, self.context)
        return replace(page, headers=received.headers) if received.headers else page

    def _absence(self, body: Any) -> str | None:  # noqa: ANN401
        """Return how a body says that its page does not exist, as a predicate, or None."""
        paginator, path = self.paginator, self.stream.records_path
        if isinstance(body, Page):
            return None
        if body is None and paginator.may_be_past_end:
            return "returned nothing"
        if not paginator.missing or not responses.is_null(body, path):
            return None
        # On a first page, a null alone does not mean an empty list: errors have it, too.
        if paginator.may_be_past_end or responses.counts_none(body, path):
            return NULL_LIST
        return None

    @property
    def _name(self) -> str:
        """The name of the stream, and the values of the parent whose list this is."""
        values = dict.fromkeys(printable(str(value)) for value in (self.context or {}).values())
        return f"{self.stream.name} of {', '.join(values)}" if values else self.stream.name

    def _warn_of_shortfall(self) -> None:
        """Log a warning if the list has ended before the stated number of rows."""
        if shortfall := self.paginator.shortfall:
            self.stream.logger.warning(
                "The list of %s states that it has %d rows, and ended after %d. Some may be"
                " hidden, or out of reach. %s",
                self.stream.name,
                *shortfall,
                self.stream.paging_remedy,
            )
        if doubt := self.paginator.doubt:
            self.stream.logger.warning(
                "The list of %s %s. Some rows may be missing. %s",
                self._name,
                doubt,
                self.stream.paging_remedy,
            )
