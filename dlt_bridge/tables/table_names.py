"""The table of each stream: mostly the normalized name of the stream."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import dlt

from dlt_bridge.destinations.destination import destination_type
from dlt_bridge.destinations.dlt_private import running_pipeline, running_state
from dlt_bridge.errors import BridgeError, MessageError
from dlt_bridge.naming import NamingConvention
from dlt_bridge.tables import state_store
from dlt_bridge.tables.column_names import (
    COLLISION_REMEDY,
    PREFIX,
    SINGER_NAME,
    NameCollision,
    assign_names,
    folding,
    quoted,
    with_suffix,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any

    from dlt_bridge.tables.column_names import OnNameCollision

logger = logging.getLogger(__name__)

# dlt's own files next to the tables, in destinations of files.
FILES = frozenset({"init"})
# Names that no file of dlt may have, on any system. Source: Microsoft, "Naming Files, Paths, and
# Namespaces"; pathvalidate, which dlt asks.
DEVICE = re.compile(r"aux|clock\$|con|nul|prn|(com|lpt)[0-9¹²³]", re.IGNORECASE)
# Bytes; dlt adds its own to it, and the name of a file has at most 255.
LONGEST_TABLE = 180


def settle_tables(
    named: Mapping[str, str],
    settled: dict[str, str],
    others: Mapping[str, str],
    on_collision: OnNameCollision,
    *,
    one: bool,
) -> None:
    """Decide which tables streams have.

    Args:
        named: The names that the tables are to have, by stream.
        settled: The tables that are decided already, by stream; the others are added.
        others: The sources of the other tables in the dataset, by table.
        on_collision: Whether to refuse names that collide, or to add suffixes.
        one: All streams have one resource.

    Raises:
        BridgeError: A stream has no name, names collide, or a table holds other rows.
    """
    wanted, reserved = _wanted_tables(named, one=one)
    fold, normalize = folding(), _normalizer(one=one)
    names = {fold(table) for table in wanted.values()}
    colliding = {stream: table for stream, table in settled.items() if fold(table) in names}
    all_wanted = {**colliding, **wanted}
    suffixed = {
        stream: _short(with_suffix(table, stream, normalize), stream)
        for stream, table in all_wanted.items()
    }
    # No other table can have the name of one of the streams.
    names |= {fold(table) for table in suffixed.values()}
    stored = {
        **_stored_tables(lambda table: fold(table) in names),
        **{table: f"the source {source}" for table, source in others.items()},
        **{table: stream for stream, table in colliding.items()},
    }
    suffix = on_collision == "suffix"
    try:
        assigned = assign_names(all_wanted, stored, suffixed.__getitem__, fold, suffix=suffix)
    except NameCollision as collision:
        raise BridgeError(
            f"The streams {quoted(sorted(collision.names))} would be one table,"
            f" `{collision.normalized}`. {COLLISION_REMEDY}; or load them into different datasets,"
            " with one of them selected in each."
        ) from None
    if not suffix:
        _refuse_tables_in_use(assigned, others)
    for stream in named:
        table = assigned[stream]
        if table != wanted[stream]:
            reserved.setdefault(stream, "another stream")
        if stream in reserved and table not in stored:
            logger.warning(
                "Stream %s: it is loaded into the table `%s`, because its own name is that of %s.",
                *(stream, table, reserved[stream]),
            )
    settled.update(assigned)


def _wanted_tables(named: Mapping[str, str], *, one: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Return the names that tables are to have, and what reserves the names of the others."""
    normalize = _normalizer(one=one)
    wanted: dict[str, str] = {}
    reserved: dict[str, str] = {}
    for stream, name in named.items():
        normalized = normalize(name) if name.strip() else ""
        if not normalized:
            raise MessageError(
                f"Stream {stream}: its name is empty, so it can have no table. Give it one:"
                " apply_hints(table_name=...)."
            )
        if owner := _owner_of_table(normalized):
            reserved[stream] = owner
            normalized = normalize(PREFIX + name.strip().lstrip("_"))
        wanted[stream] = _short(normalized, name)
    return wanted, reserved


def _normalizer(*, one: bool) -> Callable[[str], str]:
    """Return how dlt normalizes the names of tables: it reads the name of a resource as a path."""
    naming = dlt.current.source_schema().naming
    return naming.normalize_table_identifier if one else naming.normalize_tables_path


def _owner_of_table(normalized: str) -> str | None:
    """Return what reserves the name of a table; None if nothing does."""
    if normalized.lower().startswith("_dlt"):
        return "a table of dlt"
    if DEVICE.fullmatch(normalized):
        return "a device of Windows"
    if destination_type() == "filesystem" and normalized in FILES:
        return "a file of dlt"
    return None


def _short(normalized: str, name: str) -> str:
    return NamingConvention.shorten_identifier(normalized, name, LONGEST_TABLE)


def _stored_tables(is_needed: Callable[[str], bool]) -> dict[str, str | None]:
    """Return the streams of some tables that dlt's schema has; None where it is not known.

    Args:
        is_needed: Returns whether a table is one of them.
    """
    schema = dlt.current.source_schema()
    streams: dict[str, str | None] = {}
    for name in filter(is_needed, schema.tables):
        table: Mapping[str, Any] = {**schema.tables[name]}
        resource = table.get("resource")
        # Without a catalog, all streams have one resource, which has the name of the source.
        stream = None if resource == schema.name else resource
        parent = f"the table {table['parent']}" if "parent" in table else None
        streams[name] = table.get(SINGER_NAME) or stream or parent
    return streams


def sources_of_other_accounts(account: str | None, tap: str) -> list[str]:
    """Return the sources of other accounts of a tap in the pipeline: they share tables.

    Args:
        account: The account of the source; None for no accounts.
        tap: The name of its tap.
    """
    state, _ = running_state()
    return [
        name
        for name in running_pipeline().schemas
        if account is not None and state_store.is_of_other_account(state, name, account, tap)
    ]


def tables_of_other_sources(sharing: Collection[str]) -> dict[str, str]:
    """Return the sources of the other tables in the dataset, by table. This reads their schemas.

    Args:
        sharing: Sources that are left out, because they share tables.
    """
    schema, running = dlt.current.source_schema(), running_pipeline()
    others = running.schemas if running.config.use_single_dataset else {}
    return {
        name: other
        for other in others
        if other != schema.name and other not in sharing
        for name, table in others[other].tables.items()
        if table.get("resource")
    }


def _refuse_tables_in_use(tables: Mapping[str, str], others: Mapping[str, str]) -> None:
    """Refuse tables that hold the rows of another stream or source."""
    schema = dlt.current.source_schema()
    for stream, table in tables.items():
        if table in others:
            raise MessageError(
                f"Stream {stream}: its table `{table}` is one of the source {others[table]}, whose"
                f" rows it would replace. {COLLISION_REMEDY}; or load it into another dataset."
            )
        holder = schema.tables.get(table, {}).get("resource", stream)
        if holder not in {stream, schema.name}:
            raise MessageError(
                f"Stream {stream}: its table `{table}` holds the stream {holder}."
                f" {COLLISION_REMEDY}; or load it into another dataset."
            )
