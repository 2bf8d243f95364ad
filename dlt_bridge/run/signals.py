"""Exit codes and signals of the bridge's commands."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dlt_bridge.errors import BridgeError
from dlt_bridge.run.failures import frames, sentence
from dlt_bridge.run.redaction import one_line_logs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

#: Signals that end a run. dlt takes the KeyboardInterrupt of Python's own handler for an error of
#: the tap.
STOPPING = (signal.SIGINT, signal.SIGTERM)
STOPPED = "Stopped. Committed rows stay."
# Seconds after which a lost signal is sent again. Python has left the destructor by then.
_RESEND_SECONDS = 0.05
_PACKAGE = __name__.partition(".")[0]
_received: list[int] = []


@contextmanager
def explaining_errors() -> Iterator[None]:
    """Turn errors of the body into a BridgeError with one sentence, and signals into an exit code.

    The notes of the error, which Python shows in tracebacks only, say where it happened.
    """
    _received.clear()
    before = {number: signal.signal(number, exit_on_signal) for number in STOPPING}
    try:
        with one_line_logs():
            yield
    except (KeyboardInterrupt, SystemExit) as stopped:
        print(STOPPED, file=sys.stderr)  # noqa: T201
        sys.exit(exit_code(stopped) if isinstance(stopped, KeyboardInterrupt) else stopped.code)
    except Exception as error:  # noqa: BLE001 - any text may hold values of rows
        exit_if_signalled()
        explained = BridgeError(sentence(error))
        explained.add_note(f"It happened here:\n{frames(error)}")
        raise explained from None
    finally:
        leave_if_signalled()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn SIGTERM into an exit, which leaves no tap and no file with its config behind.

    A handler of the program stays, and other threads than the main one take no signals.
    """
    is_main = threading.current_thread() is threading.main_thread()
    is_ours = is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if is_ours:
        _received.clear()
        signal.signal(signal.SIGTERM, exit_on_signal)
    try:
        yield
    except Exception:
        if is_ours:
            # What a library has made of the exit.
            exit_if_signalled()
        raise
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def exit_on_signal(signum: int, frame: FrameType | None) -> None:
    """Handle a signal: exit with 128 and its number, as shells do.

    Python ignores an exception that is raised in a destructor, such as that of a DuckDB connection,
    and DuckDB ignores one that is raised while it imports a module. Then the signal is sent again.
    Otherwise the run would wait for a tap that may never write.
    """
    _received.append(signum)
    if _is_importing(frame):
        _send_again(signum)
        return
    stopped, before = SystemExit(128 + signum), sys.unraisablehook

    def send_again(ignored: Any) -> None:  # noqa: ANN401
        if ignored.exc_value is stopped:
            sys.unraisablehook = before
            _send_again(signum)
        else:
            before(ignored)

    sys.unraisablehook = send_again
    raise stopped


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether a step of the bridge imports a module; DuckDB does so in every query."""
    while frame and not frame.f_globals.get("__name__", "").startswith(f"{_PACKAGE}."):
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _send_again(signum: int) -> None:
    main: Any = threading.main_thread().ident
    threading.Timer(_RESEND_SECONDS, signal.pthread_kill, (main, signum)).start()


def exit_if_signalled() -> None:
    """Exit if a signal was received before.

    If a handler raises an exception within a query, DuckDB replaces it by an error of its own, or
    ignores it while it imports a module.
    """
    if _received:
        print(STOPPED, file=sys.stderr)  # noqa: T201
        sys.exit(128 + _received[-1])


def leave_if_signalled() -> None:
    """Leave the process at once if a signal has ended the run and everything is cleaned up.

    The destructor of a DuckDB connection (1.5) that was interrupted may never return.
    """
    if _received:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(128 + _received[-1])


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """Return the exit code for a KeyboardInterrupt; that of dlt has the number of the signal."""
    return 128 + int(getattr(interrupt, "signal_code", signal.SIGINT))
