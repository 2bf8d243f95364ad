"""Reads a tap once, decides when a load package ends, and keeps the STATE of each package."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from dlt_bridge.destinations.destination import adapt_destination
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.destinations.staging import separate_staging
from dlt_bridge.destinations.state_owner import adopt_destination_state
from dlt_bridge.errors import BridgeError
from dlt_bridge.tables import state_store
from dlt_bridge.tables.accounts import begin_account
from dlt_bridge.tables.backlog import Backlog
from dlt_bridge.tables.checks import refuse_structs, streams_to_read
from dlt_bridge.tables.dlt_warnings import filter_warnings
from dlt_bridge.tables.router import Router
from dlt_bridge.tables.run_context import RunContext
from dlt_bridge.tables.state_messages import ReadState
from dlt_bridge.tap.state import BOOKMARKS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from dlt_bridge.destinations.comments import Comments
    from dlt_bridge.tables.items import StreamItems
    from dlt_bridge.tables.options import Options
    from dlt_bridge.tap.catalog import AnyCatalog
    from dlt_bridge.tap.inputs import SingerLines
    from dlt_bridge.tap.process import Tap
    from dlt_bridge.tap.stderr import TapLog


class Driver:
    """Reads a tap into load packages. It is created and used within a dlt resource.

    The tap starts with the first package and continues between packages. With checkpoints,
    all rows before the last STATE are committed, whatever happens after it; and a table is replaced
    only when the tap has ended.

    Args:
        tap: The tap.
        catalog: The streams of the tap, as far as they are known.
        options: How streams are loaded.

    Attributes:
        ended: The tap was read to its end.
        saved_state: The value of the last STATE that was saved, as JSON text.

    Raises:
        BridgeError: The pipeline can't load the source, or two streams would be one table.
    """

    def __init__(
        self,
        tap: Tap | SingerLines,
        catalog: AnyCatalog,
        options: Options,
    ) -> None:
        self._tap = tap
        self._catalog = catalog
        everything = options.everything
        selected = streams_to_read(
            [everything] if everything else catalog.names, again=tap.can_resend
        )
        adopt_destination_state()
        begin_account(options.account, options.tap)
        if not options.use_state:
            state_store.forget_bookmarks()
        separate_staging(running_pipeline())
        # Sequence numbers rise from run to run: the clock is faster than any tap.
        first = state_store.first_sequence(time.time_ns() // 1000)
        self._run = RunContext(options, selected, first)
        self._run.take_dispositions()
        for stream in selected:
            if self._run.applied_hints(stream).replaces:
                state_store.forget_bookmark(stream)
        self._lines = tap.running(
            catalog=catalog.to_tap(selected), state=state_store.read_state(selected)
        )
        self._settle_tables()
        self._run.refresh.begin(options.account)
        adapt_destination(running_pipeline())
        if options.nested == "native":
            refuse_structs()
        filter_warnings(selected)
        self._running = ExitStack()
        self._messages = self._read()
        self._state = ReadState()
        self._is_checkpoint_due: Callable[[], bool] | None = None
        # The error of the last package, if the tap can't be read any further.
        self._failure: BridgeError | None = None
        # The write dispositions of resources whose tables are replaced when the tap has ended.
        self._replacing: dict[str, Any] = {}
        self._backlog = Backlog(self._run)
        self._router = Router(catalog, self._run, self._backlog)
        self.ended = False
        self.saved_state: str | None = None

    def package(self, due: Callable[[], bool] | None = None) -> Iterator[StreamItems]:
        """Read the tap to its end, or to a STATE at which a checkpoint is due.

        Args:
            due: Returns whether it is time for a checkpoint. None for no checkpoints: the package
                is all that the tap sends, and is committed only if the tap does not fail.

        Yields:
            The rows of the streams in the tap's order. When the package ends, the STATE is saved
            in dlt's state.

        Raises:
            TapError: The tap failed. dlt commits nothing of this package. With checkpoints, an
                earlier package has all rows before the last STATE.
            MessageError: The tap wrote something that can't be loaded; nothing of this package is
                committed either.
        """
        if self._failure:
            raise self._failure
        self._is_checkpoint_due = due
        self._run.in_parts = due is not None
        backlog = self._backlog
        with ExitStack() as guard:
            guard.push(self._exit)
            self._begin_package()
            try:
                is_over = yield from self._fill_package()
            except BridgeError as error:
                if not backlog.salvage():
                    raise
                is_over, self._failure = False, self._stop(error)
            yield from backlog.finish(is_over=is_over)
            self._save_state(is_over=is_over)
            if not is_over:
                self._postpone_replacing(self._run.selected)
                guard.pop_all()
                return
            self._postpone_replacing(self._run.selected & backlog.skipped.keys())
        self._catalog.warn_of_missing(self._run.selected, {*backlog.sinks, *backlog.skipped})
        self._run.refresh.warn_of_missing()
        if backlog.skipped and due:
            # dlt would commit nothing of the package if it were raised now.
            self._failure = backlog.skipped_error()
        else:
            self.ended = True

    @property
    def in_variants(self) -> Counter[str]:
        """The number of values that did not fit their column so far, by their variant column."""
        return Counter(
            {
                f"{sink.schema.table}.{name}": count
                for sink in self._backlog.sinks.values()
                for name, count in sink.misfits.items()
                if count
            }
        )

    @property
    def received(self) -> dict[str, int]:
        """The number of rows of each stream so far. It may be called in another thread."""
        # `list` copies at once, while another thread adds a stream.
        return {name: sink.received for name, sink in list(self._backlog.sinks.items())}

    @property
    def log(self) -> TapLog | None:
        """The log of the tap; None for lines."""
        return self._tap.log

    @property
    def account(self) -> str | None:
        """The account whose rows are loaded; None if the tables have no accounts."""
        return self._run.options.account

    @property
    def comments(self) -> Comments:
        """The descriptions of the tables and columns of the SCHEMAs so far."""
        return self._run.comments

    @property
    def warnings(self) -> int:
        """The number of warnings and errors that the tap has logged."""
        return self._tap.warnings

    @property
    def requests(self) -> int | None:
        """The number of requests that the tap has logged; None if it logs none."""
        return self._tap.requests

    @property
    def waited(self) -> float | None:
        """Seconds for which rate limits have held the tap back; None if it does not log them."""
        return self._tap.waited

    def close(self) -> None:
        """Stop the tap, if it still runs, and drop all lines and rows that wait."""
        try:
            self._backlog.close()
        finally:
            # Without an error, this would wait for the tap to end by itself.
            self._running.__exit__(GeneratorExit, GeneratorExit(), None)

    def _settle_tables(self) -> None:
        """Decide which tables the streams have, before anything is read."""
        # If streams may be skipped, a table that holds other rows is an error of its stream alone.
        if not self._run.options.everything and not self._run.options.skip:
            named = {
                stream: self._run.resource(stream).table_name
                for stream in sorted(self._run.selected)
            }
            self._run.settle(
                {stream: name for stream, name in named.items() if isinstance(name, str)}
            )

    def _begin_package(self) -> None:
        self._backlog.begin_package()
        self._run.take_dispositions()
        for name, disposition in self._replacing.items():
            self._run.resource(name).apply_hints(write_disposition=disposition)
        self._replacing = {}

    def _fill_package(self) -> Generator[StreamItems, None, bool]:
        """Read the tap until the package ends: yield its rows, and return whether the tap ended."""
        backlog = self._backlog
        for items in self._messages:
            if items is None:
                backlog.decode_all()
                _ = backlog.states.last.value
                return False
            yield items
        backlog.decode_all()
        _ = self._state.value
        # Only now is it known that the tap did not fail.
        self._running.close()
        return True

    def _stop(self, error: BridgeError) -> BridgeError:
        """Stop the tap because of an error; return the error that explains the most."""
        try:
            with self._running:
                raise error
        except BridgeError as explained:
            return explained

    def _exit(self, *problem: Any) -> Any:  # noqa: ANN401
        """Leave the context of the tap with an error of the body: the tap's own may say more."""
        try:
            return self._running.__exit__(*problem)
        finally:
            self._backlog.close()

    def _postpone_replacing(self, streams: Iterable[str]) -> None:
        """Keep dlt from emptying the tables of these streams in this package, which has no rows."""
        for name in streams:
            resource = self._run.resource(name)
            disposition = resource.write_disposition
            if disposition == "replace" or (
                isinstance(disposition, dict) and disposition.get("disposition") == "replace"
            ):
                self._replacing[name] = disposition
                resource.apply_hints(write_disposition="append")

    def _read(self) -> Iterator[StreamItems | None]:
        """Yield the rows of the tap as they come; None where a package is to end."""
        lines = self._running.enter_context(self._lines)
        for part in self._router.route(lines):
            if not isinstance(part, ReadState):
                yield part
                continue
            self._state = part
            if self._is_checkpoint_due:
                self._backlog.states.add(part)
                if self._is_checkpoint_due():
                    yield None

    def _save_state(self, *, is_over: bool) -> None:
        """Save the last STATE in dlt's state: it is committed with the rows before it."""
        backlog, everything = self._backlog, self._run.options.everything
        if backlog.sequence > self._run.first:
            state_store.save_sequence(backlog.sequence - 1)
        state = self._state if is_over else backlog.states.last
        if not state.line:
            return
        value, text = state.value, state.text
        left_out = set(backlog.skipped)
        has_bookmarks = isinstance(value.get(BOOKMARKS), dict)
        if not is_over and has_bookmarks:
            # Rows that replace a table are not loaded yet.
            left_out |= {name for name, sink in backlog.sinks.items() if sink.is_replaced}
        if left_out and everything:
            if not has_bookmarks:
                # The STATE does not say which part of it is theirs.
                return
            value = state_store.without_streams(value, left_out, self._catalog.streams_named)
            text = json.dumps(value)
        self.saved_state = text
        state_store.save_state(value, self._run.selected - left_out, self._owner)

    def _owner(self, key: str) -> str | None:
        """Return the stream that a bookmark is of, if it is of one that has a resource."""
        streams = self._catalog.streams_named(key)
        return streams[0] if len(streams) == 1 and not self._run.options.everything else None
