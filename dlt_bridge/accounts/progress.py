"""The progress of many runs on a terminal: a line for each run that is under way."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlt_bridge.run.progress import LOADING
from dlt_bridge.run.report import counted
from tap_chat.display import READING, Display, StreamProgress, duration, is_watched, stream_lines
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from typing import Self

    from dlt_bridge.accounts.account import Account
    from dlt_bridge.accounts.result import AccountResult
    from dlt_bridge.run.progress import RunWatch

STARTING = "starting"
#: Seconds between two messages of a process about the run that it does.
MESSAGE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        rows: The rows that the tap has sent.
        state: What the run does, in words.
    """

    rows: int
    state: str

    @classmethod
    def of(cls, watch: RunWatch) -> Self:
        """Look how far a run is."""
        rows = watch.look()
        if watch.is_loading:
            return cls(rows, LOADING)
        going = [stream for stream in watch.streams.values() if stream.ended is None]
        if not going:
            return cls(rows, READING if watch.streams else STARTING)
        last = max(going, key=lambda stream: stream.moved or stream.started)
        return cls(rows, f"{last.state}: {printable(last.name)}")


@contextmanager
def telling(connection: Connection, watch: RunWatch) -> Iterator[None]:
    """Send how far a run is, again and again, while it is the body of a `with`."""
    has_ended = threading.Event()

    def tell() -> None:
        # The connection ends with the parent, which stops this process by other means.
        with suppress(OSError):
            while not has_ended.wait(MESSAGE_SECONDS):
                connection.send(Progress.of(watch))

    thread = threading.Thread(target=tell, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()


class AccountsProgress:
    """Shows how runs go, while it is the body of a `with`.

    Args:
        total: The number of all runs.
        of: What each run loads, such as `account`.
        shows: Whether to show it, if standard error is a terminal.

    Attributes:
        total: The number of all runs.
        is_shown: Whether it is shown.
    """

    def __init__(self, total: int, of: str, *, shows: bool) -> None:
        self._started = time.monotonic()
        self.total, self._of = total, of
        self._running: dict[tuple[str, str], StreamProgress] = {}
        self._ended = self._failed = self._rows = 0
        self._display = Display(self.lines, stays=False) if shows and is_watched() else None
        self.is_shown = self._display is not None

    def __enter__(self) -> Self:
        """Show the progress."""
        if self._display:
            self._display.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the progress from the terminal."""
        if self._display:
            self._display.stop()

    def begin(self, account: Account) -> None:
        """Note that the run of an account begins."""
        line = StreamProgress(account.title, state=STARTING)
        line.moved = line.started
        # Another dictionary: the thread that shows the lines may be reading the last one.
        self._running = {**self._running, (account.name, account.part): line}

    def move(self, account: Account, progress: Progress) -> None:
        """Note how far the run of an account is."""
        line = self._running[account.name, account.part]
        if progress.rows > line.rows:
            line.rows, line.moved = progress.rows, time.monotonic()
        line.state = progress.state

    def end(self, account: Account) -> None:
        """Note that the run of an account has ended."""
        ended = (account.name, account.part)
        self._running = {key: line for key, line in self._running.items() if key != ended}

    def count(self, result: AccountResult) -> None:
        """Count a result."""
        self._ended += 1
        self._failed += result.failure is not None
        self._rows += sum(result.rows.values())

    def lines(self, width: int, height: int | None) -> list[str]:
        """Return a line for each run that is under way, and one for all.

        Args:
            width: The longest line.
            height: The most lines; None for no maximum.
        """
        running = self._running.values()
        rows = self._rows + sum(line.rows for line in running)
        passed = duration(time.monotonic() - self._started)
        whole = f"{passed}: {self._ended:,} of {counted(self.total, self._of)}"
        whole += f", {counted(rows, 'row')}"
        if self._failed:
            whole += f", {self._failed:,} failed"
        rest = None if height is None else height - 1
        return [*stream_lines(running, width=width, height=rest), whole[:width]]
