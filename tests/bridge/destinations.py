"""The destinations that the bridge is tested with: how to load there, and what is there then."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import closing, contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

import dlt
import duckdb
import psycopg2
import psycopg2.extras
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from typing_extensions import override

from dlt_bridge.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest
    from dlt.common.destination import Destination
    from postgres import PostgresServer

DATASET = "data"
# Columns of the bridge and of dlt.
TIMES = ("_sdc_extracted_at", "_sdc_received_at", "_sdc_batched_at")
OWN = ("_sdc_sequence", "_sdc_table_version", "_dlt_", *TIMES)
#: The other columns, in a query of DuckDB.
DATA = "columns('^([^_]|_sdc_deleted_at)')"


class Warehouse(ABC):
    """A destination of a test, read with its own client and not with dlt.

    Attributes:
        options: The arguments that `pipeline.run` needs to load there.
    """

    options: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def destination(self) -> Destination[Any, Any]:
        """Return the destination as dlt knows it."""

    @abstractmethod
    def fetched(self, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Return the columns of a table and every row; JSON as its text."""

    def read(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return columns of a table; rows in the order in which the tap wrote them."""
        names, rows = self.fetched(table)
        rows.sort(key=itemgetter(names.index("_sdc_sequence")))
        places = [names.index(column) for column in columns]
        return [tuple(row[place] for place in places) for row in rows]

    def columns(self, table: str) -> set[str]:
        """Return the columns of a table, without those of the bridge and of dlt."""
        names, _ = self.fetched(table)
        return {name for name in names if not name.startswith(OWN)}


class Database(Warehouse):
    """A destination whose tables may be changed by hand."""

    @abstractmethod
    def execute(self, *statements: str) -> None:
        """Do what somebody does in the database by hand."""

    @abstractmethod
    def query(self, text: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the settings that target-dlt needs to load there."""


class DuckDB(Database):
    """One DuckDB file.

    Args:
        folder: Where the file is to be.
    """

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "w.duckdb")

    @override
    def destination(self) -> Destination[Any, Any]:
        return dlt.destinations.duckdb(self.path)

    @override
    def execute(self, *statements: str) -> None:
        with duckdb.connect(self.path) as database:
            for statement in statements:
                database.execute(statement)

    @override
    def query(self, text: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.path) as database:
            return database.execute(text).fetchall()

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"destination": "duckdb", "credentials": self.path, "dataset_name": DATASET}

    @override
    def fetched(self, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        return _rows(self.table(table))

    def table(self, table: str) -> pa.Table:
        """Return a table as Arrow has it."""
        with duckdb.connect(self.path) as database:
            database.execute("set timezone = 'UTC'")
            query = f'select * from {DATASET}."{table}"'
            return database.execute(query).to_arrow_table()


class Postgres(Database):
    """One PostgreSQL database.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @override
    def destination(self) -> Destination[Any, Any]:
        return dlt.destinations.postgres(self.url)

    @override
    def execute(self, *statements: str) -> None:
        with closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            for statement in statements:
                connection.cursor().execute(statement)

    @override
    def query(self, text: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.url)) as connection:
            cursor = connection.cursor()
            cursor.execute(text)
            return list(cursor.fetchall())

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"destination": "postgres", "credentials": self.url, "dataset_name": DATASET}

    @override
    def fetched(self, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        with closing(psycopg2.connect(self.url, options="-c timezone=UTC")) as connection:
            # Or numbers within JSON would become floats.
            psycopg2.extras.register_default_jsonb(connection, loads=str)
            cursor = connection.cursor()
            cursor.execute(f'select * from {DATASET}."{table}"')
            rows = [tuple(map(_bytes, row)) for row in cursor.fetchall()]
            return [column.name for column in cursor.description], rows


class ExactPostgres(Postgres):
    """One PostgreSQL database, loaded as by `dlt singer` and target-dlt."""

    @override
    def destination(self) -> Destination[Any, Any]:
        return postgres(self.url)


def _rows(table: pa.Table) -> tuple[list[str], list[tuple[Any, ...]]]:
    columns = [column.to_pylist() for column in table.columns]
    return table.column_names, list(zip(*columns, strict=True))


def _bytes(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


class Parquet(Warehouse):
    """A folder of Parquet files.

    Args:
        folder: Where the folder is to be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "files"

    @override
    def destination(self) -> Destination[Any, Any]:
        return dlt.destinations.filesystem(str(self.folder))

    @override
    def fetched(self, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        return _rows(self.table(table))

    def table(self, table: str) -> pa.Table:
        """Return a table as Arrow has it."""
        files = (self.folder / DATASET / table).glob("*.parquet")
        tables = [pq.read_table(file) for file in files]
        return pa.concat_tables(tables, promote_options="default")


class Delta(Parquet):
    """A folder of Delta tables."""

    options: ClassVar[Mapping[str, Any]] = {"table_format": "delta"}

    @override
    def table(self, table: str) -> pa.Table:
        return DeltaTable(self.folder / DATASET / table).to_pyarrow_table()


#: Destinations whose rows can be deleted and counted by SQL.
SQL = ("duckdb", "postgres")
#: Destinations that hold one row a key.
MERGING = (*SQL, "delta")
EVERY = (*MERGING, "parquet")
#: Those whose files tell texts and nulls apart in ways of their own.
EVERY_FILE = (*EVERY, "exact postgres")


@contextmanager
def opened(request: pytest.FixtureRequest, folder: Path) -> Iterator[Warehouse]:
    """Yield the destination that the parameter of a fixture names, with nothing in it.

    Args:
        request: The request of the fixture.
        folder: Where its files are to be.
    """
    if "postgres" not in request.param:
        folders: dict[str, type[DuckDB | Parquet]] = {
            "duckdb": DuckDB,
            "parquet": Parquet,
            "delta": Delta,
        }
        yield folders[request.param](folder)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as url:
        yield Postgres(url) if request.param == "postgres" else ExactPostgres(url)
