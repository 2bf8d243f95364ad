"""Updates dlt's schema to the tables that exist in the destination.

Users drop and change tables, and other programs create them, but dlt looks at tables only when its
own schema changes. So before rows are extracted, tables and columns that are gone are removed from
the schema, so that dlt creates them again, and existing ones are added with their types.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.schema.utils import (
    get_nested_tables,
    get_root_table,
    has_table_seen_data,
    new_table,
)

from dlt_bridge.arrow.types import DECIMAL_PRECISION, WIDE_SCALE
from dlt_bridge.destinations.clients import make_client
from dlt_bridge.destinations.destination import (
    capabilities,
    destination_type,
    package_state,
)
from dlt_bridge.destinations.dlt_private import DROPPED, running_pipeline
from dlt_bridge.errors import RELOAD, MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Destinations whose tables and columns are read in one query.
QUERIED = frozenset({"duckdb", "postgres"})
QUERY = """
select table_schema, table_name, column_name, data_type, numeric_precision, numeric_scale
from information_schema.columns
where table_catalog = current_database() and table_schema in (%s, %s)
"""
#: dlt's names for the types of databases. Other types are left to the database.
TYPES = {
    **dict.fromkeys(("varchar", "character varying", "text"), "text"),
    **dict.fromkeys(("bigint", "hugeint", "integer", "smallint", "tinyint"), "bigint"),
    **dict.fromkeys(("double", "double precision"), "double"),
    **dict.fromkeys(("decimal", "numeric"), "decimal"),
    "timestamp with time zone": "timestamp",
    **dict.fromkeys(("time", "time without time zone"), "time"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    **dict.fromkeys(("blob", "bytea"), "binary"),
    "boolean": "bool",
    "date": "date",
}
#: Timestamps without a time zone, which are taken as UTC.
ZONELESS = frozenset({"timestamp", "timestamp_ns", "timestamp without time zone"})
#: Types that round values without an error.
ROUNDING = frozenset({"real", "float", "timestamp_s", "timestamp_ms"})
#: Strategies by which dlt replaces a table through the staging dataset.
STAGED_STRATEGIES = frozenset({"insert-from-staging", "staging-optimized"})
#: Hint with the time of an update. It changes the schema, so that dlt looks at the table. Its name
#: is stored in schemas, so it stays.
UPDATED_HINT = "x-brought-in-line"

logger = logging.getLogger(__name__)


class _Columns(dict[str, dict[str, Any]]):
    """The columns of a table, by folded name: dlt's hints for their types.

    Attributes:
        names: Their names as the destination has them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []


_Tables = dict[str, _Columns]


@dataclass(frozen=True, slots=True)
class _Datasets:
    """What is in the destination.

    Attributes:
        tables: The tables of the dataset.
        staged: Those of its staging dataset.
        through_staging: The write dispositions by which rows go through the staging dataset.
    """

    tables: _Tables
    staged: _Tables
    through_staging: frozenset[str]


