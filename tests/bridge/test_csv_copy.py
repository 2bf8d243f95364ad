"""The CSV that PostgreSQL's COPY reads has every value of a Parquet file."""

from __future__ import annotations

import csv
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
import pyarrow as pa
import pytest
from dlt.common.destination.exceptions import DestinationTerminalException
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import ParquetWriter

from dlt_bridge.destinations.csv_copy import BATCH_ROWS, CsvCopy, to_csv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from postgres import PostgresServer

#: The instants of the years 1 to 9999, in seconds since 1970.
SECONDS = st.integers(-62_135_596_800, 253_402_300_799)
PER_SECOND = {"s": 1, "ms": 1000, "us": 1_000_000}


def texts(column: pa.Array) -> list[Any]:
    """Return the values of a column as PostgreSQL reads them from the CSV."""
    written = to_csv(pa.record_batch([column], names=["v"])).decode()
    # Python's reader does not tell an empty text from a null.
    return [None if not line else next(csv.reader([line]))[0] for line in written.splitlines()]


@given(st.sampled_from([*PER_SECOND]), st.lists(st.none() | SECONDS, min_size=1))
def test_instants_are_written_as_arrow_writes_them(unit: str, seconds: list[int | None]) -> None:
    numbers = [None if second is None else second * PER_SECOND[unit] for second in seconds]
    for zone in ("UTC", "America/New_York", "+05:30"):
        column = pa.array(numbers, pa.timestamp(unit, zone))
        expected = pa.array(numbers, pa.timestamp(unit, "UTC")).cast(pa.string())
        assert texts(column) == expected.to_pylist()


def stored(server: PostgresServer, path: Path, columns: str) -> list[tuple[Any, ...]]:
    """Copy a file into a table, and return its rows."""
    with (
        server.database() as url,
        closing(psycopg2.connect(url, options="-c timezone=UTC")) as connection,
        closing(CsvCopy(path)) as file,
    ):
        cursor = connection.cursor()
        cursor.execute(f"create table t ({columns})")
        cursor.copy_expert("copy t from stdin with (format csv, null '')", file, size=1)
        cursor.execute("select * from t")
        return list(cursor.fetchall())


def write(path: Path, parts: Sequence[pa.Table]) -> None:
    with ParquetWriter(path, parts[0].schema) as writer:
        for part in parts:
            writer.write_table(part)


def test_rows_of_all_parts_arrive_in_order(postgres: PostgresServer, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows = [(number, None if number % 3 else "") for number in range(2 * BATCH_ROWS + 1)]
    numbers, words = map(list, zip(*rows, strict=True))
    table = pa.table({"n": pa.array(numbers), "t": pa.array(words, pa.string())})
    write(path, [table.slice(0, 0), table.slice(0, 5), table.slice(5, 0), table.slice(5)])
    assert stored(postgres, path, "n bigint, t text") == rows


def test_file_without_rows_is_an_empty_copy(postgres: PostgresServer, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write(path, [pa.table({"n": pa.array([], pa.int64())})])
    assert stored(postgres, path, "n bigint") == []


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(2)], ids=str)
def test_bytes_are_kept(postgres: PostgresServer, tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "rows.parquet"
    values = [b"\0\\", None, b'",', b"\xff\n"]
    write(path, [pa.table({"b": pa.array(values, kind)})])
    found = stored(postgres, path, "b bytea")
    assert [value if value is None else bytes(value) for (value,) in found] == values


def test_dictionary_is_written_as_its_values() -> None:
    column = pa.array(["a", None, "a"]).dictionary_encode()
    assert to_csv(pa.record_batch([column], names=["v"])) == b'"a"\n\n"a"\n'


def test_empty_text_is_not_null() -> None:
    assert to_csv(pa.record_batch([pa.array(["", None])], names=["v"])) == b'""\n\n'


def test_nested_column_is_refused_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write(path, [pa.table({"tags": pa.array([[1]])})])
    with pytest.raises(DestinationTerminalException, match=r"column tags .* return JSON as text"):
        CsvCopy(path)
