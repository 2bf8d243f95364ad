"""The progress of a run on a terminal: a line for each stream, below the lines of the log."""

from __future__ import annotations

import logging
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

#: A run that ends sooner shows its lines once, at its end: importing rich takes a tenth of it.
DELAY_SECONDS = 0.5
REFRESHES_PER_SECOND = 4
#: The width of a terminal that does not say it, and the fewest characters of a name.
COLUMNS, NAME_COLUMNS = 80, 12
#: Before these, the time that is left would be a guess.
LEAST_SECONDS, LEAST_SHARE = 2.0, 0.02

MINUTE, HOUR = 60, 3600

READING, DONE = "reading", "done"


def is_watched() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


@dataclass(slots=True)
class StreamProgress:
    """The progress of a stream.

    Attributes:
        name: The name of the stream.
        rows: The number of rows so far.
        share: The part of the stream that is read, from 0 to 1; None if it is unknown.
        state: What is done with the stream, in words.
        started: The monotonic time at which it began.
        moved: The monotonic time at which its last row came, if that is known; None otherwise.
        ended: The monotonic time at which it ended; None before.
    """

    name: str
    rows: int = 0
    share: float | None = None
    state: str = READING
    started: float = field(default_factory=time.monotonic)
    moved: float | None = None
    ended: float | None = None

    @property
    def rate(self) -> str:
        """The rows per second; empty for too short a time."""
        seconds = self.seconds if self.moved is None else self.moved - self.started
        return f"{self.rows / seconds:,.0f}/s" if seconds >= 1 else ""

    @property
    def seconds(self) -> float:
        """The seconds since it began, to its end if it has ended."""
        return (time.monotonic() if self.ended is None else self.ended) - self.started

    @property
    def seconds_left(self) -> float | None:
        """The seconds that it still takes, at the pace so far; None if they are unknown."""
        if not self.share or self.share < LEAST_SHARE or self.seconds < LEAST_SECONDS:
            return None
        return self.seconds * (1 / self.share - 1)

    def end(self, state: str = DONE) -> None:
        """Note that the stream is done, in words."""
        self.state = state
        if self.ended is None:
            self.ended = time.monotonic()

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return its name, rows, rate, percentage and state."""
        state, share = self.state, ""
        if self.ended is None:
            share = "" if self.share is None else f"{min(self.share, 1):.0%}"
            if state == READING and (left := self.seconds_left) is not None:
                state = f"{state}, {duration(left)} left"
        rows = f"{self.rows:,} row{'' if self.rows == 1 else 's'}"
        return printable(self.name), rows, self.rate, share, state


def duration(seconds: float) -> str:
    """Return a number of seconds for people to read, such as `42 s` or `1 h 20 min`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def stream_lines(
    streams: Collection[StreamProgress], *, width: int = COLUMNS, height: int | None = None
) -> list[str]:
    """Return a line for each stream.

    Args:
        streams: The streams.
        width: The longest line.
        height: The most lines: then streams that are done share a line; None for no maximum.
    """
    shown: list[StreamProgress] = list(streams)
    lines: list[str] = []
    if height is not None and len(shown) > height:
        ended = [stream for stream in shown if stream.ended is not None]
        rows = sum(stream.rows for stream in ended)
        if ended:
            lines = [f"{len(ended)} streams {ended[0].state}: {rows:,} rows"]
        going = [stream for stream in shown if stream.ended is None]
        shown = going[max(len(going) + len(lines) - height, 0) :]
    cells = [stream.cells() for stream in shown]
    if not cells:
        return lines
    name, *others = (max(map(len, column)) for column in zip(*cells, strict=True))
    # Two spaces around the columns that are not empty.
    room = width - sum(size + 2 for size in others if size)
    name = min(name, max(room, NAME_COLUMNS))
    for title, *numbers, state in cells:
        parts = [title if len(title) <= name else f"{title[: name - 1]}…"]
        parts[0] = parts[0].ljust(name)
        parts += [text.rjust(size) for text, size in zip(numbers, others, strict=False) if size]
        lines.append("  ".join([*parts, state])[:width])
    return lines


