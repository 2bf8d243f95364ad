"""`run`: loads one account."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dlt_bridge.accounts.leases import AccountBusyError
from dlt_bridge.accounts.ledger import Ledger
from dlt_bridge.accounts.result import AccountResult
from dlt_bridge.destinations.clients import resolve_destination_config
from dlt_bridge.destinations.destination import CHECKPOINT_SECONDS, DRIVER
from dlt_bridge.run.checkpoints import committed_packages, load_leftovers
from dlt_bridge.run.failures import sentence
from dlt_bridge.run.locks import exclusive
from dlt_bridge.run.pipelines import PipelineSpec, make_local_pipeline
from dlt_bridge.run.progress import RunWatch
from dlt_bridge.run.redaction import one_line_logs
from dlt_bridge.run.report import Report
from dlt_bridge.run.signals import exit_if_signalled, stoppable
from dlt_bridge.source import singer
from dlt_bridge.tables import state_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from dlt import Pipeline
    from dlt.extract import DltSource

    from dlt_bridge.accounts.account import Account
    from dlt_bridge.accounts.leases import Lease
    from dlt_bridge.tables.driver import Driver

#: Seconds for which a run waits while another process has the DuckDB file open.
FILE_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Warehouse:
    """Where accounts are loaded: a dataset that they share.

    Attributes:
        destination: The name of a dlt destination.
        dataset_name: The dataset.
        credentials: The credentials of the destination; None to use dlt's configuration.
        pipelines_dir: The folder for working files; None for dlt's default.
    """

    destination: str
    dataset_name: str
    credentials: Any = None
    pipelines_dir: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `run`."""
        return asdict(self)

    def pipeline(self, name: str) -> Pipeline:
        """Make the pipeline of an account.

        Args:
            name: The name of the pipeline.

        Raises:
            BridgeError: As for `make_pipeline`.
        """
        in_turn = {"wait_seconds": FILE_SECONDS} if self.destination == "duckdb" else {}
        return make_local_pipeline(
            PipelineSpec(
                destination=self.destination,
                pipeline=name,
                dataset=self.dataset_name,
                credentials=self.credentials,
                options=in_turn,
                folder=self.pipelines_dir,
            )
        )

    def shared_by(self, tap: str) -> Self:
        """Return the warehouse with one DuckDB file for all accounts of a tap.

        Without credentials, dlt gives each pipeline a file of its own.

        Args:
            tap: The name of the tap's source: the name of the file, unless dlt's configuration has
                another.
        """
        if self.destination != "duckdb" or self.credentials is not None:
            return self
        with TemporaryDirectory() as folder:
            pipeline = replace(self, pipelines_dir=folder).pipeline(tap)
            file = str(resolve_destination_config(pipeline)).removeprefix("duckdb:///")
        return replace(self, credentials=file)

    @contextmanager
    def opened(self) -> Iterator[Pipeline]:
        """Give a pipeline of no account, to read what is in the dataset."""
        # The working files of no account: a run of it may be under way.
        with TemporaryDirectory() as folder:
            yield replace(self, pipelines_dir=folder).pipeline("singer_accounts")


def run(  # noqa: PLR0913 - the settings of a destination
    account: Account,
    *,
    destination: str = "duckdb",
    dataset_name: str,
    credentials: Any = None,  # noqa: ANN401
    pipelines_dir: str | None = None,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    watch: RunWatch | None = None,
    **arguments: Any,  # noqa: ANN401
) -> AccountResult:
    """Load one account. It can be run again at any time, on any machine.

    Args:
        account: The account.
        destination: The name of a dlt destination.
        dataset_name: The dataset, which all accounts share.
        credentials: The credentials of the destination; None to use dlt's configuration.
        pipelines_dir: The folder for working files; None for dlt's default.
        checkpoint_every: Seconds after which the tap's next STATE commits.
        watch: Looks how far the run is; None for nobody.
        arguments: Arguments of `pipeline.run`, such as `loader_file_format`.

    Returns:
        What the run has done. A run that fails raises nothing: its result has the failure.
    """
    start_time = time.monotonic()
    run_of_account = _Run(account, checkpoint_every, watch or RunWatch(), arguments)
    result = run_of_account.result
    warehouse = Warehouse(
        destination=destination,
        dataset_name=dataset_name,
        credentials=credentials,
        pipelines_dir=pipelines_dir,
    )
    try:
        with one_line_logs(), stoppable():
            shared = warehouse.shared_by(account.tap_name)
            pipeline = shared.pipeline(account.source_name)
            with Ledger(pipeline, name=account.lease_name).hold(account.name) as lease:
                run_of_account.load(pipeline, lease)
    except AccountBusyError as error:
        result.is_busy, result.failure = True, str(error)
    except Exception as error:  # noqa: BLE001 - the failure of one account is its result
        exit_if_signalled()
        result.failure = result.failure or sentence(error)
    result.seconds = time.monotonic() - start_time
    return result


class _Run:
    """A run of one account.

    Args:
        account: The account.
        checkpoint_every: Seconds after which the tap's next STATE commits.
        watch: Looks how far the run is.
        arguments: Arguments of `pipeline.run`.

    Attributes:
        result: What the run has done so far.
    """

    def __init__(
        self,
        account: Account,
        checkpoint_every: float,
        watch: RunWatch,
        arguments: Mapping[str, Any],
    ) -> None:
        self._account = account
        self._checkpoint_every = checkpoint_every
        self._watch = watch
        self._arguments = arguments
        self.result = AccountResult(account=account.name, part=account.part)

    def load(self, pipeline: Pipeline, lease: Lease) -> None:
        """Load the account while its lease is held, and write to the lease how it ended.

        A run that a signal stops writes nothing: it counts as failed.
        """
        try:
            with exclusive(pipeline):
                self._load(pipeline, lease)
        except Exception as error:  # noqa: BLE001 - any error is the outcome of this account
            # It may stand for a signal, if a library has replaced the exit.
            exit_if_signalled()
            self.result.failure = sentence(error)
        lease.result = self.result

    def _load(self, pipeline: Pipeline, lease: Lease) -> None:
        load_leftovers(pipeline)
        source = self._source()
        report = Report(pipeline, [name for name in source.resources.selected if name != DRIVER])

        def before_commit() -> None:
            lease.check()
            self._watch.load()

        try:
            for package in committed_packages(
                pipeline,
                source,
                checkpoint_every=self._checkpoint_every,
                before_commit=before_commit,
                at_start=self._watch.begin,
                at_end=self._measure,
                **self._arguments,
            ):
                report.add(package)
                self._watch.commit()
        finally:
            self._add(report)
        saved = state_store.saved_state(pipeline.state, self._account.source_name)
        self.result.bookmarks = saved.get("bookmarks", {})

    def _source(self) -> DltSource:
        account = self._account
        return singer(
            account.tap,
            account.config,
            catalog=account.catalog,
            account=account.name,
            name=account.source_name,
            **account.options,
        )

    def _measure(self, driver: Driver) -> None:
        result = self.result
        result.requests, result.waited = driver.requests, driver.waited
        result.warnings = driver.warnings

    def _add(self, report: Report) -> None:
        result = self.result
        result.rows = {stream: loaded.rows for stream, _, loaded in report.entries()}
        result.bytes = sum(loaded.size for loaded in report.tables.values())
        result.packages = report.packages
        result.new_columns = {
            table: loaded.columns for table, loaded in report.tables.items() if loaded.columns
        }
