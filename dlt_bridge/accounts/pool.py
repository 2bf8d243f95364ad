"""Loads many accounts, in several processes."""

from __future__ import annotations

import time
from collections import deque
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from dlt_bridge.accounts.result import AccountResult
from dlt_bridge.accounts.worker import GRACE_SECONDS, Worker

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from typing import Self

    from dlt_bridge.accounts.account import Account
    from dlt_bridge.accounts.progress import AccountsProgress

#: Seconds after which it looks whether a process is gone that another one keeps connected.
LOOK_SECONDS = 5.0


def run_accounts(
    accounts: Iterable[Account],
    *,
    workers: int,
    progress: AccountsProgress | None = None,
    **settings: Any,  # noqa: ANN401
) -> Generator[AccountResult]:
    """Load accounts in several processes, and yield the result of each when it has ended.

    A process loads one account after another. If it is killed, the account that it loads fails,
    and another process takes its place. An account that another run holds is tried again at the
    end. Close the generator to end all processes.

    Args:
        accounts: The accounts, in the order in which they begin.
        workers: The number of processes.
        progress: Shows how the accounts go; None to show nothing.
        settings: The arguments of `run` for all accounts.
    """
    busy: list[Account] = []
    with _Pool(workers, settings, progress) as pool:
        for account, result in pool.load(accounts):
            if result.is_busy:
                busy.append(account)
            else:
                yield result
        # The runs that held them may have ended by now.
        for _, result in pool.load(busy):
            yield result


class _Pool:
    """Worker processes.

    Args:
        size: The most processes at the same time.
        settings: The arguments of `run` for all accounts.
        progress: Shows how the accounts go; None to show nothing.
    """

    def __init__(
        self, size: int, settings: Mapping[str, Any], progress: AccountsProgress | None
    ) -> None:
        self._size = size
        self._settings = settings
        self._progress = progress if progress and progress.is_shown else None
        self._workers: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        # One deadline for all, because they end at the same time.
        deadline = time.monotonic() + GRACE_SECONDS
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))

    def load(self, accounts: Iterable[Account]) -> Iterator[tuple[Account, AccountResult]]:
        """Load accounts, and yield each with its result when it has ended."""
        left = deque(accounts)
        while left or self._busy:
            while left and len(self._busy) < self._size:
                account = left.popleft()
                self._idle_worker().start(account)
                if self._progress:
                    self._progress.begin(account)
            ready = wait([worker.connection for worker in self._busy], LOOK_SECONDS)
            busy = [each for each in self._busy if each.connection in ready or each.is_gone]
            for worker in busy:
                running, message = worker.account, worker.receive()
                if worker.has_ended:
                    self._workers.remove(worker)
                if running is None:
                    continue
                if isinstance(message, AccountResult):
                    if self._progress:
                        self._progress.end(running)
                    yield running, message
                elif self._progress:
                    self._progress.move(running, message)

    @property
    def _busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.account]

    def _idle_worker(self) -> Worker:
        """Return a process without an account: one that exists, or a new one."""
        worker = next((worker for worker in self._workers if not worker.account), None)
        if worker is None:
            worker = Worker(self._settings, watched=self._progress is not None)
            self._workers.append(worker)
        return worker
