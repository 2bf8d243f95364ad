"""Streams of a declaration that read what is new or changed."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_chat.config.errors import config_error
from tap_chat.declarations.additions import Additions
from tap_chat.declarations.templates import template, texts
from tap_chat.http.json_path import compile_path
from tap_chat.platforms.rest.incremental import IncrementalReading, Span
from tap_chat.platforms.rest.list_filter import CursorError, ListFilter
from tap_chat.singer.cursor_bookmarks import CursorBookmarks
from tap_chat.singer.timestamps import normalise_datetime, write_datetime
from tap_chat.streams.inferred_stream import InferredStream
from tap_chat.streams.read_plans import RequestsAhead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_chat.declarations.model import Reading
    from tap_chat.http.request import Request
    from tap_chat.singer.bookmarks import Bookmarks
    from tap_chat.singer.cursors import CursorValue
    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.raw_records import PageReader
    from tap_chat.streams.read_plans import Fetched


class IncrementalStream(InferredStream):
    """A stream of a declaration. If it declares `incremental`, it has a bookmark.

    There is one bookmark for all parents. It moves when the last of them is read.
    """

    #: How the resource is read.
    reading: ClassVar[Reading]
    #: The additions of the resource.
    additions: ClassVar[Additions] = Additions()

    _has_warned_of_order = False

    @cached_property
    def incremental(self) -> IncrementalReading | None:
        """How the stream is read incrementally; None if its declaration does not say it."""
        declared = self.reading.endpoint.incremental
        converter = self.additions.convert
        return None if declared is None else IncrementalReading(declared, converter)

    # --- The bookmark -----------------------------------------------------------------------------

    @property
    @override
    def has_bookmarks(self) -> bool:
        # With an end, each run reads the same part of the list.
        is_open = self.incremental and self.incremental.declared.end_value is None
        return bool(is_open) and super().has_bookmarks

    @cached_property
    @override
    def state_manager(self) -> Bookmarks:
        if self.incremental is None:
            return super().state_manager
        # The lists of several parents are in no order.
        is_sorted = self.incremental.declared.row_order == "asc" and not self.parent_stream_type
        return CursorBookmarks(
            cursor=self.incremental.cursor,
            has_keys=bool(self.primary_keys),
            start=self._first_start,
            ceiling=self.ceiling,
            tap_name=self.tap_name,
            stream_name=self.name,
            tap_state=self.tap_state,
            state_partitioning_keys=self.state_partitioning_keys,
            is_sorted=is_sorted,
        )

    @property
    def _first_start(self) -> CursorValue | None:
        """The value of the cursor at which a first run starts."""
        if self.incremental is None:
            return None
        # Without an `initial_value`, the schema says how a time is written.
        asks_schema = self.start_date is not None and self.incremental.initial is None
        is_time = asks_schema and self._is_time(self.incremental.cursor.path)
        return self.incremental.first_start(self.start_date, is_time=is_time)

    def _is_time(self, path: str) -> bool:
        """Return whether the schema says that values at a path are date-times."""
        schema: Any = self.schema
        for name in compile_path(path).names or ("",):
            schema = schema.get("properties", {}).get(name, {})
        return bool(schema.get("format") == "date-time")

    @property
    @override
    def first_bookmark(self) -> CursorValue | None:
        start = self._first_start
        if start is None and self.start_date is not None:
            return write_datetime(self.start_date)
        return _comparable(start)

    @property
    @override
    def planned_start(self) -> CursorValue | None:
        return _comparable(super().planned_start) if self.has_bookmarks else None

    @override
    def advance(self, chunk: RecordChunk) -> None:
        manager = self.state_manager
        if isinstance(manager, CursorBookmarks) and self.has_bookmarks and self.replication_key:
            records = () if self.primary_keys else chunk.records
            manager.advance_over(records, chunk.bookmark_values, self.replication_key)

    # --- Requests ---------------------------------------------------------------------------------

    def _span(self, incremental: IncrementalReading) -> Span:
        """Return the part of each list that this run reads."""
        saved, manager = None, self.state_manager
        if self.has_bookmarks and isinstance(manager, CursorBookmarks):
            saved = manager.saved(self.saved_state, self.replication_key)
        return incremental.span(saved=saved, first=self._first_start, start_date=self.start_date)

    @property
    def incremental_values(self) -> dict[str, Any]:
        """The values of the placeholders `{incremental...}` in a request.

        Raises:
            ConfigValidationError: The request needs a value that there is not.
        """
        if self.incremental is None:
            return {}
        values = self.incremental.request_values(self._span(self.incremental))
        if absent := [name for name in self._placeholders if values.get(name, name) is None]:
            raise config_error(
                f"`{{{absent[0]}}}` in a request of {self.name} has no value in a first run. Write"
                " `initial_value` (or `end_value`) in `incremental`. Or write `start_param` instead"
                " of the placeholder: a first run does not send it."
            )
        return values

    @cached_property
    def _placeholders(self) -> frozenset[str]:
        """The names of the placeholders in its requests."""
        endpoint = self.reading.endpoint
        parts = [endpoint.path, endpoint.params, endpoint.json, endpoint.data, endpoint.headers]
        return frozenset(name for _, text in texts(parts, "") for name in template(text).names)

    @property
    def incremental_params(self) -> dict[str, Any]:
        """The parameters with which a request asks for new records."""
        if self.incremental is None:
            return {}
        return self.incremental.request_params(self.incremental_values)

    # --- Records ----------------------------------------------------------------------------------

    @property
    @override
    def page_reader(self) -> PageReader | None:
        if self.incremental is not None:
            path = compile_path(self.incremental.cursor.path)
            if path.names != (self.replication_key,) or not self.primary_keys:
                return None  # the cursor, or the whole record, must be decoded
        return super().page_reader

    @override
    def chunk(self, records: list[Record]) -> RecordChunk:
        chunk = super().chunk(records)
        if self.incremental is None:
            return chunk
        return replace(chunk, bookmark_values=list(map(self.incremental.cursor.find, records)))

    @override
    def fetch_pages(
        self,
        list_request: Request,
        context: Context | None,
        reader: PageReader | None,
        ahead: RequestsAhead,
    ) -> Iterator[Fetched[Page]]:
        if self.incremental is None:
            yield from super().fetch_pages(list_request, context, reader, ahead)
            return
        list_filter, span = self._new_filter(self.incremental)
        is_short = self.incremental.declared.row_order == "desc" and span.start is not None
        # Most of the pages that could be sent ahead would not be needed.
        ahead = RequestsAhead() if is_short else ahead
        for fetched in super().fetch_pages(list_request, context, reader, ahead):
            try:
                page = list_filter.filter(fetched.value)
            except CursorError as error:
                raise self.client.request_error(
                    list_request, error.predicate, error.remedy
                ) from None
            self._note(list_filter, self.incremental)
            has_ended = fetched.last or list_filter.has_ended
            yield fetched._replace(value=page, last=has_ended)
            if has_ended:
                return

    def _new_filter(self, incremental: IncrementalReading) -> tuple[ListFilter, Span]:
        span, manager = self._span(incremental), self.state_manager
        if span.is_resumed and isinstance(manager, CursorBookmarks):
            return ListFilter(incremental, span, manager.saved_rows(self.saved_state)), span
        return ListFilter(incremental, span), span

    def _note(self, list_filter: ListFilter, incremental: IncrementalReading) -> None:
        """Note what a list shows: the type of its values, and that their order is another one."""
        manager = self.state_manager
        if isinstance(manager, CursorBookmarks):
            manager.value_type = manager.value_type or list_filter.kind
            manager.is_disordered |= list_filter.is_disordered
        if list_filter.is_disordered and not self._has_warned_of_order:
            self._has_warned_of_order = True
            self.logger.warning(
                "Records of %s are not in the order of `%s` that `row_order: %s` promises: all"
                " pages are read. Remove `row_order`, or let the request sort them.",
                self.name,
                incremental.cursor.path,
                incremental.declared.row_order,
            )


def _comparable(value: CursorValue | None) -> CursorValue | None:
    """Return a value as scopes of STATEs compare it: a date-time in UTC, in one format."""
    return normalise_datetime(value) or value if isinstance(value, str) else value
