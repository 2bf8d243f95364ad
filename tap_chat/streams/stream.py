"""ChatStream, the base of all streams: reads lists page by page.

It does not use the SDK's loop over pages, which decodes a body only after the last retry, and again
in each paginator.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from singer_sdk.mapper import SameRecordTransform
from singer_sdk.metrics import DEFAULT_LOG_INTERVAL
from typing_extensions import override

from tap_chat.http.errors import ForbiddenError, IgnoredError, MissingError
from tap_chat.singer.progress import RecordCounter
from tap_chat.singer.sdk import PROGRESS_MARKERS
from tap_chat.streams.list_reader import ListReader
from tap_chat.streams.paginators import Page, SinglePagePaginator
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.record_stream import RecordStream
from tap_chat.streams.windows import TimeWindow, windows_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.metrics import Counter as MetricCounter

    from tap_chat.http.request import Request
    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.paginators import Paginator
    from tap_chat.streams.probes import Probe
    from tap_chat.streams.raw_records import PageReader
    from tap_chat.streams.session import Session

T = TypeVar("T")


class ChatStream(RecordStream):
    """A stream of one platform.

    Args:
        tap: The tap.
        session: What the platform's streams share in the run.

    Attributes:
        missing_contexts: The contexts whose parents no longer exist.
        context_count: The number of contexts that were read so far.
    """

    #: Whether it is read in windows of time, from `start_date` to `end_date`, so that any window
    #: can be read alone.
    has_windows: ClassVar[bool] = False
    #: The settings that name the account and the part of it that is read, besides `api_url`.
    account_settings: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tap: Tap, session: Session) -> None:
        self.missing_contexts: list[Context] = []
        self._ignored = Counter[str]()  # responses, by status
        self.context_count = 0
        super().__init__(tap, session)

    def new_paginator(self) -> Paginator:
        """Return a new paginator for one list; by default for a list of one page."""
        return SinglePagePaginator()

    @override
    def chunks(self, context: Context | None) -> Iterator[RecordChunk]:
        try:
            yield from self.read(context)
        except ForbiddenError as error:
            if self.name not in self.settings.optional:
                raise
            self._leave_out(error)
        if context is None:
            self.report()

    def _leave_out(self, error: ForbiddenError) -> None:
        """Warn that an optional stream is left out, and keep its bookmark where it was."""
        self.logger.warning(
            "%s The stream is left out, as it is in %s.optional.", error, self.section
        )
        self.stream_state.pop(PROGRESS_MARKERS, None)

    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        """Read the records of one context. Override it in a stream that has no pages.

        Args:
            context: The parent's keys, or None.
        """
        for page in self.read_pages(context):
            yield page.chunk

    def read_pages(self, context: Context | None) -> Iterator[Page]:
        """Read the pages of one context.

        Args:
            context: The parent's keys, or None.

        Yields:
            Each page; none if the parent no longer exists.

        Raises:
            RequestError: A page can't be read, or is repeated.
        """
        self.context_count += 1
        for page in self.read_ahead(self.plan(context)):
            if page is None and context is not None:
                self.missing_contexts.append(dict(context))
            elif page is not None:
                yield page

    def read_ahead(self, plan: ReadPlan[T]) -> Iterator[T]:
        """Read a plan, and prefetch what the caller reads next.

        Args:
            plan: The plan.

        Returns:
            An iterator of its values.
        """
        if self.ABORT_AT_RECORD_COUNT is not None:
            # The SDK's connection test needs only one or two records.
            return (step.value for step in plan.start(RequestsAhead()))
        return self._session.fan_out.read(plan)

    def windows_ahead(
        self,
        key: Hashable,
        windows: Iterable[TimeWindow],
        plan_of: Callable[[TimeWindow], ReadPlan[Any]],
        end: int,
    ) -> Iterator[TimeWindow]:
        """Yield windows whose responses are fetched ahead, and note how far the stream has come.

        Args:
            key: The key of their plan.
            windows: The windows, oldest first.
            plan_of: Returns the plan of a window's first request.
            end: The end of the last window.
        """
        first: TimeWindow | None = None
        for window in self.read_ahead(windows_plan(key, windows, plan_of)):
            first = first or window
            self.progress.reach((window.start - first.start) / max(end - first.start, 1))
            yield window

    @property
    def page_reader(self) -> PageReader | None:
        """Reads pages without decoding their records; None if they must be decoded."""
        return self.raw_reader

    def plan(self, context: Context | None) -> ReadPlan[Page | None]:
        """Return the plan of the pages of one context, and of the children of their records.

        Args:
            context: The parent's keys, or None.

        Returns:
            The plan. Its value is None if the parent no longer exists.
        """
        reader = self.page_reader

        def steps(ahead: RequestsAhead) -> Iterator[Fetched[Page | None]]:
            try:
                yield from self.fetch_pages(self.new_request(context), context, reader, ahead)
            except MissingError:
                yield Fetched(None, last=True)
            except IgnoredError as error:
                self._count_ignored(error.status)

        def leads_to(page: Page | None) -> Iterator[ReadPlan[Any]]:
            for record in page.records if page else ():
                for child_context in self.generate_child_contexts(record, context):
                    for stream in self.prefetched_children:
                        yield from stream.expected_plans(child_context)

        return ReadPlan(
            (self.name, _hashable(context)), steps, leads_to if self.prefetched_children else None
        )

    def expected_plans(self, context: Context | None) -> Iterator[ReadPlan[Any]]:
        """Yield the plans of one context that are fetched ahead. A wrong guess costs requests.

        Args:
            context: The parent's keys, or None.
        """
        yield self.plan(context)

    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        """Yield the plans that this stream reads first when it is synced, as far as they are known.

        The first stream that is synced prefetches those of all streams.
        """
        yield from ()

    @cached_property
    def prefetched_children(self) -> list[ChatStream]:
        """The child streams that are read for each record."""
        # A stream map may filter out records, whose children are not read then.
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
        context: Context | None,
        reader: PageReader | None,
        ahead: RequestsAhead,
    ) -> Iterator[Fetched[Page]]:
        """Read the pages of a list, with one request each.

        Args:
            list_request: The request of the list, without pagination.
            context: The parent's keys, or None.
            reader: Reads pages without decoding their records; None to decode them.
            ahead: Sends requests ahead.

        Yields:
            Each page.

        Raises:
            MissingError: The parent no longer exists.
            RequestError: A page can't be read, or is repeated.
        """
        return ListReader(self, list_request, self.new_paginator(), context, reader).pages(ahead)

    def _count_ignored(self, status: str) -> None:
        with self._counting:
            self._ignored[status] += 1

    def report(self) -> None:
        """Log at the end what was counted.

        These are requests, waits for the rate limit, missing parents and unusable replication keys.
        """
        if self.request_count:
            self.request_counter.exit()
            for api in self._session.apis.values():
                self._session.progress.log_wait(api.throttle)
        for status, count in self._ignored.items():
            self.logger.warning(
                "Responses to %s that were ignored, as its declaration says: %d (%s).",
                self.name,
                count,
                status,
            )
        if self.missing_contexts:
            self.logger.warning(
                "Requests for %s that returned 404 Not Found: %d. What they ask for is deleted, and"
                " was skipped.",
                self.path,
                len(self.missing_contexts),
            )
        if self.replication_key and (unusable := self.state_manager.unusable):
            self.logger.warning(
                "Records of %s without a usable `%s`: %d. They were written, and will be written"
                " again whenever they are read.",
                self.name,
                self.replication_key,
                unusable,
            )
        self.progress.end()
        for stream in self.child_streams:
            if isinstance(stream, ChatStream) and stream.selected:
                stream.report()

    @property
    def dependents(self) -> Sequence[ChatStream]:
        """The streams whose records are left out by the bookmarks of this one."""
        return (self,)

    def probe(self) -> Probe | None:
        """Return the probe of `tap-chat --test`. One stream of each platform has one."""
        return None

    @override
    def get_record_counter(
        self, *, endpoint: str | None = None, log_interval: float = DEFAULT_LOG_INTERVAL
    ) -> MetricCounter:
        self._session.progress.start(shows=self.logger.isEnabledFor(logging.INFO))
        if self.selected:
            self._session.progress.begin(self.progress)
        return RecordCounter(self.progress, log_interval)


def _hashable(context: Context | None) -> Hashable:
    """Return a context as a part of a key: two are equal if they have the same values."""
    if not context:
        return None
    pairs = frozenset if all(map(_is_scalar, context.values())) else repr
    return pairs(context.items())


def _is_scalar(value: object) -> bool:
    return not isinstance(value, (dict, list))
