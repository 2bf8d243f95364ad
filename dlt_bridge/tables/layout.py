"""Reads and changes the tables of dlt's schema, in the package that is being extracted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import dlt
from dlt.common.schema.utils import get_nested_tables, new_table

from dlt_bridge.arrow.metadata_columns import SEQUENCE, VERSION
from dlt_bridge.arrow.record_schema import RecordSchema
from dlt_bridge.arrow.types import ColumnType, DataType
from dlt_bridge.arrow.variants import variant_name
from dlt_bridge.destinations.destination import capabilities, limits
from dlt_bridge.destinations.dlt_private import MERGE_CONDITIONS
from dlt_bridge.errors import RELOAD, MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dlt import Schema

    from dlt_bridge.arrow.columns import Column
    from dlt_bridge.arrow.nested import Nesting

TYPE_HINTS = ("data_type", "precision", "scale", "timezone")
DATA_TYPES: tuple[str, ...] = get_args(DataType)


def record_schema(
    stream: str,
    table: str,
    columns: Sequence[Column],
    hints: Mapping[str, Mapping[str, Any]],
    nested: Nesting,
) -> RecordSchema:
    """Return how records are decoded, with the types of the columns that the table has already.

    Args:
        stream: The stream.
        table: The name of its table.
        columns: The columns of its SCHEMA.
        hints: Hints of columns that the user gave, by the names of the columns.
        nested: How objects and arrays are loaded.

    Raises:
        MessageError: The user asks for another type than the table has.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    stored = stored_columns(table)
    hinted = {normalize(name): hint for name, hint in hints.items()}
    types: dict[str, ColumnType] = {}
    variants: dict[str, dict[str, ColumnType]] = {}
    properties: list[Column] = []
    constants: dict[str, str] = {}
    for column in columns:
        name = normalize(column.name)
        stored_type, hinted_type = (
            type_of(stored.get(name, {})),
            type_of(hinted.get(name, {})),
        )
        if stored_type and hinted_type and stored_type.data_type != hinted_type.data_type:
            raise MessageError(
                f"Stream {stream}: a hint asks for `{column.name}` to be {hinted_type.text}, but"
                f" its column holds {stored_type.text}. Remove the hint, load into another"
                f" dataset, or read the stream from its start, into a new table: {RELOAD}"
            )
        if column.constant is not None:
            _refuse_type(stream, column.name, stored_type or hinted_type)
            constants[column.name] = column.constant
            continue
        if column_type := stored_type or hinted_type:
            types[column.name] = column_type
        # Values are read as the type that the user asks for.
        properties.append(replace(column, type=column_type) if hinted_type else column)
        variants[column.name] = {
            data_type: column_type
            for data_type in DATA_TYPES
            if (
                column_type := type_of(
                    stored.get(normalize(variant_name(column.name, data_type)), {})
                )
            )
        }
    if nested == "tables":
        # With child tables, mixed values are JSON in a text column: see `TableHints`.
        mixed = {column.name for column in properties if column.type == ColumnType("json")}
        types = {name: column_type for name, column_type in types.items() if name not in mixed}
    return RecordSchema(
        stream,
        tuple(properties),
        types,
        variants,
        limits(objects=nested == "tables"),
        native=nested == "native",
        constants=constants,
    )


def _refuse_type(stream: str, column: str, column_type: ColumnType | None) -> None:
    """Refuse a column of accounts that holds no texts.

    Raises:
        MessageError: It has another type.
    """
    if column_type and column_type.data_type != "text":
        raise MessageError(
            f"Stream {stream}: the column `{column}` of its table holds {column_type.text}, so it"
            " can't hold accounts, which are texts. Load the stream into another dataset."
        )


def type_of(column: Mapping[str, Any]) -> ColumnType | None:
    """Return the type of a column of dlt's schema; None if it has none."""
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


def stored_columns(table: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the columns that dlt's schema has of a table, by their names."""
    columns: Mapping[str, Mapping[str, Any]] = stored_table(table).get("columns", {})
    return columns


def other_columns(table: str, excluded: Iterable[str]) -> dict[str, ColumnType]:
    """Return the types of all columns of a table except some.

    Args:
        table: The name of the table.
        excluded: The names of the columns to leave out, before normalization.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    names = {normalize(name) for name in (*excluded, SEQUENCE, VERSION)}
    return {
        name: column_type
        for name, column in stored_columns(table).items()
        if name not in names
        and not name.lower().startswith("_dlt_")
        and (column_type := type_of(column))
    }


def stored_table(table: str) -> Any:  # noqa: ANN401
    """Return the table of dlt's schema, which the caller may change; empty if there is none."""
    return dlt.current.source_schema().tables.get(table, {})


def add_columns(table: str, resource: str, columns: Mapping[str, Mapping[str, Any]]) -> None:
    """Add columns to a table of dlt's schema before their rows come.

    Args:
        table: The name of the table.
        resource: The name of its resource.
        columns: Hints of the columns, by their names.
    """
    schema = dlt.current.source_schema()
    normalize = schema.naming.normalize_path
    normalized: Any = {
        normalize(name): {**hints, "name": normalize(name)} for name, hints in columns.items()
    }
    part: Any = {"name": table, "columns": normalized}
    if table not in schema.tables:
        part = new_table(table, resource=resource, columns=list(normalized.values()))
    schema.update_table(part, normalize_identifiers=False)


def take_types(table: str, names: Iterable[str], other: Schema) -> None:
    """Give columns without a type the type that they have in another schema.

    Args:
        table: The name of the table.
        names: The names of the columns, before normalization.
        other: The other schema.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    own: Any = stored_columns(table)
    shared: Any = other.tables.get(table, {})
    others = shared.get("columns", {})
    types = {
        name: {hint: others[name][hint] for hint in TYPE_HINTS if hint in others[name]}
        for name in map(normalize, names)
        if "data_type" in others.get(name, {}) and "data_type" not in own.get(name, {})
    }
    if types:
        add_columns(table, shared["resource"], types)


def add_load_ids_to_child_tables(table: str) -> None:
    """Let dlt write the load id of a row to its child tables, too.

    Without it, child rows without their parent could be of any run.

    Args:
        table: The name of the parent table.
    """
    schema: Any = dlt.current.source_schema()
    normalizer = schema.data_item_normalizer
    column = normalizer.c_dlt_load_id
    normalizer.update_normalizer_config(
        schema, {"propagation": {"tables": {table: {column: column}}}}
    )
    chain = get_nested_tables(schema.tables, table) if table in schema.tables else []
    for child in chain:
        if child["name"] != table and column not in child["columns"]:
            # dlt's own column can't be null, so it could not be added to a table with rows.
            hint = {"name": column, "data_type": "text", "nullable": True}
            part = {"name": child["name"], "parent": child["parent"], "columns": {column: hint}}
            schema.update_table(part, normalize_identifiers=False)


def forget_conditions(table: str) -> None:
    """Remove the merge hints of the previous package, which dlt keeps in its schema."""
    stored = stored_table(table)
    for condition in MERGE_CONDITIONS:
        stored.pop(condition, None)
