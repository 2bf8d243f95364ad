"""How a command of the bridge ends: with a sentence, and an exit code that tells the truth."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dlt_bridge.errors import BridgeError
from dlt_bridge.failures import frames, sentence
from dlt_bridge.quiet import one_line_logs

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Signals that end a run. Python's own answer to Ctrl-C, dlt would take for an error of the tap.
STOPPING = (signal.SIGINT, signal.SIGTERM)
STOPPED = "Stopped. What was committed before stays."
_received: list[int] = []


@contextmanager
def explained() -> Iterator[None]:
    """Turn what goes wrong in the body into a BridgeError with one sentence; signals into an exit.

    Its notes, which Python shows in a traceback only, say where it happened.
    """
    _received.clear()
    before = {number: signal.signal(number, end) for number in STOPPING}
    try:
        with one_line_logs():
            yield
    except (KeyboardInterrupt, SystemExit) as stopped:
        print(STOPPED, file=sys.stderr)  # noqa: T201
        sys.exit(exit_code(stopped) if isinstance(stopped, KeyboardInterrupt) else stopped.code)
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold values of rows
        exit_if_signalled()
        said = BridgeError(sentence(error))
        said.add_note(f"It happened here:\n{frames(error)}")
        raise said from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM end the body by an exit, which leaves no tap and no file with its config behind.

    Where a program answers the signal itself, or this is not its main thread, that stays.
    """
    main = threading.current_thread() is threading.main_thread()
    ours = main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end(signum: int, _: object) -> None:
    """Handle a signal: exit with its number, as a shell would say it."""
    _received.append(signum)
    sys.exit(128 + signum)


def exit_if_signalled() -> None:
    """Exit as `end` does, if it was called before.

    DuckDB makes an error of its own of what a handler raises in the midst of a query.
    """
    if _received:
        print(STOPPED, file=sys.stderr)  # noqa: T201
        sys.exit(128 + _received[-1])


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """Return the exit code of a run that was interrupted; dlt says by which signal."""
    return 128 + int(getattr(interrupt, "signal_code", signal.SIGINT))
