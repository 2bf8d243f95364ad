"""Leases: what keeps an account to one run at a time."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from dlt_bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dlt_bridge.accounts.result import AccountResult

logger = logging.getLogger(__name__)

#: How many times a lease is renewed before it would end.
RENEWALS = 4


class AccountBusyError(BridgeError):
    """Another run holds the account."""


class LeaseLostError(BridgeError):
    """Another run has taken the account over."""


class Lease:
    """The right to load an account.

    Attributes:
        result: What the run has done: its outcome. None if it was stopped.
    """

    def __init__(self) -> None:
        self.result: AccountResult | None = None

    def check(self) -> None:
        """Check that the lease is still held, before a commit.

        Raises:
            LeaseLostError: Another run has taken the account over.
        """


class FileLease(Lease):
    """A locked file: it is held until the process ends."""


class RowLease(Lease):
    """A row of the ledger, which is renewed.

    Args:
        account: The account.
        seconds: Seconds after which the lease ends if it is not renewed.
        renew: Renews the lease, and returns whether it is still held.
    """

    def __init__(self, account: str, seconds: float, renew: Callable[[], bool]) -> None:
        super().__init__()
        self._account = account
        self._seconds = seconds
        self._renew = renew
        self._renewing = threading.Lock()
        self._ended = threading.Event()
        self._is_lost = False
        self._renewed = time.monotonic()

    @override
    def check(self) -> None:
        """Renew the lease.

        Raises:
            LeaseLostError: Another run has taken the account over.
        """
        with self._renewing:
            self._is_lost = self._is_lost or not self._renew()
            self._renewed = time.monotonic()
        if self._is_lost:
            raise LeaseLostError(
                f"Account {self._account}: another run has taken it over, because this one has not"
                f" renewed its lease for {self._seconds:g} s. This run commits nothing more; the"
                " other one continues from the last commit."
            )

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Renew the lease in a thread, while the body of the `with` runs."""
        thread = threading.Thread(target=self._renew_always, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _renew_always(self) -> None:
        while not self._ended.wait(self._seconds / RENEWALS):
            try:
                self.check()
            except LeaseLostError as error:
                logger.error("%s", error)  # noqa: TRY400 - the next commit raises it
                return
            except Exception as error:  # noqa: BLE001 - the database may be back in time
                logger.warning(
                    "Account %s: its lease can't be renewed now (%s). It ends %.0f s after the last"
                    " renewal.",
                    self._account,
                    type(error).__name__,
                    self._seconds - (time.monotonic() - self._renewed),
                )


def busy_error(account: str, holder: str) -> AccountBusyError:
    """Return the error that another run holds an account.

    Args:
        account: The account.
        holder: The process of the other run, for people to read.
    """
    return AccountBusyError(
        f"Account {account}: another run loads it ({holder}). Nothing was done; start it again when"
        " that run has ended."
    )
