"""The column of each property: mostly the normalized name of the property.

A property gets another name if dlt, the database or the bridge reserves its own; and, if the user
asks for suffixes, if two properties have the same normalized name. The names are the same in every
run, in whatever order properties come: dlt's schema keeps which property a column is of.
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
#: The hint of a table or a column that names its stream or property. A column without it is of the
#: property of its own name, if its table has the hint.
SINGER_NAME = "x-singer-name"
#: The remedy for names that collide.
COLLISION_REMEDY = (
    "Set on_name_collision to suffix (on the command line, --on-name-collision suffix), and a"
    " suffix tells them apart"
)

# Names that PostgreSQL reserves in every table.
POSTGRES_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
# The prefix of names that would be reserved without it.
PREFIX = "source_"
SUFFIX_LENGTH = 6


class NameCollision(Exception):  # noqa: N818 - the caller raises an error
    """Several names have the same normalized name.

    Args:
        normalized: The normalized name.
        names: The names.
    """

    def __init__(self, normalized: str, names: Sequence[str]) -> None:
        super().__init__(normalized)
        self.normalized = normalized
        self.names = names


def assign_names(
    wanted: Mapping[str, str],
    stored: Mapping[str, str | None],
    suffixed: Callable[[str], str],
    fold: Callable[[str], str],
    *,
    suffix: bool,
) -> dict[str, str]:
    """Return the names of the columns of properties, or of the tables of streams.

    Args:
        wanted: The normalized name of each property or stream, in the tap's order.
        stored: The property or stream of each name that is in use; None if it is not known.
        suffixed: Returns the normalized name of a property or stream with a suffix.
        fold: Returns a name as the destination compares it.
        suffix: Add suffixes to all but one of the names that collide.

    Raises:
        NameCollision: Names collide, and no suffixes are added.
    """
    owners = {fold(name): owner for name, owner in stored.items()}
    groups: dict[str, list[str]] = {}
    for name, normalized in wanted.items():
        groups.setdefault(fold(normalized), []).append(name)
    assigned: dict[str, str] = {}
    for folded_name, names in groups.items():
        # Once with a suffix, always with it.
        plain = [name for name in names if fold(suffixed(name)) not in owners]
        if not suffix and len(plain) > 1:
            raise NameCollision(wanted[plain[0]], plain)
        keeper = next(iter(plain), None)
        if suffix and owners.get(folded_name):
            keeper = owners[folded_name] if owners[folded_name] in plain else None
        elif suffix and folded_name not in owners:
            keeper = min(plain, key=lambda name: (name != wanted[name], name), default=None)
        # Else the hint was not yet stored when it was loaded: a database lists old columns first.
        assigned |= {name: wanted[name] if name == keeper else suffixed(name) for name in names}
    return assigned


def name_columns(
    stream: str, table: str, columns: Sequence[Column], on_collision: OnNameCollision
) -> tuple[Column, ...]:
    """Return the columns of a stream with their names in the table.

    Args:
        stream: The stream.
        table: The name of its table.
        columns: The columns, with the names of the properties.
        on_collision: Whether to refuse names that collide, or to add suffixes.

    Raises:
        MessageError: A property has no name, or names collide.
    """
    if any(not column.name.strip() for column in columns):
        raise MessageError(f"Stream {stream}: the SCHEMA has a property without a name.")
    normalize = dlt.current.source_schema().naming.normalize_path
    stored = _stored_properties(table)
    wanted: dict[str, str] = {}
    reserved: dict[str, str] = {}
    for column in columns:
        name = column.name
        wanted[name] = normalized = normalize(name)
        # A name of nothing but underscores is a path without parts.
        if owner := _owner_of_column(normalized) if normalized else "a path of dlt":
            wanted[name] = normalize(PREFIX + (name.strip().lstrip("_") or "column"))
            reserved[name] = owner
    try:
        assigned = assign_names(
            wanted,
            stored,
            lambda name: with_suffix(wanted[name], name, normalize),
            folded,
            suffix=on_collision == "suffix",
        )
    except NameCollision as collision:
        raise MessageError(
            f"Stream {stream}: the properties {quoted(collision.names)} would be one column,"
            f" `{collision.normalized}`. {COLLISION_REMEDY}; or deselect one in the tap's catalog."
        ) from None
    for name, assigned_name in assigned.items():
        if assigned_name != wanted[name]:
            reserved.setdefault(name, "another property")
        if name in reserved and assigned_name not in stored:
            logger.warning(
                "Stream %s: its property `%s` is loaded as the column `%s`, because its own name is"
                " that of %s.",
                *(stream, name, assigned_name, reserved[name]),
            )
    return tuple(
        column
        if normalize(column.name) == assigned[column.name]
        else replace(column, name=assigned[column.name], original=column.name)
        for column in columns
    )


def key_columns(stream: str, columns: Sequence[Column], keys: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the key columns.

    Args:
        stream: The stream.
        columns: Its columns.
        keys: Its key properties.

    Raises:
        MessageError: The SCHEMA lacks a key property.
    """
    names = {column.json_name: column.name for column in columns if column.type}
    if missing := sorted(set(keys) - names.keys()):
        raise MessageError(
            f"Stream {stream}: the SCHEMA has no property for its key {quoted(missing)}."
        )
    return tuple(names[key] for key in keys)


def renamed_properties(columns: Iterable[Column]) -> dict[str, str]:
    """Return the properties of columns that have another name, by the names of the columns."""
    normalize = dlt.current.source_schema().naming.normalize_path
    return {
        column.name: column.json_name
        for column in columns
        if column.type and normalize(column.name) != column.json_name
    }


def quoted(names: Iterable[str]) -> str:
    """Return names for a sentence."""
    return ", ".join(f"`{name}`" for name in names)


def folding() -> Callable[[str], str]:
    """Return what turns a normalized name into one that compares as in the destination."""
    return str if capabilities().has_case_sensitive_identifiers else str.lower


def folded(name: str) -> str:
    """Return a normalized name as the destination compares it."""
    return folding()(name)


def with_suffix(normalized: str, name: str, normalize: Callable[[str], str]) -> str:
    """Return a normalized name with a suffix made of the original name."""
    return normalize(
        f"{normalized}_{sha256(name.encode(errors='surrogatepass')).hexdigest()[:SUFFIX_LENGTH]}"
    )


def _stored_properties(table: str) -> dict[str, str | None]:
    """Return the property of each column that dlt's schema has of a table."""
    stored = stored_table(table)
    has_hint = SINGER_NAME in stored
    return {
        name: column.get(SINGER_NAME, name if has_hint else None)
        for name, column in stored.get("columns", {}).items()
    }


def _owner_of_column(normalized: str) -> str | None:
    """Return what reserves the name of a column; None if nothing does."""
    normalize = dlt.current.source_schema().naming.normalize_path
    if folded(normalized) in {folded(normalize(SEQUENCE)), folded(normalize(VERSION))}:
        return "a column of the bridge"
    if normalized.lower().startswith("_dlt_"):
        return "a column of dlt"
    if normalized in POSTGRES_COLUMNS and destination_type() in POSTGRES_LIKE:
        return "a column of the database"
    return None
