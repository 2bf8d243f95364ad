"""Reads a tap once: its messages to the tables and bookmarks of the selected streams."""

from __future__ import annotations

import json
import logging
import math
import time
from collections import Counter, deque
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pyarrow as pa

from dlt_bridge.arrow.workers import DecoderPool
from dlt_bridge.destinations.destination import destination_type, prepare
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.destinations.staging import separate
from dlt_bridge.destinations.state_owner import adopt
from dlt_bridge.errors import BridgeError, MessageError
from dlt_bridge.tables import state_store as saved
from dlt_bridge.tables.checks import refuse_structs, streams_to_read
from dlt_bridge.tables.dlt_warnings import expect_meant_hints
from dlt_bridge.tables.sink import Sink, StreamItem
from dlt_bridge.tables.state_messages import ReadState, ReadStates
from dlt_bridge.tap.batch_files import batch_lines
from dlt_bridge.tap.messages import (
    ActivateVersion,
    Batch,
    OtherMessage,
    Record,
    Schema,
    State,
    StreamMessage,
    decode_message,
    state_text,
    state_value,
)
from dlt_bridge.tap.record_prefixes import RecordPrefixes
from dlt_bridge.tap.state import BOOKMARKS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator
    from concurrent.futures import Future

    from dlt_bridge.arrow.workers import LineBatch
    from dlt_bridge.tables.sink import Options
    from dlt_bridge.tap.catalog import Catalog, NoCatalog, RenamedCatalog
    from dlt_bridge.tap.inputs import SingerLines
    from dlt_bridge.tap.process import Tap

logger = logging.getLogger(__name__)

#: Bytes that may wait in memory, of all streams together: of lines, and of decoded rows.
MOST_WAITING = 96 * 1024 * 1024
#: Rows that are handed to dlt together, where memory allows. DuckDB keeps so many together itself:
#: it takes row groups of just this size in two thirds of the time that most others need.
ROWS_TOGETHER = 122_880


@dataclass(slots=True)
class StreamItems:
    """What the driver hands to the transformers: the rows of each stream.

    Attributes:
        by_stream: The parcel of each stream that has one.
        left: How many transformers have not yet seen it.
    """

    by_stream: dict[str, StreamItem]
    left: int = 0

    def take(self, stream: str) -> StreamItem | None:
        """Return the parcel of a stream, for its transformer."""
        self.left -= 1
        return self.by_stream.pop(stream, None)


class _Asked(NamedTuple):
    """A batch that is being decoded."""

    writer: Sink
    batch: LineBatch
    sequence: int
    table: Future[pa.Table] | None = None


