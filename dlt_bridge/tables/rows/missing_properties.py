"""What becomes of properties that a record lacks: null, or the value that its row has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from dlt_bridge.arrow.metadata_columns import DELETED, SEQUENCE
from dlt_bridge.arrow.missing_properties import KeepPolicy
from dlt_bridge.arrow.types import arrow_type
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.destinations.lookup import LookupRequest, is_readable, open_reader
from dlt_bridge.errors import MessageError
from dlt_bridge.tables import layout as tables
from dlt_bridge.tables.dispositions import INSERT_ONLY
from dlt_bridge.tables.rows.completion import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dlt_bridge.arrow.decoder import RecordDecoder
    from dlt_bridge.arrow.record_schema import RecordSchema
    from dlt_bridge.arrow.types import ColumnType
    from dlt_bridge.tables.dispositions import LoadPlan
    from dlt_bridge.tables.rows.completion import Completion


def keeping(
    form: RecordSchema, plan: LoadPlan, table: str, *, every: bool, table_format: str | None
) -> RecordSchema:
    """Return the form of records, with which of them keep the values of what they lack.

    Without a key, a record has no row yet. A row that is marked as deleted keeps its values: a tap
    that reads a log of changes knows nothing but its key then.

    Args:
        form: What the records become.
        plan: How they come into the table.
        table: The name of the table in the destination.
        every: All records do, not only those that mark a row as deleted.
        table_format: The format of the table, if it has one.

    Raises:
        MessageError: All are to, and the rows of the destination can't be read.
    """
    marks = any(column.name == DELETED for column in form.columns) and not plan.hard_delete
    merged = plan.disposition == "merge" and plan.keys and plan.strategy != INSERT_ONLY
    if not merged or not (every or marks):
        return form
    if not is_readable(table_format):
        if not every:
            return form
        destination = running_pipeline().destination.destination_name
        raise MessageError(
            f'Stream {form.stream}: absent="keep" needs the rows of its table, which can not'
            f' be read back from {destination}. Choose absent="null", or another destination.'
        )
    known = [*(column.name for column in form.columns), *variants_of(form.stored_variants)]
    others = bool(tables.other_columns(table, known))
    columns = [
        replace(column, required=column.required and (column.key or not every))
        for column in form.columns
    ]
    return replace(form, columns=columns, keep=KeepPolicy(every, marks, others))


def complete_rows(
    stream: str, table: str, decoder: RecordDecoder, waiting: Completion, *, others: bool
) -> Iterator[tuple[pa.Table, dict[str, ColumnType]]]:
    """Yield the rows of a package that lacked something, complete, with the types of all columns.

    Args:
        stream: The stream, for errors.
        table: The name of its table in the destination.
        decoder: What decodes its records.
        waiting: The rows of the package.
        others: They keep the columns that are of no property, too.

    Raises:
        MessageError: What they lack can't be read.
    """
    if not waiting.needed:
        return
    beside = decoder.observed.variant_types
    variants = variants_of(beside)
    columns = [column.name for column in decoder.record_schema.columns]
    more = tables.other_columns(table, [*columns, *variants]) if others else {}
    schema = decoder.schema
    for name, kind in {**variants, **more}.items():
        if name not in schema.names:
            schema = schema.append(pa.field(name, arrow_type(kind)))
    properties = {
        column.json_name: [
            name
            for name in (column.name, *variants_of({column.name: beside.get(column.name, {})}))
            if name in schema.names
        ]
        for column in decoder.record_schema.columns
        if not column.key and column.name != DELETED
    }
    kinds = {**decoder.hinted_types, **variants, **more}
    texts = [name for name, kind in kinds.items() if kind.data_type == "json"]
    layout = Layout(waiting.keys, schema, properties, list(more))
    stored = schema.remove(schema.get_field_index(SEQUENCE))
    with open_reader(LookupRequest(stream, table, stored, texts)) as rows:
        for found in waiting.tables(layout, rows.rows if rows else None):
            yield found, kinds


def variants_of(kinds: Mapping[str, Mapping[str, ColumnType]]) -> dict[str, ColumnType]:
    """Return the columns beside those of properties, with their types.

    Args:
        kinds: The types of the values that do not fit, by property and `data_type`.
    """
    return {
        f"{name}__v_{data_type}": kind
        for name, those in kinds.items()
        for data_type, kind in those.items()
    }
