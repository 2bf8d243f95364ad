"""Writes Singer messages, and lines for people, to standard output."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Raw
from singer_sdk.contrib.msgspec import MsgSpecWriter, encoder
from singer_sdk.exceptions import FatalSyncError
from singer_sdk.singerlib import Message, SchemaMessage, StateMessage
from singer_sdk.singerlib.encoding import SimpleSingerWriter
from singer_sdk.singerlib.json import serialize_json
from typing_extensions import override

from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_chat.singer.records import Record

#: The size of the buffer of standard output, in bytes.
BUFFER_BYTES = 8192


class MessageWriter(MsgSpecWriter):
    """Writes Singer messages to standard output. It flushes after a STATE, not after each record.

    It does not write a SCHEMA that equals the previous one of its stream: target-duckdb flushes at
    every SCHEMA (https://github.com/meltano/sdk/issues/1061).

    Attributes:
        is_writing: Whether lines are being written; nothing else may be written at the same time.
        when_written: Called once after the lines are written, for example to end the run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_writing = False
        self.when_written: Callable[[], None] | None = None
        self._schemas: dict[str, bytes] = {}

    @override
    def serialize_message(self, message: Message) -> bytearray:
        try:
            return super().serialize_message(message)
        except UnicodeEncodeError:
            # UTF-8 has no form for a lone surrogate, but JSON has: \ud83d
            return bytearray(SimpleSingerWriter().serialize_message(message).encode() + b"\n")

    @override
    def write_message(self, message: Message) -> None:
        line = self.format_message(message)
        if isinstance(message, SchemaMessage):
            schema = bytes(line)
            if self._schemas.get(message.stream) == schema:
                return
            self._schemas[message.stream] = schema
        self.write_lines(line, then_flush=isinstance(message, StateMessage))

    def write_records(
        self, stream: str, records: Iterable[Record | Raw], version: int | None = None
    ) -> None:
        """Write a RECORD message for each record, all at once.

        Args:
            stream: The name of the stream in the messages.
            records: The records: decoded, or raw JSON in one line.
            version: The version of the table, if it has one.
        """
        head = b'{"type":"RECORD","stream":%b,"record":' % encoder.encode(stream)
        extracted = encoder.encode(datetime.now(UTC))
        version_entry = b"" if version is None else b',"version":%d' % version
        tail = b'%b,"time_extracted":%b}\n' % (version_entry, extracted)
        texts = [record if isinstance(record, Raw) else encode_record(record) for record in records]
        if texts:
            self.write_lines(b"".join((head, (tail + head).join(texts), tail)))

    def finish(self) -> None:
        """Write what was held back until now. A run ends with it."""

    def write_lines(self, lines: bytes | bytearray, *, then_flush: bool = False) -> None:
        """Write whole lines.

        Args:
            lines: The lines.
            then_flush: Whether to send all output to the loader at once.
        """
        with self.uninterrupted():
            try:
                # Test runners replace sys.stdout.
                sys.stdout.buffer.write(lines)
            except OSError as error:
                raise output_error(error) from None
            if then_flush:
                flush()

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Let a signal end the run only after this block, and after those around it."""
        if self.is_writing:
            yield
            return
        self.is_writing = True
        yield
        self.is_writing = False
        if when_written := self.when_written:
            self.when_written = None
            when_written()


def encode_record(record: Record) -> bytes:
    """Return a record as JSON in one line."""
    try:
        return encoder.encode(record)
    except UnicodeEncodeError:
        # UTF-8 has no form for a lone surrogate, but JSON has: \ud83d
        return serialize_json(record).encode()


def buffer_output() -> None:
    """Give standard output a small buffer, even if Python is set not to (`-u`, PYTHONUNBUFFERED).

    Without a buffer, a write may write only a part: if a signal comes while the pipe is full, or if
    the disk is full. The rest would be lost without an error (io.RawIOBase.write). In the 128 KiB
    of Python 3.14, the records of a page would wait while the tap waits for a rate limit.
    """
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if isinstance(raw, io.RawIOBase):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw, BUFFER_BYTES),
            encoding=sys.stdout.encoding,
            errors=sys.stdout.errors,
        )


def write_line(text: str) -> None:
    """Write a line for a person to read.

    Args:
        text: The line, without a line break at its end. Control characters, and characters that
            the encoding of the output lacks, are escaped.

    Raises:
        FatalSyncError: The line can't be written.
    """
    sys.stdout.buffer.write(f"{printable(text)}\n".encode(sys.stdout.encoding, "backslashreplace"))
    flush()


def flush() -> None:
    """Send all buffered output to the loader.

    Raises:
        FatalSyncError: The output can't be written.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        raise output_error(error) from None


def output_error(error: OSError) -> FatalSyncError:
    """Return the error for output that can't be written, and drop what is still buffered.

    Args:
        error: The error of a write or a flush of standard output, such as of a full disk.
    """
    # Python would flush the buffer again at exit, and print a second error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return FatalSyncError("The loader closed the pipe before everything was written.")
    return FatalSyncError(f"Standard output can't be written: {error.strerror}.")
