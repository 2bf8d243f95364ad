"""Loads rows without a key once, even if the run is killed while it loads them.

See `open_loads` for runs that continue elsewhere. If the same package continues from its files, dlt
does not know of some of them whether they were loaded: it loads them again. So the rows of their
tables are deleted first, and all files of these tables are loaded from the start.

Like `dlt_private`, this module depends on private parts of dlt, which
`tests/bridge/test_dlt_private.py` checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt.common.schema import utils as schema_utils
from dlt.common.storages.load_package import commit_load_package_state, load_package_state
from dlt.destinations.job_client_impl import SqlJobClientBase
from typing_extensions import override

from dlt_bridge.arrow.metadata_columns import LOAD_ID
from dlt_bridge.destinations.destination import KEYLESS
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.destinations.open_loads import OpenLoads
from dlt_bridge.destinations.quick_load import QuickLoad

if TYPE_CHECKING:
    from collections.abc import Collection

#: Key of a package's state: it was entered in the table of open loads.
ENTERED = "dlt_bridge_entered"
#: Destinations with the statements that open loads need.
DESTINATIONS = frozenset(
    {
        *("bigquery", "databricks", "duckdb", "fabric", "motherduck", "mssql", "postgres"),
        *("redshift", "snowflake", "sqlalchemy", "synapse"),
    }
)
#: Formats of files that dlt writes when others are loaded.
FOLLOWUPS = frozenset({"sql", "reference"})


class LoadOnce(QuickLoad):
    """The load step of dlt, which loads rows without a key once."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **options)
        # The tables without a key that the package has rows for.
        self._keyless: frozenset[str] = frozenset()
        self._is_committed = False

    @override
    def load_single_package(self, load_id: str, schema: Any) -> None:
        self._keyless = self._keyless_tables(load_id, schema)
        self._is_committed = False
        super().load_single_package(load_id, schema)

    @override
    def initialize_package(self, load_id: str, schema: Any, new_jobs: Any) -> Any:
        if not self._keyless:
            return super().initialize_package(load_id, schema, new_jobs)
        state: Any = load_package_state()["state"]
        if state.get(ENTERED):
            self._continue_package(load_id, schema)
            return super().initialize_package(load_id, schema, self.get_new_jobs_info(load_id))
        # This creates the tables. No file is loaded yet.
        running = super().initialize_package(load_id, schema, new_jobs)
        with self.get_destination_client(schema) as client:
            _open_loads(client).begin(load_id, self._keyless)
        state[ENTERED] = True
        commit_load_package_state()
        return running

    @override
    def get_destination_client(self, schema: Any) -> Any:
        client: Any = super().get_destination_client(schema)
        if self._keyless:
            complete = client.complete_load
            client.complete_load = lambda load_id: self._complete(load_id, client, complete)
        return client

    def _complete(self, load_id: str, client: Any, complete: Any) -> None:  # noqa: ANN401
        if not self._is_committed:
            _open_loads(client).commit(load_id, complete)

    def _continue_package(self, load_id: str, schema: Any) -> None:  # noqa: ANN401
        """Prepare a package that another process has begun to load.

        Raises:
            DiscardedPackageError: A run elsewhere has discarded it.
        """
        with self.get_destination_client(schema) as client:
            loads = _open_loads(client)
            self._is_committed = loads.is_committed(load_id)
            uncertain = set() if self._is_committed else self._uncertain_tables(load_id, schema)
            if uncertain:
                staged = filter(client.should_load_data_to_staging_dataset, uncertain)
                loads.delete_rows(load_id, uncertain, list(staged))
                self._restart_jobs(load_id, uncertain)

    def _uncertain_tables(self, load_id: str, schema: Any) -> set[str]:  # noqa: ANN401
        """Return the tables without a key of which it is not known what is loaded."""
        roots = {
            _root(schema, job.table_name)
            for folder, job in self._all_jobs(load_id)
            if job.table_name in self._keyless and not self._is_certain(load_id, folder, job)
        }
        return {table for table in self._keyless if _root(schema, table) in roots}

    def _is_certain(self, load_id: str, folder: str, job: Any) -> bool:  # noqa: ANN401
        """Return whether it is known that a file is loaded, or that it is not."""
        if folder == "started_jobs":
            noted = self.load_storage.normalized_packages.load_pending_transition
            return (noted(load_id, job.file_name()) or ("",))[0] == "completed"
        # An attempt that failed may have failed after its commit.
        return not job.retry_count

    def _restart_jobs(self, load_id: str, tables: Collection[str]) -> None:
        """Make all files of some tables new, and remove those that dlt has written for them."""
        packages = self.load_storage.normalized_packages
        for folder, job in self._all_jobs(load_id):
            if job.table_name not in tables:
                continue
            name = job.file_name()
            if job.file_format in FOLLOWUPS:
                packages.storage.delete(packages.get_job_file_path(load_id, folder, name))
            elif folder != "new_jobs":
                packages._move_job(load_id, folder, "new_jobs", name)  # noqa: SLF001
            packages.clear_pending_transition(load_id, name)

    def _keyless_tables(self, load_id: str, schema: Any) -> frozenset[str]:  # noqa: ANN401
        """Return the tables that the package has rows without a key for."""
        if not self._has_open_loads():
            return frozenset()
        state: Any = load_package_state()["state"]
        roots = state.get(KEYLESS, {})
        column = schema.naming.normalize_identifier(LOAD_ID)
        return frozenset(
            name
            for name in {job.table_name for _, job in self._all_jobs(load_id) if roots}
            if _root(schema, name) in roots and column in schema.tables[name]["columns"]
        )

    def _has_open_loads(self) -> bool:
        kind = self.destination.destination_type.rpartition(".")[2]
        return kind in DESTINATIONS and issubclass(self.destination.client_class, SqlJobClientBase)


def _open_loads(client: Any) -> OpenLoads:  # noqa: ANN401
    return OpenLoads(client, running_pipeline().pipeline_name)


def _root(schema: Any, table: str) -> str:  # noqa: ANN401
    return str(schema_utils.get_root_table(schema.tables, table)["name"])
