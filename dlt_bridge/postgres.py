"""dlt's destination `postgres`, with CSV files whose values are loaded exactly.

dlt 1.31 copies CSV files with FORCE_NULL for every nullable column. Then an empty text becomes
NULL, although texts are quoted in the files and nulls are not. INSERT statements are exact, but
several times slower. So this destination copies the files itself. Everything else is dlt's.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from dlt.common.destination.configuration import CsvFormatConfiguration
from dlt.common.storages.file_storage import FileStorage
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations import postgres as dlt_postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresCsvCopyJob
from typing_extensions import override

from dlt_bridge.destinations.file_formats import CSV

if TYPE_CHECKING:
    from dlt.common.destination import Destination
    from dlt.common.destination.client import LoadJob
    from dlt.common.destination.typing import PreparedTableSchema

#: Bytes to read from a file at a time.
READ_BYTES = 1024 * 1024


class CopyJob(PostgresCsvCopyJob):
    """Copies a CSV file in which texts are quoted, and an empty value without quotes is null."""

    @override
    def run(self) -> None:
        sql = self._job_client.sql_client
        form = self._job_client.config.csv_format or CsvFormatConfiguration()
        with FileStorage.open_zipsafe_ro(self._file_path, "rb") as file:
            names = list(self._job_client.schema.get_table_columns(self.load_table_name))
            if form.include_header:
                header = file.readline().decode(form.encoding)
                [names] = csv.reader([header], delimiter=form.delimiter)
            columns = ", ".join(sql.escape_column_name(name) for name in names)
            table = sql.make_qualified_table_name(self.load_table_name)
            with sql.begin_transaction(), sql.native_connection.cursor() as cursor:
                cursor.copy_expert(
                    f"COPY {table} ({columns}) FROM STDIN WITH (FORMAT CSV, NULL '',"
                    f" DELIMITER '{form.delimiter}', ENCODING '{form.encoding}')",
                    file,
                    size=READ_BYTES,
                )


class Client(PostgresClient):
    """A client that copies CSV files exactly."""

    @override
    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        if ParsedLoadJobFileName.parse(file_path).file_format == CSV:
            return CopyJob(file_path)
        return super().create_load_job(table, file_path, load_id, restore)


class postgres(dlt_postgres):  # noqa: N801 - the name of the destination
    """dlt's destination `postgres`, which takes the same arguments."""

    #: Whether CSV files tell empty texts from nulls.
    exact_csv = True

    @property
    @override
    def destination_type(self) -> str:
        # The type is in the state of pipelines, where it must be that of dlt's destination.
        return "dlt.destinations.postgres"

    @property
    @override
    def client_class(self) -> type[Client]:
        return Client


def with_exact_csv(destination: Destination[Any, Any]) -> Destination[Any, Any]:
    """Return a destination with exact CSV files for dlt's `postgres`; others as they are."""
    if type(destination) is dlt_postgres:
        return postgres(**destination.config_params)
    return destination