class TerminalStream:
    """Standard error while lines are shown below it: it writes whole lines above them.

    Args:
        terminal: The terminal.
        console: The console that shows the lines.
        lock: Is held while something is written. rich decides where the lines are before it writes
            them, so two threads that write at once could remove a line of the log.

    Attributes:
        encoding: The encoding of the terminal.
    """

    def __init__(self, terminal: TextIO, console: Console, lock: threading.RLock) -> None:
        self.encoding = terminal.encoding
        self._terminal = terminal
        self._console = console
        self._lock = lock
        self._part = ""

    def write(self, text: str) -> int:
        """Write a text, when the end of its line has come; return the number of characters."""
        with self._lock:
            lines, newline, self._part = (self._part + text).rpartition("\n")
            if newline:
                self._console.out(lines, highlight=False)
        return len(text)

    def flush(self) -> None:
        """Do nothing: whole lines are written at once, and parts of lines wait for the rest."""

    def finish(self) -> None:
        """Write the last line, even if it has no end."""
        with self._lock:
            self._terminal.write(self._part)
            self._part = ""
            self._terminal.flush()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._terminal.isatty()

    def fileno(self) -> int:
        """Return the file descriptor of the terminal."""
        return self._terminal.fileno()


class Display:
    """Shows lines at the bottom of the terminal, below what is written to standard error.

    Args:
        lines: Returns the lines, for the width and the height of the terminal; the height is None
            at the end, when all lines may be shown.
        stays: Whether the lines are left on the terminal at the end.
    """

    def __init__(
        self, lines: Callable[[int, int | None], Sequence[str]], *, stays: bool = True
    ) -> None:
        self._lines = lines
        self._stays = stays
        self._starting: threading.Timer | None = None
        self._live: Live | None = None
        self._terminal: TextIO = sys.stderr
        self._stream: TerminalStream | None = None
        self._has_ended = False
        self._lock = threading.RLock()
        self._end = threading.Event()
        self._refreshing = threading.Thread(target=self._keep_refreshing, name="progress")
        self._refreshing.daemon = True

    def start(self, delay: float = DELAY_SECONDS) -> None:
        """Show the lines, after some seconds."""
        self._terminal = sys.stderr
        self._starting = threading.Timer(delay, self._show)
        self._starting.daemon = True
        self._starting.start()

    def refresh(self) -> None:
        """Show the lines as they are now, if they are shown already."""
        with self._lock:
            if self._live:
                self._live.refresh()

    def stop(self) -> None:
        """Show the last lines, or remove all."""
        if self._starting is None or self._has_ended:
            return
        self._has_ended = True
        self._starting.cancel()
        self._starting.join()
        if self._live is None or self._stream is None:
            if self._stays:
                self._terminal.writelines(f"{line}\n" for line in self._lines(COLUMNS, None))
            return
        self._end.set()
        self._refreshing.join()
        with self._lock:
            self._live.stop()
            _redirect(self._stream, self._terminal)
            self._stream.finish()

    def _show(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - small runs don't need it
        from rich.live import Live  # noqa: PLC0415

        # The file is named: the console would otherwise write to the stream that writes to it.
        console = Console(file=self._terminal)
        self._stream = TerminalStream(self._terminal, console, self._lock)
        live = Live(
            console=console,
            get_renderable=lambda: self._text(console),
            auto_refresh=False,
            transient=not self._stays,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with self._lock:
            _redirect(self._terminal, self._stream)
            live.start(refresh=True)
            self._live = live
        self._refreshing.start()

    def _keep_refreshing(self) -> None:
        while not self._end.wait(1 / REFRESHES_PER_SECOND):
            self.refresh()

    def _text(self, console: Console) -> Text:
        from rich.text import Text  # noqa: PLC0415

        # One line of the height is for the cursor. The last lines stay, so that all may be shown.
        is_last = self._has_ended and self._stays
        height = None if is_last else console.height - 1
        return Text("\n".join(self._lines(console.width, height)), no_wrap=True, overflow="crop")


def _redirect(old: TextIO | TerminalStream, new: TextIO | TerminalStream) -> None:
    """Write to another stream what is written to standard error: by loggers, and by all others."""
    if sys.stderr is old:
        sys.stderr = new
    for handler in _handlers():
        if handler.stream is old:
            handler.setStream(new)


def _handlers() -> Iterable[logging.StreamHandler[TextIO | TerminalStream]]:
    """Return the handlers of all loggers that write to streams."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    handlers = {handler for logger in loggers for handler in getattr(logger, "handlers", ())}
    return (handler for handler in handlers if isinstance(handler, logging.StreamHandler))
