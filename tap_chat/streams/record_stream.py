"""Streams that check their records against their schema."""

from __future__ import annotations

import threading
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.helpers.conform import TypeConformanceLevel
from typing_extensions import override

from tap_chat.config.errors import config_error
from tap_chat.http import responses
from tap_chat.singer import catalog as catalogs
from tap_chat.singer.progress import ReadProgress
from tap_chat.singer.records import Conformer, RecordChunk, UndeclaredNames
from tap_chat.streams.bookmarked_stream import BookmarkedStream
from tap_chat.streams.paginators import Page
from tap_chat.streams.raw_records import RawRecordReader

if TYPE_CHECKING:
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.singerlib import Catalog

    from tap_chat.http.errors import RequestError
    from tap_chat.http.request import Request
    from tap_chat.singer.records import Record
    from tap_chat.streams.session import Session

# Characters of an undeclared property's name that are shown.
SHOWN_NAME = 60


class RecordStream(BookmarkedStream):
    """A stream that finds the records in a response and checks each of them."""

    # Records are conformed when their page is checked. The SDK would conform them again, and would
    # turn numbers beyond the range of a double into null.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    #: The path of the records in a body: names with dots between them; empty for the root.
    records_path: str
    #: Whether the records may be at the root, too.
    records_at_root: ClassVar[bool] = False
    #: The statuses that say that the parent no longer exists.
    missing_parent: ClassVar[frozenset[int]] = frozenset({HTTPStatus.NOT_FOUND})
    #: The keys of the parent that are added to each record, and replace its own.
    parent_keys: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tap: Tap, session: Session) -> None:
        self._checking = threading.Lock()  # the conformer is not safe to use from several threads
        super().__init__(tap, session)

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply a catalog.

        Raises:
            ConfigValidationError: The catalog would change or lose records of this stream.
        """
        keys, replication_key = self.primary_keys, self.replication_key
        super().apply_catalog(catalog)
        if self.selected:
            if problems := list(catalogs.problems(self, keys, replication_key)):
                raise config_error(*(f"{problem} {catalogs.REMEDY}" for problem in problems))
            for difference in catalogs.differences(self, replication_key):
                self.logger.warning(difference)
        self.primary_keys = keys

    @cached_property
    def progress(self) -> ReadProgress:
        """The progress of the stream, which is shown on a terminal."""
        return ReadProgress(self.name, self.api.throttle)

    def check_page(self, request: Request, body: Any, context: Context | None = None) -> Page:  # noqa: ANN401
        """Find and check the records of a response.

        Args:
            request: The request, for errors.
            body: The decoded body.
            context: The parent's keys, or None.

        Returns:
            The page. All its records have their keys and the declared types.

        Raises:
            RequestError: There is no list of records, or a record does not fit its schema.
        """
        records = self.find_records(body)
        if not isinstance(records, list):
            raise self.no_records_error(request, body)
        inherited = {key: (context or {})[key] for key in self.parent_keys}
        for record in records:
            if inherited and isinstance(record, dict):
                record.update(inherited)
        return self.make_page(request, records, body)

    def no_records_error(self, request: Request, body: Any) -> RequestError:  # noqa: ANN401
        """Return the error that a response has no list of records.

        Args:
            request: The request.
            body: The decoded body.
        """
        place = f"`{self.records_path}`" if self.records_path else "the root"
        predicate = f"returned no list of records at {place}, but {responses.describe_shape(body)}"
        return self.client.request_error(request, predicate, self.records_remedy)

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
            request: Their request, for errors.
            records: The records.
            body: The decoded body.
            first: The number of the first record in the response, for errors.

        Raises:
            RequestError: A record does not fit its schema.
        """
        for index, record in enumerate(records, first):
            self.conform(request, index, record)
        keys = [tuple(record[key] for key in self.primary_keys) for record in records]
        return Page(body, self.chunk(records), keys)

    def chunk(self, records: list[Record]) -> RecordChunk:
        """Return a chunk of decoded records."""
        key = self.replication_key
        return RecordChunk(records, [record.get(key) for record in records] if key else ())

    def check_received(self, request: Request, body: Any, context: Context | None) -> Page:  # noqa: ANN401
        """Check the page of a response; see `check_page`. It is safe to use from several threads.

        Args:
            request: The request, for errors.
            body: The decoded body, or a page of raw records, which is checked already.
            context: The parent's keys, or None.
        """
        if isinstance(body, Page):
            return body
        with self._checking:
            return self.check_page(request, body, context)

    @cached_property
    def raw_reader(self) -> RawRecordReader | None:
        """Reads pages without decoding their records.

        None if the schema, or the processing of the records, needs decoded records.
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
                report_undeclared=self._undeclared,
            )
        except (TypeError, ValueError):
            return None

    def find_records(self, body: Any) -> Any:  # noqa: ANN401
        """Return the list of records in a body, or the other value in its place."""
        if self.records_at_root and isinstance(body, list):
            return body
        return responses.find(body, self.records_path)

    def conform(self, request: Request, index: int, record: Any) -> None:  # noqa: ANN401
        """Conform a record to its schema.

        Args:
            request: Its request, for errors.
            index: Its number in the response, for errors.
            record: The record, which loses its undeclared properties.

        Raises:
            RequestError: The record does not fit.
        """
        problem = (
            self._conformer.conform(record) if isinstance(record, dict) else "is not an object"
        )
        if problem:
            predicate = f"returned a record (number {index} of the page) that {problem}"
            # An object without a key may not be a record at all.
            has_key = isinstance(record, dict) and record.keys() >= set(self.primary_keys)
            remedy = self.record_remedy if has_key else self.keyless_remedy(record)
            raise self.client.request_error(request, predicate, remedy)

    @cached_property
    def _conformer(self) -> Conformer:
        return Conformer(self.effective_schema, self.primary_keys, self._undeclared)

    @cached_property
    def _undeclared(self) -> UndeclaredNames:
        return UndeclaredNames(self._warn_undeclared)

    def _warn_undeclared(self, name: str) -> None:
        self.logger.warning(
            "Records of %s have a field '%s' that is not declared; it is left out. %s",
            self.name,
            name[:SHOWN_NAME],
            self.record_remedy,
        )

    @property
    def paging_remedy(self) -> str:
        """What to do if the server does not page as it should."""
        return "The server does not page as it should; it can't be read without losing records."

    @property
    def records_remedy(self) -> str:
        """What to do if a response has no list of records, or the list of something else."""
        return self.remedies.check_address

    def keyless_remedy(self, record: Any) -> str:  # noqa: ANN401, ARG002 - it may not be a record
        """Return what to do if a record has no key, or is not an object.

        Args:
            record: The record.
        """
        return self.records_remedy

    @property
    def record_remedy(self) -> str:
        """What to do if a record does not fit its schema."""
        return ""
