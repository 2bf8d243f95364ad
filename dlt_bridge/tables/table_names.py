"""Which table each stream has: the one of its name, or another if that is not to be had."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import dlt

from dlt_bridge.destinations.destination import destination_type
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.errors import BridgeError, MessageError
from dlt_bridge.naming import NamingConvention
from dlt_bridge.tables.column_names import (
    HOLDER,
    SOURCE,
    WAY_OUT,
    Meeting,
    folded,
    listed,
    told_apart,
    with_suffix,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from dlt_bridge.tables.column_names import OnNameCollision

logger = logging.getLogger(__name__)

# dlt's files beside the tables, in destinations of files.
FILES = frozenset({"init"})
# Bytes; dlt adds its own to it, and no file's name has more than 255.
LONGEST_TABLE = 180


def settle_tables(
    named: Mapping[str, str], settled: dict[str, str], on_collision: OnNameCollision, *, one: bool
) -> None:
    """Decide which tables streams have.

    Args:
        named: What the table of each is to be called.
        settled: The tables that are decided already, by stream; the others are added.
        on_collision: What becomes of names that meet.
        one: One resource is of all streams.

    Raises:
        BridgeError: A stream has no name, names meet, or a table is another's.
    """
    wanted, kept = _wanted_tables(named, one=one)
    made = {folded(table) for table in wanted.values()}
    meeting = {stream: table for stream, table in settled.items() if folded(table) in made}
    every = {**meeting, **wanted}
    others = _tables_of_others()
    stored = {
        **_stored_tables(),
        **{table: f"the source {source}" for table, source in others.items()},
        **{table: stream for stream, table in meeting.items()},
    }
    suffix = on_collision == "suffix"
    try:
        found = told_apart(
            every,
            stored,
            lambda stream: _short(with_suffix(every[stream], stream, _normalizer(one=one)), stream),
            folded,
            suffix=suffix,
        )
    except Meeting as met:
        raise BridgeError(
            f"The streams {listed(sorted(met.names))} would be one table, `{met.made}`."
            f" {WAY_OUT}; or load them into different datasets, with one of them selected in each."
        ) from None
    if not suffix:
        _refuse_held(found, others)
    for stream in named:
        table = found[stream]
        if table != wanted[stream]:
            kept.setdefault(stream, "another stream")
        if stream in kept and table not in stored:
            logger.warning(
                "Stream %s: it is loaded into the table `%s`, because its own name is that of %s.",
                *(stream, table, kept[stream]),
            )
    settled.update(found)


def _wanted_tables(named: Mapping[str, str], *, one: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Return the names that streams would have, and whose those are that they can't have."""
    normalize = _normalizer(one=one)
    wanted: dict[str, str] = {}
    kept: dict[str, str] = {}
    for stream, name in named.items():
        made = normalize(name) if name.strip() else ""
        if not made:
            raise MessageError(
                f"Stream {stream}: its name is empty, so it can have no table. Give it one:"
                " apply_hints(table_name=...)."
            )
        if by := _holder_of_table(made):
            kept[stream] = by
            made = normalize(SOURCE + name.strip().lstrip("_"))
        wanted[stream] = _short(made, name)
    return wanted, kept


def _normalizer(*, one: bool) -> Callable[[str], str]:
    """Return how dlt makes names of tables: it takes that of a resource for a path."""
    naming = dlt.current.source_schema().naming
    return naming.normalize_table_identifier if one else naming.normalize_tables_path


def _holder_of_table(made: str) -> str | None:
    """Return who keeps the name of a table, if not the tap."""
    if made.lower().startswith("_dlt"):
        return "a table of dlt"
    return "a file of dlt" if destination_type() == "filesystem" and made in FILES else None


def _short(made: str, name: str) -> str:
    return NamingConvention.shorten_identifier(made, name, LONGEST_TABLE)


def _stored_tables() -> dict[str, str | None]:
    """Return the tables that dlt knows, and whose they are; None if that is not known."""
    schema = dlt.current.source_schema()
    found: dict[str, str | None] = {}
    for name, stored in schema.tables.items():
        table: Mapping[str, Any] = {**stored}
        resource = table.get("resource")
        # Without a catalog, one resource is of all streams: it has the name of the source.
        holder = None if resource == schema.name else resource
        # What is within records has tables of its own.
        parent = f"the table {table['parent']}" if "parent" in table else None
        found[name] = table.get(HOLDER) or holder or parent
    return found


def _tables_of_others() -> dict[str, str]:
    """Return the tables of other sources in the dataset, and their sources."""
    schema, running = dlt.current.source_schema(), running_pipeline()
    others = running.schemas.values() if running.config.use_single_dataset else ()
    return {
        name: other.name
        for other in others
        if other.name != schema.name
        for name, table in other.tables.items()
        if table.get("resource")
    }


def _refuse_held(wanted: Mapping[str, str], others: Mapping[str, str]) -> None:
    """Refuse tables that hold other rows."""
    schema = dlt.current.source_schema()
    for stream, made in wanted.items():
        if made in others:
            raise MessageError(
                f"Stream {stream}: its table `{made}` is one of the source {others[made]}, whose"
                f" rows it would replace. {WAY_OUT}; or load it into another dataset."
            )
        holder = schema.tables.get(made, {}).get("resource", stream)
        if holder not in {stream, schema.name}:
            raise MessageError(
                f"Stream {stream}: its table `{made}` holds the stream {holder}. {WAY_OUT}; or load"
                " it into another dataset."
            )
