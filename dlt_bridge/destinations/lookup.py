"""Reads the rows of some keys from a table of the destination, with exact values."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.sql_client import WithSqlClient
from typing_extensions import override

from dlt_bridge.arrow.values import CONVERSION_ERRORS
from dlt_bridge.destinations.destination import POSTGRES_LIKE, destination_type
from dlt_bridge.destinations.dlt_private import DROPPED, TRUNCATED, running_pipeline
from dlt_bridge.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

#: Rows of a query's result that are fetched together.
FETCH_ROWS = 10_000
DELTA = "delta"
# Databases that are read with DuckDB's own client.
DUCK = frozenset({"duckdb", "motherduck"})
_KEYS = "_dlt_bridge_keys"


def is_readable(table_format: str | None) -> bool:
    """Return whether rows can be read back from the destination.

    Args:
        table_format: The table format, if there is one.
    """
    if destination_type() == "filesystem":
        return table_format == DELTA
    return issubclass(running_pipeline().destination.client_class, WithSqlClient)


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """What to read from a table.

    Attributes:
        stream: The stream, for errors.
        table: The name of the table in the destination.
        schema: The columns to read.
        texts: The names of the columns that hold JSON.
    """

    stream: str
    table: str
    schema: pa.Schema
    texts: Collection[str]

    def present_columns(self, exists: Callable[[str], bool]) -> dict[str, str]:
        """Return the columns that the table has, with their names in the destination.

        Args:
            exists: Returns whether the table has a column of a name.
        """
        normalize = dlt.current.source_schema().naming.normalize_path
        names = {name: normalize(name) for name in self.schema.names}
        return {name: column for name, column in names.items() if exists(column)}


class TableReader(ABC):
    """Reads rows of a table.

    Args:
        request: What to read.
        names: The columns that the table has, and their names in the destination.
    """

    def __init__(self, request: LookupRequest, names: Mapping[str, str]) -> None:
        self._request = request
        self._names = names

    def rows(self, keys: pa.Table) -> pa.Table:
        """Return the rows of some keys, with the columns that the table has.

        Args:
            keys: The columns of the key, with a row for each key.

        Raises:
            MessageError: A column has another type than the SCHEMA.
        """
        schema = pa.schema([self._request.schema.field(name) for name in self._names])
        parts = [schema.empty_table()]
        if set(keys.column_names) <= self._names.keys():
            for columns in self._read(keys):
                typed = list(map(self._typed, schema, columns))
                parts.append(rows_with_keys(pa.table(typed, schema=schema), keys))
        return pa.concat_tables(parts)

    @abstractmethod
    def _read(self, keys: pa.Table) -> Iterator[Sequence[Any]]:
        """Yield the values of all columns, for the rows of the keys and maybe for others."""

    def _typed(self, field: pa.Field, values: Any) -> Any:  # noqa: ANN401
        try:
            if isinstance(values, pa.ChunkedArray):
                if pa.types.is_time(field.type) and not pa.types.is_time(values.type):
                    # Delta has no type for a time of day, so dlt stores it as text.
                    values = [text and time.fromisoformat(text) for text in values.to_pylist()]
                    return pa.array(values, field.type)
                return values.cast(field.type)
            return pa.array(map(_plain, values), field.type)
        except CONVERSION_ERRORS:
            raise MessageError(
                f"Stream {self._request.stream}: its table has another type for `{field.name}` than"
                " its SCHEMA, so what records lack can't be taken from its rows. Load into another"
                ' dataset, or reset the stream with refresh="drop_resources".'
            ) from None


def rows_with_keys(table: pa.Table, keys: pa.Table) -> pa.Table:
    """Return the rows of a table that have one of some keys, in the order of the table."""
    if len(keys.column_names) == 1:
        return table.filter(pc.is_in(table[keys.column_names[0]], keys.column(0).combine_chunks()))
    numbered = table.select(keys.column_names).append_column("", pa.arange(0, len(table)))
    joined = numbered.join(keys, keys.column_names, join_type="left semi")
    return table.take(joined[""].sort())


@contextmanager
def open_reader(request: LookupRequest) -> Iterator[TableReader | None]:
    """Give a reader of the rows that were loaded before this package; None if there are none.

    Args:
        request: What to read.

    Raises:
        MessageError: Earlier packages are not loaded yet.
    """
    running, schema = running_pipeline(), dlt.current.source_schema()
    if running.list_extracted_load_packages() or running.list_normalized_load_packages():
        raise MessageError(
            f"Stream {request.stream}: records lack properties, and the rows that have their values"
            " may be in packages that wait to be loaded. Load these first, with"
            " pipeline.normalize() and pipeline.load()."
        )
    stored = schema.name if schema.name in running.schemas else None
    if _is_emptied(request.table) or (stored is None and not running.config.use_single_dataset):
        yield None
    elif destination_type() == "filesystem":
        yield _delta_reader(request) if stored else None
    else:
        with running.sql_client(stored) as client:
            is_alchemy = destination_type() == "sqlalchemy"
            yield (_sqlalchemy_reader if is_alchemy else _sql_reader)(client, request)


def _is_emptied(table: str) -> bool:
    """Return whether the table is dropped or emptied before the package is loaded."""
    state: Any = dlt.current.load_package_state()["state"]
    emptied = [*state.get(DROPPED, ()), *state.get(TRUNCATED, ())]
    return any(other["name"] == table for other in emptied)


class _SqlReader(TableReader):
    """Reads rows by SQL."""

    def __init__(self, client: Any, request: LookupRequest, names: Mapping[str, str]) -> None:  # noqa: ANN401
        super().__init__(request, names)
        self._client = client

    @override
    def _read(self, keys: pa.Table) -> Iterator[Sequence[Any]]:
        # Compares each column of the key separately, which all databases support, and fast. The
        # result may have rows of other keys.
        values = [column.unique().to_pylist() for column in keys.columns]
        conditions = (
            f"{self._escaped(name)} IN ({', '.join(['%s'] * len(column))})"
            for name, column in zip(keys.column_names, values, strict=True)
        )
        query = f"{self._select()} WHERE {' AND '.join(conditions)}"
        with self._client.execute_query(query, *(v for column in values for v in column)) as cursor:
            for rows in cursor.iter_fetch(FETCH_ROWS):
                yield list(zip(*rows, strict=True))

    def _select(self) -> str:
        table = self._client.make_qualified_table_name(self._request.table)
        return f"SELECT {', '.join(map(self._column, self._names))} FROM {table}"  # noqa: S608

    def _escaped(self, name: str) -> str:
        return str(self._client.escape_column_name(self._names[name]))

    def _column(self, name: str) -> str:
        if name in self._request.texts and destination_type() in POSTGRES_LIKE:
            # Otherwise the driver turns the numbers in it into floats.
            return f"CAST({self._escaped(name)} AS text)"
        return self._escaped(name)


class _DuckReader(_SqlReader):
    """Reads rows by SQL and Arrow, because passing single values to DuckDB is slow."""

    @override
    def _read(self, keys: pa.Table) -> Iterator[Sequence[Any]]:
        names = keys.column_names
        connection = self._client.native_connection
        connection.register(_KEYS, keys.rename_columns([self._names[name] for name in names]))
        query = f"{self._select()} SEMI JOIN {_KEYS} USING ({', '.join(map(self._escaped, names))})"
        try:
            with self._client.execute_query(query) as cursor:
                yield from (table.columns for table in cursor.iter_arrow(FETCH_ROWS))
        finally:
            connection.unregister(_KEYS)


def _sql_reader(client: Any, request: LookupRequest) -> TableReader | None:  # noqa: ANN401
    """Return a reader of a table by SQL; None if there is no table."""
    no_rows = f"SELECT * FROM {client.make_qualified_table_name(request.table)} WHERE 1 = 0"  # noqa: S608
    try:
        with client.execute_query(no_rows) as cursor:
            columns = {column[0] for column in cursor.description}
    except DatabaseUndefinedRelation:
        return None
    names = request.present_columns(
        lambda name: client.escape_column_name(name, quote=False) in columns
    )
    return (_DuckReader if destination_type() in DUCK else _SqlReader)(client, request, names)


class _SqlAlchemyReader(TableReader):
    """Reads rows through SQLAlchemy."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401
        request: LookupRequest,
        names: Mapping[str, str],
        table: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(request, names)
        self._client, self._table = client, table

    @override
    def _read(self, keys: pa.Table) -> Iterator[Sequence[Any]]:
        from dlt_bridge.destinations.sqlalchemy_rows import stored_rows  # noqa: PLC0415

        values = {self._names[name]: keys[name].unique().to_pylist() for name in keys.column_names}
        names = list(self._names.values())
        return stored_rows(self._client, self._table, names, values, FETCH_ROWS)


