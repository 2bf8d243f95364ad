"""Builds the dlt source of a tap: a driver that reads its messages, one transformer a stream.

dlt hands every item of the driver to each selected transformer, in order and in one thread, so
selection, hints, state and progress work for each stream while the tap runs just once.
"""

from __future__ import annotations

import logging
import time
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dlt

from dlt_bridge import state
from dlt_bridge.arrow import SEQUENCE, RecordDecoder
from dlt_bridge.errors import BridgeError, MessageError
from dlt_bridge.messages import ActivateVersion, Batch, Message, Record, Schema, State, decoded
from dlt_bridge.process import Tap
from dlt_bridge.types import Column, columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from dlt.extract import DltResource, DltSource
    from msgspec import Raw

logger = logging.getLogger(__name__)

# 20,000 rows are the fastest batch and cost little memory; rows larger than 400 bytes make fewer.
BATCH_ROWS = 20_000
BATCH_BYTES = 8 * 1024 * 1024

FULL_TABLE = "FULL_TABLE"

# Everything in the table makes way for the rows of the run, of which the last of each key stays.
WHOLE_TABLE: Any = {
    "disposition": "merge",
    "strategy": "delete-insert",
    "destination_scope": "1 = 1",
}


@dataclass(frozen=True, slots=True)
class Rows:
    """What the driver hands to the transformer of one stream."""

    stream: str
    table: pa.Table
    hints: Any = None


@dataclass(frozen=True, slots=True)
class Bookmarks:
    """What the driver hands to all transformers when everything is read."""

    by_stream: Mapping[str, Any]


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


def singer(
    tap: str | Sequence[str],
    config: Mapping[str, Any] | None = None,
    *,
    catalog: Mapping[str, Any] | None = None,
) -> DltSource:
    """Make a dlt source of a Singer tap, with one resource for each of its streams.

    Types and keys come from the tap's SCHEMA messages, the place to go on from is kept in dlt's
    state, and the last version of a key wins. Streams without a key are appended, or replaced if
    they are read in full.

        pipeline = dlt.pipeline("chats", destination="duckdb", dataset_name="chats")
        pipeline.run(singer("tap-chat", config={"chat": {...}}))

    Args:
        tap: The tap's executable, or a command with its arguments.
        config: The tap's settings.
        catalog: The tap's catalog; by default the tap is asked with `--discover`.

    Returns:
        The source, named like the tap.

    Raises:
        TapError: The tap is not there, or its discovery failed.
    """
    command = Tap(tap, config or {})
    entries = (catalog or command.discover())["streams"]

    def messages() -> Iterator[Rows | Bookmarks]:
        yield from Driver(command, entries).read()

    def resources() -> Iterator[DltResource]:
        driver = dlt.resource(messages, name="_singer", selected=False)
        yield driver
        for entry in entries:
            yield _transformer(entry["tap_stream_id"], driver)

    name = command.name.replace("-", "_")
    return dlt.source(resources, name=name, section="singer", max_table_nesting=0)()


def _transformer(stream: str, driver: DltResource) -> DltResource:
    def own(item: Rows | Bookmarks) -> Any:  # noqa: ANN401
        if isinstance(item, Bookmarks):
            kept = dlt.current.resource_state(stream)
            kept.pop("bookmark", None)
            if stream in item.by_stream:
                kept["bookmark"] = item.by_stream[stream]
            return None
        if item.stream != stream:
            return None
        return dlt.mark.with_hints(item.table, item.hints) if item.hints else item.table

    return dlt.transformer(own, data_from=driver, name=stream)


