"""Reads a tap once: its messages to the tables and bookmarks of the selected streams."""

from __future__ import annotations

import re
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from dlt_bridge import saved, tables
from dlt_bridge.batches import lines_of_batch
from dlt_bridge.decoding import Decoding
from dlt_bridge.errors import MessageError
from dlt_bridge.messages import (
    RECORD_NAME,
    ActivateVersion,
    Batch,
    Record,
    Schema,
    State,
    StreamMessage,
    decoded,
    record_head,
    state_value,
)
from dlt_bridge.quiet import expect_meant_hints
from dlt_bridge.runs import streams_to_read
from dlt_bridge.streams import Parcel, StreamWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from dlt_bridge.catalog import Catalog, NoCatalog
    from dlt_bridge.lines import Lines
    from dlt_bridge.process import Tap
    from dlt_bridge.streams import Options

#: Bytes that may wait in memory, of all streams together: of lines, and of decoded rows.
MOST_WAITING = 96 * 1024 * 1024
#: Rows that are handed to dlt together, where memory allows. DuckDB keeps so many together itself:
#: it takes row groups of just this size in two thirds of the time that most others need.
ROWS_TOGETHER = 122_880


@dataclass(slots=True)
class Parcels:
    """What the driver hands to the transformers: the rows of each stream.

    Attributes:
        by_stream: The parcel of each stream that has one.
        left: How many transformers have not yet seen it.
    """

    by_stream: dict[str, Parcel]
    left: int = 0

    def take(self, stream: str) -> Parcel | None:
        """Return the parcel of a stream, for its transformer."""
        self.left -= 1
        return self.by_stream.pop(stream, None)


