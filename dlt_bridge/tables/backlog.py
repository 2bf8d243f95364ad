"""What was read of the tap and not handed to dlt: lines, batches that are decoded, and rows."""

from __future__ import annotations

import logging
import math
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import pyarrow as pa

from dlt_bridge.arrow.workers import DecoderPool
from dlt_bridge.errors import BridgeError, MessageError
from dlt_bridge.tables.items import StreamItems
from dlt_bridge.tables.state_messages import ReadStates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from dlt_bridge.arrow.workers import LineBatch
    from dlt_bridge.tables.sink import Sink

logger = logging.getLogger(__name__)

#: Bytes that may wait in memory, of all streams together: of lines, and of decoded rows.
MOST_WAITING = 96 * 1024 * 1024
#: Rows that are handed to dlt together, where memory allows. DuckDB keeps so many together itself:
#: it takes row groups of just this size in two thirds of the time that most others need.
ROWS_TOGETHER = 122_880


class _Task(NamedTuple):
    """A batch that is decoded."""

    sink: Sink
    batch: LineBatch
    sequence: int
    table: Future[pa.Table] | None = None


class Backlog:
    """Decodes the lines of all streams, and hands their rows over before a STATE.

    Args:
        first: The first value of `_sdc_sequence`.
        takers: How many transformers get each item.
        everything: One resource takes the rows of all streams.
        is_skipping: A stream that can't be loaded is skipped, and the others are loaded.

    Attributes:
        sinks: The streams, by name.
        states: The STATEs at which the package may end. Only rows before the last of them whose
            lines are all decoded are handed over.
        skipped: The streams that are skipped, and why.
        sequence: The next value of `_sdc_sequence`.
    """

    def __init__(self, first: int, takers: int, *, everything: bool, is_skipping: bool) -> None:
        self.sinks: dict[str, Sink] = {}
        self.states = ReadStates()
        self.skipped: dict[str, BridgeError] = {}
        self.sequence = first
        self._takers = takers
        self._everything = everything
        self._is_skipping = is_skipping
        self._decoder = DecoderPool()
        self._tasks: deque[_Task] = deque()
        # Bytes of lines that are not decoded, and of rows that were not handed over.
        self._size = 0

    def begin_package(self) -> None:
        """Begin a package."""
        self.states.clear()
        for sink in self.sinks.values():
            sink.begin_package()

    def append(
        self, sink: Sink, lines: bytes, number: int, count: int = 1
    ) -> Iterator[StreamItems | None]:
        """Add lines of RECORDs, and yield rows if it is time to hand some over.

        Args:
            sink: Their stream.
            lines: One line; or several, with newlines between them.
            number: The number of the first.
            count: How many they are.

        Yields:
            Rows; None where the package is to end, because too much waits for the next STATE.
        """
        if sink.is_skipped:
            return
        self._size += len(lines)
        if sink.append(lines, number, count):
            self._decode(sink, full=True)
            # While dlt writes a batch, the next is decoded.
            self._take(leave=self._decoder.ahead)
            if sink.rows.count >= ROWS_TOGETHER:
                yield from self._row_group(sink)
        if self._size >= MOST_WAITING:
            self.decode_all()
            yield from self._items(self.sinks.values(), before=self._reached())
            if self.states and self._size >= MOST_WAITING // 2:
                yield None

    def flush(self, sink: Sink) -> Iterator[StreamItems | None]:
        """Yield all rows of a stream before its SCHEMA changes; None where the package is to end.

        dlt must know the columns so far before it is told of others.
        """
        self.decode(sink)
        reached = self._reached()
        if reached is not None and sink.has_after(reached):
            yield None
        if not sink.is_skipped:
            yield from self._items([sink])

    def finish(self, *, is_over: bool) -> Iterator[StreamItems]:
        """Yield the rest of the package.

        Args:
            is_over: The tap was read to its end. Else the package ends at the last STATE.
        """
        before = None if is_over else self.states.last.number
        yield from self._items(self.sinks.values(), before=before)
        for stream, sink in self.sinks.items():
            for item in sink.last_items(is_over=is_over):
                yield StreamItems({stream: item}, self._takers)
        # What Arrow keeps for later, the destination needs now.
        pa.default_memory_pool().release_unused()

    def decode(self, sink: Sink) -> None:
        """Decode all lines of a stream."""
        self._decode(sink)
        self._take()

    def decode_all(self) -> None:
        """Decode all lines of all streams."""
        for sink in list(self.sinks.values()):
            self._decode(sink)
            self._take(leave=self._decoder.ahead)
        self._take()

    def skip(self, stream: str, error: BridgeError) -> None:
        """Skip the rest of a stream because of an error, if the user asks for that; or raise it."""
        if not self._is_skipping:
            raise error
        logger.error("%s The stream is skipped from here on.", error)
        self.skipped[stream] = error
        sink = self.sinks.pop(stream, None)
        if sink:
            sink.is_skipped = True
            self._size -= sink.size
            sink.close()

    def skipped_error(self) -> BridgeError:
        """Return the error of a run that has skipped streams."""
        return BridgeError(
            f"These streams are not loaded whole: {', '.join(self.skipped)}. All others are. The"
            f" first error: {next(iter(self.skipped.values()))}"
        )

    def salvage(self) -> bool:
        """Decode what stands before the last STATE before which all can be decoded.

        Returns:
            Whether the package has such a STATE: the last of those that are left.
        """
        if not self.states:
            return False
        tasks = list(self._tasks)
        self._tasks.clear()
        self.states.drop_unfit()
        for sink in self.sinks.values():
            if batch := sink.batch():
                tasks.append(_Task(sink, batch, self.sequence))
                self.sequence += batch.rows
        for sink, batch, sequence, table in tasks:
            if sink.is_skipped:
                continue
            # A decoder does one thing at a time, so that all must have ended.
            if table and not table.exception():
                self._size += sink.add_rows(table.result(), batch.numbers)
                continue
            self.states.keep_while(partial(batch.can_be_decoded, sequence))
            self.states.drop_unfit()
            if self.states and (whole := batch.before(self.states.last.number)):
                self._size += sink.add_rows(whole.table(sequence), whole.numbers)
        return bool(self.states)

    def close(self) -> None:
        """Stop decoding, and drop what waits."""
        self._tasks.clear()
        self._decoder.close()
        for sink in self.sinks.values():
            sink.close()

    def _decode(self, sink: Sink, *, full: bool = False) -> None:
        """Begin to decode what waits of a stream: a full batch, or the rest."""
        batch = sink.batch()
        if batch:
            table = self._decoder.submit(batch, self.sequence, full=full)
            self._tasks.append(_Task(sink, batch, self.sequence, table))
            self.sequence += batch.rows

    def _take(self, *, leave: int = 0) -> None:
        """Give decoded rows to their sinks, in order, but for so many batches."""
        while len(self._tasks) > leave:
            sink, batch, _, task = self._tasks[0]
            table = cast("Future[pa.Table]", task)
            error = table.exception()
            if isinstance(error, MessageError) and not sink.is_skipped:
                self.skip(sink.stream.name, error)
            self._tasks.popleft()
            self._size -= batch.size
            if not sink.is_skipped:
                self._size += sink.add_rows(table.result(), batch.numbers)

    def _row_group(self, sink: Sink) -> Iterator[StreamItems]:
        """Yield so many rows of a stream as are best together, if as many may go."""
        for other in self.sinks.values():
            # Streams of few records keep no other back.
            if self.states and (other.first_line or math.inf) < self.states.last.number:
                self._decode(other)
        before = self._reached()
        if sink.rows.before(before) >= ROWS_TOGETHER:
            yield from self._items([sink], ROWS_TOGETHER, before=before)

    def _reached(self) -> int | None:
        """Return the number of the line before which rows may be handed over; None for all rows."""
        undecoded = [task.batch.first for task in self._tasks]
        undecoded += [
            number for sink in self.sinks.values() if (number := sink.first_line) is not None
        ]
        state = self.states.reached(min(undecoded, default=None))
        if state is None:
            return None
        # One that can't be kept is an error before rows depend on it.
        _ = state.value
        self.states.forget_before(state)
        return state.number

    def _items(
        self, sinks: Iterable[Sink], count: int | None = None, *, before: int | None = None
    ) -> Iterator[StreamItems]:
        """Yield decoded rows of some streams.

        Args:
            sinks: The streams.
            count: How many rows of each at most; by default, all.
            before: The number of the line before which they must be; by default, any.
        """
        items = {
            sink.stream.name: item for sink in sinks if (item := sink.item(count, before=before))
        }
        self._size -= sum(item.size for item in items.values())
        if self._everything:
            # One resource takes them all, one after the other.
            for stream, item in items.items():
                yield StreamItems({stream: item}, 1)
        elif items:
            yield StreamItems(items, self._takers)
