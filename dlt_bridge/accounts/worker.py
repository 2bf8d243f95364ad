"""A process that loads one account after another."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import nullcontext, suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from dlt_bridge.accounts.progress import telling
from dlt_bridge.accounts.result import AccountResult
from dlt_bridge.accounts.runner import run
from dlt_bridge.run.environment import fix_environment
from dlt_bridge.run.progress import RunWatch
from dlt_bridge.run.signals import leave_if_signalled, stoppable
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

    from dlt_bridge.accounts.account import Account
    from dlt_bridge.accounts.progress import Progress

logger = logging.getLogger(__name__)

#: Seconds for a worker to end after SIGTERM: it stops its tap, and gives its lease back.
GRACE_SECONDS = 20.0

#: Seconds for the last lines of a process that has ended.
RELAY_SECONDS = 1.0
RELAY_BYTES = 1 << 16

# Processes begin with nothing of their parent: its threads and connections stay its own.
_CONTEXT = multiprocessing.get_context("spawn")


class Worker:
    """A process that loads accounts, seen from its parent.

    Args:
        settings: The arguments of `run` for all accounts.
        watched: Whether it says how far an account is, and leaves the terminal to its parent, which
            writes what it logs.

    Attributes:
        connection: Becomes readable when an account has ended, or the process; and, if it is
            watched, when an account moves.
        account: The account that it loads now; None if it has none.
        has_ended: Whether the process has ended by itself.
    """

    def __init__(self, settings: Mapping[str, Any], *, watched: bool = False) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        log, their_log = _CONTEXT.Pipe(duplex=False) if watched else (None, None)
        self.account: Account | None = None
        self.has_ended = False
        self._start_time = 0.0
        self._process = _CONTEXT.Process(
            target=_work, args=(theirs, dict(settings), their_log), name="dlt-singer-worker"
        )
        self._process.start()
        # So that reading fails when the process ends.
        theirs.close()
        self._relay: threading.Thread | None = None
        if log and their_log:
            their_log.close()
            self._relay = threading.Thread(target=_relay, args=(log,), name="log", daemon=True)
            self._relay.start()

    def start(self, account: Account) -> None:
        """Start to load an account."""
        self.account, self._start_time = account, time.monotonic()
        with suppress(OSError):  # the process has ended, which `result` notices
            self.connection.send(account)

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended without a last word.

        A process that it forked, as dlt's are, may keep the connection open.
        """
        return not self._process.is_alive() and not self.connection.poll()

    def receive(self) -> AccountResult | Progress:
        """Return how far the account is, or how it has ended: as said, or with the process."""
        name, part = (self.account.name, self.account.part) if self.account else ("", "")
        message = None if self.is_gone else self._next_message()
        if message is None:
            self.has_ended = True
            seconds = time.monotonic() - self._start_time
            message = AccountResult(
                account=name, part=part, failure=self._end_problem(), seconds=seconds
            )
            self._finish_log()
        if isinstance(message, AccountResult):
            self.account = None
        return message

    def _next_message(self) -> AccountResult | Progress | None:
        """Return what the process says next; None if it has ended."""
        try:
            message: AccountResult | Progress = self.connection.recv()
        except (EOFError, OSError):
            return None
        return message

    def _end_problem(self) -> str:
        """Return how the process has ended."""
        self._process.join(GRACE_SECONDS)
        code = self._process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else "has ended"
        return (
            f"The process that loaded the account {how}. Committed rows stay, and the next run"
            " continues from them. If the machine was out of memory, choose fewer workers."
        )

    def end(self) -> None:
        """End the process: without an account at once, otherwise by SIGTERM."""
        self.connection.close()
        if self.account is not None:
            self._process.terminate()

    def join(self, seconds: float) -> None:
        """Wait for the end of the process, and kill it if it does not end."""
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()
        self._finish_log()

    def _finish_log(self) -> None:
        """Wait for the last lines of a process that has ended."""
        if self._relay is None:
            return
        self._relay.join(RELAY_SECONDS)
        # A process that it has forked may hold the pipe, or the terminal may be stopped.
        if self._relay.is_alive():
            logger.warning("The last lines of the log of a process may be missing.")


class _AccountFormatter(logging.Formatter):
    """Begins each line of the log with the account."""

    account = ""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return printable(f"{self.account}: {super().format(record)}", keep="\n\t")


def _relay(log: Connection) -> None:
    """Write to standard error what a process logs, in whole lines."""

    def write(lines: bytes) -> None:
        # The terminal may refuse some lines, and take others.
        with suppress(OSError):
            # It is another stream while progress is shown.
            sys.stderr.write(f"{lines.decode(errors='replace')}\n")

    rest = b""
    with log:
        while part := os.read(log.fileno(), RELAY_BYTES):
            lines, newline, rest = (rest + part).rpartition(b"\n")
            if newline:
                write(lines)
    if rest:
        write(rest)


def _work(connection: Connection, settings: dict[str, Any], log: Connection | None) -> None:
    """Load accounts until the parent closes the connection; the main function of the process.

    Args:
        connection: Gets accounts, and sends results.
        settings: The arguments of `run` for all accounts.
        log: Takes what is written to standard error, if the parent watches this process.
    """
    # Ctrl-C reaches all processes of a terminal; the parent decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if log:
        os.dup2(log.fileno(), sys.stderr.fileno())
        log.close()
    # Standard output is for the report of the parent.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    formatter = _AccountFormatter()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    gc.freeze()
    fix_environment()
    threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
    try:
        with stoppable(), suppress(EOFError, OSError):
            while True:
                account: Account = connection.recv()
                formatter.account = account.name
                watch = RunWatch()
                with telling(connection, watch) if log else nullcontext():
                    result = run(account, watch=watch, **settings)
                connection.send(result)
    finally:
        leave_if_signalled()


def _stop_with_parent() -> None:
    """Stop this process as SIGTERM does when its parent has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        # DuckDB (1.5) may never return after an interrupted query, also not to Python. Then the
        # system ends the process.
        signal.alarm(round(GRACE_SECONDS))
        os.kill(os.getpid(), signal.SIGTERM)
