"""The progress of a run on a terminal: a line for each stream."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from typing_extensions import override

from dlt_bridge.run.report import counted
from tap_chat.display import (
    READING,
    Display,
    StreamProgress,
    duration,
    is_watched,
    stream_lines,
)

if TYPE_CHECKING:
    from typing import Self

    from dlt_bridge.tables.driver import Driver

LOADING, READ = "loading", "read"


class RunWatch:
    """Looks how far a run is. The run does nothing for it but say where it is.

    Attributes:
        streams: The progress of the streams, as it was when `look` was called.
        is_loading: Whether a package is loaded now.
    """

    def __init__(self) -> None:
        self.streams: dict[str, StreamProgress] = {}
        self.is_loading = False
        self._driver: Driver | None = None
        self._committed: dict[str, int] = {}

    @property
    def warnings(self) -> int:
        """The number of warnings that the tap has logged."""
        return self._driver.warnings if self._driver else 0

    def begin(self, driver: Driver) -> None:
        """Note that a driver reads the tap."""
        self._driver = driver
        self.streams, self._committed = {}, {}
        self.is_loading = False

    def load(self) -> None:
        """Note that a package is read, and is loaded now."""
        self.is_loading = True

    def commit(self) -> None:
        """Note that a package is loaded."""
        self.is_loading = False
        if self._driver:
            self._committed = self._driver.received

    def look(self) -> int:
        """Look how far the streams have come, and return the number of all rows."""
        if self._driver is None:
            return 0
        log = self._driver.log
        received = self._driver.received
        now = time.monotonic()
        for name, rows in received.items():
            stream = self.streams.setdefault(name, StreamProgress(name, started=now))
            has_grown = rows > stream.rows
            if has_grown:
                stream.rows, stream.moved = rows, now
            if log:
                stream.share = log.shares.get(name)
            if self.is_loading and rows > self._committed.get(name, 0):
                stream.state = LOADING
            elif log and name in log.ended:
                stream.end(READ)
            elif wait := None if has_grown or log is None else log.wait_of(name):
                stream.state = f"{wait.reason}, {duration(wait.seconds)}"
            else:
                stream.state = READING
        return sum(received.values())


class RunProgress(RunWatch):
    """Shows how a run goes, while it is the body of a `with`.

    Args:
        beginning: What is done until rows come, in words.
        shows: Whether to show it, if standard error is a terminal.
    """

    def __init__(self, beginning: str, *, shows: bool) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._beginning = beginning
        self._display = Display(self.lines, stays=False) if shows and is_watched() else None

    def __enter__(self) -> Self:
        """Show the progress."""
        if self._display:
            self._display.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the progress from the terminal."""
        self.end()

    def end(self) -> None:
        """Remove the progress from the terminal, before something else is shown."""
        if self._display:
            self._display.stop()
            self._display = None

    @override
    def load(self) -> None:
        super().load()
        if self._display:
            self._display.refresh()

    def lines(self, width: int, height: int | None) -> list[str]:
        """Return a line for each stream, and one for all.

        Args:
            width: The longest line.
            height: The most lines; None for no maximum.
        """
        passed = time.monotonic() - self._started
        rows = self.look()
        if not self.streams:
            return [f"{self._beginning}: {duration(passed)}"[:width]]
        whole = f"{duration(passed)}: {counted(rows, 'row')}"
        whole += f", {LOADING}" if self.is_loading else f", {rows / max(passed, 1):,.0f}/s"
        if warnings := self.warnings:
            whole += f", {counted(warnings, 'warning')}"
        rest = None if height is None else height - 1
        return [*stream_lines(self.streams.values(), width=width, height=rest), whole[:width]]