class ExistingTables:
    """The tables of the dataset and its staging dataset, read once, when the first is needed."""

    def __init__(self) -> None:
        self._datasets: _Datasets | None = None
        self._updated: set[str] = set()

    def has(self, table: str) -> bool:
        """Return whether a table existed when the tables were read; False if they were not read."""
        return self._datasets is not None and table in self._datasets.tables

    def has_column(self, table: str, column: str) -> bool:
        """Return whether a table had a column when the tables were read; False as for `has`."""
        tables = self._datasets.tables if self._datasets else {}
        return _folded(column) in tables.get(table, {})

    def update_schema(
        self, stream: str, table: str, properties: Iterable[str], *, has_children: bool = False
    ) -> None:
        """Update dlt's schema to the table of a stream and its child tables.

        Args:
            stream: The stream, for warnings.
            table: The name of the stream's table.
            properties: The names of the properties in the stream's SCHEMA.
            has_children: Nested values are loaded into child tables.

        Raises:
            MessageError: A column would round values.
        """
        # Tables that are dropped before the load do not count.
        self._updated.update(part["name"] for part in package_state().get(DROPPED, ()))
        if destination_type() not in QUERIED or table in self._updated:
            return
        self._updated.add(table)
        self._datasets = self._datasets or _read_tables()
        tables, staged = self._datasets.tables, self._datasets.staged
        schema = dlt.current.source_schema()
        if existing := tables.get(table):
            if table not in schema.tables:
                schema.update_table(new_table(table, resource=stream), normalize_identifiers=False)
            names = map(schema.naming.normalize_path, properties)
            _add_columns(stream, schema.tables[table], existing, names)
        changed = set()
        chain: list[Any] = get_nested_tables(schema.tables, table)
        for stored in chain:
            columns: Mapping[str, Any] = tables.get(stored["name"], {})
            removed = _remove_missing(stream, stored, columns)
            if _update_types(stored, columns) or removed:
                changed.add(stored["name"])
        used = [stored for stored in chain if stored is chain[0] or has_table_seen_data(stored)]
        if changed or any(_lacks(self._datasets, stored) for stored in used):
            chain[0][UPDATED_HINT] = datetime.now(UTC).isoformat()
        # dlt merges child tables of its schema even if no row comes for them.
        gone = [name for name in changed if name not in tables and name != table]
        parts: list[Any] = [
            part for name in gone for part in get_nested_tables(schema.tables, name)
        ]
        schema.drop_tables(list({part["name"] for part in parts}))
        _drop_staged([name for name in changed if name in staged])
        if has_children and table in tables:
            _add_nested_columns(stream, table, tables)


def _read_tables() -> _Datasets:
    read: defaultdict[str, _Tables] = defaultdict(dict)
    opened = make_client(running_pipeline(), dlt.current.source_schema())
    with opened.sql_client as client:
        datasets = client.dataset_name, client.staging_dataset_name
        for dataset, table, column, *type_columns in client.execute_sql(QUERY, *datasets) or ():
            columns = read[dataset].setdefault(table, _Columns())
            columns[_folded(column)] = _type(*type_columns)
            columns.names.append(column)
    is_staged = opened.config.replace_strategy in STAGED_STRATEGIES
    return _Datasets(
        tables=read[datasets[0]],
        staged=read[datasets[1]],
        through_staging=frozenset({"merge", "replace"} if is_staged else {"merge"}),
    )


def _folded(name: str) -> str:
    """Return a name as it compares in the destination."""
    return name if capabilities().generates_case_sensitive_identifiers() else name.casefold()


def _type(type_name: str, precision: int | None, scale: int | None) -> dict[str, Any]:
    """Return dlt's hints for the type of a column; for a type that rounds, its name."""
    name = type_name.partition("(")[0].lower()
    if name in ROUNDING:
        return {"rounding": name}
    if TYPES.get(name) == "decimal":
        # PostgreSQL's numeric without a precision has any number of digits. This is the widest
        # decimal of dlt.
        bounds = (precision, scale) if precision else (DECIMAL_PRECISION, WIDE_SCALE)
        return {"data_type": "decimal", **dict(zip(("precision", "scale"), bounds, strict=True))}
    if name in ZONELESS:
        return {"data_type": "timestamp", "timezone": False}
    return {"data_type": TYPES[name]} if name in TYPES else {}


def _column_names(table: Mapping[str, Any]) -> list[str]:
    """Return the names of the columns that a table has in dlt's schema."""
    return [name for name, column in table["columns"].items() if column.get("data_type")]


def _remove_missing(stream: str, stored: Mapping[str, Any], existing: Mapping[str, Any]) -> bool:
    """Remove columns that a table lacks from dlt's schema, and return whether there are any."""
    gone = [name for name in _column_names(stored) if _folded(name) not in existing]
    for name in gone:
        del stored["columns"][name]
    if gone and not existing:
        logger.warning(
            "Stream %s: its table `%s` no longer exists in the destination. It is created again,"
            " and gets the rows from now on. To load the earlier rows, too, read the stream from"
            " its start: %s",
            stream,
            stored["name"],
            RELOAD,
        )
    elif gone:
        logger.warning(
            "Stream %s: its table `%s` has lost the columns %s in the destination. They are"
            " created again, and stay empty in existing rows. To fill them, read the stream from"
            " its start:"
            " %s",
            stream,
            stored["name"],
            ", ".join(f"`{name}`" for name in gone),
            RELOAD,
        )
    return bool(gone)


