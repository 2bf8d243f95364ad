"""BATCH messages: records in files, as lines of JSON or as Parquet.

https://sdk.meltano.com/en/latest/batch.html

Which files a tap may name is bounded: else its output could have any file of the machine, or any
address that the machine reaches, loaded into the destination.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import fsspec
import msgspec
import pyarrow.parquet as pq

from dlt_bridge.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dlt_bridge.tap.messages import Batch, Schema

#: Rows of a Parquet file that are read at once.
PARQUET_ROWS = 20_000
UNPACKED = (None, "none")

_LOCAL = frozenset({"", "file", "local"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# What addresses are chained with, and what leads out of a folder.
_CHAIN = "::"
_OUTWARDS = re.compile(r"(^|[/\\])\.\.([/\\]|$)")


class BatchFolders:
    """The places that the files of BATCH messages may be in.

    Args:
        given: Folders and addresses (`s3://bucket/folder`) that the user allows besides the usual
            ones: the working folder, and the one for temporary files.
    """

    def __init__(self, given: Sequence[str] = ()) -> None:
        local = [os.curdir, tempfile.gettempdir(), *(name for name in given if _is_local(name))]
        self._folders = [_path(name).resolve() for name in local]
        self._addresses = [name.rstrip("/") + "/" for name in given if not _is_local(name)]

    def opened(self, name: str) -> IO[bytes]:
        """Open a file.

        Raises:
            OSError: It can't be opened.
            ImportError: A package for its address is missing.
            _RefusedError: It is in no place that is allowed, or is no file.
        """
        if not _is_local(name):
            if not any(_is_within(name, address) for address in self._addresses):
                raise _RefusedError(_ELSEWHERE)
            file: IO[bytes] = fsspec.open(name, "rb").open()
            return file
        # Where links lead to counts.
        path = _path(name).resolve()
        if not any(path.is_relative_to(folder) for folder in self._folders):
            raise _RefusedError(_ELSEWHERE)
        # A pipe or a device may give nothing, or never end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _RefusedError("is no ordinary file")
        return os.fdopen(descriptor, "rb")


def batch_folders(config: Mapping[str, Any], given: Sequence[str]) -> BatchFolders:
    """Return the places for a tap: with the one that its own settings (`batch_config`) name."""
    root: Any = config
    for name in ("batch_config", "storage", "root"):
        root = root.get(name) if isinstance(root, dict) else None
    return BatchFolders([*given, root] if isinstance(root, str) else given)


class _RefusedError(Exception):
    """A file is not read; the text ends the sentence that begins with it."""


_ELSEWHERE = (
    "is in no place that is allowed: the working folder, the one for temporary files, and the root"
    " of the tap's batch_config. Allow its folder or bucket by batch_places"
)


def batch_lines(schema: Schema, batch: Batch, number: int, places: BatchFolders) -> Iterator[bytes]:
    """Yield the records of a BATCH as lines of RECORD messages.

    Args:
        schema: The SCHEMA of its stream.
        batch: The message.
        number: The number of its line, for errors.
        places: Where its files may be.

    Raises:
        MessageError: A file can't be read, may not be, or is of a kind that is not known.
    """
    encoding = batch.encoding
    if encoding.format not in {"jsonl", "parquet"} or (
        encoding.format == "jsonl" and encoding.compression not in {*UNPACKED, "gzip"}
    ):
        raise MessageError(
            f"Stream {batch.stream}: the BATCH in line {number} has files of the format"
            f" {encoding.format} ({encoding.compression or 'no'} compression), which can't be"
            " loaded. jsonl (gzip or none) and parquet can; or switch batches off in the tap's"
            " config (batch_config)."
        )
    end = b"" if batch.version is None else b',"version":%d' % batch.version
    properties = schema.schema.get("properties")
    messages = not (isinstance(properties, dict) and "record" in properties)
    for name in batch.manifest:
        problem = ""
        try:
            with places.opened(name) as file:
                records = _parquet(file) if encoding.format == "parquet" else _jsonl(file)
                for record in records:
                    if messages and _is_message(record):
                        problem = "has RECORD messages, where the records alone belong"
                        break
                    yield b'{"record":' + record + end + b"}"
        except Exception as error:  # noqa: BLE001 - each file system has errors of its own
            problem = _problem(error)
        # Outside of the handler: the text of the original may have a whole address, with its key.
        if problem:
            raise MessageError(
                f"Stream {batch.stream}: the file {_shown(name)} of the BATCH in line {number}"
                f" {problem}."
            )


def _problem(error: Exception) -> str:
    """Return what is wrong with a file, without anything that its address may say."""
    if isinstance(error, _RefusedError):
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
    # What Python's own `as_uri` packs; a name that really has a percent sign is found as it is.
    return Path(path) if os.path.lexists(path) else Path(unquote(path))


def _is_within(name: str, address: str) -> bool:
    """Say whether an address is within another, whatever it is chained with."""
    rest = name[len(address) :]
    return name.startswith(address) and _CHAIN not in rest and not _OUTWARDS.search(unquote(rest))


def _shown(name: str) -> str:
    """Return the name of a file without what a URL may say of credentials."""
    return name.partition("?")[0].rpartition("/")[2]


def _is_message(record: bytes) -> bool:
    """Say whether a line is a message with a record, and no record."""
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
    """Yield the lines of a file that may be compressed, whatever its message says of that."""
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    for line in gzip.GzipFile(fileobj=file) if packed else file:
        if record := line.strip():
            yield record


def _parquet(file: IO[bytes]) -> Iterator[bytes]:
    encode = msgspec.json.Encoder(decimal_format="number").encode
    for rows in pq.ParquetFile(file).iter_batches(PARQUET_ROWS):
        for row in cast("list[dict[str, Any]]", rows.to_pylist()):
            yield encode(row)
