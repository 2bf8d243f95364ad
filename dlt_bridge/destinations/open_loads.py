"""The table `_singer_loads`: the packages whose rows without a key are not committed yet.

dlt commits each table of a package by itself, and the package at the end. If the run is killed in
between, and continues without its working files, the tap sends the same rows again. By a key, they
replace those that are there already. Without a key, they would be there twice. So before such rows
are loaded, the package is entered in this table, and the commit takes it out again. A package that
is still there when the pipeline loads the next one was never committed: its rows are deleted, by
their load id. The packages of other pipelines are left alone.

A run may only seem to be gone: then it finds at its commit that its rows are deleted, and fails.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dlt.destinations.exceptions import DatabaseException, DatabaseUndefinedRelation

from dlt_bridge.arrow.metadata_columns import LOAD_ID
from dlt_bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

#: The table.
TABLE = "_singer_loads"
#: Its columns, with dlt's names of their types.
COLUMNS = {
    "load_id": "text",
    "pipeline_name": "text",
    "table_names": "text",
    "discarded_at": "timestamp",
}
#: How long a database may take to end the statements of a process that is gone. Until then, rows
#: of its package are deleted again.
LINGERING = timedelta(hours=1)


class DiscardedPackageError(BridgeError):
    """Another run has deleted the rows of a package, and continues from the last commit."""


class OpenLoads:
    """The packages of a pipeline that are not committed.

    Args:
        client: An open client of the destination.
        pipeline_name: The name of the pipeline.
    """

    def __init__(self, client: Any, pipeline_name: str) -> None:  # noqa: ANN401
        self._client = client
        self._sql = client.sql_client
        self._pipeline_name = pipeline_name

    def begin(self, load_id: str, tables: Collection[str]) -> None:
        """Enter a package, and delete the rows of those that were never committed.

        Args:
            load_id: The load id of the package.
            tables: The tables without a key that it has rows for.

        Raises:
            DiscardedPackageError: Another run has discarded the package.
        """
        with self._explained():
            try:
                entered = self._entered()
            except DatabaseUndefinedRelation:
                make_table(self._sql, TABLE, COLUMNS)
                entered = {}
            if load_id in entered:
                self._is_entered(load_id)
                return
            if entered:
                self._discard_others()
            self._execute(
                "INSERT INTO {table} (load_id, pipeline_name, table_names) VALUES (%s, %s, %s)",
                load_id,
                self._pipeline_name,
                json.dumps(sorted(tables)),
            )

    def is_committed(self, load_id: str) -> bool:
        """Return whether a package that was entered is committed.

        Raises:
            DiscardedPackageError: It is not, and another run has discarded it.
        """
        with self._explained():
            if self._is_entered(load_id):
                return False
            if not self._is_in_loads(load_id):
                raise self._discarded_error()
            return True

    def delete_rows(self, load_id: str, tables: Iterable[str], staged: Iterable[str]) -> None:
        """Delete the rows of a package whose files will be loaded again.

        Args:
            load_id: The load id of the package.
            tables: The tables.
            staged: Those that have a table in the staging dataset, too.
        """
        with self._explained():
            self._delete_rows(load_id, tables)
            with self._sql.with_staging_dataset():
                self._delete_rows(load_id, staged)

    def commit(self, load_id: str, complete: Callable[[str], None]) -> None:
        """Commit a package, and take it out: in one transaction, if the destination has them.

        Args:
            load_id: The load id of the package.
            complete: Commits it.

        Raises:
            DiscardedPackageError: Another run has discarded the package.
        """
        has_transactions = self._client.capabilities.supports_transactions
        with self._sql.begin_transaction() if has_transactions else nullcontext():
            with self._explained():
                # This locks the row: a run that discards the package comes before, or after.
                self._execute(
                    "UPDATE {table} SET pipeline_name = %s WHERE load_id = %s",
                    self._pipeline_name,
                    load_id,
                )
                if not self._is_entered(load_id):
                    raise self._discarded_error()
            complete(load_id)
            with self._explained():
                self._execute("DELETE FROM {table} WHERE load_id = %s", load_id)

    def _discard_others(self) -> None:
        """Delete the rows of all packages of the pipeline that were not committed."""
        now = datetime.now(UTC)
        # A run that commits its package at the same time takes it out first.
        self._execute(
            "UPDATE {table} SET discarded_at = %s"
            " WHERE pipeline_name = %s AND discarded_at IS NULL",
            now,
            self._pipeline_name,
        )
        for load_id, tables in self._entered().items():
            # Without transactions, a run may end between the commit and the next statement.
            if self._is_in_loads(load_id):
                self._execute("DELETE FROM {table} WHERE load_id = %s", load_id)
            else:
                self._delete_rows(load_id, tables)
        self._execute(
            "DELETE FROM {table} WHERE pipeline_name = %s AND discarded_at < %s",
            self._pipeline_name,
            now - LINGERING,
        )

    def _delete_rows(self, load_id: str, tables: Iterable[str]) -> None:
        column = self._column(LOAD_ID)
        for table in tables:
            # A table that somebody has dropped has no rows.
            with suppress(DatabaseUndefinedRelation):
                self._sql.execute_sql(
                    f"DELETE FROM {self._table(table)} WHERE {column} = %s",  # noqa: S608
                    load_id,
                )

    def _entered(self) -> dict[str, list[str]]:
        """Return the load ids of the pipeline's packages that are entered, and their tables."""
        rows = self._execute(
            "SELECT load_id, table_names FROM {table} WHERE pipeline_name = %s",
            self._pipeline_name,
        )
        return {load_id: json.loads(tables) for load_id, tables in rows}

    def _is_entered(self, load_id: str) -> bool:
        """Return whether a package is entered.

        Raises:
            DiscardedPackageError: Another run has discarded it.
        """
        rows = self._execute("SELECT discarded_at FROM {table} WHERE load_id = %s", load_id)
        if any(discarded is not None for (discarded,) in rows):
            raise self._discarded_error()
        return bool(rows)

    def _is_in_loads(self, load_id: str) -> bool:
        table = self._table(self._client.schema.loads_table_name)
        column = self._column("load_id")
        query = f"SELECT 1 FROM {table} WHERE {column} = %s"  # noqa: S608
        return bool(self._sql.execute_sql(query, load_id))

    def _discarded_error(self) -> DiscardedPackageError:
        return DiscardedPackageError(
            f"Another run of the pipeline {self._pipeline_name} began before this package was"
            " committed, and has deleted its rows. The tap sends them again: run it again when no"
            " other run of this pipeline is under way."
        )

    def _execute(self, statement: str, *values: Any) -> Sequence[tuple[Any, ...]]:  # noqa: ANN401
        """Execute a statement with the name of the table `_singer_loads`, and return its rows."""
        return self._sql.execute_sql(statement.format(table=self._table(TABLE)), *values) or ()

    def _table(self, name: str) -> str:
        return str(self._sql.make_qualified_table_name(name))

    def _column(self, name: str) -> str:
        """Return the name of a column of dlt's tables, in SQL."""
        normalized = self._client.schema.naming.normalize_identifier(name)
        return str(self._sql.escape_column_name(normalized))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Explain errors of the database. These statements hold no values of rows."""
        try:
            yield
        except DatabaseException as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise BridgeError(
                f"Rows without a key are loaded once by the table {TABLE} of the destination, which"
                f" can't be used: {reason}. Nothing of the package is committed. Run it again; if"
                " it fails again, check the rights of the database's user."
            ) from error


def make_table(sql: Any, name: str, columns: Mapping[str, str]) -> None:  # noqa: ANN401
    """Make a table in a dataset, unless another run makes it at the same time.

    Args:
        sql: An open SQL client of dlt.
        name: The name of the table.
        columns: Its columns, with dlt's names of their types.
    """
    mapper, table = sql.capabilities.get_type_mapper(), {"name": name, "columns": {}}
    types = ", ".join(
        f"{column} {mapper.to_destination_type({'name': column, 'data_type': kind}, table)}"
        for column, kind in columns.items()
    )
    qualified = sql.make_qualified_table_name(name)
    try:
        sql.execute_sql(f"CREATE TABLE {qualified} ({types})")
    except DatabaseException:
        # Fails if the table is not there now, either.
        sql.execute_sql(f"SELECT 1 FROM {qualified} WHERE 1 = 0")  # noqa: S608
