"""BATCH messages: records in files instead of RECORD messages.

https://sdk.meltano.com/en/latest/batch.html

The SDK would write a file for each context of a child stream. Here, the records of all contexts are
collected, and a STATE waits until the records before it are in files.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from msgspec import Raw
from singer_sdk.contrib.msgspec import encoder
from singer_sdk.exceptions import FatalSyncError
from singer_sdk.singerlib import RecordMessage, SchemaMessage, StateMessage
from typing_extensions import override

from tap_chat.singer.sdk import StorageTarget
from tap_chat.singer.writer import MessageWriter, encode_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.singerlib import Message

    from tap_chat.config.settings import BatchSettings
    from tap_chat.singer.arrow_files import ArrowEncoder
    from tap_chat.singer.records import Record

#: The most bytes of records that wait, of all streams.
MAX_WAITING_BYTES = 32 * 1024 * 1024

# The SDK compresses with level 9, which takes four times as long for a tenth less.
_GZIP_LEVEL = 4
# What a stream map may name a stream, but no file should be named.
_UNFIT = re.compile(r"[^\w.-]")


@dataclass(slots=True)
class _Buffer:
    """The records of one stream that wait for their file."""

    version: int | None
    texts: list[bytes] = field(default_factory=list)


class BatchWriter(MessageWriter):
    """Writes records into files, and BATCH messages with their names.

    Args:
        settings: The setting `batch_config`.
        tap: The name of the tap, for the names of files.
    """

    def __init__(self, settings: BatchSettings, tap: str) -> None:
        super().__init__()
        self._settings = settings
        self._storage = StorageTarget(settings.storage.root)
        self._prefix = f"{settings.storage.prefix or ''}{tap}--"
        self._run = uuid4()
        self._files = 0
        self._properties: dict[str, Any] = {}
        self._arrow_encoders: dict[str, ArrowEncoder] = {}
        self._buffers: dict[str, _Buffer] = {}
        self._size = 0
        self._state: StateMessage | None = None

    @override
    def write_message(self, message: Message) -> None:
        if isinstance(message, RecordMessage):
            self.write_records(message.stream, [message.record], message.version)
        elif isinstance(message, StateMessage):
            self._state = message
            if not self._buffers:
                self._write_state()
        else:
            if (stream := getattr(message, "stream", None)) in self._buffers:
                with self.uninterrupted():
                    self._write_file(stream)
            if isinstance(message, SchemaMessage):
                self._properties[message.stream] = message.schema["properties"]
                self._arrow_encoders.pop(message.stream, None)
            super().write_message(message)

    @override
    def write_records(
        self, stream: str, records: Iterable[Record | Raw], version: int | None = None
    ) -> None:
        texts = [
            bytes(record) if isinstance(record, Raw) else encode_record(record)
            for record in records
        ]
        if not texts:
            return
        with self.uninterrupted():
            waiting = self._buffers.get(stream)
            if waiting and len(waiting.texts) + len(texts) > self._settings.batch_size:
                self.finish()
            elif waiting and waiting.version != version:
                self._write_file(stream)
            self._buffers.setdefault(stream, _Buffer(version)).texts += texts
            self._size += sum(map(len, texts))
            if self._size >= MAX_WAITING_BYTES:
                self.finish()

    @override
    def finish(self) -> None:
        with self.uninterrupted():
            for stream in list(self._buffers):
                self._write_file(stream)
            self._write_state()

    def _write_state(self) -> None:
        if self._state is not None:
            super().write_message(self._state)
            self._state = None

    def _write_file(self, stream: str) -> None:
        """Write the records of a stream to files of at most `batch_size`, and name them."""
        buffer, size = self._buffers[stream], self._settings.batch_size
        urls = [
            self._write_records(stream, buffer.texts[start : start + size])
            for start in range(0, len(buffer.texts), size)
        ]
        encoding = self._settings.encoding
        message: dict[str, Any] = {
            "type": "BATCH",
            "stream": stream,
            "encoding": {"format": encoding.format, "compression": encoding.compression},
            "manifest": urls,
        }
        if buffer.version is not None:
            message["version"] = buffer.version
        self.write_lines(encoder.encode(message) + b"\n", then_flush=True)
        # Only now: if a file can't be written, no STATE may follow.
        del self._buffers[stream]
        self._size -= sum(map(len, buffer.texts))

    def _write_records(self, stream: str, texts: Sequence[bytes]) -> str:
        """Write a file, and return its URL.

        Raises:
            FatalSyncError: It can't be written.
        """
        self._files += 1
        content, ending = self._encoded(stream, texts)
        name = f"{self._prefix}{_UNFIT.sub('_', stream)}-{self._run}-{self._files}.{ending}"
        problem: str
        try:
            with self._storage.open(name, "wb") as file:
                file.write(content)
            return self._storage.get_url(name)
        except ImportError as error:
            problem = f"a package for its URL is missing: pip install {error.name}"
        except OSError as error:
            problem = error.strerror or type(error).__name__
        except Exception as error:  # noqa: BLE001 - each file system has errors of its own
            problem = type(error).__name__
        # Outside of the handler: the text of an error may show a whole URL, with its key.
        raise FatalSyncError(
            f"A file of batch_config can't be written to its root: {problem}. No STATE was written"
            " for its records."
        )

    def _encoded(self, stream: str, texts: Sequence[bytes]) -> tuple[bytes, str]:
        """Return the content of a file, and the ending of its name."""
        encoding = self._settings.encoding
        if encoding.format == "arrow":
            if stream not in self._arrow_encoders:
                # Imported here: pyarrow is optional.
                from tap_chat.singer.arrow_files import ArrowEncoder  # noqa: PLC0415

                self._arrow_encoders[stream] = ArrowEncoder(self._properties[stream])
            return self._arrow_encoders[stream].encode(texts), "arrow"
        lines = b"\n".join(texts) + b"\n"
        if encoding.compression == "gzip":
            return gzip.compress(lines, _GZIP_LEVEL), "jsonl.gz"
        return lines, "jsonl"
