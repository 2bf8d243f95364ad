"""Counts the keys of tables in the destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt.destinations.exceptions import DatabaseUndefinedRelation

from dlt_bridge.destinations.clients import make_client
from dlt_bridge.destinations.conventions import new_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt import Pipeline


class KeyCounts:
    """Counts the keys of tables.

    Args:
        pipeline: A pipeline that loads into the dataset.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        schema = new_schema("counts", None)
        self._naming = schema.naming
        self._client = make_client(pipeline, schema)

    def of(self, stream: str, keys: Sequence[str]) -> tuple[int, int]:
        """Return the number of rows of a stream's table, and of keys that have several.

        Args:
            stream: The name of the stream.
            keys: Its key properties.

        Returns:
            Both are 0 if there is no such table: no run has loaded a row.
        """
        with self._client.sql_client as sql:
            table = sql.make_qualified_table_name(self._naming.normalize_table_identifier(stream))
            names = ", ".join(
                sql.escape_column_name(self._naming.normalize_identifier(key)) for key in keys
            )
            counts = f"SELECT COUNT(*) AS n FROM {table} GROUP BY {names}"  # noqa: S608
            query = (
                "SELECT COALESCE(SUM(n), 0), COALESCE(SUM(CASE WHEN n > 1 THEN 1 ELSE 0 END), 0)"  # noqa: S608
                f" FROM ({counts}) AS counts"
            )
            try:
                counted = sql.execute_sql(query) or [(0, 0)]
            except DatabaseUndefinedRelation:
                return 0, 0
        rows, doubles = map(int, counted[0])
        return rows, doubles
