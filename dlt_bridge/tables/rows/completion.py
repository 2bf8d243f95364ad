"""Rows of records that lack properties, completed by the values that their rows had before.

dlt's merge replaces whole rows. So such a row is held back until its package ends, and gets what it
lacks from the records of the same key before it, in the package and in the table.
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

#: Keys that are looked for together: SQL Server takes 2,100 values in a query, others more.
KEYS_TOGETHER = 2_000

_PART, _WHOLE = "part", "whole"


@dataclass(frozen=True, slots=True)
class Layout:
    """What complete rows consist of.

    Attributes:
        keys: The names of the key columns.
        schema: All columns.
        properties: The columns whose values can be lacking: those of each property.
        others: The columns of no property; whoever lacks anything lacks them.
    """

    keys: Sequence[str]
    schema: pa.Schema
    properties: Mapping[str, Sequence[str]]
    others: Sequence[str]


class Completion:
    """The rows of a package, for those of them that lack something.

    All wait on disk; in memory are keys and sequence numbers alone.

    Args:
        keys: The names of the key columns.

    Attributes:
        keys: Likewise.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = list(keys)
        self._known: list[pa.Table] = []
        self._spool = Spool()
        self._lacking = False

    @property
    def needed(self) -> bool:
        """Some rows lack something."""
        return self._lacking

    def add(self, table: pa.Table) -> pa.Table:
        """Take a table, and return its rows that lack nothing."""
        whole = pa.repeat(pa.scalar(value=True), len(table))
        if MISSING in table.column_names:
            self._lacking = True
            whole = pc.is_null(table[MISSING])
        known = table.select([*self.keys, SEQUENCE])
        part = pa.repeat(pa.scalar(self._spool.count), len(table))
        self._known.append(known.append_column(_WHOLE, whole).append_column(_PART, part))
        self._spool.add(table)
        if MISSING not in table.column_names:
            return table
        return table.drop_columns(MISSING).filter(whole)

    def close(self) -> None:
        """Let go of the rows."""
        self._known, self._lacking = [], False
        self._spool.close()

    def tables(
        self, layout: Layout, before: Callable[[pa.Table], pa.Table] | None
    ) -> Iterator[pa.Table]:
        """Yield the last row of each key, if it lacked something, complete.

        Args:
            layout: What complete rows consist of.
            before: Returns the rows that the table had of some keys before the package; None if it
                had none.
        """
        if not self._lacking:
            return
        known = pa.concat_tables(self._known, promote_options="default")
        last = known.group_by(self.keys).aggregate([(SEQUENCE, "max")])[f"{SEQUENCE}_max"]
        ends = known.filter(
            pc.and_(pc.invert(known[_WHOLE]), pc.is_in(known[SEQUENCE], last.combine_chunks()))
        ).select(self.keys)
        known = rows_with_keys(known, ends) if len(ends) else known.slice(0, 0)
        for start in range(0, len(ends), KEYS_TOGETHER):
            keys = ends.slice(start, KEYS_TOGETHER)
            rows = rows_with_keys(known, keys)
            parts = [self._part(number, rows[SEQUENCE]) for number in pc.unique(rows[_PART])]
            # Nothing before a row that is whole counts.
            unknown = keys.join(rows.filter(rows[_WHOLE]), self.keys, join_type="left anti")
            if before and len(unknown):
                parts.append(before(unknown))
            yield completed(parts, layout)

    def _part(self, number: pa.Scalar, sequence: pa.ChunkedArray) -> pa.Table:
        table = self._spool.read(number.as_py())
        return table.filter(pc.is_in(table[SEQUENCE], sequence.combine_chunks()))


def completed(tables: Sequence[pa.Table], layout: Layout) -> pa.Table:
    """Return the last row of each key, with what it lacks from the rows before it.

    Args:
        tables: Rows of a package, which have sequence numbers, and others that were before it.
        layout: What the rows consist of.
    """
    lacking = layout.schema.append(pa.field(MISSING, pa.string()))
    rows = pa.concat_tables([_as(table, lacking) for table in tables])
    order = rows.select(layout.keys).append_column("", pc.fill_null(rows[SEQUENCE], -1))
    ascending = [(name, "ascending") for name in order.column_names]
    rows = rows.take(pc.sort_indices(order, ascending)).combine_chunks()
    first = _changes([rows[name] for name in layout.keys])
    last = pa.concat_arrays([first[1:], pa.array([True])])
    chosen = pc.and_(last, pc.is_valid(rows[SEQUENCE]))
    if VERSION in layout.schema.names:
        # What is of an older version is as good as gone.
        first = pc.or_(first, _rises(rows[VERSION]))
    places = pa.arange(0, len(rows))
    lacks = pc.unique(rows[MISSING]).drop_null()
    told = {text: set(json.loads(text)) for text in lacks.to_pylist()}

    def source(has: pa.Array) -> pa.Array:
        """Return the place of the row that each chosen row has a value from."""
        has = pc.or_(has, first)
        return pc.fill_null_forward(pc.if_else(has, places, None)).filter(chosen)

    columns = {name: rows[name].filter(chosen) for name in layout.schema.names}
    for name, those in layout.properties.items():
        without = pa.array([text for text, names in told.items() if name in names], pa.string())
        if len(without):
            taken = source(pc.invert(pc.is_in(rows[MISSING], without)))
            columns |= {column: rows[column].take(taken) for column in those}
    whole = pc.is_null(rows[MISSING])
    for column in layout.others:
        columns[column] = rows[column].take(source(pc.or_(whole, pc.is_valid(rows[column]))))
    return pa.table(columns, schema=layout.schema)


def _changes(columns: Sequence[pa.ChunkedArray]) -> pa.Array:
    """Return where a row has another key than that before it; the first has."""
    found = pa.repeat(pa.scalar(value=False), len(columns[0]) - 1)
    for column in columns:
        values = column.combine_chunks()
        found = pc.or_(found, pc.not_equal(values[1:], values[:-1]))
    return pa.concat_arrays([pa.array([True]), found])


def _rises(versions: pa.ChunkedArray) -> pa.Array:
    """Return where a version is greater than that before it; none is less than any."""
    values = pc.fill_null(versions.combine_chunks(), -(2**63))
    return pa.concat_arrays([pa.array([False]), pc.greater(values[1:], values[:-1])])


def _as(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns of a schema; those that it has not are null."""
    there = set(table.column_names)
    columns = [
        table[field.name].cast(field.type)
        if field.name in there
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))
