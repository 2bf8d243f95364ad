"""The private parts of the Singer SDK that streams use; `sdk_maps` and `sdk_tap` have the others.

`tests/tap/test_sdk.py` fails when a new version of the SDK changes one of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._batch import StorageTarget
from singer_sdk.helpers._catalog import get_selected_schema
from singer_sdk.helpers._state import PROGRESS_MARKERS, write_starting_replication_value
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from singer_sdk.streams import RESTStream
from singer_sdk.streams._state import StreamStateManager
from typing_extensions import override

from tap_chat.singer.sdk_maps import record_mapper
from tap_chat.singer.writer import MessageWriter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.singerlib import CatalogEntry, RecordMessage, SchemaMessage

    from tap_chat.singer.accounts import AccountProperty
    from tap_chat.singer.mapping import RecordMapper
    from tap_chat.singer.records import Record, RecordChunk

__all__ = [
    "PROGRESS_MARKERS",
    "ChunkedStream",
    "StorageTarget",
    "StreamStateManager",
    "write_starting_replication_value",
]

# The maximum number of records that are written together.
LARGEST_PART = 500


class ChunkedStream(RESTStream[Any]):
    """A stream that writes its records in chunks, and its SCHEMA once, or again if it changes.

    The SDK's loop over records costs more than reading and writing them. It is used only where each
    record may lead to child streams, or has several stream maps. The SDK also builds the SCHEMA of
    a child stream for each parent, which can cost more than the records.
    """

    #: Adds the account to what is written; None without one.
    account_property: AccountProperty | None = None
    #: Whether the SCHEMA waits for the first records.
    schema_waits = False
    _schema_is_written = False
    _waiting_version: int | None = None

    def chunks(self, context: Context | None) -> Iterator[RecordChunk]:
        """Read the records of one context.

        Args:
            context: The keys of the parent; None for a stream without one.

        Yields:
            Each chunk. It is written before the next is read.
        """
        raise NotImplementedError

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        for chunk in self.chunks(context):
            self.describe(chunk)
            yield from chunk.records

    def describe(self, chunk: RecordChunk) -> None:
        """Write the SCHEMA of a chunk before its records, if another one is written or none."""

    def write_schema(self, schema: dict[str, Any]) -> None:
        """Write the SCHEMA of the records that follow, without what the catalog deselects."""
        mapper = self._tap.mapper
        if self.selected:
            schema = get_selected_schema(self.name, schema, self.mask)
        mapper.register_raw_stream_schema(self.name, schema, self.primary_keys)
        self._stream_maps = []
        self.__dict__.pop("_mapper", None)
        self._schema_is_written = True
        if self.selected:
            super()._write_schema_message()
            if self._waiting_version is not None:
                super()._write_activate_version_message(self._waiting_version)
                self._waiting_version = None

    def forget_selection(self) -> None:
        """Make the metadata of the catalog again, for the fields that were discovered."""
        self._metadata = None
        self._mask = None

    def advance(self, chunk: RecordChunk) -> None:
        """Move the bookmark over a chunk that was written.

        Args:
            chunk: The chunk.
        """
        raise NotImplementedError

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        # The writer collects records in files, those of all contexts together.
        return None

    @cached_property
    def is_mapped_here(self) -> bool:
        """Whether records are mapped and written by this class, not by the SDK's."""
        return (
            len(self.stream_maps) == 1
            and self.TYPE_CONFORMANCE_LEVEL is TypeConformanceLevel.NONE
            and isinstance(self._tap.message_writer, MessageWriter)
        )

    @cached_property
    def _mapper(self) -> RecordMapper | None:
        """Maps records; None if they are written as they are."""
        [stream_map] = self.stream_maps
        is_same = type(stream_map) is SameRecordTransform and not stream_map.flattening_enabled
        if is_same and all(self.mask.values()):
            return None
        fields = frozenset(self.effective_schema["properties"])
        return record_mapper(stream_map, fields, self.mask)

    @cached_property
    def is_chunked(self) -> bool:
        """Whether records are written in chunks, and so may be raw JSON."""
        # Each partition has its own entry in the state.
        is_child = self.parent_stream_type is not None
        is_partitioned = self.state_partitioning_keys != () if is_child else self.partitions
        return (
            self.is_mapped_here
            and self.selected
            and not self.has_selected_descendents
            and self.ABORT_AT_RECORD_COUNT is None
            and not is_partitioned
        )

    @classmethod
    def summary(cls) -> str:
        """Return what its records are, in a sentence: the first line of the class's docstring."""
        return (cls.__doc__ or "").partition("\n")[0]

    def described(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return a JSON Schema of its records with the description of the stream."""
        summary = self.summary()
        return {"description": summary, **schema} if summary else dict(schema)

    @property
    @override
    def _singer_catalog_entry(self) -> CatalogEntry:
        entry = super()._singer_catalog_entry
        entry.schema.description = self.described(self.schema).get("description")
        return entry

    @override
    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        if account := self.account_property:
            account.check(self.effective_schema["properties"])
        for message in super()._generate_schema_messages():
            message.schema = self.described(message.schema)
            if account:
                account.describe(message)
            yield message

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        for message in super()._generate_record_messages(record):
            if self.account_property:
                message.record = self.account_property.add(message.record)
            yield message

    @override
    def _write_schema_message(self) -> None:
        if not self._schema_is_written and not self.schema_waits:
            self._schema_is_written = True
            super()._write_schema_message()

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        if self.schema_waits and not self._schema_is_written:
            self._waiting_version = full_table_version
        else:
            super()._write_activate_version_message(full_table_version)

    @override
    def _write_record_message(self, record: Record) -> None:
        if self.is_mapped_here:
            self._write_records([record])
        else:
            super()._write_record_message(record)

    def _write_records(self, records: Sequence[Any]) -> None:
        name = self.stream_maps[0].stream_alias
        if self._mapper is None:
            self._write_lines_of(name, records)
        else:
            mapped: list[Any] = []
            try:
                mapped.extend(self._mapper.map(records))
            finally:
                # If the stream map fails on a record, those before it are in the list.
                self._write_lines_of(name, mapped)
        self.state_manager.is_flushed = False

    def _write_lines_of(self, name: str, records: Iterable[Any]) -> None:
        writer: MessageWriter = self._tap.message_writer  # type: ignore[assignment]  # see is_mapped_here
        if self.account_property:
            records = self.account_property.add_to_all(records)
        writer.write_records(name, records, self._stream_version)

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        # The SDK copies the config for each parent, even for a stream without a replication key.
        if self.replication_method != REPLICATION_FULL_TABLE:
            super()._write_starting_replication_value(context)

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, Any, Any]:
        if write_messages and self.is_chunked:
            self._sync_chunks(context)
        else:
            yield from super()._sync_records(context, write_messages=write_messages)

    def _sync_chunks(self, context: Context | None) -> None:
        """Write the messages that the SDK's loop would write, in the same order."""
        written = 0
        counter, timer = self.get_record_counter(), self.get_sync_timer()
        with counter, timer:
            counter.with_context(context or {})
            timer.with_context(context or {})
            self._write_starting_replication_value(context)
            for chunk in self.chunks(context):
                self.describe(chunk)
                while chunk.records:
                    room = self.STATE_MSG_FREQUENCY - written % self.STATE_MSG_FREQUENCY
                    part, chunk = chunk.split(min(room, LARGEST_PART))  # noqa: PLW2901
                    self._write_records(part.records)
                    if self.replication_method == REPLICATION_INCREMENTAL:
                        self.advance(part)
                    counter.increment(len(part.records))
                    written += len(part.records)
                    if written % self.STATE_MSG_FREQUENCY == 0:
                        self._write_state_message()
        if context is None:
            self._finalize_state(self.stream_state)
        self._write_state_message()
