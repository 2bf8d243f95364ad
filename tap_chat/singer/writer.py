"""The message writer: one SCHEMA a stream, no flush for each record."""

from __future__ import annotations

import io
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Raw
from singer_sdk.contrib.msgspec import MsgSpecWriter, encoder
from singer_sdk.exceptions import FatalSyncError
from singer_sdk.singerlib import Message, SchemaMessage, StateMessage
from singer_sdk.singerlib.encoding import SimpleSingerWriter
from singer_sdk.singerlib.json import serialize_json
from typing_extensions import override

from tap_chat.escapes import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_chat.singer.records import Record


class MessageWriter(MsgSpecWriter):
    """Writes Singer messages to standard output.

    A SCHEMA that says what the last one of its stream said is not sent again: target-duckdb
    flushes at every SCHEMA (https://github.com/meltano/sdk/issues/1061).

    Attributes:
        busy: True while lines are under way, when nothing else may be written.
        deferred: What to call once they are written, such as the end of the run on a signal.
    """

    def __init__(self) -> None:
        super().__init__()
        self.busy = False
        self.deferred: Callable[[], None] | None = None
        self._schemas: dict[str, bytes] = {}

    @override
    def serialize_message(self, message: Message) -> bytearray:
        try:
            return super().serialize_message(message)
        except UnicodeEncodeError:
            # A lone surrogate is no UTF-8, but JSON can spell it: \ud83d
            return bytearray(SimpleSingerWriter().serialize_message(message).encode() + b"\n")

    @override
    def write_message(self, message: Message) -> None:
        line = self.format_message(message)
        if isinstance(message, SchemaMessage):
            schema = bytes(line)
            if self._schemas.get(message.stream) == schema:
                return
            self._schemas[message.stream] = schema
        self._write(line, flushed=isinstance(message, StateMessage))

    def write_records(
        self, stream: str, records: Iterable[Record | Raw], version: int | None = None
    ) -> None:
        """Write a RECORD for each of some records, in one go.

        Args:
            stream: The name that the loader knows the stream by.
            records: Each decoded, or as JSON in one line.
            version: The version of the table, if there is one.
        """
        head = b'{"type":"RECORD","stream":%b,"record":' % encoder.encode(stream)
        extracted = encoder.encode(datetime.now(UTC))
        numbered = b"" if version is None else b',"version":%d' % version
        tail = b'%b,"time_extracted":%b}\n' % (numbered, extracted)
        texts = [record if isinstance(record, Raw) else as_json(record) for record in records]
        if texts:
            self._write(b"".join((head, (tail + head).join(texts), tail)))

    def _write(self, lines: bytes | bytearray, *, flushed: bool = False) -> None:
        self.busy = True
        try:
            # Looked up each time: test runners swap sys.stdout.
            sys.stdout.buffer.write(lines)
        except OSError as error:
            raise not_written(error) from None
        if flushed:
            flush()
        self.busy = False
        if deferred := self.deferred:
            self.deferred = None
            deferred()


def as_json(record: Record) -> bytes:
    """Return a record as JSON in one line."""
    try:
        return encoder.encode(record)
    except UnicodeEncodeError:
        # A lone surrogate is no UTF-8, but JSON can spell it: \ud83d
        return serialize_json(record).encode()


def buffer_output() -> None:
    """Buffer standard output, though Python was told not to (`-u`, PYTHONUNBUFFERED).

    Without a buffer a write may end early: at a signal while the pipe is full, or when the disk
    gets full. What it did not take would be lost in silence (io.RawIOBase.write).
    """
    unbuffered = getattr(sys.stdout, "buffer", None)
    if isinstance(unbuffered, io.RawIOBase):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(unbuffered), encoding=sys.stdout.encoding, errors=sys.stdout.errors
        )


def write_line(text: str) -> None:
    """Write a line for a person to read, whatever the characters of the output.

    Args:
        text: The line, without its end; it may hold names that others gave.

    Raises:
        FatalSyncError: It could not be written.
    """
    sys.stdout.buffer.write(f"{shown(text)}\n".encode(sys.stdout.encoding, "backslashreplace"))
    flush()


def flush() -> None:
    """Hand everything that was written to the loader.

    Raises:
        FatalSyncError: It could not be written.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        raise not_written(error) from None


def not_written(error: OSError) -> FatalSyncError:
    """Return the error of output that was refused, such as by a full disk or a loader that ended.

    Args:
        error: What was raised by a write or flush of standard output.
    """
    # What is left in the buffer has no reader; without this Python tries once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return FatalSyncError("The loader closed the pipe before everything was written.")
    return FatalSyncError(f"Standard output can't be written: {error.strerror}.")
