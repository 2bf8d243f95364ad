"""dlt's destination `duckdb`, which merges in a transaction, and large files without a copy.

dlt (1.31) merges in DuckDB without a transaction: it deletes the old rows of a key, and then
inserts the new ones. A kill in between leaves neither, until the next run. Here, a merge is one
transaction, unless the table has a unique index that DuckDB can't keep in it.

dlt copies the rows of a file into a table of the staging dataset, and from there into their own
table: DuckDB compresses and writes each of them twice. Here, dlt's statements read a large file
itself. Where several files or tables belong together, dlt's own way is taken.

If the process ends in between, dlt continues the package in its own way, with or without the
bridge: a file that was merged already is merged again, or its staging table is empty.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from dlt.common.destination.client import RunnableLoadJob
from dlt.common.destination.utils import resolve_merge_strategy
from dlt.common.schema.utils import get_nested_tables, is_nested_table
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations import duckdb as dlt_duckdb
from dlt.destinations.exceptions import DatabaseTerminalException
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.job_client_impl import SqlLoadJob
from dlt.destinations.sql_jobs import SqlMergeFollowupJob
from duckdb import ConstraintException
from typing_extensions import override

from dlt_bridge.destinations.dlt_private import MERGE_CONDITIONS
from dlt_bridge.destinations.file_formats import PARQUET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dlt.common.destination import Destination
    from dlt.common.destination.client import LoadJob
    from dlt.common.destination.typing import PreparedTableSchema

#: The least bytes of a file that is merged here: a small one takes dlt's way in no more time.
LEAST_BYTES = 1024 * 1024

_DELETE_INSERT = "delete-insert"
# Conditions of a merge: with them, a second merge of the same file may delete its rows.
_SCOPE, _FILTER, _ = MERGE_CONDITIONS


class SqlJob(SqlLoadJob):
    """Runs dlt's statements of a merge or a replacement in one transaction, if DuckDB can."""

    _in_transaction = True

    @override
    def run(self) -> None:
        try:
            super().run()
        except DatabaseTerminalException as error:
            if not _is_refused_key(error):
                raise
            self._in_transaction = False
            super().run()

    @override
    @contextmanager
    def maybe_transaction(self, sql: str) -> Iterator[None]:
        with self._sql_client.begin_transaction() if self._in_transaction else nullcontext():
            yield


class MergeJob(RunnableLoadJob):
    """Merges the rows of a Parquet file into their table. dlt has nothing to do after it."""

    @override
    def run(self) -> None:
        client: Any = self._job_client
        rows = _rows(client, self._load_table, self._file_path)
        sql, dataset = client.sql_client, _dataset_name(client)
        # dlt runs the job within the staging dataset.
        with sql.with_alternative_dataset_name(dataset):
            table = sql.make_qualified_table_name(self.load_table_name)
            source: Any = _MergeSource(sql, table, rows)
            statements = SqlMergeFollowupJob.generate_sql([self._load_table], source)
            try:
                with sql.begin_transaction():
                    _execute(sql, statements)
            except DatabaseTerminalException as error:
                if not _is_refused_key(error):
                    raise
                _execute(sql, statements)


def _is_refused_key(error: DatabaseTerminalException) -> bool:
    """Return whether DuckDB refuses to insert a key that was deleted in the same transaction.

    It may do so if the table has a unique index. Then the merge is repeated without a transaction.
    Other constraints would fail again, and leave the table without the deleted rows.
    """
    cause = error.__cause__
    return isinstance(cause, ConstraintException) and "duplicate key" in str(cause).lower()


def _execute(sql: Any, statements: Iterable[str]) -> None:  # noqa: ANN401
    for statement in statements:
        sql.execute_sql(statement)


class _MergeSource:
    """dlt's SQL client, with a query in the place of the staging table."""

    def __init__(self, client: Any, table: str, query: str) -> None:  # noqa: ANN401
        self._client = client
        self._names = table, query

    def get_qualified_table_names(self, *_: Any, **__: Any) -> tuple[str, str]:  # noqa: ANN401
        """Return the name of the table, and the query."""
        return self._names

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._client, name)


class Client(DuckDbClient):
    """A client that merges in a transaction, and large files without a copy."""

    @override
    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        # A file of a process that has ended may be in the staging table already.
        if not restore and self._can_merge(table, file_path):
            return MergeJob(file_path)
        if SqlLoadJob.is_sql_job(file_path):
            return SqlJob(file_path)
        return super().create_load_job(table, file_path, load_id, restore)

    def _can_merge(self, table: PreparedTableSchema, file_path: str) -> bool:
        path, file = Path(file_path), ParsedLoadJobFileName.parse(file_path)
        name, tables = file.table_name, self.schema.tables
        prepared: Any = table
        return (
            file.file_format == PARQUET
            and path.stat().st_size >= LEAST_BYTES
            and table["write_disposition"] == "merge"
            and not table.get(_SCOPE)
            and not table.get(_FILTER)
            and resolve_merge_strategy(tables, prepared, self.capabilities) == _DELETE_INSERT
            and not is_nested_table(prepared)
            and len(get_nested_tables(tables, name)) == 1
            and _is_alone(path, name)
            and set(pq.read_schema(path).names) <= _columns(table).keys()
        )


def _dataset_name(client: DuckDbClient) -> str:
    """Return the name of the dataset, whether or not the client uses the staging dataset now."""
    name, _ = client.create_dataset_names(client.schema, client.config)
    return name


def _is_alone(path: Path, table: str) -> bool:
    """Return whether a package has no other file with rows of a table, whatever its state."""
    files = [file.name for file in path.parents[1].glob(f"*_jobs/*.{PARQUET}")]
    return sum(ParsedLoadJobFileName.parse(name).table_name == table for name in files) == 1


def _columns(table: PreparedTableSchema) -> dict[str, Any]:
    """Return the columns of a table that are in the database."""
    return {name: column for name, column in table["columns"].items() if "data_type" in column}


def _rows(client: DuckDbClient, table: PreparedTableSchema, path: str) -> str:
    """Return a query of the rows of a file, as the staging table would hold them."""
    stored = set(pq.read_schema(path).names)
    escape = client.sql_client.escape_column_name
    selected = ", ".join(
        f"CAST({escape(name) if name in stored else 'NULL'}"
        f" AS {client.type_mapper.to_destination_type(column, table)}) AS {escape(name)}"
        for name, column in _columns(table).items()
    )
    literal = path.replace("'", "''")
    return f"(SELECT {selected} FROM read_parquet('{literal}'))"  # noqa: S608


class duckdb(dlt_duckdb):  # noqa: N801 - the name of the destination
    """dlt's destination `duckdb`, which takes the same arguments."""

    @property
    @override
    def destination_type(self) -> str:
        # The type is in the state of pipelines, where it must be that of dlt's destination.
        return "dlt.destinations.duckdb"

    @property
    @override
    def client_class(self) -> type[Client]:
        return Client


def with_direct_merge(destination: Destination[Any, Any]) -> Destination[Any, Any]:
    """Return a destination that merges files for dlt's `duckdb`; others as they are."""
    if type(destination) is dlt_duckdb:
        return duckdb(**destination.config_params, **destination.caps_params)
    return destination
