"""Checks before any row is sent: they refuse what a table or a run can't take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dlt
from dlt.common.schema.utils import get_nested_tables, has_table_seen_data

from dlt_bridge.arrow.metadata_columns import LOAD_ID, SEQUENCE
from dlt_bridge.destinations.destination import (
    AGAIN,
    DRIVER,
    capabilities,
    destination_type,
    package_state,
)
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.errors import RELOAD, BridgeError, MessageError
from dlt_bridge.tables.column_names import quoted
from dlt_bridge.tables.layout import stored_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from dlt_bridge.destinations.existing import ExistingTables

#: The most columns that a table can have, in destinations that have a low limit.
MAX_COLUMNS = {"postgres": 1_600, "redshift": 1_600}
#: The key of a package's state for the streams that were read into it, by source.
_READ_STREAMS = "dlt_bridge"
#: dlt's columns that link rows to the rows of child tables.
ROW, ROOT = "_dlt_id", "_dlt_root_id"
#: dlt's setting that adds `_dlt_id` to Arrow tables.
ADD_DLT_ID = "normalize.parquet_normalizer.add_dlt_id"


def refuse_too_many_columns(stream: str, table: str, properties: Iterable[str]) -> None:
    """Refuse more columns than a table can have.

    Args:
        stream: The stream.
        table: The name of its table.
        properties: The names of the columns of its SCHEMA.

    Raises:
        MessageError: There are too many columns.
    """
    most = MAX_COLUMNS.get(destination_type())
    normalize = dlt.current.source_schema().naming.normalize_path
    names = {normalize(name) for name in (*properties, SEQUENCE, LOAD_ID)}
    names |= set(stored_columns(table))
    if most and len(names) > most:
        raise MessageError(
            f"Stream {stream}: its table would have {len(names):,} columns, but"
            f" {destination_type()} has at most {most:,}. Deselect properties in the tap's catalog."
        )


def refuse_child_tables(stream: str, table: str, existing: ExistingTables, *, merged: bool) -> None:
    """Refuse child tables if their stored rows can't be linked to those of the table.

    Args:
        stream: The stream.
        table: The name of its table.
        existing: The tables that are in the destination.
        merged: Whether rows of the package replace stored rows.

    Raises:
        MessageError: Stored rows lack the column that links them.
    """
    schema = dlt.current.source_schema()
    row, root = map(schema.naming.normalize_identifier, (ROW, ROOT))
    for known in get_nested_tables(schema.tables, table):
        missing = row if known["name"] == table else root if merged else None
        filled = has_table_seen_data(known) or existing.has(str(known["name"]))
        if missing is None or missing in known["columns"]:
            continue
        if filled and not existing.has_column(str(known["name"]), missing):
            raise MessageError(
                f"Stream {stream}: its table `{known['name']}` was loaded without the column"
                f" `{missing}`, which identifies the rows of child tables. Set nested, or the"
                " key, as"
                f" it was before; or read the stream from its start, into new tables: {RELOAD}"
            )


def refuse_arrow_tables(stream: str, table: str) -> None:
    """Refuse Arrow tables for a table that was loaded with child tables.

    Its column `_dlt_id` can't be null, and Arrow tables lack it.

    Args:
        stream: The stream.
        table: The name of its table.

    Raises:
        MessageError: It was loaded with child tables.
    """
    row = dlt.current.source_schema().naming.normalize_identifier(ROW)
    known = stored_columns(table).get(row, {})
    if (
        known.get("data_type")
        and not known.get("nullable", True)
        and not dlt.config.get(ADD_DLT_ID)
    ):
        raise MessageError(
            f'Stream {stream}: its table `{table}` was loaded with nested="tables", so that its'
            f" column `{row}` can't be null. Set nested as it was before; or read the stream"
            f" from its start, into a new table: {RELOAD}"
        )


def refuse_changed_key(stream: str, table: str, keys: Sequence[str]) -> None:
    """Refuse a key that several stored rows may share, for a merge strategy that updates rows.

    The destination would update each of them, and keep them all.

    Args:
        stream: The stream.
        table: The name of its table.
        keys: The names of the key columns.

    Raises:
        MessageError: The key lacks a column of the key by which the table was loaded.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    stored = stored_columns(table)
    before = {name for name, column in stored.items() if column.get("primary_key")}
    is_stored = any(column.get("data_type") for column in stored.values())
    if is_stored and not (before and before <= {normalize(key) for key in keys}):
        raise MessageError(
            f"Stream {stream}: its table was loaded by the key {quoted(sorted(before)) or 'none'},"
            f" and now it is {quoted(keys)}. Rows with the same new key would stay in the table"
            " several times."
            f" Read the stream from its start, into a new table: {RELOAD}"
        )


def refuse_structs() -> None:
    """Refuse structs and lists in a destination that has no types for them.

    Raises:
        BridgeError: The destination has none.
    """
    if not capabilities().supports_nested_types:
        raise BridgeError(
            f"{running_pipeline().destination.destination_name} has no structs and lists for"
            " nested='native'. Choose nested='json', or nested='tables' for child tables."
        )


def streams_to_read(known: Collection[str], *, again: bool) -> set[str]:
    """Return the streams to load, of the source that is being read.

    Args:
        known: The resources that the source was created with.
        again: Whether a run from an earlier STATE reads the same records again.

    Raises:
        BridgeError: There is no destination, a resource has another name or takes rows from a
            stream, or another source of the same name was read into the package.
    """
    if dlt.current.pipeline().destination is None:
        raise BridgeError(
            "The pipeline has no destination. What it can do decides how rows are extracted, so"
            " name it first: dlt.pipeline(..., destination=...)."
        )
    resources = dlt.current.source().resources
    # A resource with another name takes rows from a copy of the driver, which has another name too.
    takers = {taker for giver, taker in resources.selected_dag if giver.startswith(DRIVER)}
    if strange := sorted(takers - set(known)):
        raise BridgeError(
            f"The resource {strange[0]} takes rows from a tap, but is not a stream of it. Give"
            " pipeline.run the sources of several taps, not their resources; and to name a"
            " table, use apply_hints(table_name=...), not with_name."
        )
    if piped := sorted(takers - set(resources.selected)):
        raise BridgeError(
            f"A transformer takes rows from the stream {piped[0]}, which is not loaded then. Change"
            " rows with add_map or add_yield_map, or transform them in the destination."
        )
    _refuse_second_reading(takers, again=again)
    return takers


def _refuse_second_reading(streams: Collection[str], *, again: bool) -> None:
    """Refuse a stream that was read into the package: its bookmark may be of another account.

    Raises:
        BridgeError: A source with the same name has read one of the streams.
    """
    source, package = dlt.current.source().name, package_state()
    read = package.setdefault(_READ_STREAMS, {})
    before = read.setdefault(source, [])
    if twice := sorted(set(before).intersection(streams)):
        raise BridgeError(
            f"Two sources with the name {source} read the stream {twice[0]}, so the second would"
            " continue from the bookmark of the first. Give them different names: singer(...,"
            " name=...)."
        )
    before.extend(sorted(streams))
    package[AGAIN] = package.get(AGAIN, True) and again
