"""ChatStream: the base of every platform's streams, which reads lists page by page.

The loop over pages is our own, because the SDK's decodes a body after the retries are over, and
once more in each paginator.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from singer_sdk.mapper import SameRecordTransform
from singer_sdk.metrics import DEFAULT_LOG_INTERVAL
from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.errors import MissingError
from tap_chat.singer.progress import RecordCounter
from tap_chat.streams.paginators import Page, PaginationError, SinglePagePaginator
from tap_chat.streams.read_plans import Fetched, ReadPlan
from tap_chat.streams.record_stream import RecordStream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.metrics import Counter

    from tap_chat.http.request import Request
    from tap_chat.http.responses import Response
    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.paginators import Paginator
    from tap_chat.streams.paginators.pages import Headers
    from tap_chat.streams.probes import Probe
    from tap_chat.streams.raw_records import RawRecordReader
    from tap_chat.streams.session import Session

T = TypeVar("T")


class ChatStream(RecordStream):
    """A stream of one platform.

    Args:
        tap: The tap.
        session: What the platform's streams share in the run.

    Attributes:
        missed: The contexts whose parents were asked for in vain.
        asked: The number of contexts so far.
    """

    #: The settings that name the account, and what of it is read, besides `api_url`.
    account_settings: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tap: Tap, session: Session) -> None:
        self.missed: list[Context] = []
        self.asked = 0
        self._checking = threading.Lock()  # the check remembers what it has warned of
        super().__init__(tap, session)

    def new_paginator(self) -> Paginator:
        """Return a fresh paginator for one walk over the pages; by default there is one page."""
        return SinglePagePaginator()

    @override
    def chunks(self, context: Context | None) -> Iterator[RecordChunk]:
        yield from self.read(context)
        if context is None:
            self.report()

    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        """Read the records of one context; streams that are not read page by page override it.

        Args:
            context: The parent's keys, or None.
        """
        for page in self.pages(context):
            yield page.chunk

    def pages(self, context: Context | None) -> Iterator[Page]:
        """Walk the pages of one context.

        Args:
            context: The parent's keys, or None.

        Yields:
            Each page; none if the parent is gone, which is noted.

        Raises:
            RequestError: A page can't be read, or is repeated.
        """
        self.asked += 1
        for page in self.read_ahead(self.plan(context)):
            if page is None and context is not None:
                self.missed.append(dict(context))
            elif page is not None:
                yield page

    def read_ahead(self, plan: ReadPlan[T]) -> Iterator[T]:
        """Read what a plan says, ahead of who asks for it.

        Args:
            plan: The plan.

        Yields:
            Its values.
        """
        if self.ABORT_AT_RECORD_COUNT is not None:
            # A test of the connection wants a record or two.
            return (step.value for step in plan.start())
        return self._session.fan_out.read(plan)

    def plan(self, context: Context | None) -> ReadPlan[Page | None]:
        """Return the plan of the pages of one context, and of all that follow from them.

        Args:
            context: The parent's keys, or None.

        Returns:
            The plan. A value is None where the parent is gone.
        """
        reader = self.raw_reader

        def steps() -> Iterator[Fetched[Page | None]]:
            try:
                yield from self.fetch_pages(self.new_request(context), context, reader)
            except MissingError:
                yield Fetched(None, last=True)

        def leads_to(page: Page | None) -> Iterator[ReadPlan[Any]]:
            for record in page.records if page else ():
                for child_context in self.generate_child_contexts(record, context):
                    for stream in self._foreseen:
                        yield stream.plan(child_context)

        keys = frozenset(context.items()) if context else None
        return ReadPlan((self.name, keys), steps, leads_to if self._foreseen else None)

    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        """Yield the plans that this stream will read first when it is synced, if they are known.

        It is asked for them when the first stream is, so that streams need not wait for each other.
        By default none are known.
        """
        yield from ()

    @cached_property
    def _foreseen(self) -> list[ChatStream]:
        """The child streams that are read for every record."""
        # A stream map may have a filter, and the children of what it leaves out are not read.
        if type(self.stream_maps[0]) is not SameRecordTransform:
            return []
        return [
            stream
            for stream in self.child_streams
            if isinstance(stream, ChatStream)
            and (stream.selected or stream.has_selected_descendents)
        ]

    def fetch_pages(
        self,
        list_request: Request,
        context: Context | None = None,
        reader: RawRecordReader | None = None,
    ) -> Iterator[Fetched[Page]]:
        """Walk pages, one request each.

        Args:
            list_request: The request of the list, without pagination.
            context: The parent's keys, or None.
            reader: What reads pages without decoding their records; None to decode them.

        Yields:
            Each page.

        Raises:
            MissingError: The parent is gone.
            RequestError: A page can't be read, or is repeated.
        """
        paginator = self.new_paginator()

        def read(response: Response) -> tuple[int, Any, Headers]:
            # Headers take more memory than a small page, which may wait for its reader.
            body, headers = response.body, response.headers if paginator.reads_headers else {}
            if not body and HTTPStatus.NOT_FOUND in paginator.missing:
                return 0, None, headers
            page = reader.read(body, context) if reader else None
            return len(body), page or responses.decode(body), headers

        gone = frozenset({HTTPStatus.NOT_FOUND} if context is not None else ())
        last = False
        while not last:
            request = paginator.page_request(list_request)
            try:
                missing = paginator.missing | gone
                size, body, headers = self.client.send(request, read, missing=missing)
                said = None if isinstance(body, Page) else self._nothing(body, paginator.missing)
            except MissingError as error:
                if error.status not in paginator.missing:
                    raise
                size, said, headers = 0, error.predicate, {}
            try:
                if said:
                    page = paginator.miss(said)
                else:
                    if not isinstance(body, Page):
                        with self._checking:
                            body = self.page(request, body, context)
                    page = paginator.advance(replace(body, headers=headers) if headers else body)
            except PaginationError as error:
                remedy = error.remedy or self.paging_remedy
                raise self.client.request_error(request, error.predicate, remedy) from None
            last = paginator.finished
            if last:
                self._warn_of(paginator)
            yield Fetched(page, size, last)

    def _warn_of(self, paginator: Paginator) -> None:
        """Log what a walk that has ended can't vouch for."""
        if paginator.shortfall:
            self.logger.warning(
                "The list of %s says that it has %d rows, and ended after %d. Some may be hidden, "
                "or out of reach. %s",
                self.name,
                *paginator.shortfall,
                self.paging_remedy,
            )

    def _nothing(self, body: Any, missing: Collection[int]) -> str | None:  # noqa: ANN401
        """Return how an answer says that there is no such page, or None if it does not."""
        if HTTPStatus.NOT_FOUND in missing:
            if body is None:
                return "returned nothing"
            if responses.is_null(body, self.records_path):
                return "returned null instead of the list"
        # Of the first page a null alone says little: it stands beside errors, too.
        elif missing and responses.is_null(body, self.records_path):
            empty = responses.counts_none(body, self.records_path)
            return "returned null instead of the list" if empty else None
        return None

    def report(self) -> None:
        """Log what is left to say when the stream and its children are read."""
        if self.request_count:
            self.request_counter.exit()
        if self.missed:
            self.logger.warning(
                "%d times %s returned 404 Not Found: it is deleted, and was skipped.",
                len(self.missed),
                self.path,
            )
        if self.replication_key and (unusable := self.state_manager.unusable):
            self.logger.warning(
                "%d records of %s have no usable `%s`: they were written, and will be again "
                "whenever they are read.",
                unusable,
                self.name,
                self.replication_key,
            )
        for stream in self.child_streams:
            if isinstance(stream, ChatStream) and stream.selected:
                stream.report()

    def probe(self) -> Probe | None:
        """Return how `tap-chat --test` asks the platform; None but for one of its streams."""
        return None

    @property
    def paging_remedy(self) -> str:
        """What to do when the server does not page as it is asked to."""
        return "The server does not page as it should; it can't be read without losing records."

    @override
    def get_record_counter(
        self, *, endpoint: str | None = None, log_interval: float = DEFAULT_LOG_INTERVAL
    ) -> Counter:
        self._session.progress.start()
        return RecordCounter(self.name, self._session.progress, log_interval)
