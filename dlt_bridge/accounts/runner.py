"""`run`: loads one account."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dlt_bridge.accounts.result import AccountResult
from dlt_bridge.destinations.destination import CHECKPOINT_SECONDS, DRIVER
from dlt_bridge.run.checkpoints import committed_packages, load_leftovers
from dlt_bridge.run.failures import sentence
from dlt_bridge.run.locks import exclusive
from dlt_bridge.run.pipelines import PipelineSpec, make_local_pipeline
from dlt_bridge.run.report import Report
from dlt_bridge.source import singer
from dlt_bridge.tables import state_store

if TYPE_CHECKING:
    from dlt_bridge.accounts.account import Account


def run(  # noqa: PLR0913 - the settings of a destination
    account: Account,
    *,
    destination: str = "duckdb",
    dataset_name: str,
    credentials: Any = None,  # noqa: ANN401
    pipelines_dir: str | None = None,
    checkpoint_every: float = CHECKPOINT_SECONDS,
) -> AccountResult:
    """Load one account. It can be run again at any time, on any machine.

    Args:
        account: The account.
        destination: The name of a dlt destination.
        dataset_name: The dataset, which all accounts share.
        credentials: The credentials of the destination; None to use dlt's configuration.
        pipelines_dir: The folder for working files; None for dlt's default.
        checkpoint_every: Seconds after which the tap's next STATE commits.

    Returns:
        What the run has done. A run that fails raises nothing: its result has the failure.
    """
    start_time = time.monotonic()
    result = AccountResult(account=account.name)
    spec = PipelineSpec(
        destination=destination,
        pipeline=account.source_name,
        dataset=dataset_name,
        credentials=credentials,
        folder=pipelines_dir,
    )
    try:
        pipeline = make_local_pipeline(spec)
        with exclusive(pipeline):
            load_leftovers(pipeline)
            source = singer(
                account.tap,
                account.config,
                catalog=account.catalog,
                account=account.name,
                name=account.source_name,
                **account.options,
            )
            streams = [name for name in source.resources.selected if name != DRIVER]
            report = Report(pipeline, streams)
            try:
                for package in committed_packages(
                    pipeline, source, checkpoint_every=checkpoint_every
                ):
                    report.add(package)
            finally:
                result.rows = {stream: loaded.rows for stream, _, loaded in report.entries()}
                result.bytes = sum(loaded.size for loaded in report.tables.values())
                result.packages, result.warnings = report.packages, report.warnings
                result.new_columns = {
                    table: loaded.columns
                    for table, loaded in report.tables.items()
                    if loaded.columns
                }
            saved = state_store.saved_state(pipeline.state, account.source_name)
            result.bookmarks = saved.get("bookmarks", {})
    except Exception as error:  # noqa: BLE001 - the failure of one account is its result
        result.failure = sentence(error)
    result.seconds = time.monotonic() - start_time
    return result
