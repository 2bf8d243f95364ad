"""Which name each property has in the destination, and who keeps a name that several would have.

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

from dlt_bridge.arrow.metadata_columns import SEQUENCE, VERSION
from dlt_bridge.destinations.destination import POSTGRES_LIKE, capabilities, destination_type
from dlt_bridge.errors import MessageError
from dlt_bridge.tables.layout import stored_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dlt_bridge.arrow.columns import Column

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
# What a name begins with that others keep for themselves.
SOURCE = "source_"
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
            lambda name: with_suffix(wanted[name], name, normalize),
            folded,
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
    known = {column.json_name: column.name for column in columns if column.type}
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
        if column.type and normalize(column.name) != column.json_name
    }


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence."""
    return ", ".join(f"`{name}`" for name in names)


def folded(made: str) -> str:
    """Return a name as the destination compares it."""
    return made if capabilities().has_case_sensitive_identifiers else made.lower()


def with_suffix(made: str, name: str, normalize: Callable[[str], str]) -> str:
    """Return a name with the suffix of whose it is."""
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
    if folded(made) in {folded(normalize(SEQUENCE)), folded(normalize(VERSION))}:
        return "a column of the bridge"
    if made.lower().startswith("_dlt_"):
        return "a column of dlt"
    if made in POSTGRES_COLUMNS and destination_type() in POSTGRES_LIKE:
        return "a column of the database"
    return None