def _add_columns(
    stream: str,
    stored: Any,  # noqa: ANN401
    existing: Mapping[str, Any],
    names: Iterable[str],
) -> None:
    """Add columns of a SCHEMA that a table has to dlt's schema.

    Raises:
        MessageError: A column would round values.
    """
    for name in names:
        column_type = existing.get(_folded(name), {})
        if "rounding" in column_type:
            raise MessageError(
                f"Stream {stream}: the column `{name}` of its table `{stored['name']}` has the type"
                f" {column_type['rounding']}, which would round values. Give it another type, or"
                " drop it: the bridge then creates it again."
            )
        if column_type and not stored["columns"].get(name, {}).get("data_type"):
            stored["columns"][name] = {"name": name, "nullable": True, **column_type}


def _add_nested_columns(stream: str, table: str, tables: _Tables) -> None:
    """Add the columns of nested values that a table and its child tables have.

    dlt chooses their types by the first values. The first values of another account in the same
    tables may have been of other types, which would round these, or refuse them.

    Raises:
        MessageError: A column would round values.
    """
    schema = dlt.current.source_schema()
    separator = schema.naming.PATH_SEPARATOR
    parent_id = _folded(schema.naming.normalize_identifier("_dlt_parent_id"))
    known = set(schema.tables)
    chain = [table]
    nested = [name for name in tables[table].names if separator in name.strip("_")]
    _add_columns(stream, schema.tables[table], tables[table], _schema_names(table, nested))
    for name in sorted(tables, key=len):
        # The parent is the nearest table whose name the name continues.
        parents = [other for other in {*tables, *known} if name.startswith(other + separator)]
        if parents and (parent := max(parents, key=len)) in chain and parent_id in tables[name]:
            if name not in schema.tables:
                part = new_table(name, parent_table_name=parent)
                schema.update_table(part, normalize_identifiers=False)
            chain.append(name)
            names = _schema_names(name, tables[name].names)
            _add_columns(stream, schema.tables[name], tables[name], names)


def _schema_names(table: str, columns: Iterable[str]) -> list[str]:
    """Return the names that columns of a table have in dlt's schema, without those of dlt."""
    schema = dlt.current.source_schema()
    known = {_folded(name): name for name in schema.tables[table]["columns"]}
    names = [schema.naming.normalize_path(name) for name in columns if name[:5] != "_dlt_"]
    return [known.get(_folded(name), name) for name in names]


def _update_types(stored: Any, existing: Mapping[str, Any]) -> bool:  # noqa: ANN401
    """Update the types of columns in dlt's schema, and return whether any were different."""
    changed = False
    for name in _column_names(stored):
        column, column_type = stored["columns"][name], existing.get(_folded(name), {})
        if "data_type" in column_type and _type_identity(column_type) != _type_identity(column):
            for hint in ("precision", "scale", "timezone"):
                column.pop(hint, None)
            column.update(column_type)
            changed = True
    return changed


def _type_identity(column: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what distinguishes the type of a column: data type and time zone, or digits."""
    if column["data_type"] != "decimal":
        return column["data_type"], column.get("timezone", True)
    default = capabilities().decimal_precision
    precision = column.get("precision") or default[0]
    scale = column.get("scale")
    return ("decimal", precision, default[1] if scale is None else scale)


def _lacks(datasets: _Datasets, stored: Mapping[str, Any]) -> bool:
    """Return whether the staging dataset, if it exists, lacks columns that a load needs."""
    root = get_root_table(dlt.current.source_schema().tables, stored["name"])
    existing: Mapping[str, Any] = datasets.staged.get(stored["name"], {})
    return (
        bool(datasets.staged)
        and root.get("write_disposition") in datasets.through_staging
        and any(_folded(name) not in existing for name in _column_names(stored))
    )


def _drop_staged(names: list[str]) -> None:
    """Drop tables of the staging dataset, so that dlt creates them again with new columns."""
    if not names:
        return
    with (
        make_client(running_pipeline(), dlt.current.source_schema()) as client,
        client.with_staging_dataset(),
    ):
        client.drop_tables(*names, delete_schema=False)
