"""`load`: runs of a pipeline that commit one package after another while the tap is read."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dlt
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bridge.destinations.clients import make_client
from dlt_bridge.destinations.comments import DESTINATIONS, write_comments
from dlt_bridge.destinations.destination import (
    CHECKPOINT_SECONDS,
    adapt_destination,
    destination_type,
)
from dlt_bridge.destinations.dlt_private import own_signal_handlers, running_pipeline
from dlt_bridge.destinations.quick_tables import quick_tables
from dlt_bridge.destinations.staging import (
    DROPPED_IN,
    drop_staging,
    empty_staging,
    separate_staging,
)
from dlt_bridge.destinations.state_owner import drop_foreign_state, set_location
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.locks import exclusive
from dlt_bridge.run.recovery import (
    discard_after_restart,
    discard_if_sent_again,
    explaining_damage,
    repair_after_kill,
)
from dlt_bridge.run.redaction import one_line_logs, redact_trace, redacted
from dlt_bridge.run.signals import exit_if_signalled, stoppable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dlt import Pipeline
    from dlt.common.pipeline import LoadInfo
    from dlt.extract import DltSource

    from dlt_bridge.destinations.comments import Comments
    from dlt_bridge.tables.driver import Driver
    from dlt_bridge.tables.items import StreamItems


class Run:
    """One run of a tap, which fills one or several packages.

    Args:
        every: Seconds after which the next STATE ends a package.
        before_commit: Is called when a package is read, and keeps it from being loaded by raising
            an error.
        at_start: Is called with the driver when the tap is started.

    Attributes:
        driver: Reads the tap. None until the tap is started.
        stopped: Whether dlt stopped reading before the tap ended, as with `add_limit`.
    """

    def __init__(
        self,
        every: float,
        batch_size_rows: int | None = None,
        before_commit: Callable[[], None] | None = None,
        at_start: Callable[[Driver], None] | None = None,
    ) -> None:
        self._every = every
        self._batch_size_rows = batch_size_rows
        self._before_commit = before_commit
        self._at_start = at_start
        self.driver: Driver | None = None
        self.stopped = False
        self._open_client = ExitStack()
        self._client: Any = None
        self._comments: Comments = {}

    @property
    def ended(self) -> bool:
        """Whether there is no further package to fill."""
        return self.stopped or (self.driver is not None and self.driver.ended)

    def packages(self, start: Callable[[], Driver]) -> Iterator[StreamItems]:
        """Yield the items of the next package, and start the tap if it does not run yet."""
        # Release the DuckDB file while the tap is read.
        self._open_client.close()
        self._client = None
        if self.driver is None:
            self.driver = start()
            if self._at_start:
                self._at_start(self.driver)
        yield from self.driver.package(self._checkpoint_of(self.driver))
        if self._before_commit:
            self._before_commit()
        if destination_type() == "duckdb":
            # Keep the file open while dlt loads. Otherwise each job opens it again, which takes
            # longer the more tables there are.
            client = make_client(running_pipeline(), dlt.current.source_schema())
            self._client = self._open_client.enter_context(client.sql_client)

    def _checkpoint_of(self, driver: Driver) -> Callable[[], bool]:
        """Return a function that says whether the package that begins now is large enough."""
        start_time = time.monotonic()
        most = self._batch_size_rows
        before = sum(driver.received.values()) if most else 0

        def is_due() -> bool:
            if time.monotonic() - start_time >= self._every:
                return True
            return most is not None and sum(driver.received.values()) - before >= most

        return is_due

    def empty_staging(self, info: LoadInfo) -> None:
        """Empty the staging tables of a committed package, in a DuckDB file.

        When DuckDB closes the file, writing their rows takes as long as writing those of the
        tables.

        Args:
            info: What dlt reports of the package.
        """
        if self._client is not None:
            empty_staging(info, self._client)

    def write_comments(self, pipeline: Pipeline) -> None:
        """Write the descriptions of a committed package as comments, where the database has them.

        Args:
            pipeline: The pipeline.
        """
        comments = dict(self.driver.comments) if self.driver else {}
        destination: Any = pipeline.destination
        kind = destination.destination_type.rpartition(".")[2]
        if kind not in DESTINATIONS or comments == self._comments:
            return
        self._comments = comments
        if self._client is not None:
            write_comments(self._client, kind, comments)
            return
        with make_client(pipeline, pipeline.default_schema).sql_client as client:
            write_comments(client, kind, comments)

    def drop_staging(self, pipeline: Pipeline) -> None:
        """Drop the staging dataset of an account that is loaded, where it costs little.

        Args:
            pipeline: The pipeline.
        """
        destination: Any = pipeline.destination
        kind = destination.destination_type.rpartition(".")[2]
        if self.driver is None or self.driver.account is None or kind not in DROPPED_IN:
            return
        if self._client is not None:
            drop_staging(pipeline, self._client)
            return
        with make_client(pipeline, pipeline.default_schema).sql_client as client:
            drop_staging(pipeline, client)

    def close(self) -> None:
        """Stop the tap if it still runs, and close the destination."""
        self._open_client.close()
        if self.driver is not None:
            self.driver.close()


#: Arguments of `pipeline.run` that name the destination and the dataset.
LOCATION_ARGUMENTS = ("destination", "dataset_name", "credentials")
_run: ContextVar[Run | None] = ContextVar("run", default=None)


@contextmanager
def reading(start: Callable[[], Driver]) -> Iterator[Iterator[StreamItems]]:
    """Give the items of one package: up to a checkpoint within `load`, otherwise all of the tap.

    Args:
        start: Returns a new driver, which reads the tap.
    """
    # After a signal that a library has ignored, do not wait for a tap that may never write.
    exit_if_signalled()
    run = _run.get()
    packages = run.packages(start) if run else start().package()
    try:
        yield packages
    except GeneratorExit:
        if run:
            run.stopped = True
        raise
    finally:
        # If dlt stops within a package, stop the tap.
        packages.close()  # type: ignore[attr-defined]


def load(
    pipeline: Pipeline,
    source: DltSource,
    *,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    batch_size_rows: int | None = None,
    **arguments: Any,  # noqa: ANN401
) -> list[LoadInfo]:
    """Load a source of `singer`, and commit at regular checkpoints while the tap is read.

    Committed packages stay, even if the run fails later. The next run continues from the last
    checkpoint, on this machine or another. Packages that an earlier run left are loaded first.

    Args:
        pipeline: The pipeline to load with.
        source: A source of `singer` or `chat`.
        checkpoint_every: The tap's first STATE after this many seconds ends a package, which is
            then committed; 0 commits at each STATE.
        batch_size_rows: The tap's first STATE after this many rows ends a package, too.
        arguments: Arguments of `pipeline.run`, such as `refresh` or `schema_contract`.

    Returns:
        What dlt reports of each package.

    Raises:
        BridgeError: The tap or the load failed, the source is not one of `singer`, or what an
            earlier run left can't be loaded. All packages before it are loaded. Unlike the error of
            `pipeline.run`, its text shows no values of rows, which a database may quote.
    """
    error: BridgeError
    try:
        with one_line_logs(), stoppable(), exclusive(pipeline):
            infos = load_leftovers(
                pipeline, **{name: arguments.get(name) for name in LOCATION_ARGUMENTS}
            )
            # The pipeline has them now. Given again, dlt would look for its state without
            # credentials.
            for name in ("destination", "credentials"):
                arguments.pop(name, None)
            packages = committed_packages(
                pipeline,
                source,
                checkpoint_every=checkpoint_every,
                batch_size_rows=batch_size_rows,
                **arguments,
            )
            return infos + [package.info for package in packages]
    except PipelineStepFailed as failed:
        error = redacted(failed)
    except BridgeError as failed:
        # Where dlt has called the bridge is of no use.
        error = failed.with_traceback(None)
    # Raised outside the handler, so that the original is not in its context.
    raise error


@dataclass(frozen=True, slots=True)
class CommittedPackage:
    """A package that is in the destination.

    Attributes:
        info: What dlt reports of the package.
        state: The value of the STATE that it ends with, as JSON text; None if there is none.
        last: Whether the tap has ended.
        in_variants: How many values did not fit their column since the last package, by the
            variant column that holds them: `table.column`.
        warnings: How many warnings and errors the tap has logged in this run.
    """

    info: LoadInfo
    state: str | None
    last: bool
    in_variants: Counter[str] = field(default_factory=Counter)
    warnings: int = 0


def committed_packages(  # noqa: PLR0913 - the hooks of a run, each by its name
    pipeline: Pipeline,
    source: DltSource,
    *,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    batch_size_rows: int | None = None,
    before_commit: Callable[[], None] | None = None,
    at_start: Callable[[Driver], None] | None = None,
    at_end: Callable[[Driver], None] | None = None,
    **arguments: Any,  # noqa: ANN401
) -> Iterator[CommittedPackage]:
    """Load a source as `load` does, and yield each package when it is in the destination.

    Packages that an earlier run left are ignored.

    Args:
        pipeline: The pipeline to load with.
        source: A source of `singer` or `chat`.
        checkpoint_every: Seconds after which the tap's next STATE ends a package.
        batch_size_rows: Rows after which it ends one, too.
        before_commit: Is called when a package is read, and keeps it from being loaded by raising
            an error.
        at_start: Is called with the driver when the tap is started.
        at_end: Is called with the driver when the tap has ended, or was stopped.
        arguments: Arguments of `pipeline.run`.

    Raises:
        BridgeError: The source is not one of `singer`.
        PipelineStepFailed: The tap or the load failed.
    """
    run = Run(checkpoint_every, batch_size_rows, before_commit, at_start)
    reported = Counter[str]()
    dispositions = {name: part.write_disposition for name, part in source.resources.items()}
    try:
        while not run.ended:
            token = _run.set(run)
            try:
                with own_signal_handlers(pipeline), redact_trace(pipeline), quick_tables():
                    info = pipeline.run(source, **arguments)
            finally:
                _run.reset(token)
            if run.driver is None:
                raise BridgeError("load() takes a source of singer(). Use pipeline.run for others.")
            driver = run.driver
            total = driver.in_variants
            yield CommittedPackage(
                info, driver.saved_state, run.ended, total - reported, driver.warnings
            )
            reported = total
            # Only now is the STATE of the package written, too.
            run.empty_staging(info)
            run.write_comments(pipeline)
            exit_if_signalled()
            # `refresh` applies to the run, not to each of its packages.
            arguments.pop("refresh", None)
        run.drop_staging(pipeline)
    finally:
        # The driver changes the disposition of packages that end before the tap does.
        for name, disposition in dispositions.items():
            if disposition == "replace":
                source.resources[name].apply_hints(write_disposition=disposition)
        run.close()
        if at_end and run.driver:
            at_end(run.driver)


def load_leftovers(pipeline: Pipeline, **where: Any) -> list[LoadInfo]:  # noqa: ANN401
    """Load the packages that an earlier run left.

    This calls `normalize` and `load`, because `pipeline.run` loses the state of such packages where
    there is no dataset yet.

    Args:
        pipeline: The pipeline.
        where: Those arguments of `pipeline.run` that are in `LOCATION_ARGUMENTS`.

    Returns:
        What dlt reports of each package.

    Raises:
        BridgeError: The packages can't be loaded.
        PipelineStepFailed: Loading failed for a reason that has nothing to do with the packages.
    """
    infos = []
    discard_after_restart(pipeline)
    set_location(pipeline, **where)
    drop_foreign_state(pipeline)
    separate_staging(pipeline)
    adapt_destination(pipeline)
    with (
        explaining_damage(pipeline),
        own_signal_handlers(pipeline),
        redact_trace(pipeline),
        quick_tables(),
    ):
        repair_after_kill(pipeline)
        while pipeline.has_pending_data:
            try:
                pipeline.normalize()
                infos.append(pipeline.load(**where))
            except PipelineStepFailed as failed:
                if not discard_if_sent_again(pipeline, failed):
                    raise
    return infos
