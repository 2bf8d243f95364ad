"""Values that rows keep where their records lack properties: which rows, and from where."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from dlt_bridge.arrow.metadata_columns import DELETED, SEQUENCE
from dlt_bridge.arrow.missing_properties import KeepPolicy
from dlt_bridge.arrow.types import arrow_type
from dlt_bridge.arrow.variants import variant_name
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.destinations.lookup import LookupRequest, is_readable, open_reader
from dlt_bridge.errors import MessageError
from dlt_bridge.tables.dispositions import INSERT_ONLY
from dlt_bridge.tables.layout import other_columns
from dlt_bridge.tables.rows.completion import RowColumns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dlt_bridge.arrow.decoder import RecordDecoder
    from dlt_bridge.arrow.record_schema import RecordSchema
    from dlt_bridge.arrow.types import ColumnType
    from dlt_bridge.tables.dispositions import LoadPlan
    from dlt_bridge.tables.rows.completion import RowCompletion


def with_keep_policy(
    schema: RecordSchema, plan: LoadPlan, table: str, *, keep: bool, table_format: str | None
) -> RecordSchema:
    """Return a record schema that says which rows keep stored values.

    Only streams with a key have stored rows to keep values of. A row that is marked as deleted
    always keeps its values: a tap that reads a log of changes knows only the key then.

    Args:
        schema: The record schema.
        plan: How rows are loaded into the table.
        table: The name of the table in the destination.
        keep: All rows keep stored values, not only those marked as deleted.
        table_format: The table format, if there is one.

    Raises:
        MessageError: All rows are to keep stored values, and the destination can't be read.
    """
    has_marks = any(column.name == DELETED for column in schema.columns) and not plan.hard_delete
    can_keep = plan.is_merged and plan.keys and plan.strategy != INSERT_ONLY
    if not can_keep or not (keep or has_marks):
        return schema
    if not is_readable(table_format):
        if not keep:
            return schema
        destination = running_pipeline().destination.destination_name
        raise MessageError(
            f'Stream {schema.stream}: absent="keep" needs the rows of its table, which cannot'
            f' be read back from {destination}. Choose absent="null", or another destination.'
        )
    names = [
        *(column.name for column in schema.columns),
        *schema.constants,
        *schema.times,
        *variant_columns(schema.stored_variants),
    ]
    has_others = bool(other_columns(table, names))
    columns = [
        replace(column, required=column.required and (column.key or not keep))
        for column in schema.columns
    ]
    return replace(schema, columns=columns, keep=KeepPolicy(keep, has_marks, has_others))


def complete_rows(
    stream: str, table: str, decoder: RecordDecoder, completion: RowCompletion, *, others: bool
) -> Iterator[tuple[pa.Table, dict[str, ColumnType]]]:
    """Yield the incomplete rows of a package with their stored values, and the types of columns.

    Args:
        stream: The stream.
        table: The name of its table in the destination.
        decoder: The decoder of its records.
        completion: The rows of the package.
        others: Rows keep the values of columns of no property, too.

    Raises:
        MessageError: The stored values can't be read.
    """
    if not completion.is_needed:
        return
    variant_types = decoder.observed.variant_types
    variants = variant_columns(variant_types)
    names = [column.name for column in decoder.record_schema.columns]
    names += [*decoder.record_schema.constants, *decoder.record_schema.times]
    other_types = other_columns(table, [*names, *variants]) if others else {}
    schema = decoder.schema
    for name, column_type in {**variants, **other_types}.items():
        if name not in schema.names:
            schema = schema.append(pa.field(name, arrow_type(column_type)))
    properties = {
        column.json_name: [
            name
            for name in (
                column.name,
                *variant_columns({column.name: variant_types.get(column.name, {})}),
            )
            if name in schema.names
        ]
        for column in decoder.record_schema.columns
        if not column.key and column.name != DELETED
    }
    types = {**decoder.hinted_types, **variants, **other_types}
    json_columns = [name for name, part in types.items() if part.data_type == "json"]
    columns = RowColumns(completion.keys, schema, properties, list(other_types))
    # The row of a record has the times of this record.
    added = {SEQUENCE, *decoder.record_schema.times}
    stored = pa.schema([field for field in schema if field.name not in added])
    with open_reader(LookupRequest(stream, table, stored, json_columns)) as rows:
        for complete in completion.tables(columns, rows.rows if rows else None):
            yield complete, types


def variant_columns(types: Mapping[str, Mapping[str, ColumnType]]) -> dict[str, ColumnType]:
    """Return the types of variants, by the names of their columns.

    Args:
        types: The types of variants, by the name of the property's column and `data_type`.
    """
    return {
        variant_name(name, data_type): column_type
        for name, variants in types.items()
        for data_type, column_type in variants.items()
    }
