"""Rows of a Parquet file as CSV for PostgreSQL's COPY, with every value unchanged."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.destination.exceptions import DestinationTerminalException
from pyarrow import csv
from pyarrow.parquet import ParquetFile

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

#: Rows to write at a time. More are slower: their text leaves the processor's cache.
BATCH_ROWS = 8192
# Texts are always quoted, and nulls never: so an empty text is not null.
_OPTIONS = csv.WriteOptions(include_header=False, quoting_style="needed", batch_size=BATCH_ROWS)

_BINARY = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)


class CsvCopy:
    """A file that COPY reads. Its next part is written while the server takes the last one.

    Args:
        path: A Parquet file.

    Raises:
        DestinationTerminalException: CSV can't hold a column.
    """

    def __init__(self, path: Path | str) -> None:
        self._file = ParquetFile(path)
        for field in self._file.schema_arrow:
            if pa.types.is_nested(field.type) and not pa.types.is_dictionary(field.type):
                raise DestinationTerminalException(
                    f"The column {field.name} has the Arrow type {field.type}, which PostgreSQL"
                    " can't take. Let the step that adds it return JSON as text."
                )
        self._parts = _ahead(self._texts())

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._file.schema_arrow.names)

    def read(self, _size: int = -1) -> bytes:
        """Return the next part, of any size; an empty one at the end."""
        return next(self._parts, b"")

    def close(self) -> None:
        """Close the file."""
        self._parts.close()
        self._file.close()

    def _texts(self) -> Iterator[bytes]:
        for batch in self._file.iter_batches(BATCH_ROWS):
            if batch.num_rows:
                yield to_csv(batch)


def to_csv(batch: pa.RecordBatch) -> bytes:
    """Return rows as CSV.

    Args:
        batch: The rows.
    """
    columns = [_written(column) for column in batch.columns]
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.record_batch(columns, names=batch.schema.names), sink, _OPTIONS)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _written(column: pa.Array) -> pa.Array:
    """Return a column as texts where Arrow's CSV writer is slow or knows no text."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type) and column.type.tz:
        # Ten times as fast as Arrow's cast of an instant, which looks up its time zone.
        utc = column.view(pa.int64()).view(pa.timestamp(column.type.unit))
        return pc.binary_join_element_wise(utc.cast(pa.string()), "Z", "")
    if _is_binary(column.type):
        texts = [None if value is None else rf"\x{value.hex()}" for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    return column


def _is_binary(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in _BINARY)


def _ahead(parts: Iterator[bytes]) -> Generator[bytes]:
    """Yield parts, of which the next one is made in a thread."""
    with ThreadPoolExecutor(1, "csv") as pool:
        coming = pool.submit(next, parts, b"")
        while part := coming.result():
            coming = pool.submit(next, parts, b"")
            yield part
