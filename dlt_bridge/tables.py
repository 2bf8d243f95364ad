"""The table that a stream becomes: what dlt and the destination know of it, and what can't be.

All that is asked of dlt here is of the package that is being extracted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import dlt

from dlt_bridge.arrow import SEQUENCE, VERSION
from dlt_bridge.errors import BridgeError, MessageError
from dlt_bridge.files import CSV, PARQUET
from dlt_bridge.places import Limits
from dlt_bridge.runs import capabilities, pipeline
from dlt_bridge.types import DataType, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from dlt_bridge.types import Column

# What dlt keeps of a merge in the stored schema, though it is true of one package only.
CONDITIONS = (
    "x-merge-destination-scope",
    "x-merge-source-filter",
    "x-stage-data-deduplicated",
)
DATA_TYPES: tuple[str, ...] = get_args(DataType)

# PostgreSQL, and what is made of it, stores no NUL, and refuses it in JSON.
POSTGRES_LIKE = frozenset({"postgres", "redshift"})
# Names that PostgreSQL keeps for itself in every table.
POSTGRES_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
# dlt's files beside the tables, in destinations of files.
FILES = frozenset({"init"})
# Bytes; dlt adds its own to it, and no file's name has more than 255.
LONGEST_NAME = 180
# Characters of a name that is too long.
SHOWN_NAME = 60


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that a stream's table has, or was told to have.

    Attributes:
        kinds: The type of each property's column, where there is one.
        asked: Those that the user asked for: the values are to be read so.
        variants: The types of the variants that there are, by property and `data_type`.
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Kind]] = field(default_factory=dict)
    asked: Mapping[str, Kind] = field(default_factory=dict)


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
    kinds: dict[str, Kind] = {}
    chosen: dict[str, Kind] = {}
    variants: dict[str, dict[str, Kind]] = {}
    for column in columns:
        name = normalize(column.name)
        there, wish = _kind(stored.get(name, {})), _kind(wanted.get(name, {}))
        if there and wish and there.data_type != wish.data_type:
            raise MessageError(
                f"Stream {stream}: a hint asks for `{column.name}` to be {wish.text}, but its"
                f" column holds {there.text}. Take the hint away, load into another dataset, or"
                ' reset the stream with refresh="drop_resources".'
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


def _kind(column: Mapping[str, Any]) -> Kind | None:
    """Return the type of a column of dlt's, if it has one."""
    data_type = column.get("data_type")
    if data_type not in DATA_TYPES:
        return None
    precision, scale = column.get("precision"), column.get("scale")
    if data_type == "decimal":
        usual = capabilities().decimal_precision
        return Kind("decimal", precision or usual[0], usual[1] if precision is None else scale or 0)
    return Kind(data_type, precision if data_type in {"timestamp", "time"} else None)


def destination_type() -> str:
    """Return what dlt calls the kind of destination, such as `postgres`."""
    return str(pipeline().destination.destination_type.rpartition(".")[2])


def file_format(*, objects: bool) -> str | None:
    """Return the file format that the destination is to be given first; None for dlt's choice.

    Args:
        objects: Rows are objects, which dlt writes as INSERT statements by default: slow, and in
            much memory.
    """
    if objects and PARQUET in (capabilities().supported_loader_file_formats or ()):
        return PARQUET
    return CSV if destination_type() == "postgres" and not objects else None


def has_exact_csv() -> bool:
    """Say whether the destination tells empty texts from nulls in CSV files."""
    return getattr(pipeline().destination, "exact_csv", False)


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
            ' Reset the stream with refresh="drop_resources".'
        )


def refuse_structs() -> None:
    """Refuse native nested values where the destination has no types for them.

    Raises:
        BridgeError: It has not.
    """
    if not capabilities().supports_nested_types:
        raise BridgeError(
            f"{pipeline().destination.destination_name} has no structs and lists for"
            " nested='native'. Choose nested='json', or nested='tables' for child tables."
        )


def limits() -> Limits:
    """Return what the destination can't hold in a text."""
    return Limits(nul=destination_type() not in POSTGRES_LIKE)


