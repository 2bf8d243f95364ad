"""BATCH messages: records in files, as lines of JSON or as Parquet.

https://sdk.meltano.com/en/latest/batch.html
"""

from __future__ import annotations

import gzip
from typing import IO, TYPE_CHECKING, Any, cast

import fsspec
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dlt_bridge.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt_bridge.messages import Batch

#: Rows of a Parquet file that are read at once.
PARQUET_ROWS = 20_000
UNPACKED = (None, "none")


def lines_of_batch(stream: str, batch: Batch, number: int) -> Iterator[bytes]:
    """Yield the records of a BATCH as lines of RECORD messages.

    Args:
        stream: Its stream, for errors.
        batch: The message.
        number: The number of its line, for errors.

    Raises:
        MessageError: A file can't be read, or is of a kind that is not known.
    """
    encoding = batch.encoding
    if encoding.format not in {"jsonl", "parquet"} or (
        encoding.format == "jsonl" and encoding.compression not in {*UNPACKED, "gzip"}
    ):
        raise MessageError(
            f"Stream {stream}: the BATCH in line {number} has files of the format"
            f" {encoding.format} ({encoding.compression or 'no'} compression), which can't be"
            " loaded. jsonl (gzip or none) and parquet can; or switch batches off in the tap's"
            " config (batch_config)."
        )
    end = b"" if batch.version is None else b',"version":%d' % batch.version
    for name in batch.manifest:
        try:
            with fsspec.open(name, "rb") as file:
                records = _parquet(file) if encoding.format == "parquet" else _jsonl(file)
                for record in records:
                    yield b'{"record":' + record + end + b"}"
        except (OSError, ValueError, pa.ArrowException) as error:
            raise MessageError(
                f"Stream {stream}: the file {_shown(name)} of the BATCH in line {number} can't be"
                f" read: {error}."
            ) from error


def _shown(name: str) -> str:
    """Return the name of a file without what a URL may say of credentials."""
    return name.partition("?")[0].rpartition("/")[2]


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
