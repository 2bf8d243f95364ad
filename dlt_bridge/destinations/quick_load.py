"""Loads the files of a package as dlt does, but merges many small tables in one job.

For each table, dlt writes the SQL of its merge to a file, and runs it in a job and a transaction of
its own. Here, files that are loaded wait for each other, and their tables are merged in groups. A
file that waits has the mark that dlt gives to each loaded file. So if the process is killed, dlt
continues from there, even without the bridge: with one worker, as it may merge a table twice, and
DuckDB has no lock against that. (For Parquet files in PostgreSQL, dlt needs a driver of ADBC.)

If one table of a group can't be merged, each table is merged as dlt does, so that only that one
fails.

Like `dlt_private`, this module depends on private parts of dlt, which
`tests/bridge/test_dlt_private.py` checks.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.destination.client import HasFollowupJobs
from dlt.common.schema import utils as schema_utils
from dlt.common.storages.load_package import commit_load_package_state, load_package_state
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_jobs import SqlMergeFollowupJob
from dlt.load import utils as load_utils
from dlt.load.exceptions import TableChainFollowupJobCreationFailedException
from dlt.load.load import Load
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Destinations whose tables are merged in groups.
MERGING = frozenset({"duckdb", "postgres"})
#: Merge strategies after which a second merge of the same rows changes nothing. None is dlt's
#: default, which is the first of them.
REPEATABLE = frozenset({None, "delete-insert", "upsert", "insert-only"})
#: Hints of the columns by which rows are replaced.
KEYS = ("primary_key", "merge_key")
#: The most tables of one merge: PostgreSQL locks each of them, and has room for some thousands.
MERGED_TOGETHER = 100
#: The most bytes of a file whose table is merged with others. Merges of large tables run side by
#: side.
SMALL_BYTES = 1024 * 1024
#: States of jobs that have not ended, and of those that have failed.
RUNNING = ("ready", "running")
FAILED = ("failed", "retry")
#: Seconds between two times that the metrics of all jobs are written to the state of the package.
METRICS_SECONDS = 1.0
#: How long the merge of a group waits for the locks of its tables.
LOCK_TIMEOUT = "10s"
#: Key of a package's state: the files whose tables a job merges, by the job.
MERGES = "dlt_bridge_merges"


class MergeOfTables(SqlMergeFollowupJob):
    """A job that merges several tables, one after the other."""

    @classmethod
    @override
    def generate_sql(cls, table_chain: Sequence[Any], sql_client: Any) -> list[str]:
        make = super().generate_sql
        merges = [sql for table in table_chain for sql in make([table], sql_client)]
        if sql_client.capabilities.sqlglot_dialect != "postgres":
            return merges
        # If dlt merges a table again after a kill, one merge must see the rows of the other. Other
        # programs may hold a lock for long, which dlt's merge of one table would not wait for.
        names = [sql_client.make_qualified_table_name(table["name"]) for table in table_chain]
        return [
            f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'",
            f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE",
            "SET LOCAL lock_timeout TO DEFAULT",
            *merges,
        ]


class QuickLoad(Load):
    """The load step of dlt, for packages with many tables."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **options)
        staging: Any = self.staging_destination
        self._merges_groups = (
            self.config.raise_on_failed_jobs
            and staging is None
            and self.destination.destination_type.rpartition(".")[2] in MERGING
            and _merges_by_sql(self.destination.client_class)
        )
        # Whether files wait, by the name of the file.
        self._waits: dict[str, bool] = {}
        # The job that merges the table of a file, by the id of the job that loads the file.
        self._merges: dict[str, str] = {}
        # Whether jobs were started after the last look at them.
        self._has_started = False
        self._next_metrics = 0.0

    @override
    def load_single_package(self, load_id: str, schema: Any) -> None:
        self._remember_merges(load_id)
        super().load_single_package(load_id, schema)

    def _remember_merges(self, load_id: str) -> None:
        """Remember the merges of a process that was killed, so that no table is merged twice."""
        if merges := _merges_of_package():
            jobs = {job.job_id() for _, job in self._all_jobs(load_id)}
            self._merges = {
                file: merge for merge, files in merges.items() if merge in jobs for file in files
            }

    @override
    def complete_jobs(self, load_id: str, jobs: Sequence[Any], schema: Any) -> Any:
        # Each is looked at once, because it may end at any time.
        states = [(job, job.state()) for job in jobs]
        failed = [job for job, state in states if state in FAILED and self._is_group(job)]
        for job in failed:
            self._merge_one_by_one(load_id, job, schema)
        states = [(job, state) for job, state in states if job not in failed]
        running = [job for job, state in states if state in RUNNING]
        waiting = [
            job for job, state in states if state == "completed" and self._is_waiting(job, schema)
        ]
        ended = [job for job, _ in states if job not in running and job not in waiting]
        has_more = running or (self._has_started and self.load_storage.list_new_jobs(load_id))
        self._has_started = False
        # Whole groups, and the rest at the end.
        count = len(waiting) - (len(waiting) % MERGED_TOGETHER if has_more else 0)
        for start in range(0, count, MERGED_TOGETHER):
            self._merge(load_id, waiting[start : start + MERGED_TOGETHER], schema)
        ended += waiting[:count]
        running += waiting[count:]
        others, finalized, error = super().complete_jobs(load_id, ended, schema)
        return running + others, finalized, error

    @override
    def start_new_jobs(self, load_id: str, schema: Any, running_jobs: Sequence[Any]) -> Any:
        # It is not called after an error or a signal. Files that wait take no worker.
        self._has_started = True
        running = [job for job in running_jobs if not self._waits.get(job.file_name())]
        return super().start_new_jobs(load_id, schema, running)

    @override
    def create_followup_jobs(
        self, load_id: str, state: Any, starting_job: Any, schema: Any
    ) -> tuple[list[str], list[str], list[str]]:
        if merge := self._merges.get(starting_job.job_id()):
            return [], [merge], []
        return super().create_followup_jobs(load_id, state, starting_job, schema)

    @override
    def _persist_job_metrics_to_state(self) -> None:
        if time.monotonic() >= self._next_metrics:
            super()._persist_job_metrics_to_state()
            self._next_metrics = time.monotonic() + METRICS_SECONDS

    @override
    def complete_package(self, load_id: str, schema: Any, aborted: bool = False) -> None:
        super()._persist_job_metrics_to_state()
        super().complete_package(load_id, schema, aborted)

    @override
    def gather_metrics(self, load_id: str, schema: Any, state: Any) -> None:
        if state == "normalized":
            # The package is continued by another run.
            super()._persist_job_metrics_to_state()
        super().gather_metrics(load_id, schema, state)

    def _is_waiting(self, job: Any, schema: Any) -> bool:  # noqa: ANN401
        """Return whether a loaded file waits for others, to be merged with them."""
        name = job.file_name()
        if name not in self._waits:
            self._waits[name] = self._can_wait(job, schema)
        return self._waits[name]

    def _can_wait(self, job: Any, schema: Any) -> bool:  # noqa: ANN401
        """Return whether the table of a loaded file can be merged with others.

        It must have a key: if the process is killed, dlt may merge the table again, and without a
        key its rows would be there twice.
        """
        if (
            not self._merges_groups
            or not issubclass(type(job), HasFollowupJobs)
            or type(job).create_followup_jobs is not HasFollowupJobs.create_followup_jobs
            or Path(job._file_path).stat().st_size > SMALL_BYTES  # noqa: SLF001
        ):
            return False
        table = schema.tables[job.job_file_info().table_name]
        return (
            table.get("write_disposition") == "merge"
            and table.get("x-merge-strategy") in REPEATABLE
            and len(schema_utils.get_nested_tables(schema.tables, table["name"])) == 1
            and any(
                schema_utils.get_columns_names_with_prop(table, hint)
                for hint in ("primary_key", "merge_key")
            )
        )

    def _merge(self, load_id: str, waiting: Sequence[Any], schema: Any) -> None:  # noqa: ANN401
        """Make one job that merges the tables of some files, if these are all of their files."""
        loaded = {job.job_id(): job.job_file_info().table_name for job in waiting}
        loaded = {job: table for job, table in loaded.items() if job not in self._merges}
        files: defaultdict[str, list[Any]] = defaultdict(list)
        for folder, job in self._all_jobs(load_id):
            done = "completed_jobs" if job.job_id() in loaded else folder
            files[job.table_name].append((done, job))
        tables = [
            table
            for table in sorted(set(loaded.values()))
            if load_utils.get_completed_table_chain(schema, files[table], schema.tables[table])
        ]
        if len(tables) < 2:  # noqa: PLR2004 - dlt's own merge is of one
            return
        merged = [job for job, table in loaded.items() if table in tables]
        self._add_merge(load_id, MergeOfTables, tables, merged, schema)

    def _is_group(self, job: Any) -> bool:  # noqa: ANN401
        """Return whether a job merges several tables."""
        files: Sequence[str] = _merges_of_package().get(job.job_id(), ())
        return len({_table_of(file) for file in files}) > 1

    def _merge_one_by_one(self, load_id: str, group: Any, schema: Any) -> None:  # noqa: ANN401
        """Merge the tables of a group that has failed as dlt does: each in a job of its own."""
        merges, jobs = _merges_of_package(), {job.job_id() for _, job in self._all_jobs(load_id)}
        files: defaultdict[str, list[str]] = defaultdict(list)
        for file in merges[group.job_id()]:
            files[_table_of(file)].append(file)
        # Some have their job already, if the process was killed here.
        others = [merges[job] for job in merges.keys() & jobs if job != group.job_id()]
        for table, of_table in files.items():
            if of_table not in others:
                self._add_merge(load_id, SqlMergeFollowupJob, [table], of_table, schema)
        packages, name = self.load_storage.normalized_packages, group.file_name()
        packages.complete_job(load_id, name)
        packages.clear_pending_transition(load_id, name)
        self.collector.update("Jobs")

    def _add_merge(
        self,
        load_id: str,
        kind: type[SqlMergeFollowupJob],
        tables: Sequence[str],
        files: Sequence[str],
        schema: Any,  # noqa: ANN401
    ) -> None:
        """Add a job that merges tables, and remember it as that of their files."""
        client: Any = self.get_destination_client(schema)
        try:
            prepared = [client.prepare_load_table(table) for table in tables]
            merge = kind.from_table_chain(prepared, client.sql_client)
        except Exception as error:
            raise TableChainFollowupJobCreationFailedException(
                root_table_name=tables[0], details=str(error)
            ) from error
        # Saved before the job exists: without the job, it has no effect.
        state: Any = load_package_state()["state"]
        state.setdefault(MERGES, {})[merge.job_id()] = list(files)
        commit_load_package_state()
        self.load_storage.normalized_packages.import_job(load_id, merge.new_file_path())
        self.collector.update("Jobs", inc=0, inc_total=1)
        self._merges.update(dict.fromkeys(files, merge.job_id()))

    def _all_jobs(self, load_id: str) -> Sequence[Any]:
        """Return the files of a package, and how far they are."""
        return self.load_storage.normalized_packages.list_all_jobs_with_states(load_id)


def _merges_of_package() -> dict[str, list[str]]:
    """Return the files whose tables a job merges, by the job."""
    state: Any = load_package_state()["state"]
    merges: dict[str, list[str]] = state.get(MERGES, {})
    return merges


def _table_of(file: str) -> str:
    """Return the table of a file, by the id of the job that loads it."""
    return file.partition(".")[0]


def _merges_by_sql(client: Any) -> bool:  # noqa: ANN401
    """Return whether clients of a class merge tables by the SQL that is dlt's own."""
    return all(
        getattr(client, name) is getattr(SqlJobClientBase, name)
        for name in ("create_table_chain_completed_followup_jobs", "_create_merge_followup_jobs")
    )
