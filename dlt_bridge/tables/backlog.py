"""Lines, batches and rows that were read from the tap and not yet handed to dlt."""

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

    from dlt_bridge.arrow.batches import Batch
    from dlt_bridge.tables.run_context import RunContext
    from dlt_bridge.tables.sink import Sink

logger = logging.getLogger(__name__)

#: The most bytes that wait in memory: lines and decoded rows of all streams.
MAX_WAITING_BYTES = 96 * 1024 * 1024
#: How many rows are handed to dlt together, if memory allows. This is the size of DuckDB's own row
#: groups: DuckDB loads them in two thirds of the time that most other sizes need.
ROW_GROUP_ROWS = 122_880


class _Task(NamedTuple):
    """A batch that is being decoded."""

    sink: Sink
    batch: Batch
    sequence: int
    table: Future[pa.Table] | None = None


class Backlog:
    """Decodes the lines of all streams, and hands their rows to dlt.

    Args:
        run: The run of the source.

    Attributes:
        sinks: The streams, by name.
        states: The STATEs at which the package may end. Rows are handed over up to the last STATE
            before which all lines are decoded.
        skipped: The streams that are skipped, and why.
        sequence: The next value of `_sdc_sequence`.
    """

    def __init__(self, run: RunContext) -> None:
        self.sinks: dict[str, Sink] = {}
        self.states = ReadStates()
        self.skipped: dict[str, BridgeError] = {}
        self.sequence = run.first
        self._options = run.options
        # How many transformers get each item.
        self._transformers = 1 if run.options.everything else len(run.selected)
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
            count: The number of lines.

        Yields:
            Rows; None if the package is to end, because too much waits for the next STATE.
        """
        if sink.is_skipped:
            return
        self._size += len(lines)
        if sink.append(lines, number, count):
            self._decode(sink, full=True)
            yield from self._hand_over(sink)
        yield from self._limit()

    def append_columns(
        self, sink: Sink, columns: pa.RecordBatch, number: int, version: int | None
    ) -> Iterator[StreamItems | None]:
        """Add records that come as columns; yield as `append`.

        Args:
            sink: Their stream.
            columns: The columns.
            number: The number of the line of their message.
            version: Their version, if they have one.
        """
        if sink.is_skipped:
            return
        self._decode(sink)
        batch = sink.columns(columns, number, version)
        self._size += batch.size
        self._submit(sink, batch)
        yield from self._hand_over(sink)
        yield from self._limit()

    def _hand_over(self, sink: Sink) -> Iterator[StreamItems]:
        """Yield a row group of a stream, if it has so many decoded rows."""
        # The next batches are decoded while dlt writes rows.
        self._take(leave=self._decoder.ahead)
        if sink.rows.count >= ROW_GROUP_ROWS:
            yield from self._row_group(sink)

    def _limit(self) -> Iterator[StreamItems | None]:
        """Yield rows if too much waits; None if the package is to end."""
        if self._size >= MAX_WAITING_BYTES:
            self.decode_all()
            yield from self._items(self.sinks.values(), before=self._reached())
            if self.states and self._size >= MAX_WAITING_BYTES // 2:
                yield None

    def flush(self, sink: Sink) -> Iterator[StreamItems | None]:
        """Yield all rows of a stream before its SCHEMA changes; None if the package is to end.

        dlt must have the hints of its columns before it gets others.
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
                yield StreamItems({stream: item}, self._transformers)
        # Arrow keeps freed memory, which the destination needs.
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
        """Skip the rest of a stream because of an error; or raise it, if no stream is skipped."""
        if not self._options.skip:
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
        """Decode all lines before the last STATE that the package can end at, after an error.

        Returns:
            Whether there is such a STATE. It is the last one that is left.
        """
        if not self.states:
            return False
        tasks = list(self._tasks)
        self._tasks.clear()
        self.states.drop_unfit()
        for sink in self.sinks.values():
            if lines := sink.batch():
                tasks.append(_Task(sink, lines, self.sequence))
                self.sequence += lines.rows
        for sink, batch, sequence, table in tasks:
            if sink.is_skipped:
                continue
            # A decoder decodes one batch at a time, so all tasks must have ended.
            if table and not table.exception():
                self._size += sink.add_rows(table.result(), batch.numbers)
                continue
            self.states.keep_while(partial(batch.can_be_decoded, sequence))
            self.states.drop_unfit()
            if self.states and (whole := batch.before(self.states.last.number)):
                self._size += sink.add_rows(whole.table(sequence), whole.numbers)
        return bool(self.states)

    def close(self) -> None:
        """Stop decoding, and drop all lines and rows."""
        self._tasks.clear()
        self._decoder.close()
        for sink in self.sinks.values():
            sink.close()

    def _decode(self, sink: Sink, *, full: bool = False) -> None:
        """Start to decode the lines of a stream: a full batch, or the rest."""
        batch = sink.batch()
        if batch:
            self._submit(sink, batch, full=full)

    def _submit(self, sink: Sink, batch: Batch, *, full: bool = False) -> None:
        table = self._decoder.submit(batch, self.sequence, full=full)
        self._tasks.append(_Task(sink, batch, self.sequence, table))
        self.sequence += batch.rows

    def _take(self, *, leave: int = 0) -> None:
        """Give decoded rows to their sinks, in order.

        Args:
            leave: The number of batches that may stay undecoded.
        """
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
        """Yield `ROW_GROUP_ROWS` rows of a stream, if so many come before the last STATE."""
        for other in self.sinks.values():
            # A stream with few records must not hold back the others.
            if self.states and (other.first_line or math.inf) < self.states.last.number:
                self._decode(other)
        before = self._reached()
        if sink.rows.before(before) >= ROW_GROUP_ROWS:
            yield from self._items([sink], ROW_GROUP_ROWS, before=before)

    def _reached(self) -> int | None:
        """Return the number of the line before which rows may be handed over; None for all rows."""
        undecoded = [task.batch.first for task in self._tasks]
        undecoded += [
            number for sink in self.sinks.values() if (number := sink.first_line) is not None
        ]
        state = self.states.reached(min(undecoded, default=None))
        if state is None:
            return None
        # If it can't be saved, that is an error before rows are committed with it.
        _ = state.value
        self.states.drop_before(state)
        return state.number

    def _items(
        self, sinks: Iterable[Sink], count: int | None = None, *, before: int | None = None
    ) -> Iterator[StreamItems]:
        """Yield decoded rows of some streams.

        Args:
            sinks: The streams.
            count: The most rows of each; None for all.
            before: The number of the line that they come before; None for any.
        """
        items = {
            sink.stream.name: item for sink in sinks if (item := sink.item(count, before=before))
        }
        self._size -= sum(item.size for item in items.values())
        if self._options.everything:
            # One resource takes them all, one after the other.
            for stream, item in items.items():
                yield StreamItems({stream: item}, 1)
        elif items:
            yield StreamItems(items, self._transformers)
