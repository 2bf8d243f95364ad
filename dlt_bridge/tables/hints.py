"""What dlt is told of the table of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dlt

from dlt_bridge.arrow.metadata_columns import DELETED, SEQUENCE
from dlt_bridge.destinations.file_formats import VALUES
from dlt_bridge.tables.column_names import HOLDER
from dlt_bridge.tables.dispositions import DELETE_INSERT, AppliedHints, LoadPlan

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dlt_bridge.arrow.types import ColumnType


@dataclass(frozen=True, slots=True)
class TableHints:
    """What dlt is to be told of a stream's table.

    Attributes:
        plan: How rows come into it.
        columns: The types of its columns.
        variants: The types of the variants.
        stored: The names of the columns that dlt knows it to have by now, with their hints.
        conditions: Of a merge: SQL that says which rows of the table make way for those of the
            package, and which rows of the package are taken.
        deduplicated: The package has no key twice.
        nested: The names of the columns that become child tables; None if rows are Arrow tables,
            which tell most types themselves.
        file_format: How dlt is to write files for the destination; None for its own choice.
        table: The name of the table, if dlt does not make it of that of the resource.
        stream: The stream, of which dlt's schema keeps that the table is of it.
        holders: The properties of columns whose names do not tell, by the names of the columns.
    """

    plan: LoadPlan
    columns: Mapping[str, ColumnType]
    variants: Mapping[str, ColumnType]
    stored: Mapping[str, Mapping[str, Any]]
    conditions: Mapping[str, str] = field(default_factory=dict)
    deduplicated: bool = False
    nested: Collection[str] | None = None
    file_format: Any = None
    table: str | None = None
    stream: str | None = None
    holders: Mapping[str, str] = field(default_factory=dict)

    @property
    def disposition(self) -> Any:  # noqa: ANN401
        """The write disposition, with what belongs to it."""
        if self.plan.disposition != "merge" and not self.conditions:
            return self.plan.disposition
        merge: dict[str, Any] = {
            "disposition": "merge",
            "strategy": self.plan.strategy or DELETE_INSERT,
            **self.conditions,
        }
        return {**merge, "deduplicated": True} if self.deduplicated else merge

    def told(self) -> AppliedHints:
        """Return what these hints tell."""
        # What the user chose stays the user's, when the source is run again.
        ours = {"disposition": self.disposition} if self.plan.ours else {}
        told = AppliedHints(keys=self.plan.keys, **ours)
        columns = told.columns
        for name, kind in {**self.columns, **self.variants}.items():
            columns[name] = {**self._type(name, kind), **self._key(name)}
        for name, holder in self.holders.items():
            if name not in (self.nested or ()):
                columns.setdefault(name, {})[HOLDER] = holder
        if DELETED in columns:
            columns[DELETED]["hard_delete"] = self.plan.hard_delete
        if self.plan.keys:
            sorts = self.plan.strategy == DELETE_INSERT and not self.plan.ordered
            if sorts or self.stored.get(SEQUENCE, {}).get("dedup_sort"):
                columns[SEQUENCE] = {"dedup_sort": "desc" if sorts else None}
        told.columns = {name: hint for name, hint in columns.items() if hint}
        return told

    def made(self) -> Any:  # noqa: ANN401
        """Return the hints, for dlt."""
        told = self.told()
        return dlt.mark.make_hints(
            table_name=self.table,
            write_disposition=told.disposition if self.plan.ours else None,
            columns={name: {"name": name, **hint} for name, hint in told.columns.items()},
            file_format=self.file_format,
            additional_table_hints={HOLDER: self.stream} if self.stream else None,
        )

    def _type(self, name: str, kind: ColumnType) -> dict[str, Any]:
        """Return what is told of the type of a column."""
        if name in self.variants:
            return {**column_of(kind), "variant": True}
        if self.nested is None:
            arrow_tells = kind.data_type != "json" and self.file_format != VALUES
            return {} if arrow_tells else column_of(kind)
        if name in self.nested:
            return {}
        # dlt loads no text as a JSON value of objects, so mixed values are JSON texts.
        return {"data_type": "text"} if kind.data_type == "json" else column_of(kind)

    def _key(self, name: str) -> dict[str, Any]:
        """Return whether a column is of the key: dlt keeps what it was told in earlier runs.

        A key may be null for the destination, so that another can take its place; the bridge
        refuses nulls.
        """
        stored = self.stored.get(dlt.current.source_schema().naming.normalize_path(name), {})
        if name in self.plan.keys:
            return {"primary_key": True}
        return {"primary_key": False} if stored.get("primary_key") else {}


def column_of(kind: ColumnType) -> dict[str, Any]:
    """Return what dlt is told of a column of a type."""
    hint: dict[str, Any] = {"data_type": kind.data_type}
    if kind.data_type == "decimal":
        hint |= {"precision": kind.precision, "scale": kind.scale or 0}
    return hint
