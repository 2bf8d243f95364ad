"""What a run of a partition does: it loads one account of one platform."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dagster import EnvVar, Failure, RetryRequested

from dlt_bridge.accounts import Account, AccountResult, run
from dlt_bridge.accounts.runner import Warehouse
from dlt_bridge.dagster.accounts import filled, platform_config, read_accounts
from dlt_bridge.dagster.metadata import run_metadata
from dlt_bridge.dagster.streams import streams_of, window_lag
from dlt_bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dagster import TimeWindow
    from dlt import Pipeline

    from dlt_bridge.dagster.accounts import AccountConfigs, Accounts

#: Seconds after which a run tries again if another run holds its account, and how often it does.
BUSY_SECONDS, BUSY_RETRIES = 60, 60
#: The part of an account whose windows are loaded without its bookmarks.
WINDOWS = "windows"
TAP = (sys.executable, "-m", "tap_chat")


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How accounts are loaded.

    Attributes:
        accounts: The accounts.
        destination: The name of a dlt destination.
        dataset_name: The dataset, which all accounts share.
        credentials: The credentials of the destination, or the `EnvVar` that has them; None to use
            dlt's configuration.
        pipelines_dir: The folder for working files; None for dlt's default.
        catalog: The catalog of the tap; None to run its discovery for each account.
    """

    accounts: Accounts
    destination: str
    dataset_name: str
    credentials: Any
    pipelines_dir: str | None
    catalog: Mapping[str, Any] | None

    def read_accounts(self) -> AccountConfigs:
        """Return the accounts as they are now."""
        return read_accounts(self.accounts)

    @contextmanager
    def pipeline(self) -> Iterator[Pipeline]:
        """Give a pipeline into the dataset, with working files of its own."""
        with TemporaryDirectory() as folder:
            yield replace(self._warehouse, pipelines_dir=folder).pipeline("chat_checks")

    @property
    def _warehouse(self) -> Warehouse:
        is_variable = isinstance(self.credentials, EnvVar)
        return Warehouse(
            destination=self.destination,
            dataset_name=self.dataset_name,
            credentials=self.credentials.get_value() if is_variable else self.credentials,
            pipelines_dir=self.pipelines_dir,
        ).shared_by("tap_chat")

    def load(
        self, name: str, platform: str, streams: Sequence[str], window: TimeWindow | None
    ) -> AccountResult:
        """Load streams of an account.

        Args:
            name: The account.
            platform: The platform of the streams.
            streams: The names of the streams.
            window: The window of time to read in whole; None to continue from the bookmarks.

        Raises:
            Failure: The run failed, or there is no such account.
            RetryRequested: Another run holds the account.
        """
        account = self._account(name, platform, streams)
        own = streams_of(account.config, platform)
        if own is not None:
            # Another account may have more streams, by its settings.
            streams = [stream for stream in streams if stream in own]
            if not streams:
                return AccountResult(account=name)
            account = replace(account, options={**account.options, "select": streams})
        if window:
            account = _in_window(account, platform, window)
        result = run(account, **self._warehouse.arguments)
        if result.is_busy:
            raise RetryRequested(max_retries=BUSY_RETRIES, seconds_to_wait=BUSY_SECONDS)
        if result.failure:
            raise Failure(result.failure, metadata=run_metadata(result))
        return result

    def _account(self, name: str, platform: str, streams: Sequence[str]) -> Account:
        """Return an account, with the settings of one platform.

        Raises:
            Failure: There is no such account, it lacks the platform, or its settings can't be read.
        """
        try:
            config = self.read_accounts().get(name)
            section = None if config is None else platform_config(config, platform)
            own = None if section is None else filled(self.accounts, name, section)
        except BridgeError as error:
            raise Failure(str(error), allow_retries=False) from None
        if config is None:
            raise Failure(
                f"The partition {name} is of no account. Add the account, or delete the partition.",
                allow_retries=False,
            )
        if own is None:
            raise Failure(
                f"The account {name} has no section `{platform}` in its settings. Add it, or delete"
                " the partition.",
                allow_retries=False,
            )
        return Account(
            name=name,
            config=own,
            tap=TAP,
            catalog=self.catalog,
            options={"select": list(streams)},
        )


def _in_window(account: Account, platform: str, window: TimeWindow) -> Account:
    """Return an account that reads a window of time in whole, and leaves its bookmarks.

    Raises:
        Failure: Records may still be added to the window.
    """
    lag = window_lag(account.config, platform)
    if (complete := window.end + lag) > datetime.now(UTC):
        raise Failure(
            f"The window ends at {window.end.isoformat()}, and records may be added to it until"
            f" {complete.isoformat()}. Run it after that.",
            allow_retries=False,
        )
    bounds = {"start_date": window.start.isoformat(), "end_date": complete.isoformat()}
    return replace(
        account,
        config={**account.config, **bounds},
        part=WINDOWS,
        options={**account.options, "use_state": False},
    )
