"""Descriptions of tables and columns as comments in DuckDB and PostgreSQL.

dlt itself writes the descriptions that its schema has, for BigQuery, Databricks and Snowflake.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlt.destinations.exceptions import DatabaseException

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger(__name__)

#: The queries of the comments that there are, by destination. Tables have no name of a column.
_QUERIES = {
    "duckdb": (
        "select table_name, null, comment from duckdb_tables()"
        " where database_name = current_database() and schema_name = %s"
        " union all select table_name, column_name, comment from duckdb_columns()"
        " where database_name = current_database() and schema_name = %s"
    ),
    "postgres": (
        "select c.relname, null, obj_description(c.oid, 'pg_class') from pg_class c"
        " where c.relkind in ('r', 'p') and c.relnamespace = to_regnamespace(quote_ident(%s))"
        " union all select c.relname, a.attname, col_description(c.oid, a.attnum)"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0"
        " where c.relkind in ('r', 'p') and c.relnamespace = to_regnamespace(quote_ident(%s))"
    ),
}
#: The destinations in which the bridge writes comments.
DESTINATIONS = frozenset(_QUERIES)


@dataclass(frozen=True, slots=True)
class Comment:
    """What the comment of a table or column is to be.

    Attributes:
        text: The description.
        former: Earlier descriptions, which the text replaces. Any other comment is the user's.
    """

    text: str
    former: frozenset[str] = frozenset()


#: Comments by the table and column; those of tables have None for the column.
Comments = dict[tuple[str, str | None], Comment]


def write_comments(
    client: Any,  # noqa: ANN401
    kind: str,
    comments: Mapping[tuple[str, str | None], Comment],
) -> None:
    """Write the comments that the database does not have, and warn if it refuses.

    Args:
        client: An open SQL client of dlt.
        kind: dlt's name for the type of the destination.
        comments: What the comments are to be.
    """
    try:
        if statements := list(_statements(client, kind, comments)):
            client.execute_sql("; ".join(statements))
    except DatabaseException as error:
        logger.warning(
            "The database does not take the descriptions of tables and columns as comments (%s)."
            " All rows are loaded.",
            type(error.__cause__ or error).__name__,
        )


def _statements(
    client: Any,  # noqa: ANN401
    kind: str,
    comments: Mapping[tuple[str, str | None], Comment],
) -> Iterator[str]:
    """Yield a statement for each comment that differs."""
    dataset = client.dataset_name
    found = client.execute_sql(_QUERIES[kind], dataset, dataset) or ()
    escape = client.capabilities.escape_literal
    for table, column, text in found:
        comment = comments.get((table, column))
        if comment is None or text == comment.text or (text and text not in comment.former):
            continue
        name = client.make_qualified_table_name(table)
        place = f"TABLE {name}"
        if column is not None:
            place = f"COLUMN {name}.{client.escape_column_name(column)}"
        yield f"COMMENT ON {place} IS {escape(comment.text)}"
