"""Routes the lines of a tap: records, batches and versions to the sinks of their streams."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dlt_bridge.errors import BridgeError, MessageError
from dlt_bridge.tables.sink import Sink
from dlt_bridge.tables.state_messages import ReadState
from dlt_bridge.tap.batch_files import batch_records
from dlt_bridge.tap.messages import (
    ActivateVersion,
    Batch,
    OtherMessage,
    Record,
    Schema,
    State,
    StreamMessage,
    decode_message,
)
from dlt_bridge.tap.record_prefixes import RecordPrefixes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dlt_bridge.tables.backlog import Backlog
    from dlt_bridge.tables.items import StreamItems
    from dlt_bridge.tables.run_context import RunContext
    from dlt_bridge.tap.catalog import AnyCatalog
    from dlt_bridge.tap.messages import Message

    #: Rows for dlt; a STATE; or None where the package is to end because too much waits.
    RouterOutput = StreamItems | ReadState | None

logger = logging.getLogger(__name__)


class Router:
    """Routes the lines of a tap.

    Args:
        catalog: The streams of the tap, as far as they are known.
        run: The run of the source.
        backlog: Holds the sinks.
    """

    def __init__(
        self,
        catalog: AnyCatalog,
        run: RunContext,
        backlog: Backlog,
    ) -> None:
        self._catalog = catalog
        self._run = run
        self._backlog = backlog
        # The last SCHEMA line of each stream, the prefixes of RECORDs, and the last STATE line.
        self._schema_lines: set[bytes] = set()
        self._prefixes: RecordPrefixes[Sink] = RecordPrefixes()
        self._state_line = b""
        # The types of messages that Singer does not have.
        self._other_types: set[str] = set()

    def route(self, blocks: Iterable[bytes]) -> Iterator[RouterOutput]:
        """Route lines, and yield rows and STATEs as they come.

        Args:
            blocks: Whole lines, as many together as the tap has written.
        """
        for number, count, line in self._prefixes.split(blocks):
            sink = self._prefixes.taker(line)
            if sink:
                yield from self._backlog.append(sink, line, number, count)
            elif line and line == self._state_line:
                yield ReadState(number, line)
            elif line not in self._schema_lines and line.strip():
                yield from self._message(decode_message(line, number), line, number)

    def _message(
        self, message: Message | OtherMessage, line: bytes, number: int
    ) -> Iterator[RouterOutput]:
        """Route a decoded message. Most RECORDs are routed by their prefix and are not decoded."""
        if isinstance(message, OtherMessage):
            self._warn_of_other(message, number)
        elif isinstance(message, State):
            self._state_line = line
            yield ReadState(number, line)
        else:
            stream = self._stream(message.stream, number)
            if stream is None or stream in self._backlog.skipped:
                return
            try:
                yield from self._to_sink(stream, message, line, number)
            except BridgeError as error:
                self._backlog.skip(stream, error)

    def _to_sink(
        self, stream: str, message: StreamMessage, line: bytes, number: int
    ) -> Iterator[RouterOutput]:
        sink, backlog = self._backlog.sinks.get(stream), self._backlog
        if isinstance(message, Schema):
            yield from self._set_schema(stream, message, line)
            return
        if sink is None:
            raise MessageError(f"Stream {stream}: line {number} comes before a SCHEMA.")
        match message:
            case Record():
                self._prefixes.add(line, message.stream, sink)
                yield from backlog.append(sink, line, number)
            case Batch():
                records = batch_records(
                    sink.schema.message,
                    message,
                    number,
                    self._run.options.batch_folders,
                    as_columns=sink.takes_columns,
                )
                for record in records:
                    if isinstance(record, bytes):
                        yield from backlog.append(sink, record, number)
                    else:
                        yield from backlog.append_columns(sink, record, number, message.version)
            case ActivateVersion():
                backlog.decode(sink)
                sink.activate(message.version, number)

    def _set_schema(self, stream: str, message: Schema, line: bytes) -> Iterator[RouterOutput]:
        """Begin a stream, or change the SCHEMA of one."""
        sink = self._backlog.sinks.get(stream)
        if sink is None:
            known = self._catalog.stream(stream)
            sink = Sink(known, message, self._run)
            self._backlog.sinks[stream] = sink
        elif sink.schema.message != message:
            yield from self._backlog.flush(sink)
            if sink.is_skipped:
                return
            sink.change_schema(message)
        # A SCHEMA that comes again need not be decoded.
        self._schema_lines.discard(sink.schema_line)
        self._schema_lines.add(line)
        sink.schema_line = line

    def _warn_of_other(self, message: OtherMessage, number: int) -> None:
        """Warn once of each type of message that Singer does not have."""
        if message.type not in self._other_types:
            self._other_types.add(message.type)
            logger.warning(
                "Line %d is a message of the type %s, which Singer does not have. It is left out,"
                " and so are others like it.",
                number,
                message.type,
            )

    def _stream(self, name: str, line: int) -> str | None:
        """Return the stream of a message; None if it is not selected.

        Args:
            name: The name in the message.
            line: The number of its line.

        Raises:
            MessageError: The catalog has no such stream, or several selected ones.
        """
        known = self._catalog.streams_named(name)
        if not known:
            raise MessageError(
                f"Stream {name}: line {line} is of a stream that the tap's catalog does not have."
                " If the tap renames its streams, use renamed=True, or dlt singer run --renamed."
            )
        selected = [stream for stream in known if self._run.is_selected(stream)]
        if len(selected) > 1:
            raise MessageError(
                f"Stream {name}: line {line} may be of any of the streams {', '.join(selected)}."
                " Select one of them."
            )
        return selected[0] if selected else None
