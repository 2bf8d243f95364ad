"""The tables that are really in the destination, whatever dlt remembers of them.

Tables are dropped and changed by hand, or were made by another program. dlt looks at them only when
its own schema changes. So the schema is brought in line with them before rows are extracted: what
is gone is forgotten, so that dlt makes it anew, and what is there is learnt.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.schema.utils import get_nested_tables, get_root_table, new_table

from dlt_bridge.arrow.types import DECIMAL_PRECISION, WIDE_SCALE
from dlt_bridge.destinations.clients import make_client
from dlt_bridge.destinations.destination import (
    capabilities,
    destination_type,
    package_state,
)
from dlt_bridge.destinations.dlt_private import DROPPED, running_pipeline
from dlt_bridge.errors import ANEW, MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Destinations that say in one query what is there.
ASKED = frozenset({"duckdb", "postgres"})
QUERY = """
select table_schema, table_name, column_name, data_type, numeric_precision, numeric_scale
from information_schema.columns
where table_catalog = current_database() and table_schema in (%s, %s)
"""
#: What dlt calls the types of the databases. Of others, the database itself says what it takes.
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
#: Times without a zone: those of UTC.
ZONELESS = frozenset({"timestamp", "timestamp_ns", "timestamp without time zone"})
#: Types that keep fewer digits than a value may have, and say nothing.
ROUNDING = frozenset({"real", "float", "timestamp_s", "timestamp_ms"})
#: Says in dlt's schema when a table was brought in line. The change lets dlt look at the table.
MARK = "x-brought-in-line"

logger = logging.getLogger(__name__)

#: The columns of tables: what dlt would call their types.
_Tables = dict[str, dict[str, dict[str, Any]]]


class ExistingTables:
    """The tables of the dataset, and of its staging dataset; asked once, when one is needed."""

    def __init__(self) -> None:
        self._found: tuple[_Tables, _Tables] | None = None
        self._done: set[str] = set()

    def has(self, table: str) -> bool:
        """Say whether a table was there when it was asked what is there; if it was."""
        return self._found is not None and table in self._found[0]

    def bring_in_line(self, stream: str, table: str, properties: Iterable[str]) -> None:
        """Bring what dlt knows of a table, and of its child tables, in line with what is there.

        Args:
            stream: The stream, for warnings.
            table: The name of its table.
            properties: The properties of its SCHEMA.

        Raises:
            MessageError: A column would round values.
        """
        # What is there yet of tables that are dropped before the load, says nothing.
        self._done.update(part["name"] for part in package_state().get(DROPPED, ()))
        if destination_type() not in ASKED or table in self._done:
            return
        self._done.add(table)
        self._found = self._found or _found()
        tables, staged = self._found
        schema = dlt.current.source_schema()
        if there := tables.get(table):
            if table not in schema.tables:
                schema.update_table(new_table(table, resource=stream), normalize_identifiers=False)
            names = map(schema.naming.normalize_path, properties)
            _learn_new(stream, schema.tables[table], there, names)
        changed = set()
        chain: list[Any] = get_nested_tables(schema.tables, table)
        for known in chain:
            columns = tables.get(known["name"], {})
            forgot = _forget(stream, known, columns)
            if _learn(known, columns) or forgot:
                changed.add(known["name"])
        if changed or any(_lacks(staged, known) for known in chain):
            chain[0][MARK] = datetime.now(UTC).isoformat()
        # Of a child table, dlt merges what it knows of, though no row comes for it.
        gone = [name for name in changed if name not in tables and name != table]
        parts: list[Any] = [
            part for name in gone for part in get_nested_tables(schema.tables, name)
        ]
        schema.drop_tables(list({part["name"] for part in parts}))
        _drop_staged([name for name in changed if name in staged])


def _found() -> tuple[_Tables, _Tables]:
    """Return the tables of the dataset, and those of its staging dataset."""
    found: defaultdict[str, _Tables] = defaultdict(dict)
    with make_client(running_pipeline(), dlt.current.source_schema()).sql_client as client:
        datasets = client.dataset_name, client.staging_dataset_name
        for dataset, table, column, *kind in client.execute_sql(QUERY, *datasets) or ():
            found[dataset].setdefault(table, {})[_folded(column)] = _type(*kind)
    return found[datasets[0]], found[datasets[1]]


def _folded(name: str) -> str:
    return name if capabilities().generates_case_sensitive_identifiers() else name.casefold()


def _type(named: str, precision: int | None, scale: int | None) -> dict[str, Any]:
    """Return what dlt would call the type of a column, or its own name if that rounds."""
    name = named.partition("(")[0].lower()
    if name in ROUNDING:
        return {"rounding": name}
    if TYPES.get(name) == "decimal":
        # PostgreSQL's numeric may have any digits: as many as dlt takes, some for each side.
        bounds = (precision, scale) if precision else (DECIMAL_PRECISION, WIDE_SCALE)
        return {"data_type": "decimal", **dict(zip(("precision", "scale"), bounds, strict=True))}
    if name in ZONELESS:
        return {"data_type": "timestamp", "timezone": False}
    return {"data_type": TYPES[name]} if name in TYPES else {}


def _known(table: Mapping[str, Any]) -> list[str]:
    """Return the names of the columns that dlt knows a table to have."""
    return [name for name, column in table["columns"].items() if column.get("data_type")]


def _forget(stream: str, known: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Forget what a table has no more, and say whether there is anything."""
    gone = [name for name in _known(known) if _folded(name) not in there]
    for name in gone:
        del known["columns"][name]
    if gone and not there:
        logger.warning(
            "Stream %s: its table `%s` is gone from the destination. It is made anew, and has the"
            " rows that come from now on. To have the earlier ones, too, read the stream anew: %s",
            stream,
            known["name"],
            ANEW,
        )
    elif gone:
        logger.warning(
            "Stream %s: its table `%s` has lost the columns %s in the destination. They are made"
            " anew, and stay empty in the rows that are there. To fill them, read the stream anew:"
            " %s",
            stream,
            known["name"],
            ", ".join(f"`{name}`" for name in gone),
            ANEW,
        )
    return bool(gone)