def stored_columns(table: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the columns that dlt knows a table to have, by their names."""
    columns: Mapping[str, Mapping[str, Any]] = stored_table(table).get("columns", {})
    return columns


def stored_table(table: str) -> Any:  # noqa: ANN401
    """Return what dlt knows of a table, to be read or changed; empty if nothing."""
    schema = dlt.current.source_schema()
    return schema.tables.get(schema.naming.normalize_table_identifier(table), {})


def forget_conditions(table: str) -> None:
    """Let go of what was true of the merge of an earlier package alone; dlt keeps it."""
    stored = stored_table(table)
    for condition in CONDITIONS:
        stored.pop(condition, None)


def refuse_shared(tables: Mapping[str, str]) -> None:
    """Refuse streams that would be one table.

    Args:
        tables: The names of the tables by stream.

    Raises:
        BridgeError: Two of them have one name in the destination.
    """
    schema = dlt.current.source_schema()
    normalize = schema.naming.normalize_table_identifier
    for table, names in _shared(tables, lambda name: normalize(tables[name])).items():
        raise BridgeError(
            f"The streams {_listed(names)} would be one table, `{table}`. Load them into different"
            " datasets, with one of them selected in each."
        )


def name_of(stream: str, named: str) -> str:
    """Return the name of a table in the destination.

    Args:
        stream: The stream, for errors.
        named: The name that the table is to have.

    Raises:
        MessageError: It is no name of a table.
    """
    try:
        made: str = dlt.current.source_schema().naming.normalize_table_identifier(named)
    except ValueError:
        made = ""
    if not made or len(made.encode()) > LONGEST_NAME:
        raise MessageError(
            f"Stream {stream[:SHOWN_NAME]}: no table can have this name, which is"
            f" {'too long' if made else 'empty'}. Give it another: apply_hints(table_name=...)."
        )
    return made


def refuse_unfit(stream: str, table: str, columns: Sequence[Column], keys: Collection[str]) -> None:
    """Refuse a SCHEMA whose columns can't be told apart, or whose table is another stream's.

    Raises:
        MessageError: A key is no column, a name is empty or kept for others, or two names meet.
    """
    _refuse_table(stream, table)
    known = {column.name for column in columns if column.kind}
    if missing := set(keys) - known:
        raise MessageError(
            f"Stream {stream}: the SCHEMA has no property for its key {_listed(sorted(missing))}."
        )
    normalize = dlt.current.source_schema().naming.normalize_path
    if any(not column.name.strip() for column in columns):
        raise MessageError(f"Stream {stream}: the SCHEMA has a property without a name.")
    named = {column.name: normalize(column.name) for column in columns}
    for name, made in named.items():
        if made in {normalize(SEQUENCE), normalize(VERSION)}:
            raise MessageError(
                f"Stream {stream}: `{name}` can't be loaded, because the bridge adds a column"
                f" `{made}`."
            )
        if made.startswith("_dlt_") or (
            made in POSTGRES_COLUMNS and destination_type() in POSTGRES_LIKE
        ):
            raise MessageError(
                f"Stream {stream}: `{name}` can't be loaded: the name of the column is kept for"
                f" {'dlt' if made.startswith('_dlt_') else 'the database'} itself. Deselect the"
                " property in the tap's catalog."
            )
    for made, names in _shared(named, named.__getitem__).items():
        raise MessageError(
            f"Stream {stream}: the properties {_listed(names)} would be one column, `{made}`."
        )
    holder = stored_table(table).get("resource", stream)
    # Without a catalog, one resource is of all streams: it has the name of the source.
    if holder not in {stream, dlt.current.source_schema().name}:
        raise MessageError(
            f"Stream {stream}: its table `{table}` holds the stream {holder}. Load it into another"
            " dataset."
        )


def _refuse_table(stream: str, table: str) -> None:
    schema, running = dlt.current.source_schema(), pipeline()
    made = schema.naming.normalize_table_identifier(table)
    for other in running.schemas.values() if running.config.use_single_dataset else ():
        if other.name != schema.name and other.tables.get(made, {}).get("resource"):
            raise MessageError(
                f"Stream {stream}: its table `{made}` is one of the source {other.name}, whose rows"
                " it would replace. Load it into another dataset, or into another table:"
                " apply_hints(table_name=...)."
            )
    files = destination_type() == "filesystem"
    if made.startswith("_dlt") or (files and made in FILES):
        raise MessageError(
            f"Stream {stream}: it would be the table `{made}`, a name that dlt keeps for itself."
            " Give it another: apply_hints(table_name=...)."
        )


def _shared(names: Iterable[str], normalize: Callable[[str], str]) -> dict[str, list[str]]:
    """Return the names in the destination that several names would share, and these."""
    sharing: dict[str, list[str]] = {}
    for name in names:
        sharing.setdefault(normalize(name), []).append(name)
    return {made: those for made, those in sharing.items() if len(those) > 1}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
