"""Reads a tap once a run: its messages to the tables and bookmarks of the selected streams."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dlt

from dlt_bridge import state, tables
from dlt_bridge.arrow import RecordDecoder
from dlt_bridge.catalog import FULL_TABLE, Catalog
from dlt_bridge.errors import MessageError
from dlt_bridge.messages import ActivateVersion, Batch, Message, Record, Schema, State, decoded
from dlt_bridge.types import columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from msgspec import Raw

    from dlt_bridge.process import Tap

logger = logging.getLogger(__name__)

# 20,000 rows are the fastest batch and cost little memory; rows larger than 400 bytes make fewer.
BATCH_ROWS = 20_000
BATCH_BYTES = 8 * 1024 * 1024

# Where dlt's state has the rest of a STATE: of the source, and what a resource was read up to.
REST = "singer"
MARK = "singer_mark"
BOOKMARKS = "bookmarks"


@dataclass(frozen=True, slots=True)
class Rows:
    """What the driver hands to the transformer of one stream."""

    stream: str
    table: pa.Table
    hints: Any = None


@dataclass(frozen=True, slots=True)
class Bookmarks:
    """What the driver hands to all transformers when everything is read.

    Attributes:
        by_stream: The bookmarks of each stream, by their keys in the STATE.
        mark: What stands for the rest of the STATE; None if there is no rest.
    """

    by_stream: Mapping[str, Mapping[str, Any]]
    mark: str | None

    def keep(self, stream: str) -> None:
        """Put what is of one stream in the state of its resource."""
        kept = dlt.current.resource_state(stream)
        for name, value in ((BOOKMARKS, self.by_stream.get(stream)), (MARK, self.mark)):
            kept.pop(name, None)
            if value:
                kept[name] = value


@dataclass(slots=True)
class Buffer:
    """The records of one stream that wait to be decoded together."""

    message: Schema
    decoder: RecordDecoder
    records: list[Raw] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    size: int = 0

    def append(self, record: Raw, line: int) -> bool:
        """Add a record and say whether the buffer is full."""
        self.records.append(record)
        self.lines.append(line)
        self.size += len(memoryview(record))
        return len(self.records) >= BATCH_ROWS or self.size >= BATCH_BYTES


class Driver:
    """Runs the tap and turns its messages into tables, once a run; within a dlt resource.

    Args:
        tap: The tap.
        catalog: Its catalog.
    """

    def __init__(self, tap: Tap, catalog: Catalog) -> None:
        self._tap = tap
        self._catalog = catalog
        self._selected = set(dlt.current.source().selected_resources)
        self._buffers: dict[str, Buffer] = {}
        self._activated: set[str] = set()
        # Rising from run to run: the clock is faster than any tap.
        self._sequence = time.time_ns() // 1000

    def read(self) -> Iterator[Rows | Bookmarks]:
        """Read the tap to its end.

        Yields:
            The rows of each stream in the tap's order, batch by batch, then the bookmarks.

        Raises:
            BridgeError: Two streams would be one table.
            TapError: The tap failed. dlt then commits nothing of this run.
            MessageError: It wrote something that can't be loaded; likewise.
        """
        tables.refuse_shared_tables(sorted(self._selected))
        tables.expect_json_hints(self._selected)
        catalog = self._catalog.selection(self._selected)
        last: State | None = None
        with self._tap.running(catalog=catalog, state=self._starting_state()) as lines:
            for line, message in decoded(lines):
                if isinstance(message, State):
                    last = message
                elif stream := self._stream(message.stream, line):
                    yield from self._rows(stream, line, message)
            for stream in self._buffers:
                yield from self._flushed(stream)
        # Only now is it known that the tap did not fail.
        if last is not None:
            yield self._bookmarks(last)

    def _stream(self, name: str, line: int) -> str | None:
        """Return the selected stream that a message is of, or None if it is not selected."""
        known = self._catalog.named(name)
        selected = [stream for stream in known if stream in self._selected]
        if not known:
            raise MessageError(
                f"Stream {name}: line {line} is of a stream that the tap's catalog does not have."
            )
        if len(selected) > 1:
            raise MessageError(
                f"Stream {name}: line {line} may be of any of the streams {', '.join(selected)}."
                " Select one of them."
            )
        return selected[0] if selected else None

    def _rows(self, stream: str, line: int, message: Message) -> Iterator[Rows]:
        match message:
            case Record(record=record):
                if self._buffer(stream, line).append(record, line):
                    yield from self._flushed(stream)
            case Schema():
                earlier = self._buffers.get(stream)
                if earlier is None or earlier.message != message:
                    if earlier:
                        yield from self._flushed(stream)
                    yield self._start(stream, message)
            case Batch():
                raise MessageError(
                    f"Stream {stream}: line {line} is a BATCH, which can't be loaded yet. Switch"
                    " batches off in the tap's config (setting batch_config)."
                )
            case ActivateVersion():
                if self._catalog.streams[stream].method != FULL_TABLE:
                    raise MessageError(
                        f"Stream {stream}: line {line} is an ACTIVATE_VERSION, which is not"
                        " supported for a stream that is not FULL_TABLE."
                    )
                buffer = self._buffer(stream, line)
                self._activated.add(stream)
                yield self._head(stream, buffer)

    def _buffer(self, stream: str, line: int) -> Buffer:
        if stream not in self._buffers:
            raise MessageError(f"Stream {stream}: line {line} comes before a SCHEMA.")
        return self._buffers[stream]

    def _start(self, stream: str, message: Schema) -> Rows:
        keys = message.key_properties or ()
        decoder = RecordDecoder(stream, columns(message.schema, keys))
        tables.refuse_unfit(stream, decoder.columns, keys)
        tables.forget_scope(stream)
        self._buffers[stream] = Buffer(message, decoder)
        return self._head(stream, self._buffers[stream])

    def _head(self, stream: str, buffer: Buffer) -> Rows:
        """Return the empty table that brings the hints of a stream to dlt."""
        hints = tables.hints(
            self._catalog.streams[stream],
            buffer.decoder.columns,
            buffer.message.key_properties or (),
            activated=stream in self._activated,
        )
        return Rows(stream, buffer.decoder.schema.empty_table(), hints)

    def _flushed(self, stream: str) -> Iterator[Rows]:
        buffer = self._buffers[stream]
        if not buffer.records:
            return
        unknown = buffer.decoder.unknown
        known = len(unknown)
        table = buffer.decoder.table(buffer.records, buffer.lines, self._sequence)
        if new := unknown[known:]:
            logger.warning(
                "Stream %s: records have properties that its SCHEMA has not, and that are not"
                " loaded, such as %s.",
                stream,
                ", ".join(f"`{name}`" for name in new),
            )
        self._sequence += len(buffer.records)
        buffer.records, buffer.lines, buffer.size = [], [], 0
        yield Rows(stream, table)

    def _bookmarks(self, last: State) -> Bookmarks:
        by_stream, rest = state.split(last.value, self._owner)
        dlt.current.source_state()[REST] = rest
        return Bookmarks(by_stream, state.mark(rest) if rest else None)

    def _owner(self, key: str) -> str | None:
        streams = self._catalog.named(key)
        return streams[0] if len(streams) == 1 else None

    def _starting_state(self) -> dict[str, Any]:
        kept = [dlt.current.resource_state(stream) for stream in sorted(self._selected)]
        bookmarks = {
            key: bookmark for own in kept for key, bookmark in own.get(BOOKMARKS, {}).items()
        }
        rest = dlt.current.source_state().get(REST, {})
        whole = all(own.get(MARK) == state.mark(rest) for own in kept)
        return state.join(bookmarks, rest if whole else {})
