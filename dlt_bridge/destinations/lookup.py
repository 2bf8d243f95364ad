"""The rows that a table of the destination has of some keys, exactly as they are."""

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

#: Rows of an answer that are taken together.
ROWS_TOGETHER = 10_000
DELTA = "delta"
# Databases that are read by DuckDB's own client.
DUCK = frozenset({"duckdb", "motherduck"})
_KEYS = "_dlt_bridge_keys"


def is_readable(table_format: str | None) -> bool:
    """Say whether rows can be read back from the destination.

    Args:
        table_format: Of the table, if it has one.
    """
    if destination_type() == "filesystem":
        return table_format == DELTA
    return issubclass(running_pipeline().destination.client_class, WithSqlClient)


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """What is to be read of the rows of a table.

    Attributes:
        stream: The stream, for errors.
        table: The name of its table in the destination.
        schema: The columns.
        texts: The names of those that hold JSON.
    """

    stream: str
    table: str
    schema: pa.Schema
    texts: Collection[str]

    def present_columns(self, is_there: Callable[[str], bool]) -> dict[str, str]:
        """Return the columns that there are, with their names in the destination."""
        normalize = dlt.current.source_schema().naming.normalize_path
        names = {name: normalize(name) for name in self.schema.names}
        return {name: made for name, made in names.items() if is_there(made)}


class TableReader(ABC):
    """Reads rows of a table.

    Args:
        wanted: What is to be read of them.
        names: The columns that there are, and their names in the destination.
    """

    def __init__(self, wanted: LookupRequest, names: Mapping[str, str]) -> None:
        self._wanted = wanted
        self._names = names

    def rows(self, keys: pa.Table) -> pa.Table:
        """Return the rows of some keys, with the columns that there are.

        Args:
            keys: The keys.

        Raises:
            MessageError: A column is of another type than it should be.
        """
        schema = pa.schema([self._wanted.schema.field(name) for name in self._names])
        found = [schema.empty_table()]
        if set(keys.column_names) <= self._names.keys():
            for columns in self._read(keys):
                typed = list(map(self._typed, schema, columns))
                found.append(rows_with_keys(pa.table(typed, schema=schema), keys))
        return pa.concat_tables(found)

    @abstractmethod
    def _read(self, keys: pa.Table) -> Iterator[Sequence[Any]]:
        """Yield the values of all columns of rows, among them those that have one of the keys."""

    def _typed(self, field: pa.Field, values: Any) -> Any:  # noqa: ANN401
        try:
            if isinstance(values, pa.ChunkedArray):
                if pa.types.is_time(field.type) and not pa.types.is_time(values.type):
                    # Delta has no time of day, so dlt stores it as text.
                    values = [text and time.fromisoformat(text) for text in values.to_pylist()]
                    return pa.array(values, field.type)
                return values.cast(field.type)
            return pa.array(map(_plain, values), field.type)
        except CONVERSION_ERRORS:
            raise MessageError(
                f"Stream {self._wanted.stream}: its table has another type for `{field.name}` than"
                " its SCHEMA, so what records lack can't be taken from its rows. Load into another"
                ' dataset, or reset the stream with refresh="drop_resources".'
            ) from None


def rows_with_keys(table: pa.Table, keys: pa.Table) -> pa.Table:
    """Return the rows of a table that have one of some keys, in their order."""
    if len(keys.column_names) == 1:
        return table.filter(pc.is_in(table[keys.column_names[0]], keys.column(0).combine_chunks()))
    numbered = table.select(keys.column_names).append_column("", pa.arange(0, len(table)))
    found = numbered.join(keys, keys.column_names, join_type="left semi")
    return table.take(found[""].sort())


@contextmanager
def open_reader(wanted: LookupRequest) -> Iterator[TableReader | None]:
    """Give what reads rows as they were before the package; None if there are none.

    Raises:
        MessageError: Rows of earlier packages are not there yet.
    """
    running, known = running_pipeline(), dlt.current.source_schema()
    if running.list_extracted_load_packages() or running.list_normalized_load_packages():
        raise MessageError(
            f"Stream {wanted.stream}: records lack properties, and the rows that have their values"
            " may be in packages that wait to be loaded. Load these first, with"
            " pipeline.normalize() and pipeline.load()."
        )
    own = known.name if known.name in running.schemas else None
    if _emptied(wanted.table) or (own is None and not running.config.use_single_dataset):
        yield None
    elif destination_type() == "filesystem":
        yield _delta_reader(wanted) if own else None
    else:
        with running.sql_client(own) as client:
            yield _sql_reader(client, wanted)


