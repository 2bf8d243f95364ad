"""Rows of records that lack properties, completed by the values that their rows had before.

A merge of dlt replaces whole rows. So an incomplete row is held back until its package ends. Then
it gets the missing values from earlier records with its key, in the package and in the table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bridge.arrow.metadata_columns import SEQUENCE, VERSION
from dlt_bridge.arrow.missing_properties import MISSING
from dlt_bridge.destinations.lookup import rows_with_keys
from dlt_bridge.tables.rows.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: How many keys are looked up in one query: SQL Server takes 2,100 values in a query, others more.
LOOKUP_KEYS = 2_000

# Columns of the index of keys. No column of a table has a name with a null character.
_PART, _IS_COMPLETE = "\0part", "\0is_complete"


@dataclass(frozen=True, slots=True)
class RowColumns:
    """The columns of complete rows.

    Attributes:
        keys: The names of the key columns.
        schema: All columns.
        properties: The columns of each property that a record may lack.
        others: The columns of no property: each incomplete row lacks them.
    """

    keys: Sequence[str]
    schema: pa.Schema
    properties: Mapping[str, Sequence[str]]
    others: Sequence[str]


class RowCompletion:
    """The rows of a package, of which some are incomplete.

    All rows wait on disk; only keys and sequence numbers are in memory.

    Args:
        keys: The names of the key columns.

    Attributes:
        keys: The names of the key columns.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = list(keys)
        self._index: list[pa.Table] = []
        self._spool = Spool()
        self._has_incomplete = False

    @property
    def is_needed(self) -> bool:
        """Whether some rows are incomplete."""
        return self._has_incomplete

    def add(self, table: pa.Table) -> pa.Table:
        """Add a table, and return its complete rows."""
        is_complete = pa.repeat(pa.scalar(value=True), len(table))
        if MISSING in table.column_names:
            self._has_incomplete = True
            is_complete = pc.is_null(table[MISSING])
        part = pa.repeat(pa.scalar(self._spool.count), len(table))
        index = table.select([*self.keys, SEQUENCE])
        index = index.append_column(_IS_COMPLETE, is_complete).append_column(_PART, part)
        self._index.append(index)
        self._spool.add(table)
        if MISSING not in table.column_names:
            return table
        return table.drop_columns(MISSING).filter(is_complete)

    def close(self) -> None:
        """Drop all rows."""
        self._index, self._has_incomplete = [], False
        self._spool.close()

    def tables(
        self, columns: RowColumns, stored_rows: Callable[[pa.Table], pa.Table] | None
    ) -> Iterator[pa.Table]:
        """Yield the last row of each key, completed, if it was incomplete.

        Args:
            columns: The columns of complete rows.
            stored_rows: Returns the rows of some keys that the table had before the package; None
                if the table had no rows.
        """
        if not self._has_incomplete:
            return
        index = pa.concat_tables(self._index, promote_options="default")
        last = index.group_by(self.keys).aggregate([(SEQUENCE, "max")])[f"{SEQUENCE}_max"]
        is_last = pc.is_in(index[SEQUENCE], last.combine_chunks())
        incomplete = index.filter(pc.and_(pc.invert(index[_IS_COMPLETE]), is_last))
        incomplete = incomplete.select(self.keys)
        index = rows_with_keys(index, incomplete) if len(incomplete) else index.slice(0, 0)
        for start in range(0, len(incomplete), LOOKUP_KEYS):
            keys = incomplete.slice(start, LOOKUP_KEYS)
            rows = rows_with_keys(index, keys)
            parts = [self._part(number, rows[SEQUENCE]) for number in pc.unique(rows[_PART])]
            # Where the package has a complete row, stored values do not count.
            unknown = keys.join(rows.filter(rows[_IS_COMPLETE]), self.keys, join_type="left anti")
            if stored_rows and len(unknown):
                parts.append(stored_rows(unknown))
            yield complete_last_rows(parts, columns)

    def _part(self, number: pa.Scalar, sequence: pa.ChunkedArray) -> pa.Table:
        table = self._spool.read(number.as_py())
        return table.filter(pc.is_in(table[SEQUENCE], sequence.combine_chunks()))


def complete_last_rows(tables: Sequence[pa.Table], columns: RowColumns) -> pa.Table:
    """Return the last row of each key, with the values that it lacks from earlier rows.

    Args:
        tables: Rows of a package, and stored rows, which have no sequence number.
        columns: The columns of complete rows.
    """
    schema = columns.schema.append(pa.field(MISSING, pa.string()))
    rows = pa.concat_tables([_cast(table, schema) for table in tables])
    order = rows.select(columns.keys).append_column("", pc.fill_null(rows[SEQUENCE], -1))
    ascending = [(name, "ascending") for name in order.column_names]
    rows = rows.take(pc.sort_indices(order, ascending)).combine_chunks()
    is_first = _is_changed([rows[name] for name in columns.keys])
    is_last = pa.concat_arrays([is_first[1:], pa.array([True])])
    chosen = pc.and_(is_last, pc.is_valid(rows[SEQUENCE]))
    if VERSION in columns.schema.names:
        # A row takes no values from an older version.
        is_first = pc.or_(is_first, _is_raised(rows[VERSION]))
    indices = pa.arange(0, len(rows))
    missing = {
        text: set(json.loads(text)) for text in pc.unique(rows[MISSING]).drop_null().to_pylist()
    }

    def sources(has_value: pa.Array) -> pa.Array:
        """Return the index of the row that each chosen row takes a value from."""
        has_value = pc.or_(has_value, is_first)
        return pc.fill_null_forward(pc.if_else(has_value, indices, None)).filter(chosen)

    arrays = {name: rows[name].filter(chosen) for name in columns.schema.names}
    for json_name, names in columns.properties.items():
        lacking = [text for text, properties in missing.items() if json_name in properties]
        if lacking:
            is_missing = pc.is_in(rows[MISSING], pa.array(lacking, pa.string()))
            taken = sources(pc.invert(is_missing))
            arrays |= {name: rows[name].take(taken) for name in names}
    is_complete = pc.is_null(rows[MISSING])
    for name in columns.others:
        arrays[name] = rows[name].take(sources(pc.or_(is_complete, pc.is_valid(rows[name]))))
    return pa.table(arrays, schema=columns.schema)


def _is_changed(columns: Sequence[pa.ChunkedArray]) -> pa.Array:
    """Return whether each row has another key than the row before it; true for the first row."""
    is_changed = pa.repeat(pa.scalar(value=False), len(columns[0]) - 1)
    for column in columns:
        values = column.combine_chunks()
        is_changed = pc.or_(is_changed, pc.not_equal(values[1:], values[:-1]))
    return pa.concat_arrays([pa.array([True]), is_changed])


def _is_raised(versions: pa.ChunkedArray) -> pa.Array:
    """Return whether each version is greater than the one before it; null is the least."""
    values = pc.fill_null(versions.combine_chunks(), -(2**63))
    return pa.concat_arrays([pa.array([False]), pc.greater(values[1:], values[:-1])])


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns of a schema; columns that it lacks are null."""
    names = set(table.column_names)
    columns = [
        table[field.name].cast(field.type)
        if field.name in names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))