class Driver:
    """Reads a tap, and turns its messages into packages; within a dlt resource.

    The tap is started with the first package, and goes on running between packages. Where packages
    may end before the tap does, what stands before its last STATE is committed whatever happens
    after it, and a table is replaced only when all that replaces it was read.

    Args:
        tap: The tap.
        catalog: What is known of its streams.
        options: How streams are to be loaded.

    Attributes:
        ended: The tap was read to its end.
        kept: The value of the STATE that the last package has brought, as JSON text.
    """

    def __init__(
        self,
        tap: Tap | SingerLines,
        catalog: Catalog | NoCatalog | RenamedCatalog,
        options: Options,
    ) -> None:
        self._tap = tap
        self._catalog = catalog
        self._options = options.of_a_run()
        self._running = ExitStack()
        self._messages: Iterator[StreamItems | None] | None = None
        self._selected: set[str] = set()
        self._writers: dict[str, Sink] = {}
        # The last SCHEMA line of each stream, and what the records of a stream begin with.
        self._schemas: dict[bytes, str] = {}
        self._heads: RecordPrefixes[Sink] = RecordPrefixes()
        # The last STATE; and those of the package at which it may end.
        self._state = ReadState()
        self._states = ReadStates()
        self._due: Callable[[], bool] | None = None
        # Why no more can be read.
        self._failure: BridgeError | None = None
        # Streams that are skipped, and why.
        self._bad: dict[str, BridgeError] = {}
        # The write dispositions of resources whose tables are replaced in the end.
        self._replacing: dict[str, Any] = {}
        # The types of messages that Singer does not have.
        self._other_kinds: set[str] = set()
        self._decoder = DecoderPool()
        self._decoding: deque[_Asked] = deque()
        # Bytes of lines that are not decoded yet, and of rows that were not handed over.
        self._waiting = 0
        # The number of the next row, and of the run's first.
        self._sequence = self._first = 0
        self.ended = False
        self.kept: str | None = None

    def package(self, due: Callable[[], bool] | None = None) -> Iterator[StreamItems]:
        """Read the tap to its end, or to a STATE at which a checkpoint is due.

        Args:
            due: Says whether it is time for a checkpoint. By default the package is all that the
                tap gives, and is committed only if the tap does not fail.

        Yields:
            The rows of the streams in the tap's order. When the package ends, the STATE is kept
            in dlt's state.

        Raises:
            BridgeError: Two streams would be one table.
            TapError: The tap failed. dlt then commits nothing of this package; with checkpoints, an
                earlier one has what stands before the tap's last STATE.
            MessageError: It wrote something that can't be loaded; likewise.
        """
        if self._failure:
            raise self._failure
        self._due = due
        with ExitStack() as guard:
            guard.push(self._stopped)
            self._begin()
            try:
                over = yield from self._filled()
            except BridgeError as error:
                if not self._salvaged():
                    raise
                over, self._failure = False, self._stop(error)
            yield from self._rest(over=over)
            self._keep(over=over)
            if not over:
                self._postpone_replacing(self._selected)
                guard.pop_all()
                return
            self._postpone_replacing(self._selected & self._bad.keys())
        self._catalog.warn_of_missing(self._selected, {*self._writers, *self._bad})
        self._options.refreshing.warn_of_missing()
        if self._bad and due:
            # dlt would commit nothing of the package if it were raised now.
            self._failure = self._skipped()
        else:
            self.ended = True

    @property
    def beside(self) -> Counter[str]:
        """How many values did not fit their column so far, by the one that they are in."""
        return Counter(
            {
                f"{writer.table}.{name}": count
                for writer in self._writers.values()
                for name, count in writer.beside.items()
                if count
            }
        )

    @property
    def warnings(self) -> int:
        """How many warnings and errors the tap has logged."""
        return self._tap.warnings

    def close(self) -> None:
        """Stop the tap, if it still runs, and let go of what waits."""
        with self._running:
            self._let_go()

    def _begin(self) -> None:
        """Begin a package."""
        self._states.clear()
        for writer in self._writers.values():
            writer.begin()
        for name, disposition in self._replacing.items():
            self._options.resource(name).apply_hints(write_disposition=disposition)
        self._replacing = {}

    def _filled(self) -> Generator[StreamItems, None, bool]:
        """Yield the rows of a package, until it is to end; return whether the tap has ended."""
        if self._messages is None:
            self._messages = self._read()
        for parcels in self._messages:
            if parcels is None:
                self._decode_all()
                self._value(self._states.last)
                return False
            yield parcels
        self._decode_all()
        self._value(self._state)
        # Only now is it known that the tap did not fail.
        self._running.close()
        return True

    def _stop(self, error: BridgeError) -> BridgeError:
        """Stop the tap because of an error; return what says the most about it."""
        try:
            with self._running:
                raise error
        except BridgeError as said:
            return said

    def _stopped(self, *problem: Any) -> Any:  # noqa: ANN401
        """Stop the tap as the end of a `with` does: it may know better what the problem is."""
        try:
            return self._running.__exit__(*problem)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._decoding.clear()
        self._decoder.close()
        for writer in self._writers.values():
            writer.close()

    def _read(self) -> Iterator[StreamItems | None]:
        """Yield the rows of the tap as they come; None where a package is to end."""
        for number, count, line in self._started():
            known = self._heads.known(line)
            if known:
                yield from self._appended(known, line, number, count)
            elif line not in self._schemas and line.strip():
                message = None if line == self._state.line else decode_message(line, number)
                if isinstance(message, OtherMessage):
                    self._warn_of_other(message, number)
                    continue
                if message and not isinstance(message, State):
                    yield from self._of_stream(message, line, number)
                    continue
                self._state = ReadState(number, line)
                if self._due:
                    self._states.add(self._state)
                    if self._due():
                        yield None

    def _salvaged(self) -> bool:
        """Decode what stands before the last STATE before which all can be decoded.

        Returns:
            Whether the package has such a STATE: the last of those that are left.
        """
        if not self._states:
            return False
        asked = list(self._decoding)
        self._decoding.clear()
        self._drop_unfit()
        for writer in self._writers.values():
            if batch := writer.batch():
                asked.append(_Asked(writer, batch, self._sequence))
                self._sequence += batch.rows
        for writer, batch, sequence, table in asked:
            if writer.stream.name in self._bad:
                continue
            # A decoder does one thing at a time, so that all must have ended.
            if table and not table.exception():
                self._waiting += writer.take(table.result(), batch.numbers)
                continue
            self._states.keep_while(partial(batch.can_be_decoded, sequence))
            self._drop_unfit()
            if self._states and (whole := batch.before(self._states.last.number)):
                self._waiting += writer.take(whole.table(sequence), whole.numbers)
        return bool(self._states)

    def _drop_unfit(self) -> None:
        """Drop STATEs that can't be kept from the end of those at which the package may end."""
        while self._states:
            try:
                self._value(self._states.last)
            except MessageError:
                self._states.drop_last()
            else:
                return

    def _postpone_replacing(self, streams: Iterable[str]) -> None:
        """Let dlt empty no table of these streams in this package, though no rows come for it."""
        for name in streams:
            resource = self._options.resource(name)
            disposition = resource.write_disposition
            if disposition == "replace" or (
                isinstance(disposition, dict) and disposition.get("disposition") == "replace"
            ):
                self._replacing[name] = disposition
                resource.apply_hints(write_disposition="append")

    def _started(self) -> Iterator[tuple[int, int, bytes]]:
        """Start the tap, and return its lines as `RecordPrefixes.split` does."""
        known = self._options.everything
        self._selected = streams_to_read(
            [known] if known else self._catalog.names, again=self._tap.sends_again
        )
        adopt()
        separate(running_pipeline())
        # Rising from run to run: the clock is faster than any tap.
        self._sequence = self._first = saved.first_number(time.time_ns() // 1000)
        catalog = self._catalog.selection(self._selected)
        running = self._tap.running(catalog=catalog, state=saved.read_state(self._selected))
        self._settle_tables()
        self._options.refreshing.begin()
        prepare(destination_type())
        if self._options.nested == "native":
            refuse_structs()
        expect_meant_hints(self._selected)
        return self._heads.split(self._running.enter_context(running))

    def _settle_tables(self) -> None:
        """Decide, before anything is read, which tables the streams have."""
        self._options.tables.clear()
        # A stream that is to be skipped, if its table is another's, is known by its SCHEMA.
        if not self._options.everything and not self._options.skip:
            named = {
                stream: self._options.resource(stream).table_name
                for stream in sorted(self._selected)
            }
            self._options.settle(
                {stream: name for stream, name in named.items() if isinstance(name, str)}
            )

    def _appended(
        self, writer: Sink, lines: bytes, number: int, count: int = 1
    ) -> Iterator[StreamItems | None]:
        if writer.stream.name in self._bad:
            return
        self._waiting += len(lines)
        if writer.append(lines, number, count):
            self._decode(writer, full=True)
            # While dlt writes a batch, the next is decoded.
            self._take(leave=self._decoder.ahead)
            if writer.waiting.rows >= ROWS_TOGETHER:
                yield from self._row_group(writer)
        if self._waiting >= MOST_WAITING:
            self._decode_all()
            yield from self._handed_over(self._writers.values(), before=self._reached())
            if self._states and self._waiting >= MOST_WAITING // 2:
                # What waits is not whole before the next STATE, and there is no place for more.
                yield None

    def _row_group(self, writer: Sink) -> Iterator[StreamItems]:
        """Hand over so many rows of a stream as are best together, if as many may go."""
        for other in self._writers.values():
            # Streams of few records keep no other back.
            if self._states and (other.first_line or math.inf) < self._states.last.number:
                self._decode(other)
        before = self._reached()
        if writer.waiting.before(before) >= ROWS_TOGETHER:
            yield from self._handed_over([writer], ROWS_TOGETHER, before=before)

    def _reached(self) -> int | None:
        """Return the number of the line before which rows may be handed over; None for all rows."""
        undecoded = [part.batch.first for part in self._decoding]
        undecoded += [
            number for writer in self._writers.values() if (number := writer.first_line) is not None
        ]
        state = self._states.reached(min(undecoded, default=None))
        if state is None:
            return None
        self._value(state)
        self._states.forget_before(state)
        return state.number

    def _decode(self, writer: Sink, *, full: bool = False) -> None:
        """Begin to decode what waits of a stream: a full batch, or the rest."""
        batch = writer.batch()
        if batch:
            table = self._decoder.submit(batch, self._sequence, full=full)
            self._decoding.append(_Asked(writer, batch, self._sequence, table))
            self._sequence += batch.rows

    def _take(self, *, leave: int = 0) -> None:
        """Take what is decoded, in order, but for so many batches."""
        while len(self._decoding) > leave:
            writer, batch, _, asked = self._decoding[0]
            stream, table = writer.stream.name, cast("Future[pa.Table]", asked)
            error = table.exception()
            if isinstance(error, MessageError) and stream not in self._bad:
                self._skip(stream, error)
            self._decoding.popleft()
            self._waiting -= batch.size
            if stream not in self._bad:
                self._waiting += writer.take(table.result(), batch.numbers)

    def _decode_all(self) -> None:
        for writer in list(self._writers.values()):
            self._decode(writer)
            self._take(leave=self._decoder.ahead)
        self._take()

    def _handed_over(
        self,
        writers: Iterable[Sink],
        rows: int | None = None,
        *,
        before: int | None = None,
    ) -> Iterator[StreamItems]:
        """Hand over what is decoded of some streams: so many rows of each, or all.

        Args:
            writers: The streams.
            rows: How many rows of each at most.
            before: The number of the line before which they must be.
        """
        found = {
            writer.stream.name: parcel
            for writer in writers
            if (parcel := writer.parcel(rows, before=before))
        }
        self._waiting -= sum(parcel.size for parcel in found.values())
        if self._options.everything:
            # One resource takes them all, one after the other.
            for stream, parcel in found.items():
                yield StreamItems({stream: parcel}, 1)
        elif found:
            yield StreamItems(found, len(self._selected))

    def _rest(self, *, over: bool) -> Iterator[StreamItems]:
        """Hand over what belongs to the package: it ends."""
        before = None if over else self._states.last.number
        yield from self._handed_over(self._writers.values(), before=before)
        takers = 1 if self._options.everything else len(self._selected)
        for stream, writer in self._writers.items():
            for parcel in writer.last_parcels(over=over):
                yield StreamItems({stream: parcel}, takers)
        # What Arrow keeps for later, the destination needs now.
        pa.default_memory_pool().release_unused()

    def _of_stream(
        self, message: StreamMessage, line: bytes, number: int
    ) -> Iterator[StreamItems | None]:
        stream = self._stream(message.stream, number)
        if stream is None or stream in self._bad:
            return
        try:
            yield from self._of_good_stream(stream, message, line, number)
        except BridgeError as error:
            self._skip(stream, error)

    def _skip(self, stream: str, error: BridgeError) -> None:
        """Skip the rest of a stream because of an error, if that is asked for; or raise it."""
        if not self._options.skip:
            raise error
        logger.error("%s The stream is skipped from here on.", error)
        self._bad[stream] = error
        writer = self._writers.pop(stream, None)
        self._schemas = {line: known for line, known in self._schemas.items() if known != stream}
        if writer:
            self._waiting -= writer.size
            writer.close()

    def _skipped(self) -> BridgeError:
        """Return the error of a run that has skipped streams."""
        return BridgeError(
            f"These streams are not loaded whole: {', '.join(self._bad)}. All others are. The first"
            f" error: {next(iter(self._bad.values()))}"
        )

    def _of_good_stream(
        self, stream: str, message: StreamMessage, line: bytes, number: int
    ) -> Iterator[StreamItems | None]:
        if isinstance(message, Schema):
            yield from self._schema(stream, message, line)
            return
        writer = self._writers.get(stream)
        if writer is None:
            raise MessageError(f"Stream {stream}: line {number} comes before a SCHEMA.")
        match message:
            case Record():
                self._heads.add(line, message.stream, writer)
                yield from self._appended(writer, line, number)
            case Batch():
                places = self._options.places
                for record in batch_lines(writer.message, message, number, places):
                    yield from self._appended(writer, record, number)
            case ActivateVersion():
                self._decode(writer)
                self._take()
                writer.activate(message.version, number)

    def _schema(self, stream: str, message: Schema, line: bytes) -> Iterator[StreamItems | None]:
        earlier = self._writers.get(stream)
        if earlier is None:
            known = self._catalog.stream(stream)
            writer = Sink(
                known, message, self._options, self._first, in_parts=self._due is not None
            )
        elif earlier.message == message:
            writer = earlier
        else:
            # dlt must know the columns so far before it is told of others.
            self._decode(earlier)
            self._take()
            reached = self._reached()
            if reached is not None and earlier.has_after(reached):
                yield None
            if stream in self._bad:
                return
            yield from self._handed_over([earlier])
            writer = earlier.followed_by(message)
            self._heads.replace(earlier, writer)
        self._schemas.pop(earlier.line if earlier else b"", None)
        self._schemas[line] = stream
        writer.line = line
        self._writers[stream] = writer

    def _warn_of_other(self, message: OtherMessage, number: int) -> None:
        """Warn once of each type of messages that are not loaded."""
        if message.type not in self._other_kinds:
            self._other_kinds.add(message.type)
            logger.warning(
                "Line %d is a message of the type %s, which Singer does not have. It is left out,"
                " and so are others like it.",
                number,
                message.type,
            )

    def _stream(self, name: str, line: int) -> str | None:
        """Return the selected stream that a message is of, or None if it is not selected."""
        known = self._catalog.named(name)
        if not known:
            raise MessageError(
                f"Stream {name}: line {line} is of a stream that the tap's catalog does not have."
                " If the tap renames its streams, say renamed=True, or dlt singer run --renamed."
            )
        selected = [stream for stream in known if self._options.reads(stream, self._selected)]
        if len(selected) > 1:
            raise MessageError(
                f"Stream {name}: line {line} may be of any of the streams {', '.join(selected)}."
                " Select one of them."
            )
        return selected[0] if selected else None

    def _keep(self, *, over: bool) -> None:
        """Put the last STATE into dlt's state: it is committed with the rows before it."""
        if self._sequence > self._first:
            saved.keep_number(self._sequence - 1)
        state = self._state if over else self._states.last
        if not state.line:
            return
        value = self._value(state)
        text = state_text(state.line)
        left_out = set(self._bad)
        if not over and isinstance(value.get(BOOKMARKS), dict):
            # What is replaced in the end was not loaded so far.
            left_out |= {name for name, writer in self._writers.items() if writer.is_replaced}
        if left_out and self._options.everything:
            if not isinstance(value.get(BOOKMARKS), dict):
                # It is not known what in it is theirs.
                return
            value = self._without(value, left_out)
            text = json.dumps(value)
        self.kept = text
        saved.keep(value, self._selected - left_out, self._owner)

    def _value(self, state: ReadState) -> dict[str, Any]:
        """Return the value of a STATE.

        Raises:
            MessageError: It can't be kept.
        """
        if not state.line:
            return {}
        value = state_value(state.line, state.number)
        if not saved.can_keep(value):
            raise MessageError(
                f"The STATE in line {state.number} can't be kept: it has an integer of more"
                " than 64 bits, a number beyond a double, a text that is none, or too many levels."
            )
        return value

    def _without(self, value: dict[str, Any], streams: Collection[str]) -> dict[str, Any]:
        """Return a STATE without the bookmarks of streams, which are then read from the start."""
        kept = {
            key: bookmark
            for key, bookmark in value[BOOKMARKS].items()
            if not {key, *self._catalog.named(key)}.intersection(streams)
        }
        return {**value, BOOKMARKS: kept}

    def _owner(self, key: str) -> str | None:
        """Return the stream that a bookmark is of, if it is of one that has a resource."""
        streams = self._catalog.named(key)
        return streams[0] if len(streams) == 1 and not self._options.everything else None
