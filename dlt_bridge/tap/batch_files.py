"""BATCH messages: records in files, as lines of JSON, as Parquet, or in Arrow's IPC format.

https://sdk.meltano.com/en/latest/batch.html

A tap may only name files in allowed folders. Otherwise its output could load any file of the
machine, or any address that the machine reaches, into the destination.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote

import fsspec
import msgspec
import pyarrow as pa

from dlt_bridge.errors import MessageError
from dlt_bridge.tap.batch_tables import read_tables
from dlt_bridge.tap.column_texts import UnfitColumnError, record_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dlt_bridge.tap.messages import Batch, Schema

#: The least rows that stay columns. Fewer are decoded together with others, as lines.
MANY_ROWS = 1_000
UNCOMPRESSED = (None, "none")

_LOCAL = frozenset({"", "file", "local"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# Separates the parts of a chained URL of fsspec.
_CHAIN = "::"
# A part of a path that leads out of a folder.
_PARENT = re.compile(r"(^|[/\\])\.\.([/\\]|$)")


class BatchFolders:
    """The folders that the files of BATCH messages may be in.

    Args:
        allowed: Folders and URLs (`s3://bucket/folder`) that the user allows, besides the working
            folder and the folder for temporary files.
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        local = [os.curdir, tempfile.gettempdir(), *(name for name in allowed if _is_local(name))]
        self._folders = [_path(name).resolve() for name in local]
        self._urls = [name.rstrip("/") + "/" for name in allowed if not _is_local(name)]

    def open(self, name: str) -> IO[bytes]:
        """Open a file.

        Raises:
            OSError: It can't be opened.
            ImportError: A package for its URL is missing.
            _RefusedError: It is in no allowed folder, or is not a regular file.
        """
        if not _is_local(name):
            if not any(_is_within(name, url) for url in self._urls):
                raise _RefusedError(_NOT_ALLOWED)
            file: IO[bytes] = fsspec.open(name, "rb").open()
            return file
        # The target of a link must be in an allowed folder.
        path = _path(name).resolve()
        if not any(path.is_relative_to(folder) for folder in self._folders):
            raise _RefusedError(_NOT_ALLOWED)
        # Reading a pipe or a device may never end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _RefusedError("is not a regular file")
        return os.fdopen(descriptor, "rb")


def allowed_batch_folders(config: Mapping[str, Any], allowed: Sequence[str]) -> BatchFolders:
    """Return the allowed folders: those of the user, and the root of the tap's `batch_config`."""
    root: Any = config
    for name in ("batch_config", "storage", "root"):
        root = root.get(name) if isinstance(root, dict) else None
    return BatchFolders([*allowed, root] if isinstance(root, str) else allowed)


class _RefusedError(Exception):
    """A file may not be read. The message is the end of a sentence that begins with its name."""


_NOT_ALLOWED = (
    "is in none of the allowed folders: the working folder, the one for temporary files, and the"
    " root of the tap's batch_config. Allow its folder or bucket by batch_folders"
)


def batch_records(
    schema: Schema, batch: Batch, number: int, folders: BatchFolders, *, as_columns: bool
) -> Iterator[bytes | pa.RecordBatch]:
    """Yield the records of a BATCH: as lines of RECORD messages, or many together as columns.

    Args:
        schema: The SCHEMA of its stream.
        batch: The message.
        number: The number of its line, for errors.
        folders: The folders that its files may be in.
        as_columns: Whether to yield columns of many records as they are in the file.

    Raises:
        MessageError: A file can't be read, is in no allowed folder, or has an unknown format.
    """
    encoding = batch.encoding
    read = _READERS.get(encoding.format)
    if read is None or (
        encoding.format == "jsonl" and encoding.compression not in {*UNCOMPRESSED, "gzip"}
    ):
        raise MessageError(
            f"Stream {batch.stream}: the BATCH in line {number} has files of the format"
            f" {encoding.format} ({encoding.compression or 'no'} compression), which can't be"
            " loaded. jsonl (gzip or none), arrow and parquet can; or switch batches off in the"
            " tap's config (batch_config)."
        )
    end = b"" if batch.version is None else b',"version":%d' % batch.version
    properties = schema.schema.get("properties")
    # A record may have a property `record` itself.
    refuse_messages = not (isinstance(properties, dict) and "record" in properties)
    for name in batch.manifest:
        problem = ""
        try:
            with folders.open(name) as file:
                for record in read(file, as_columns):
                    if isinstance(record, pa.RecordBatch):
                        yield record
                        continue
                    if refuse_messages and _is_message(record):
                        problem = "has RECORD messages, where the records alone belong"
                        break
                    yield b'{"record":' + record + end + b"}"
        except Exception as error:  # noqa: BLE001 - each file system has errors of its own
            problem = _problem(error)
        # Raised outside the handler: the original error may show a whole URL, with its key.
        if problem:
            raise MessageError(
                f"Stream {batch.stream}: the file {_shown(name)} of the BATCH in line {number}"
                f" {problem}."
            )


def _problem(error: Exception) -> str:
    """Return what is wrong with a file, without its URL."""
    if isinstance(error, (_RefusedError, UnfitColumnError)):
        return str(error)
    if isinstance(error, ImportError):
        missing = error.name or getattr(error.__cause__, "name", None)
        return f"needs a package that is not installed: pip install {missing}"
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return f"can't be read: {os.strerror(error.errno)}"
    return f"can't be read ({type(error).__name__})"


def _is_local(name: str) -> bool:
    scheme = _SCHEME.match(name)
    return _CHAIN not in name and (not scheme or scheme[1].lower() in _LOCAL)


def _path(name: str) -> Path:
    """Return the path of a local file."""
    if not (scheme := _SCHEME.match(name)):
        return Path(name)
    path = name[scheme.end() :]
    # Python's `as_uri` quotes names; a name that has a percent sign itself exists as it is.
    return Path(path) if os.path.lexists(path) else Path(unquote(path))


def _is_within(name: str, url: str) -> bool:
    """Return whether a URL is within another one."""
    rest = name[len(url) :]
    return name.startswith(url) and _CHAIN not in rest and not _PARENT.search(unquote(rest))


def _shown(name: str) -> str:
    """Return the name of a file without the parts of a URL that may have credentials."""
    return name.partition("?")[0].rpartition("/")[2]


def _is_message(record: bytes) -> bool:
    """Return whether a line is a RECORD message, and not the record alone."""
    if b'"RECORD"' not in record or b'"record"' not in record:
        return False
    with suppress(ValueError, RecursionError):
        return isinstance(_decoder.decode(record), _Message)
    return False


class _Message(msgspec.Struct, tag_field="type", tag="RECORD"):
    stream: str
    record: dict[str, msgspec.Raw]


_decoder = msgspec.json.Decoder(_Message)


def _jsonl(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file, compressed or not: the message may be wrong about that."""
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    for line in gzip.GzipFile(fileobj=file) if is_gzip else file:
        if record := line.strip():
            yield record


def _columns(file: IO[bytes], as_columns: bool) -> Iterator[bytes | pa.RecordBatch]:  # noqa: FBT001
    """Yield batches of many records, and the others as JSON texts, which are decoded together."""
    for rows in read_tables(file):
        if as_columns and rows.num_rows >= MANY_ROWS and "record" not in rows.schema.names:
            yield rows
        else:
            yield from record_texts(rows)


_READERS: Mapping[str, Callable[[IO[bytes], bool], Iterator[bytes | pa.RecordBatch]]] = {
    "jsonl": lambda file, _: _jsonl(file),
    "parquet": _columns,
    "arrow": _columns,
}