class Driver:
    """Reads a tap, and turns its messages into packages; within a dlt resource.

    The tap is started with the first package, and goes on running between packages.

    Args:
        tap: The tap.
        catalog: What is known of its streams.
        options: How streams are to be loaded.

    Attributes:
        ended: The tap was read to its end.
        kept: The line of the STATE that the last package has brought.
    """

    def __init__(self, tap: Tap | Lines, catalog: Catalog | NoCatalog, options: Options) -> None:
        self._tap = tap
        self._catalog = catalog
        self._options = options
        self._running = ExitStack()
        self._lines: Iterator[tuple[int, int, bytes]] | None = None
        self._selected: set[str] = set()
        self._writers: dict[str, StreamWriter] = {}
        # The last SCHEMA line of each stream, and what the records of a stream begin with.
        self._schemas: dict[bytes, str] = {}
        self._heads: dict[bytes, StreamWriter] = {}
        self._head = b""
        # A line that begins in another way than the last RECORD.
        self._other = re.compile(rb"\n")
        self._state: bytes | None = None
        self._state_number = 0
        # The stream that each table is of.
        self._tables: dict[str, str] = {}
        self._decoder = Decoding()
        self._decoding: deque[tuple[StreamWriter, int, Future[pa.Table]]] = deque()
        # Bytes of lines that are not decoded yet, and of rows that were not handed over.
        self._waiting = 0
        # Rising from run to run: the clock is faster than any tap.
        self._sequence = self._first = time.time_ns() // 1000
        self.ended = False
        self.kept: bytes | None = None

    def package(self, due: Callable[[], bool] | None = None) -> Iterator[Parcels]:
        """Read the tap to its end, or to a STATE at which a checkpoint is due.

        Args:
            due: Says whether it is time for a checkpoint; never by default.

        Yields:
            The rows of the streams in the tap's order. When the package ends, the STATE is kept
            in dlt's state.

        Raises:
            BridgeError: Two streams would be one table.
            TapError: The tap failed. dlt then commits nothing of this package.
            MessageError: It wrote something that can't be loaded; likewise.
        """
        with ExitStack() as guard:
            guard.push(self._running)
            lines = self._started()
            for writer in self._writers.values():
                writer.begin()
            for number, count, line in lines:
                known = self._known(line)
                if known:
                    yield from self._appended(known, line, number, count)
                elif line not in self._schemas and line.strip():
                    message = None if line == self._state else decoded(line, number)
                    if message and not isinstance(message, State):
                        yield from self._of_stream(message, line, number)
                        continue
                    self._state, self._state_number = line, number
                    if due and due():
                        yield from self._rest()
                        self._keep()
                        guard.pop_all()
                        return
            yield from self._rest()
            # Only now is it known that the tap did not fail.
            guard.close()
            self._keep()
            self.ended = True
            self._catalog.warn_of_missing()

    def close(self) -> None:
        """Stop the tap, if it still runs."""
        self._running.close()

    def _stop_decoding(self) -> None:
        self._decoding.clear()
        self._decoder.close()
        for writer in self._writers.values():
            writer.close()

    def _known(self, line: bytes) -> StreamWriter | None:
        """Return what takes a line, if it is a RECORD that begins as others did."""
        head = line[: line.find(RECORD_NAME)]
        known = self._heads.get(head)
        if known is not None and head != self._head:
            self._head = head
            self._other = re.compile(rb"\n(?!" + re.escape(head) + rb")")
        return known

    def _pieces(self, blocks: Iterable[bytes]) -> Iterator[tuple[int, int, bytes]]:
        """Yield lines with their numbers: one at a time, or a block of RECORDs of one stream.

        Yields:
            The number of the first line, how many lines there are, and the lines.
        """
        number = 1
        for block in blocks:
            text = block.removesuffix(b"\n")
            head = self._head
            if head and text.startswith(head) and not self._other.search(text):
                count = text.count(b"\n" + head) + 1
                yield number, count, text
            else:
                lines = text.split(b"\n")
                count = len(lines)
                yield from _runs(lines, head, number)
            number += count

    def _started(self) -> Iterator[tuple[int, int, bytes]]:
        if self._lines is None:
            known = self._options.everything
            self._selected = streams_to_read([known] if known else self._catalog.names)
            catalog = self._catalog.selection(self._selected)
            running = self._tap.running(catalog=catalog, state=saved.kept_for(self._selected))
            self._refuse_shared_tables()
            if self._options.nested == "native":
                tables.refuse_structs()
            self._lines = self._pieces(self._running.enter_context(running))
            self._running.callback(self._stop_decoding)
        expect_meant_hints(self._selected)
        return self._lines

    def _refuse_shared_tables(self) -> None:
        """Refuse, before anything is read, streams that would be one table."""
        if not self._options.everything:
            names = {
                stream: self._options.resource(stream).table_name
                for stream in sorted(self._selected)
            }
            tables.refuse_shared(
                {stream: name for stream, name in names.items() if isinstance(name, str)}
            )

    def _appended(
        self, writer: StreamWriter, lines: bytes, number: int, count: int = 1
    ) -> Iterator[Parcels]:
        self._waiting += len(lines)
        if writer.append(lines, number, count):
            self._decode(writer, full=True)
            # While dlt writes a batch, the next is decoded.
            self._take(leave=self._decoder.ahead)
            if writer.decoded >= ROWS_TOGETHER:
                yield from self._handed_over([writer], ROWS_TOGETHER)
        if self._waiting >= MOST_WAITING:
            self._decode_all()
            yield from self._handed_over(self._writers.values())

    def _decode(self, writer: StreamWriter, *, full: bool = False) -> None:
        """Begin to decode what waits of a stream: a full batch, or the rest."""
        batch = writer.batch()
        if batch:
            table = self._decoder.submit(batch, self._sequence, full=full)
            self._decoding.append((writer, batch.size, table))
            self._sequence += batch.rows

    def _take(self, *, leave: int = 0) -> None:
        """Take what is decoded, in order, but for so many batches."""
        while len(self._decoding) > leave:
            writer, size, table = self._decoding.popleft()
            self._waiting += writer.take(table.result()) - size

    def _decode_all(self) -> None:
        for writer in self._writers.values():
            self._decode(writer)
            self._take(leave=self._decoder.ahead)
        self._take()

    def _handed_over(
        self, writers: Iterable[StreamWriter], rows: int | None = None
    ) -> Iterator[Parcels]:
        """Hand over what is decoded of some streams: so many rows of each, or all."""
        found = {
            writer.stream.name: parcel for writer in writers if (parcel := writer.parcel(rows))
        }
        self._waiting -= sum(parcel.size for parcel in found.values())
        if self._options.everything:
            # One resource takes them all, one after the other.
            for stream, parcel in found.items():
                yield Parcels({stream: parcel}, 1)
        elif found:
            yield Parcels(found, len(self._selected))

    def _rest(self) -> Iterator[Parcels]:
        """Hand over everything: a package ends."""
        self._decode_all()
        yield from self._handed_over(self._writers.values())
        for stream, writer in self._writers.items():
            for parcel in writer.last_parcels():
                takers = 1 if self._options.everything else len(self._selected)
                yield Parcels({stream: parcel}, takers)
        # What Arrow keeps for later, the destination needs now.
        pa.default_memory_pool().release_unused()

    def _of_stream(self, message: StreamMessage, line: bytes, number: int) -> Iterator[Parcels]:
        stream = self._stream(message.stream, number)
        if stream is None:
            return
        if isinstance(message, Schema):
            yield from self._schema(stream, message, line)
            return
        writer = self._writers.get(stream)
        if writer is None:
            raise MessageError(f"Stream {stream}: line {number} comes before a SCHEMA.")
        match message:
            case Record():
                if head := record_head(line, message.stream):
                    self._heads[head] = writer
                yield from self._appended(writer, line, number)
            case Batch():
                for record in lines_of_batch(stream, message, number):
                    yield from self._appended(writer, record, number)
            case ActivateVersion():
                self._decode(writer)
                self._take()
                writer.activate(message.version, number)

    def _schema(self, stream: str, message: Schema, line: bytes) -> Iterator[Parcels]:
        earlier = self._writers.get(stream)
        if earlier is None:
            known = self._catalog.stream(stream)
            writer = StreamWriter(known, message, self._options, self._first)
            holder = self._tables.setdefault(writer.table, stream)
            if holder != stream:
                tables.refuse_shared({stream: writer.table, holder: writer.table})
        elif earlier.message == message:
            writer = earlier
        else:
            # dlt must know the columns so far before it is told of others.
            self._decode(earlier)
            self._take()
            yield from self._handed_over([earlier])
            writer = earlier.followed_by(message)
            for head, known_writer in self._heads.items():
                if known_writer is earlier:
                    self._heads[head] = writer
        self._schemas.pop(writer.line, None)
        self._schemas[line] = stream
        writer.line = line
        self._writers[stream] = writer

    def _stream(self, name: str, line: int) -> str | None:
        """Return the selected stream that a message is of, or None if it is not selected."""
        known = self._catalog.named(name)
        if not known:
            raise MessageError(
                f"Stream {name}: line {line} is of a stream that the tap's catalog does not have."
            )
        selected = [stream for stream in known if self._options.reads(stream, self._selected)]
        if len(selected) > 1:
            raise MessageError(
                f"Stream {name}: line {line} may be of any of the streams {', '.join(selected)}."
                " Select one of them."
            )
        return selected[0] if selected else None

    def _keep(self) -> None:
        """Put the last STATE into dlt's state: it is committed with the rows before it."""
        if self._state is None:
            return
        self.kept = self._state
        value = state_value(self._state, self._state_number)
        if not saved.can_keep(value):
            raise MessageError(
                f"The STATE in line {self._state_number} can't be kept: it has an integer of more"
                " than 64 bits, a number beyond a double, a text that is none, or too many levels."
            )
        saved.keep(value, self._selected, self._owner)

    def _owner(self, key: str) -> str | None:
        """Return the stream that a bookmark is of, if it is of one that has a resource."""
        streams = self._catalog.named(key)
        return streams[0] if len(streams) == 1 and not self._options.everything else None


def _runs(lines: list[bytes], head: bytes, number: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield lines that begin alike together, and the others one at a time; as `_pieces` does."""
    run: list[bytes] = []
    for index, line in enumerate(lines, start=number):
        if head and line.startswith(head):
            run.append(line)
            continue
        if run:
            yield index - len(run), len(run), b"\n".join(run)
            run = []
        yield index, 1, line
    if run:
        yield number + len(lines) - len(run), len(run), b"\n".join(run)
