"""How a command of the bridge ends: with a sentence, and an exit code that tells the truth."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dlt_bridge.errors import BridgeError
from dlt_bridge.run.failures import frames, sentence
from dlt_bridge.run.logs import one_line_logs

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Signals that end a run. Python's own answer to Ctrl-C, dlt would take for an error of the tap.
STOPPING = (signal.SIGINT, signal.SIGTERM)
STOPPED = "Stopped. What was committed before stays."
# After which a signal comes again that was lost: Python is done with what it was doing then.
_SOON = 0.05
_received: list[int] = []


@contextmanager
def explaining_errors() -> Iterator[None]:
    """Turn what goes wrong in the body into a BridgeError with one sentence; signals into an exit.

    Its notes, which Python shows in a traceback only, say where it happened.
    """
    _received.clear()
    before = {number: signal.signal(number, exit_on_signal) for number in STOPPING}
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
        leave_if_signalled()
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
        signal.signal(signal.SIGTERM, exit_on_signal)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def exit_on_signal(signum: int, _: object) -> None:
    """Handle a signal: exit with its number, as a shell would say it.

    Python ignores what is raised while it deletes an object, as dlt's connections to DuckDB. Then
    the signal comes again, or the run would go on, and wait for a tap that may never write again.
    """
    _received.append(signum)
    said, before = SystemExit(128 + signum), sys.unraisablehook

    def come_again(ignored: Any) -> None:  # noqa: ANN401
        if ignored.exc_value is said:
            sys.unraisablehook = before
            main: Any = threading.main_thread().ident
            threading.Timer(_SOON, signal.pthread_kill, (main, signum)).start()
        else:
            before(ignored)

    sys.unraisablehook = come_again
    raise said


def exit_if_signalled() -> None:
    """Exit as `exit_on_signal` does, if it was called before.

    DuckDB makes an error of its own of what a handler raises in the midst of a query.
    """
    if _received:
        print(STOPPED, file=sys.stderr)  # noqa: T201
        sys.exit(128 + _received[-1])


def leave_if_signalled() -> None:
    """Leave the process at once, if a signal has ended the run, and everything is cleaned up.

    What Python deletes when it ends may wait for ever: a DuckDB that was interrupted (1.5).
    """
    if _received:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(128 + _received[-1])


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """Return the exit code of a run that was interrupted; dlt says by which signal."""
    return 128 + int(getattr(interrupt, "signal_code", signal.SIGINT))
