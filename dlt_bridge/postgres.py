"""dlt's destination `postgres`, which copies Parquet and CSV files exactly and without a driver.

dlt 1.31 needs a driver of ADBC for Parquet files. Without it, dlt writes them again as compressed
CSV files, which takes longer than anything else. It copies CSV files with FORCE_NULL for every
nullable column: then an empty text becomes NULL, although texts are quoted in the files and nulls
are not. INSERT statements are exact, but many times slower. So this destination copies the files
itself.

And where several pipelines load into one dataset, two of them may create one table, or add one
column, at the same time: dlt's destination fails, and this one tries it again. Everything else is
dlt's.
"""

from __future__ import annotations

import csv
import random
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from dlt.common.destination.configuration import CsvFormatConfiguration
from dlt.common.storages.file_storage import FileStorage
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations import postgres as dlt_postgres
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.impl.postgres.factory import PostgresTypeMapper
from dlt.destinations.impl.postgres.postgres import (
    PostgresClient,
    PostgresCsvCopyJob,
    PostgresParquetCopyJob,
)
from typing_extensions import override

from dlt_bridge.destinations.csv_copy import CsvCopy
from dlt_bridge.destinations.file_formats import CSV, PARQUET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dlt.common.destination import Destination, DestinationCapabilitiesContext
    from dlt.common.destination.client import LoadJob
    from dlt.common.destination.typing import PreparedTableSchema
    from dlt.common.schema.typing import TColumnSchema

#: Bytes to read from a file at a time.
READ_BYTES = 1024 * 1024
#: How often tables are created or changed if other runs do the same at the same time, and the most
#: seconds between two attempts.
ATTEMPTS = 20
LONGEST_PAUSE = 0.2
#: Codes of errors of two such runs: a schema, table, column or other object exists; a row of the
#: catalog exists, or was updated; a deadlock. (PostgreSQL's documentation, appendix A.)
CHANGED_BY_OTHERS = frozenset({"42P06", "42P07", "42701", "42710", "23505", "XX000", "40P01"})


class CsvJob(PostgresCsvCopyJob):
    """Copies a CSV file in which texts are quoted, and an empty value without quotes is null."""

    @override
    def run(self) -> None:
        form = self._job_client.config.csv_format or CsvFormatConfiguration()
        with FileStorage.open_zipsafe_ro(self._file_path, "rb") as file:
            names = list(self._job_client.schema.get_table_columns(self.load_table_name))
            if form.include_header:
                header = file.readline().decode(form.encoding)
                [names] = csv.reader([header], delimiter=form.delimiter)
            _copy(self, names, file, f"DELIMITER '{form.delimiter}', ENCODING '{form.encoding}'")


class ParquetJob(PostgresParquetCopyJob):
    """Copies a Parquet file as CSV, without a file between."""

    @override
    def run(self) -> None:
        with closing(CsvCopy(self._file_path)) as file:
            _copy(self, file.columns, file, "ENCODING 'utf-8'")


def _copy(job: CsvJob | ParquetJob, names: Iterable[str], file: Any, options: str) -> None:  # noqa: ANN401
    client: Any = job._job_client  # noqa: SLF001
    sql = client.sql_client
    columns = ", ".join(sql.escape_column_name(name) for name in names)
    table = sql.make_qualified_table_name(job.load_table_name)
    with sql.begin_transaction(), sql.native_connection.cursor() as cursor:
        cursor.copy_expert(
            f"COPY {table} ({columns}) FROM STDIN WITH (FORMAT CSV, NULL '', {options})",
            file,
            size=READ_BYTES,
        )


class TypeMapper(PostgresTypeMapper):
    """Stores JSON as `jsonb`, from files of any format."""

    @override
    def to_destination_type(self, column: TColumnSchema, table: PreparedTableSchema) -> str:
        # dlt's own copy of Parquet files can't write it.
        return super().to_destination_type(column, {**table, "file_format": "csv"})


class Client(PostgresClient):
    """A client that copies files exactly, and creates tables while others create the same ones."""

    @override
    def initialize_storage(self, truncate_tables: Iterable[str] | None = None) -> None:
        _repeated(lambda: super(Client, self).initialize_storage(truncate_tables))  # type: ignore[arg-type]

    @override
    def update_stored_schema(self, *args: Any, **options: Any) -> Any:
        return _repeated(lambda: super(Client, self).update_stored_schema(*args, **options))

    @override
    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        jobs = {CSV: CsvJob, PARQUET: ParquetJob}
        if job := jobs.get(ParsedLoadJobFileName.parse(file_path).file_format):
            return job(file_path)
        return super().create_load_job(table, file_path, load_id, restore)


def _repeated(change: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Change the tables, and try it again if another run has changed them at the same time.

    dlt compares the tables with its schema at each attempt, in one transaction with the change.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return change()
        except DatabaseException as error:
            code = getattr(error.dbapi_exception, "pgcode", None)
            if code not in CHANGED_BY_OTHERS:
                raise
            # Of several runs, those that failed together should not meet again.
            time.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311
    return change()


class postgres(dlt_postgres):  # noqa: N801 - the name of the destination
    """dlt's destination `postgres`, which takes the same arguments."""

    #: Whether it copies Parquet files exactly.
    copies_parquet = True

    @property
    @override
    def destination_type(self) -> str:
        # The type is in the state of pipelines, where it must be that of dlt's destination.
        return "dlt.destinations.postgres"

    @override
    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        capabilities = super()._raw_capabilities()
        # It allows Parquet files only with a driver of ADBC.
        no_selector: Any = None
        capabilities.loader_file_format_selector = no_selector
        capabilities.type_mapper = TypeMapper
        return capabilities

    @property
    @override
    def client_class(self) -> type[Client]:
        return Client


def with_exact_copy(destination: Destination[Any, Any]) -> Destination[Any, Any]:
    """Return a destination that copies files exactly for dlt's `postgres`; others as they are."""
    if type(destination) is dlt_postgres:
        return postgres(**destination.config_params, **destination.caps_params)
    return destination
