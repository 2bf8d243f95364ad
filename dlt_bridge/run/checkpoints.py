"""Runs that commit package after package while the tap goes on."""

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
from dlt_bridge.destinations.destination import (
    CHECKPOINT_SECONDS,
    adapt_destination,
    destination_type,
)
from dlt_bridge.destinations.dlt_private import own_signal_handlers, running_pipeline
from dlt_bridge.destinations.staging import separate_staging
from dlt_bridge.destinations.state_owner import drop_foreign_state, set_location
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.leftovers import give_up_if_sent_again
from dlt_bridge.run.locks import exclusive
from dlt_bridge.run.logs import one_line_logs
from dlt_bridge.run.recovery import explaining_damage, give_up_after_restart, repair_after_kill
from dlt_bridge.run.redaction import redact_trace, redacted
from dlt_bridge.run.signals import stoppable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dlt import Pipeline
    from dlt.common.pipeline import LoadInfo
    from dlt.extract import DltSource

    from dlt_bridge.tables.driver import Driver
    from dlt_bridge.tables.items import StreamItems


class Run:
    """One run of a tap, over the packages that it fills.

    Args:
        every: Seconds after which the next STATE ends a package.

    Attributes:
        driver: Reads the tap, once it is started.
        stopped: dlt wanted no more of it, as with `add_limit`.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self.driver: Driver | None = None
        self.stopped = False
        self._held = ExitStack()

    @property
    def ended(self) -> bool:
        """Say whether there is no further package to fill."""
        return self.stopped or (self.driver is not None and self.driver.ended)

    def packages(self, start: Callable[[], Driver]) -> Iterator[StreamItems]:
        """Yield what belongs to the next package."""
        # Meanwhile the file is nobody's.
        self._held.close()
        self.driver = self.driver or start()
        begun = time.monotonic()
        yield from self.driver.package(lambda: time.monotonic() - begun >= self._every)
        if destination_type() == "duckdb":
            # Each job of dlt's opens the file, which takes the longer the more tables are in it,
            # unless the process has it open already.
            client = make_client(running_pipeline(), dlt.current.source_schema())
            self._held.enter_context(client.sql_client)

    def close(self) -> None:
        """Stop the tap, if it still runs, and let go of the destination."""
        self._held.close()
        if self.driver is not None:
            self.driver.close()


#: Arguments of `pipeline.run` that say where to load.
LOCATION_ARGUMENTS = ("destination", "dataset_name", "credentials")
_run: ContextVar[Run | None] = ContextVar("run", default=None)


@contextmanager
def reading(start: Callable[[], Driver]) -> Iterator[Iterator[StreamItems]]:
    """Read a package: all that the tap gives; or, within `load`, up to a checkpoint.

    Args:
        start: Makes the driver that reads the tap.
    """
    run = _run.get()
    packages = run.packages(start) if run else start().package()
    try:
        yield packages
    except GeneratorExit:
        if run:
            run.stopped = True
        raise
    finally:
        # If dlt stops in the midst of a package, so does the tap.
        packages.close()  # type: ignore[attr-defined]


def load(
    pipeline: Pipeline,
    source: DltSource,
    *,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    **arguments: Any,  # noqa: ANN401
) -> list[LoadInfo]:
    """Load a source of `singer`, and commit again and again while the tap goes on.

    What a run has committed stays, whatever happens after it; the next run goes on from its last
    checkpoint, on this machine or another. Packages that an earlier run left are loaded first.

    Args:
        pipeline: The pipeline to load with.
        source: The source.
        checkpoint_every: Seconds after which the tap's next STATE ends a package; 0 for each one.
        arguments: Of `pipeline.run`, such as `refresh` or `schema_contract`.

    Returns:
        What was loaded, package by package.

    Raises:
        BridgeError: The source is not one of `singer`, or what an earlier run left can't be loaded.
        PipelineStepFailed: The tap or the load failed. All packages before it are loaded. Its text
            shows no values of rows, which a database may quote; `pipeline.run` would show them.
    """
    try:
        with one_line_logs(), stoppable(), exclusive(pipeline):
            infos = load_leftovers(
                pipeline, **{name: arguments.get(name) for name in LOCATION_ARGUMENTS}
            )
            # The pipeline has them; dlt would look for its state without credentials.
            for name in ("destination", "credentials"):
                arguments.pop(name, None)
            packages = committed_packages(
                pipeline, source, checkpoint_every=checkpoint_every, **arguments
            )
            return infos + [package.info for package in packages]
    except PipelineStepFailed as failed:
        said = redacted(failed)
    # Raised outside of the handler, so that nobody finds the original.
    raise said


@dataclass(frozen=True, slots=True)
class CommittedPackage:
    """A package that is in the destination.

    Attributes:
        info: What dlt says of it.
        state: The value of the STATE that is kept with it, as JSON text; None if there is none.
        last: The tap has ended.
        beside: How many values did not fit their column since the package before, by the one that
            they are in: `table.column`.
        warnings: How many warnings and errors the tap has logged so far.
    """

    info: LoadInfo
    state: str | None
    last: bool
    beside: Counter[str] = field(default_factory=Counter)
    warnings: int = 0


def committed_packages(
    pipeline: Pipeline,
    source: DltSource,
    *,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    **arguments: Any,  # noqa: ANN401
) -> Iterator[CommittedPackage]:
    """Load a source as `load` does, and yield each package when it is in the destination.

    Packages that an earlier run left are not looked at.

    Args:
        pipeline: As for `load`.
        source: Likewise.
        checkpoint_every: Likewise.
        arguments: Likewise.

    Raises:
        BridgeError: The source is not one of `singer`.
        PipelineStepFailed: The tap or the load failed.
    """
    run, known = Run(checkpoint_every), Counter[str]()
    asked = {name: part.write_disposition for name, part in source.resources.items()}
    try:
        while not run.ended:
            token = _run.set(run)
            try:
                with own_signal_handlers(pipeline), redact_trace(pipeline):
                    info = pipeline.run(source, **arguments)
            finally:
                _run.reset(token)
            if run.driver is None:
                raise BridgeError("load() takes a source of singer(). Use pipeline.run for others.")
            driver = run.driver
            beside = driver.beside
            yield CommittedPackage(info, driver.kept, run.ended, beside - known, driver.warnings)
            known = beside
            # Of the run as a whole, not of each of its packages.
            arguments.pop("refresh", None)
    finally:
        # Packages that end before the tap replace nothing: see `Driver._postpone_replacing`.
        for name, disposition in asked.items():
            if disposition == "replace":
                source.resources[name].apply_hints(write_disposition=disposition)
        run.close()


def load_leftovers(pipeline: Pipeline, **where: Any) -> list[LoadInfo]:  # noqa: ANN401
    """Load the packages that an earlier run left, and return what was loaded.

    Without `pipeline.run`: where there is no dataset yet, it would forget the state of them.

    Args:
        pipeline: The pipeline.
        where: Those arguments of `pipeline.run` that are in `LOCATION_ARGUMENTS`.

    Raises:
        BridgeError: They can't be loaded.
        PipelineStepFailed: Likewise, for a reason that has nothing to do with them.
    """
    infos = []
    give_up_after_restart(pipeline)
    set_location(pipeline, **where)
    drop_foreign_state(pipeline)
    separate_staging(pipeline)
    if pipeline.destination is not None:
        adapt_destination(pipeline.destination.destination_type.rpartition(".")[2])
    with explaining_damage(pipeline), own_signal_handlers(pipeline), redact_trace(pipeline):
        repair_after_kill(pipeline)
        while pipeline.has_pending_data:
            try:
                pipeline.normalize()
                infos.append(pipeline.load(**where))
            except PipelineStepFailed as failed:
                if not give_up_if_sent_again(pipeline, failed):
                    raise
    return infos