def _emptied(table: str) -> bool:
    """Say whether the table is dropped or emptied before the rows of the package come."""
    state: Any = dlt.current.load_package_state()["state"]
    gone = [*state.get(DROPPED, ()), *state.get(TRUNCATED, ())]
    return any(other["name"] == table for other in gone)


class _SqlReader(TableReader):
    """Reads rows by SQL."""

    def __init__(self, client: Any, wanted: LookupRequest, names: Mapping[str, str]) -> None:  # noqa: ANN401
        super().__init__(wanted, names)
        self._client = client

    @override
    def _read(self, keys: pa.Table) -> Iterator[Sequence[Any]]:
        # Each column of the key is compared alone, which every database does, and fast.
        values = [column.unique().to_pylist() for column in keys.columns]
        conditions = (
            f"{self._escaped(name)} IN ({', '.join(['%s'] * len(those))})"
            for name, those in zip(keys.column_names, values, strict=True)
        )
        query = f"{self._select()} WHERE {' AND '.join(conditions)}"
        with self._client.execute_query(query, *(v for those in values for v in those)) as cursor:
            for rows in cursor.iter_fetch(ROWS_TOGETHER):
                yield list(zip(*rows, strict=True))

    def _select(self) -> str:
        table = self._client.make_qualified_table_name(self._wanted.table)
        return f"SELECT {', '.join(map(self._column, self._names))} FROM {table}"  # noqa: S608

    def _escaped(self, name: str) -> str:
        return str(self._client.escape_column_name(self._names[name]))

    def _column(self, name: str) -> str:
        if name in self._wanted.texts and destination_type() in POSTGRES_LIKE:
            # The driver would make floats of the numbers in it.
            return f"CAST({self._escaped(name)} AS text)"
        return self._escaped(name)


class _DuckReader(_SqlReader):
    """Reads rows by SQL, with Arrow both ways: values one by one would take DuckDB long."""

    @override
    def _read(self, keys: pa.Table) -> Iterator[Sequence[Any]]:
        names = keys.column_names
        connection = self._client.native_connection
        connection.register(_KEYS, keys.rename_columns([self._names[name] for name in names]))
        query = f"{self._select()} SEMI JOIN {_KEYS} USING ({', '.join(map(self._escaped, names))})"
        try:
            with self._client.execute_query(query) as cursor:
                yield from (table.columns for table in cursor.iter_arrow(ROWS_TOGETHER))
        finally:
            connection.unregister(_KEYS)


def _sql_reader(client: Any, wanted: LookupRequest) -> TableReader | None:  # noqa: ANN401
    """Return what reads a table by SQL; None if there is no table."""
    nothing = f"SELECT * FROM {client.make_qualified_table_name(wanted.table)} WHERE 1 = 0"  # noqa: S608
    try:
        with client.execute_query(nothing) as cursor:
            there = {column[0] for column in cursor.description}
    except DatabaseUndefinedRelation:
        return None
    names = wanted.present_columns(
        lambda name: client.escape_column_name(name, quote=False) in there
    )
    return (_DuckReader if destination_type() in DUCK else _SqlReader)(client, wanted, names)


class _DeltaReader(TableReader):
    """Reads rows of a Delta table."""

    def __init__(self, rows: Any, wanted: LookupRequest, names: Mapping[str, str]) -> None:  # noqa: ANN401
        super().__init__(wanted, names)
        self._rows = rows

    @override
    def _read(self, keys: pa.Table) -> Iterator[Sequence[Any]]:
        wanted = pc.scalar(value=True)
        for name in keys.column_names:
            made = self._names[name]
            those = keys[name].unique().cast(self._rows.schema.field(made).type)
            wanted &= pc.field(made).isin(those)
        found = self._rows.to_table(list(self._names.values()), filter=wanted)
        yield found.columns


def _delta_reader(wanted: LookupRequest) -> TableReader | None:
    """Return what reads a Delta table; None if there is none."""
    from dlt.common.libs.deltalake import get_delta_tables  # noqa: PLC0415 - it may be missing

    schema = running_pipeline().schemas[dlt.current.source_schema().name]
    if wanted.table not in schema.tables:
        return None
    found = get_delta_tables(running_pipeline(), wanted.table, schema_name=schema.name)[
        wanted.table
    ]
    rows = found.to_pyarrow_dataset()
    return _DeltaReader(rows, wanted, wanted.present_columns(rows.schema.names.__contains__))


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return what a driver gives, as Arrow takes it."""
    if isinstance(value, memoryview):
        return bytes(value)
    return json.dumps(value) if isinstance(value, dict | list) else value