class Driver:
    """Runs the tap and turns its messages into tables, once a run.

    Args:
        tap: The tap.
        entries: The streams of its catalog.
    """

    def __init__(self, tap: Tap, entries: Sequence[Mapping[str, Any]]) -> None:
        self._tap = tap
        self._entries = entries
        self._buffers: dict[str, Buffer] = {}
        self._sequence = 0

    def read(self) -> Iterator[Rows | Bookmarks]:
        """Read the tap to its end.

        Yields:
            The rows of each stream in the tap's order, batch by batch, then the bookmarks.

        Raises:
            TapError: The tap failed. dlt then commits nothing of this run.
            MessageError: It wrote something that can't be loaded; likewise.
        """
        self._buffers = {}
        # Rising from run to run: the clock is faster than any tap.
        self._sequence = time.time_ns() // 1000
        selected = set(dlt.current.source().selected_resources)
        last: State | None = None
        with self._tap.running(
            catalog=self._catalog(selected), state=self._starting_state(selected)
        ) as lines:
            for number, message in decoded(lines):
                if isinstance(message, State):
                    last = message
                elif message.stream in selected:
                    yield from self._rows(number, message)
            for buffer in self._buffers.values():
                yield from self._flushed(buffer)
        # Only now is it known that the tap did not fail.
        if last is not None:
            bookmarks, rest = state.split(last.value)
            dlt.current.source_state()["singer"] = rest
            yield Bookmarks(bookmarks)

    def _rows(self, line: int, message: Message) -> Iterator[Rows]:
        match message:
            case Record(stream, record):
                if stream not in self._buffers:
                    raise MessageError(
                        f"Stream {stream}: line {line} has a RECORD before a SCHEMA."
                    )
                buffer = self._buffers[stream]
                if buffer.append(record, line):
                    yield from self._flushed(buffer)
            case Schema(stream):
                earlier = self._buffers.get(stream)
                if earlier is None:
                    yield self._start(message)
                elif earlier.message != message:
                    yield from self._flushed(earlier)
                    yield self._start(message)
            case Batch(stream):
                raise MessageError(
                    f"Stream {stream}: line {line} is a BATCH, which can't be loaded yet. Switch"
                    " batches off in the tap's config (setting batch_config)."
                )
            case ActivateVersion(stream):
                if self._method(stream) != FULL_TABLE:
                    raise MessageError(
                        f"Stream {stream}: line {line} is an ACTIVATE_VERSION, which is not"
                        " supported for a stream that is not FULL_TABLE."
                    )
                yield self._activation(self._buffer(stream, line))

    def _buffer(self, stream: str, line: int) -> Buffer:
        if stream not in self._buffers:
            raise MessageError(f"Stream {stream}: line {line} comes before a SCHEMA.")
        return self._buffers[stream]

    def _activation(self, buffer: Buffer) -> Rows:
        """Return the empty table that tells dlt to let nothing stay but the rows of this run."""
        keys = buffer.message.key_properties
        hints = dlt.mark.make_hints(write_disposition=WHOLE_TABLE if keys else "replace")
        return Rows(buffer.message.stream, buffer.decoder.schema.empty_table(), hints)

    def _start(self, message: Schema) -> Rows:
        """Return the empty table that brings the hints of a SCHEMA to dlt."""
        keys = message.key_properties or ()
        decoder = RecordDecoder(message.stream, columns(message.schema, keys))
        kinds = decoder.columns
        if missing := set(keys) - {column.name for column in kinds}:
            raise MessageError(
                f"Stream {message.stream}: the SCHEMA has no property for its key"
                f" {', '.join(sorted(missing))}."
            )
        _refuse_changed_types(message.stream, kinds)
        # dlt keeps the scope that an ACTIVATE_VERSION of an earlier run set.
        _stored_table(message.stream).pop("x-merge-destination-scope", None)
        self._buffers[message.stream] = Buffer(message, decoder)
        hints = dlt.mark.make_hints(
            primary_key=list(keys) or None,
            write_disposition=_disposition(self._method(message.stream), keys),
            columns={
                **{c.name: {"data_type": "json"} for c in kinds if c.data_type == "json"},
                SEQUENCE: {"dedup_sort": "desc"},
            },
        )
        return Rows(message.stream, decoder.schema.empty_table(), hints)

    def _flushed(self, buffer: Buffer) -> Iterator[Rows]:
        if not buffer.records:
            return
        unknown = buffer.decoder.unknown
        known = len(unknown)
        table = buffer.decoder.table(buffer.records, buffer.lines, self._sequence)
        if new := unknown[known:]:
            logger.warning(
                "Stream %s: records have properties that its SCHEMA has not, and that are not"
                " loaded, such as %s.",
                buffer.message.stream,
                ", ".join(f"`{name}`" for name in new),
            )
        self._sequence += len(buffer.records)
        buffer.records, buffer.lines, buffer.size = [], [], 0
        yield Rows(buffer.message.stream, table)

    def _method(self, stream: str) -> str | None:
        entry = next(entry for entry in self._entries if entry["tap_stream_id"] == stream)
        root = _root_metadata(entry)
        method: str | None = entry.get("replication_method") or root.get(
            "forced-replication-method"
        )
        return method

    def _catalog(self, selected: set[str]) -> dict[str, Any]:
        entries = deepcopy(list(self._entries))
        for entry in entries:
            _root_metadata(entry)["selected"] = entry["tap_stream_id"] in selected
        return {"streams": entries}

    def _starting_state(self, selected: set[str]) -> dict[str, Any]:
        kept = {stream: dlt.current.resource_state(stream) for stream in sorted(selected)}
        bookmarks = {
            stream: kept[stream]["bookmark"] for stream in kept if "bookmark" in kept[stream]
        }
        return state.join(bookmarks, dlt.current.source_state().get("singer", {}))


def _root_metadata(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stream's own metadata in a catalog, to be read or changed."""
    for item in entry.get("metadata", ()):
        if not item["breadcrumb"]:
            metadata: dict[str, Any] = item["metadata"]
            return metadata
    raise BridgeError(f"The catalog has no metadata for the stream {entry['tap_stream_id']}.")


def _disposition(method: str | None, keys: Sequence[str]) -> Any:  # noqa: ANN401
    if keys:
        # As Singer targets do. A FULL_TABLE stream need not be whole: with the SDK it may hold the
        # children of only those parents that changed.
        return {"disposition": "merge", "strategy": "delete-insert"}
    return "replace" if method == FULL_TABLE else "append"


def _refuse_changed_types(stream: str, kinds: Sequence[Column]) -> None:
    """Refuse what the database would cast in silence: 1.5 into a bigint column is stored as 2."""
    stored = _stored_table(stream).get("columns", {})
    naming = dlt.current.source_schema().naming
    for column in kinds:
        known = stored.get(naming.normalize_identifier(column.name), {})
        before = known.get("data_type"), known.get("scale")
        now = column.data_type, column.scale
        if before[0] is not None and before != now:
            raise MessageError(
                f"Stream {stream}: `{column.name}` is now {_type_text(*now)}, but its column holds"
                f" {_type_text(*before)}. Load into another dataset, or reset the stream with"
                ' refresh="drop_resources".'
            )


def _stored_table(stream: str) -> Any:  # noqa: ANN401
    """Return what dlt knows of a stream's table, to be read or changed; empty if nothing."""
    schema = dlt.current.source_schema()
    return schema.tables.get(schema.naming.normalize_table_identifier(stream), {})


def _type_text(data_type: str | None, scale: int | None) -> str:
    return f"{data_type} with scale {scale}" if scale else str(data_type)