def _learn_new(
    stream: str,
    known: Any,  # noqa: ANN401
    there: Mapping[str, Any],
    names: Iterable[str],
) -> None:
    """Learn which columns of a SCHEMA a table has, of which dlt knows nothing.

    Raises:
        MessageError: One would round values.
    """
    for name in names:
        kind = there.get(_folded(name), {})
        if "rounding" in kind:
            raise MessageError(
                f"Stream {stream}: the column `{name}` of its table `{known['name']}` has the type"
                f" {kind['rounding']}, which would round values. Give it another type, or drop it:"
                " then it is made anew."
            )
        if kind and not known["columns"].get(name, {}).get("data_type"):
            known["columns"][name] = {"name": name, "nullable": True, **kind}


def _learn(known: Any, there: Mapping[str, Any]) -> bool:  # noqa: ANN401
    """Learn which columns of a table have other types than dlt knows; say whether there are any."""
    changed = False
    for name in _known(known):
        column, kind = known["columns"][name], there.get(_folded(name), {})
        if "data_type" in kind and _digits(kind) != _digits(column):
            for told in ("precision", "scale", "timezone"):
                column.pop(told, None)
            column.update(kind)
            changed = True
    return changed


def _digits(column: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells the type of a column from others."""
    if column["data_type"] != "decimal":
        return column["data_type"], column.get("timezone", True)
    usual = capabilities().decimal_precision
    precision = column.get("precision") or usual[0]
    scale = column.get("scale")
    return ("decimal", precision, usual[1] if scale is None else scale)


def _lacks(staged: _Tables, known: Mapping[str, Any]) -> bool:
    """Say whether the staging dataset, if it is there, lacks what a merge into a table needs."""
    root = get_root_table(dlt.current.source_schema().tables, known["name"])
    there = staged.get(known["name"], {})
    return (
        bool(staged)
        and root.get("write_disposition") == "merge"
        and any(_folded(name) not in there for name in _known(known))
    )


def _drop_staged(names: list[str]) -> None:
    """Drop tables of the staging dataset: dlt makes them anew as the others are now."""
    if not names:
        return
    with (
        make_client(running_pipeline(), dlt.current.source_schema()) as client,
        client.with_staging_dataset(),
    ):
        client.drop_tables(*names, delete_schema=False)