def _sqlalchemy_reader(client: Any, request: LookupRequest) -> TableReader | None:  # noqa: ANN401
    """Return a reader of a table through SQLAlchemy; None if there is no table."""
    # It may be missing.
    from dlt_bridge.destinations.sqlalchemy_rows import stored_table  # noqa: PLC0415

    table = stored_table(client, request.table)
    if table is None:
        return None
    names = request.present_columns(table.columns.__contains__)
    return _SqlAlchemyReader(client, request, names, table)


class _DeltaReader(TableReader):
    """Reads rows of a Delta table."""

    def __init__(self, rows: Any, request: LookupRequest, names: Mapping[str, str]) -> None:  # noqa: ANN401
        super().__init__(request, names)
        self._rows = rows

    @override
    def _read(self, keys: pa.Table) -> Iterator[Sequence[Any]]:
        condition = pc.scalar(value=True)
        for name in keys.column_names:
            column = self._names[name]
            values = keys[name].unique().cast(self._rows.schema.field(column).type)
            condition &= pc.field(column).isin(values)
        yield self._rows.to_table(list(self._names.values()), filter=condition).columns


def _delta_reader(request: LookupRequest) -> TableReader | None:
    """Return a reader of a Delta table; None if there is no table."""
    from dlt.common.libs.deltalake import get_delta_tables  # noqa: PLC0415 - it may be missing

    schema = running_pipeline().schemas[dlt.current.source_schema().name]
    if request.table not in schema.tables:
        return None
    tables = get_delta_tables(running_pipeline(), request.table, schema_name=schema.name)
    rows = tables[request.table].to_pyarrow_dataset()
    return _DeltaReader(rows, request, request.present_columns(rows.schema.names.__contains__))


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value of a database driver in a form that Arrow takes."""
    if isinstance(value, memoryview):
        return bytes(value)
    return json.dumps(value) if isinstance(value, dict | list) else value
