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
from contextlib import suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from dlt_bridge.accounts.result import AccountResult
from dlt_bridge.accounts.runner import run
from dlt_bridge.run.environment import fix_environment
from dlt_bridge.run.signals import leave_if_signalled, stoppable
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

    from dlt_bridge.accounts.account import Account

#: Seconds for a worker to end after SIGTERM: it stops its tap, and gives its lease back.
GRACE_SECONDS = 20.0

# Processes begin with nothing of their parent: its threads and connections stay its own.
_CONTEXT = multiprocessing.get_context("spawn")


class Worker:
    """A process that loads accounts, seen from its parent.

    Args:
        settings: The arguments of `run` for all accounts.

    Attributes:
        connection: Becomes readable when an account has ended, or the process.
        account: The account that it loads now; None if it has none.
        has_ended: Whether the process has ended by itself.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.account: Account | None = None
        self.has_ended = False
        self._start_time = 0.0
        self._process = _CONTEXT.Process(
            target=_work, args=(theirs, dict(settings)), name="dlt-singer-worker"
        )
        self._process.start()
        # So that reading fails when the process ends.
        theirs.close()

    def start(self, account: Account) -> None:
        """Start to load an account."""
        self.account, self._start_time = account, time.monotonic()
        with suppress(OSError):  # the process has ended, which `result` notices
            self.connection.send(account)

    def result(self) -> AccountResult:
        """Return how the account has ended: as the process says, or with the process."""
        name, part = (self.account.name, self.account.part) if self.account else ("", "")
        self.account = None
        try:
            result: AccountResult = self.connection.recv()
        except (EOFError, OSError):
            self.has_ended = True
            seconds = time.monotonic() - self._start_time
            return AccountResult(
                account=name, part=part, failure=self._end_problem(), seconds=seconds
            )
        return result

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


class _AccountFormatter(logging.Formatter):
    """Begins each line of the log with the account."""

    account = ""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return printable(f"{self.account}: {super().format(record)}", keep="\n\t")


def _work(connection: Connection, settings: dict[str, Any]) -> None:
    """Load accounts until the parent closes the connection; the main function of the process."""
    # Ctrl-C reaches all processes of a terminal; the parent decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
                connection.send(run(account, **settings))
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
