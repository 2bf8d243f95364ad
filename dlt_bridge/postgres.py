"""dlt's PostgreSQL, with CSV files that arrive exactly.

dlt 1.31 copies CSV files with FORCE_NULL for every column that may be null, so that an empty text
becomes NULL, though its files tell the two apart: texts are quoted, and nulls are not. The way
around, INSERT statements, takes several times as long. So this destination copies them itself; all
else is dlt's.
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

#: Bytes that are read from a file at once.
BLOCK = 1024 * 1024


class CopyJob(PostgresCsvCopyJob):
    """Copies a CSV file in which texts are in quotes, and an empty value without them is null."""

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
                    size=BLOCK,
                )


class Client(PostgresClient):
    """Copies CSV files exactly."""

    @override
    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        if ParsedLoadJobFileName.parse(file_path).file_format == CSV:
            return CopyJob(file_path)
        return super().create_load_job(table, file_path, load_id, restore)


class postgres(dlt_postgres):  # noqa: N801 - the name of the destination
    """dlt's destination `postgres`, which takes the same arguments."""

    #: Empty texts and nulls are told apart in CSV files.
    exact_csv = True

    @property
    @override
    def destination_type(self) -> str:
        # A pipeline's state names its destination, and it is the same one.
        return "dlt.destinations.postgres"

    @property
    @override
    def client_class(self) -> type[Client]:
        return Client


def with_exact_csv(destination: Destination[Any, Any]) -> Destination[Any, Any]:
    """Return a destination with exact CSV files in the place of dlt's `postgres`."""
    if type(destination) is dlt_postgres:
        return postgres(**destination.config_params)
    return destination
