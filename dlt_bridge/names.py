"""Which name each stream and each property has in the destination.

Mostly it is the one that dlt makes of its own. Others have another name: those that dlt, the
database or the bridge keep for themselves, and, if the user wants it so, those that meet. It is the
same in every run, whatever comes first, and who has a name keeps it: dlt's schema tells.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

import dlt

from dlt_bridge.arrow import SEQUENCE, VERSION
from dlt_bridge.errors import BridgeError, MessageError
from dlt_bridge.naming import NamingConvention
from dlt_bridge.runs import capabilities, pipeline
from dlt_bridge.tables import POSTGRES_LIKE, destination_type, stored_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from dlt_bridge.types import Column

logger = logging.getLogger(__name__)

OnNameCollision = Literal["refuse", "suffix"]
#: The hint of a table, or of a column, that says of which stream or property it is. A column
#: without it is of the property of its own name, if its table has it.
HOLDER = "x-singer-name"
#: What is said of names that meet.
WAY_OUT = (
    "Set on_name_collision to suffix (on the command line, --on-name-collision suffix), and a"
    " suffix tells them apart"
)

# Names that PostgreSQL keeps for itself in every table.
POSTGRES_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
# dlt's files beside the tables, in destinations of files.
FILES = frozenset({"init"})
# What a name begins with that others keep for themselves.
SOURCE = "source_"
# Bytes; dlt adds its own to it, and no file's name has more than 255.
LONGEST_TABLE = 180
SUFFIX_LENGTH = 6


class Meeting(Exception):  # noqa: N818 - it is for the caller, who says more
    """Several names would be one.

    Args:
        made: What they would be.
        names: They.
    """

    def __init__(self, made: str, names: Sequence[str]) -> None:
        super().__init__(made)
        self.made = made
        self.names = names


def told_apart(
    wanted: Mapping[str, str],
    stored: Mapping[str, str | None],
    suffixed: Callable[[str], str],
    fold: Callable[[str], str],
    *,
    suffix: bool,
) -> dict[str, str]:
    """Return the names of columns, or of tables, by the names of what they hold.

    Args:
        wanted: What each would be, by its own name, in the tap's order.
        stored: Whose each name is that is there already; None if that is not known.
        suffixed: Returns what a name would be with a suffix of its own.
        fold: Returns what a name is for the destination, if it makes no difference of cases.
        suffix: All but one of those that meet have a suffix.

    Raises:
        Meeting: There are some, and they are to have none.
    """
    taken = {fold(made): holder for made, holder in stored.items()}
    groups: dict[str, list[str]] = {}
    for name, made in wanted.items():
        groups.setdefault(fold(made), []).append(name)
    found: dict[str, str] = {}
    for made, names in groups.items():
        # Once with a suffix, always with it.
        plain = [name for name in names if fold(suffixed(name)) not in taken]
        if not suffix and len(plain) > 1:
            raise Meeting(wanted[plain[0]], plain)
        keeper = next(iter(plain), None)
        if suffix and taken.get(made):
            keeper = taken[made] if taken[made] in plain else None
        elif suffix and made not in taken:
            keeper = min(plain, key=lambda name: (name != wanted[name], name), default=None)
        # Else it was loaded before holders were told: a database lists its old columns first.
        found |= {name: wanted[name] if name == keeper else suffixed(name) for name in names}
    return found


def with_names(
    stream: str, table: str, columns: Sequence[Column], on_collision: OnNameCollision
) -> tuple[Column, ...]:
    """Return the columns of a stream with the names that dlt is to make columns of.

    Args:
        stream: The stream, for errors.
        table: The name of its table.
        columns: Its columns, with the names of the properties.
        on_collision: What becomes of names that meet.

    Raises:
        MessageError: A property has no name, or names meet.
    """
    if any(not column.name.strip() for column in columns):
        raise MessageError(f"Stream {stream}: the SCHEMA has a property without a name.")
    normalize = dlt.current.source_schema().naming.normalize_path
    stored = _holders(table)
    wanted: dict[str, str] = {}
    kept: dict[str, str] = {}
    for column in columns:
        name = column.name
        wanted[name] = made = normalize(name)
        # A name of nothing but underscores is a path without parts.
        if by := _holder_of_column(made) if made else "a path of dlt":
            wanted[name] = normalize(SOURCE + (name.strip().lstrip("_") or "column"))
            kept[name] = by
    try:
        found = told_apart(
            wanted,
            stored,
            lambda name: _suffixed(wanted[name], name, normalize),
            _folded,
            suffix=on_collision == "suffix",
        )
    except Meeting as met:
        raise MessageError(
            f"Stream {stream}: the properties {listed(met.names)} would be one column,"
            f" `{met.made}`. {WAY_OUT}; or deselect one in the tap's catalog."
        ) from None
    for name, made in found.items():
        if made != wanted[name]:
            kept.setdefault(name, "another property")
        if name in kept and made not in stored:
            logger.warning(
                "Stream %s: its property `%s` is loaded as the column `%s`, because its own name is"
                " that of %s.",
                *(stream, name, made, kept[name]),
            )
    return tuple(
        column
        if normalize(column.name) == found[column.name]
        else replace(column, name=found[column.name], original=column.name)
        for column in columns
    )


def key_columns(stream: str, columns: Sequence[Column], keys: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns of a key.

    Args:
        stream: The stream, for errors.
        columns: Its columns.
        keys: The properties of its key.

    Raises:
        MessageError: The SCHEMA has no such property.
    """
    known = {column.json_name: column.name for column in columns if column.kind}
    if missing := sorted(set(keys) - known.keys()):
        raise MessageError(
            f"Stream {stream}: the SCHEMA has no property for its key {listed(missing)}."
        )
    return tuple(known[key] for key in keys)


def holders_of(columns: Iterable[Column]) -> dict[str, str]:
    """Return the properties of columns whose names do not tell, by the names of the columns."""
    normalize = dlt.current.source_schema().naming.normalize_path
    return {
        column.name: column.json_name
        for column in columns
        if column.kind and normalize(column.name) != column.json_name
    }


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
    made = {_folded(table) for table in wanted.values()}
    meeting = {stream: table for stream, table in settled.items() if _folded(table) in made}
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
            lambda stream: _short(_suffixed(every[stream], stream, _normalizer(one=one)), stream),
            _folded,
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


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence."""
    return ", ".join(f"`{name}`" for name in names)


def _folded(made: str) -> str:
    """Return a name as the destination compares it."""
    return made if capabilities().has_case_sensitive_identifiers else made.lower()


def _suffixed(made: str, name: str, normalize: Callable[[str], str]) -> str:
    return normalize(
        f"{made}_{sha256(name.encode(errors='surrogatepass')).hexdigest()[:SUFFIX_LENGTH]}"
    )


def _holders(table: str) -> dict[str, str | None]:
    """Return the columns of a table that dlt knows, and the property of each."""
    stored = stored_table(table)
    told = HOLDER in stored
    return {
        name: column.get(HOLDER, name if told else None)
        for name, column in stored.get("columns", {}).items()
    }


def _holder_of_column(made: str) -> str | None:
    """Return who keeps the name of a column, if not the tap."""
    normalize = dlt.current.source_schema().naming.normalize_path
    if _folded(made) in {_folded(normalize(SEQUENCE)), _folded(normalize(VERSION))}:
        return "a column of the bridge"
    if made.lower().startswith("_dlt_"):
        return "a column of dlt"
    if made in POSTGRES_COLUMNS and destination_type() in POSTGRES_LIKE:
        return "a column of the database"
    return None


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
    schema, running = dlt.current.source_schema(), pipeline()
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
