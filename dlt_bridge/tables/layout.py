"""The table that a stream becomes: what dlt and the destination know of it, and what can't be.

All that is asked of dlt here is of the package that is being extracted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import dlt
from dlt.common.schema.utils import new_table

from dlt_bridge.arrow.metadata_columns import SEQUENCE, VERSION
from dlt_bridge.arrow.types import ColumnType, DataType
from dlt_bridge.destinations.destination import capabilities
from dlt_bridge.destinations.dlt_private import MERGE_CONDITIONS
from dlt_bridge.errors import ANEW, MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dlt_bridge.arrow.columns import Column

DATA_TYPES: tuple[str, ...] = get_args(DataType)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that a stream's table has, or was told to have.

    Attributes:
        kinds: The type of each property's column, where there is one.
        asked: Those that the user asked for: the values are to be read so.
        variants: The types of the variants that there are, by property and `data_type`.
    """

    kinds: Mapping[str, ColumnType] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, ColumnType]] = field(default_factory=dict)
    asked: Mapping[str, ColumnType] = field(default_factory=dict)


def layout(
    stream: str, table: str, columns: Sequence[Column], asked: Mapping[str, Mapping[str, Any]]
) -> Layout:
    """Return how the table of a stream is laid out.

    Args:
        stream: The stream, for errors.
        table: The name of its table.
        columns: The columns of its SCHEMA.
        asked: Hints of columns that the user gave, by the names of the columns.

    Raises:
        MessageError: The user asks for another type than the table has.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    stored = stored_columns(table)
    wanted = {normalize(name): hints for name, hints in asked.items()}
    kinds: dict[str, ColumnType] = {}
    chosen: dict[str, ColumnType] = {}
    variants: dict[str, dict[str, ColumnType]] = {}
    for column in columns:
        name = normalize(column.name)
        there, wish = _kind(stored.get(name, {})), _kind(wanted.get(name, {}))
        if there and wish and there.data_type != wish.data_type:
            raise MessageError(
                f"Stream {stream}: a hint asks for `{column.name}` to be {wish.text}, but its"
                f" column holds {there.text}. Take the hint away, load into another dataset, or"
                f" read the stream anew, into a new table: {ANEW}"
            )
        if kind := there or wish:
            kinds[column.name] = kind
        if wish:
            chosen[column.name] = kind or wish
        variants[column.name] = {
            data_type: kind
            for data_type in DATA_TYPES
            if (kind := _kind(stored.get(normalize(f"{column.name}__v_{data_type}"), {})))
        }
    return Layout(kinds, variants, chosen)


def _kind(column: Mapping[str, Any]) -> ColumnType | None:
    """Return the type of a column of dlt's, if it has one."""
    data_type = column.get("data_type")
    if data_type not in DATA_TYPES:
        return None
    precision, scale = column.get("precision"), column.get("scale")
    if data_type == "decimal":
        usual = capabilities().decimal_precision
        return ColumnType(
            "decimal", precision or usual[0], usual[1] if precision is None else scale or 0
        )
    return ColumnType(data_type, precision if data_type in {"timestamp", "time"} else None)


def refuse_changed_key(stream: str, table: str, keys: Sequence[str]) -> None:
    """Refuse a key by which rows that are stored may be the same, where a merge can't mend that.

    A destination that updates rows would make them equal, one by one, and keep them all.

    Raises:
        MessageError: The key lacks a column of the key that the table was loaded by.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    stored = stored_columns(table)
    before = {name for name, column in stored.items() if column.get("primary_key")}
    there = any(column.get("data_type") for column in stored.values())
    if there and not (before and before <= {normalize(key) for key in keys}):
        raise MessageError(
            f"Stream {stream}: its table was loaded by the key {_listed(sorted(before)) or 'none'},"
            f" and now it is {_listed(keys)}. Rows that are the same by it would stay several here."
            f" Read the stream anew, into a new table: {ANEW}"
        )


def stored_columns(table: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the columns that dlt knows a table to have, by their names."""
    columns: Mapping[str, Mapping[str, Any]] = stored_table(table).get("columns", {})
    return columns


def other_columns(table: str, known: Iterable[str]) -> dict[str, ColumnType]:
    """Return the columns of a table that none of some names has, with their types.

    Args:
        table: The table.
        known: Names of columns, as the tap has them.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    names = {normalize(name) for name in (*known, SEQUENCE, VERSION)}
    return {
        name: kind
        for name, column in stored_columns(table).items()
        if name not in names and not name.lower().startswith("_dlt_") and (kind := _kind(column))
    }


def stored_table(table: str) -> Any:  # noqa: ANN401
    """Return what dlt knows of a table, to be read or changed; empty if nothing."""
    return dlt.current.source_schema().tables.get(table, {})


def tell(table: str, resource: str, columns: Mapping[str, Mapping[str, Any]]) -> None:
    """Tell dlt of columns of a table, though no rows come for them yet.

    Args:
        table: The name of the table.
        resource: The name of its resource.
        columns: Hints of the columns, by their names.
    """
    schema = dlt.current.source_schema()
    normalize = schema.naming.normalize_path
    made: Any = {
        normalize(name): {**hints, "name": normalize(name)} for name, hints in columns.items()
    }
    part: Any = {"name": table, "columns": made}
    if table not in schema.tables:
        part = new_table(table, resource=resource, columns=list(made.values()))
    schema.update_table(part, normalize_identifiers=False)


def forget_conditions(table: str) -> None:
    """Let go of what was true of the merge of an earlier package alone; dlt keeps it."""
    stored = stored_table(table)
    for condition in MERGE_CONDITIONS:
        stored.pop(condition, None)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
