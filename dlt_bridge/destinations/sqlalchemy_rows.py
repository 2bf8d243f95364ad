"""Reads rows of databases that dlt loads through SQLAlchemy, with exact values.

SQLite has no type for a time, a boolean or a decimal: without the types of the columns, it returns
texts and doubles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import DECIMAL, JSON, NUMERIC, MetaData, String, select, type_coerce

from dlt_bridge.destinations.sqlalchemy_types import WholeNumber

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Table


def stored_table(client: Any, name: str) -> Table | None:  # noqa: ANN401
    """Return a table as it is in the database; None if there is none.

    Args:
        client: dlt's SQL client.
        name: The name of the table.
    """
    table: Table | None = client.reflect_table(name, MetaData())
    return table


def stored_rows(
    client: Any,  # noqa: ANN401
    table: Table,
    columns: Sequence[str],
    keys: Mapping[str, Sequence[Any]],
    count: int,
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows that have one of some values in each column of the key.

    Args:
        client: dlt's SQL client.
        table: The table.
        columns: The names of the columns to read.
        keys: The values of each column of the key.
        count: The most rows that are fetched together.

    Yields:
        The values of each column.
    """
    query = select(*[_exact(table.columns[name]) for name in columns])
    for name, values in keys.items():
        query = query.where(_exact(table.columns[name]).in_(values))
    with client.execute_query(query) as cursor:
        for rows in cursor.iter_fetch(count):
            yield list(zip(*rows, strict=True))


def _exact(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column with a type that changes no value."""
    if isinstance(column.type, JSON):
        # As text: as objects, its numbers would be floats.
        return type_coerce(column, String())
    if isinstance(column.type, DECIMAL | NUMERIC):
        return type_coerce(column, WholeNumber(column.type.precision, column.type.scale))
    return column
