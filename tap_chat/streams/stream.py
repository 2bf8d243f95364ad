"""ChatStream: from a stream's pages to its records and bookmarks.

The loop over pages is our own, because the SDK's decodes a body after the retries are over, and
once more in each paginator.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import urlencode

from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.metrics import DEFAULT_LOG_INTERVAL
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from singer_sdk.streams.rest import HTTPRequest, PageContext
from typing_extensions import override

from tap_chat.config.errors import config_error
from tap_chat.http import responses
from tap_chat.http.client import Client
from tap_chat.http.clock import FAR, ServerClock, is_behind
from tap_chat.http.errors import MissingError
from tap_chat.http.request import Request
from tap_chat.singer import catalog as catalogs
from tap_chat.singer.bookmarks import (
    DATETIMES,
    NUMBERS,
    Bookmark,
    Bookmarks,
    BookmarkType,
)
from tap_chat.singer.progress import RecordCounter
from tap_chat.singer.records import Conformer, RecordChunk
from tap_chat.singer.sdk import ChunkedStream
from tap_chat.singer.timestamps import normalise_datetime
from tap_chat.streams.fan_out import Fetched, ReadPlan
from tap_chat.streams.paginators import Page, PaginationError, SinglePagePaginator
from tap_chat.streams.raw_records import RawRecordReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from requests import PreparedRequest
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context
    from singer_sdk.metrics import Counter
    from singer_sdk.singerlib import Catalog

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.http.failures import Remedies
    from tap_chat.http.responses import Body, Response
    from tap_chat.singer.records import Record
    from tap_chat.streams.paginators import Paginator
    from tap_chat.streams.paginators.pages import Headers
    from tap_chat.streams.probes import Probe
    from tap_chat.streams.session import Session

T = TypeVar("T")

# Characters shown of the name of a field that is not declared.
SHOWN_NAME = 60


class ChatStream(ChunkedStream):
    """A stream of one platform.

    Args:
        tap: The tap.
        session: What the platform's streams share in the run.
    """

    name: str
    #: The platform's section in the config.
    section: ClassVar[str]
    #: What to do about requests to the platform that fail.
    remedies: ClassVar[Remedies]
    # Bodies that are not texts already.
    payload_as_json = True

    # Records are conformed when their page is checked. The SDK would do it once more, and turn
    # numbers beyond a double's range into null.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    #: Where the records are in a page, names with dots between them; empty if they are the root.
    records_path: str
    #: Whether they may be the root, too.
    records_at_root: ClassVar[bool] = False
    #: Keys of the parent that records get, whatever they say themselves.
    parent_keys: ClassVar[tuple[str, ...]] = ()
    #: The names of what the STATE has of how far the stream was read.
    bookmark_keys: ClassVar[tuple[str, ...]] = ("replication_key_value",)
    #: How the bookmark moves.
    bookmarks_class: ClassVar[type[Bookmarks]] = Bookmarks
    #: The settings that name the account, and what of it is read, besides `api_url`.
    account_settings: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tap: Tap, session: Session) -> None:
        self.settings: PlatformSettings = session.settings
        self.start_date = session.start_date
        self.end_date = session.end_date
        self._session = session
        self._doubted = False
        self._began = datetime.now(UTC)
        #: The contexts whose parents were asked for in vain, and the number of all contexts.
        self.missed: list[Context] = []
        self.asked = 0
        self._checking = threading.Lock()  # the check remembers what it has warned of
        self._counting = threading.Lock()
        self.request_count = 0
        super().__init__(tap)
        self.client = Client(
            settings=session.settings,
            throttle=session.throttle,
            transport=session.transport,
            remedies=self.remedies,
            subject=f"Stream {self.name}: ",
            user_agent=session.user_agent,
            sign=self._sign,
            count=self._count_request,
            is_api_error=self.is_api_error,
        )

    def new_paginator(self) -> Paginator:
        """Return a fresh paginator for one walk over the pages; by default there is one page."""
        return SinglePagePaginator()

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply a catalog.

        Raises:
            ConfigValidationError: It would spoil or lose records of this stream.
        """
        keys, replication_key = self.primary_keys, self.replication_key
        super().apply_catalog(catalog)
        if self.selected:
            if problems := list(catalogs.problems(self, keys)):
                raise config_error(*(f"{problem} {catalogs.REMEDY}" for problem in problems))
            for difference in catalogs.differences(self, replication_key):
                self.logger.warning(difference)
        self.primary_keys = keys

    # Requests

    @property
    @override
    def url_base(self) -> str:
        return self.settings.api_url.rstrip("/")

    @override
    def get_url(self, context: Context | None) -> str:
        # With its placeholders: the client fills them, and the SDK would not quote them.
        return f"{self.url_base}{self.path}"

    @property
    def clock(self) -> ServerClock:
        """The server's clock, as the responses to this stream show it."""
        return self.client.clock

    def _sign(self, request: PreparedRequest) -> PreparedRequest:
        return self._authenticator(request)

    @cached_property
    def _authenticator(self) -> Auth:
        return self.authenticator

    @cached_property
    def request_counter(self) -> Counter:
        """Counts the stream's requests, retries included, and logs the number now and then."""
        return self.get_http_request_counter()

    def _count_request(self) -> None:
        with self._counting:
            self.request_count += 1
            self.request_counter.increment()

    @override
    def log_sync_costs(self) -> None:
        super().log_sync_costs()
        self._session.throttle.log_summary()

    def new_request(self, context: Context | None) -> Request:
        """Return the request of a list: that of `get_http_request`, as the client takes it.

        Args:
            context: The parent's keys, which fill the placeholders of the path; or None.
        """
        http = self.get_http_request(page=PageContext(context, None))
        headers, body = http.headers, http.data
        if isinstance(body, Mapping) and not self.payload_as_json:
            headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
            body = urlencode(body, doseq=True)
        # Parameters that are encoded in a way of their own stay as they are.
        is_plain = type(http) is HTTPRequest and not http.safe_query_chars
        params = http.params if is_plain else http.encode_params()
        return Request(http.url, http.method, context or {}, params, headers, body)

    def is_api_error(self, body: Body) -> bool:  # noqa: ARG002 - most APIs have one 404
        """Return whether the body of a 404 is the API's own.

        Args:
            body: The body.
        """
        return True

    # Records

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
            RequestError: A page can't be had, or came before.
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
            RequestError: A page can't be had, or came before.
        """
        paginator = self.new_paginator()

        def read(response: Response) -> tuple[int, Any, Headers]:
            body, headers = response.body, response.headers
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
                    page = paginator.advance(replace(body, headers=headers))
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
                return "answered with nothing"
            if responses.is_null(body, self.records_path):
                return "answered with null in place of the list"
        # Of the first page a null alone says little: it stands beside errors, too.
        elif missing and responses.is_null(body, self.records_path):
            empty = responses.counts_none(body, self.records_path)
            return "answered with null in place of the list" if empty else None
        return None

    def page(self, request: Request, body: Any, context: Context | None = None) -> Page:  # noqa: ANN401
        """Find and check the records of an answer.

        Args:
            request: The request, for errors.
            body: The decoded body.
            context: The parent's keys, or None.

        Returns:
            The page, whose records all have their keys and the declared types.

        Raises:
            RequestError: There is no list of records, or one does not fit its schema.
        """
        records = self.find_records(body)
        if not isinstance(records, list):
            place = f"`{self.records_path}`" if self.records_path else "the root"
            raise self.client.request_error(
                request,
                f"answered without a list of records at {place}, but"
                f" {responses.describe_shape(body)}",
                self.records_remedy,
            )
        inherited = {key: (context or {})[key] for key in self.parent_keys}
        for record in records:
            if inherited and isinstance(record, dict):
                record.update(inherited)
        return self.make_page(request, records, body)

    def make_page(
        self,
        request: Request,
        records: list[Any],
        body: Any = None,  # noqa: ANN401
        *,
        first: int = 0,
    ) -> Page:
        """Check records, and make a page of them.

        Args:
            request: Where they came from, for errors.
            records: The records.
            body: The decoded body.
            first: The place of the first in the answer, for errors.

        Raises:
            RequestError: One does not fit its schema.
        """
        for index, record in enumerate(records, first):
            self.conform(request, index, record)
        keys = [tuple(record[key] for key in self.primary_keys) for record in records]
        return Page(body, self.chunk(records), keys)

    def chunk(self, records: list[Record]) -> RecordChunk:
        """Return a chunk of records that are decoded."""
        key = self.replication_key
        return RecordChunk(records, [record.get(key) for record in records] if key else ())

    @cached_property
    def raw_reader(self) -> RawRecordReader | None:
        """What reads pages without decoding their records.

        None if they must be decoded: their schema, or what becomes of them, asks for it.
        """
        if not self.is_chunked:
            return None
        try:
            return RawRecordReader(
                self.effective_schema,
                self.primary_keys,
                replication_key=self.replication_key,
                inherited=self.parent_keys,
                path=self.records_path,
                at_root=self.records_at_root,
            )
        except (TypeError, ValueError):
            return None

    def find_records(self, body: Any) -> Any:  # noqa: ANN401
        """Return the list of records in a body, or what stands in its place."""
        if self.records_at_root and isinstance(body, list):
            return body
        return responses.find(body, self.records_path)

    def conform(self, request: Request, index: int, record: Any) -> None:  # noqa: ANN401
        """Conform a record to its schema.

        Args:
            request: Where it came from, for errors.
            index: Its place in the answer, for errors.
            record: The record; undeclared fields are taken out of it.

        Raises:
            RequestError: It does not fit.
        """
        problem = (
            self._conformer.conform(record) if isinstance(record, dict) else "is not an object"
        )
        if problem:
            said = f"gave a record (number {index} of the page) that {problem}"
            # What has no key may be no record at all.
            keyed = isinstance(record, dict) and record.keys() >= set(self.primary_keys)
            remedy = self.record_remedy if keyed else self.records_remedy
            raise self.client.request_error(request, said, remedy)

    @override
    def get_record_counter(
        self, *, endpoint: str | None = None, log_interval: float = DEFAULT_LOG_INTERVAL
    ) -> Counter:
        self._session.progress.start()
        return RecordCounter(self.name, self._session.progress, log_interval)

    @cached_property
    def _conformer(self) -> Conformer:
        return Conformer(self.effective_schema, self.primary_keys, self._warn_undeclared)

    def _warn_undeclared(self, name: str) -> None:
        self.logger.warning(
            "Records of %s have a field '%s' that is not declared; it is left out. %s",
            self.name,
            name[:SHOWN_NAME],
            self.record_remedy,
        )

    def report(self) -> None:
        """Log what is left to say when the stream and its children are read."""
        if self.request_count:
            self.request_counter.exit()
        if self.missed:
            self.logger.warning(
                "%d times %s answered 404 Not Found: what was asked for is gone, and was skipped.",
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
    def records_remedy(self) -> str:
        """What to do when a page has no list of records, or of something else."""
        return self.remedies.check_address

    @property
    def paging_remedy(self) -> str:
        """What to do when the server does not page as it is asked to."""
        return "The server does not page as it should; it can't be read without losing records."

    @property
    def record_remedy(self) -> str:
        """What to do when a record does not fit its schema."""
        return ""

    # Incremental

    @property
    def is_read(self) -> bool:
        """Whether this run reads the stream, for itself or for what is reached through it."""
        return bool(self.selected or self.has_selected_descendents)

    @property
    def has_bookmarks(self) -> bool:
        """Whether the STATE has marks of the stream, by which a run leaves out records."""
        return self.replication_method == REPLICATION_INCREMENTAL

    @property
    def exclusions(self) -> Sequence[str]:
        """What the settings leave out of the stream, as words that stay the same."""
        return ()

    @cached_property
    @override
    def state_manager(self) -> Bookmarks:
        """The keeper of this stream's state."""
        return self.bookmarks_class(
            bookmark_type=self.bookmark_type,
            start=self.first_bookmark,
            ceiling=self.ceiling,
            tap_name=self.tap_name,
            stream_name=self.name,
            tap_state=self.tap_state,
            state_partitioning_keys=self.state_partitioning_keys,
            is_sorted=self.is_sorted,
            check_sorted=self.check_sorted,
        )

    @property
    def bookmark_type(self) -> BookmarkType:
        """What the bookmarks are made of."""
        return DATETIMES if self.is_timestamp_replication_key else NUMBERS

    @property
    def starting_bookmark(self) -> Bookmark | None:
        """Where this run starts; None to read everything."""
        start: Bookmark | None = self.get_starting_replication_key_value(None)
        return start

    @property
    def planned_start(self) -> Bookmark | None:
        """What `starting_bookmark` will be when the stream is synced."""
        if self.replication_method != REPLICATION_INCREMENTAL:
            return None
        return self.state_manager.find_start(self.saved_state, self.replication_key)

    @property
    def saved_state(self) -> dict[str, Any]:
        """What the STATE has of this stream, which gets no part by that, as in `stream_state`."""
        known: dict[str, Any] = self.tap_state.get("bookmarks", {}).get(self.name, {})
        return known

    @property
    def first_bookmark(self) -> Bookmark | None:
        """Where a first incremental run starts: at the setting `start_date`, if that is a time."""
        return normalise_datetime(self.start_date) if self.is_timestamp_replication_key else None

    @override
    def advance(self, chunk: RecordChunk) -> None:
        if self.replication_key:
            self.state_manager.advance(chunk.bookmark_values, self.replication_key)

    def advance_to(self, bookmark: Bookmark) -> None:
        """Move the bookmark of a stream that is read in windows, and write a STATE.

        Args:
            bookmark: The end of a window whose records are all written.
        """
        if self.replication_key and self.replication_method == REPLICATION_INCREMENTAL:
            self.state_manager.advance_to(self.replication_key, bookmark)
            self._session.write_state(self.tap_state)

    def passed(self, known: datetime) -> datetime:
        """Return a moment that is over at the server, so that a bookmark may be there.

        It is what the server's clock shows, unless that is wrong: far behind what is known. Then,
        and where the server says nothing, it is what is known: no bookmark follows the clock of
        this machine alone.

        Args:
            known: A moment that is over there, such as that of a record that it gave.
        """
        told = self.clock.earliest
        if told is not FAR and not is_behind(told, known):
            return told
        if not self._doubted:
            self._doubted = True
            self.logger.warning(
                "The answers of %s %s: its bookmark follows its records.",
                self.name,
                "do not say when they were sent (`Date`)"
                if told is FAR
                else "say that they were sent days before what they hold (`Date`)",
            )
        return known

    def ceiling(self, found: datetime) -> datetime:
        """Return what the bookmark of a stream that is not read in windows may not pass.

        Args:
            found: The latest moment in the records.
        """
        told = self.clock.earliest
        believed = told is not FAR and not is_behind(told, min(found, self._began))
        return told if believed else self._began

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return none: `Bookmarks` caps bookmarks itself, by the server's clock and in any unit."""
        return
