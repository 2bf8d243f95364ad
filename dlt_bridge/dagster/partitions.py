"""The partitions of a platform's assets: its accounts, and their windows of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from dagster import (
    AssetSelection,
    DynamicPartitionsDefinition,
    MultiPartitionKey,
    MultiPartitionsDefinition,
    RunRequest,
    TimeWindowPartitionsDefinition,
    define_asset_job,
)

from dlt_bridge.dagster.accounts import platform_config, sections_of
from dlt_bridge.dagster.streams import window_lag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dagster import AssetsDefinition, DagsterInstance, DagsterRun
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

    from dlt_bridge.dagster.accounts import AccountConfigs

#: The dimensions of partitions that are windows of accounts.
ACCOUNT, WINDOW = "account", "window"
#: The most windows that are loaded at one time of a schedule; the next time has the rest.
MOST_WINDOWS = 1000
#: The end of the name of the assets of a platform that have no windows, next to those that have.
LISTS = "_lists"
#: Separates their keys.
SEPARATOR = "|"
#: The tag with the partition key of a run.
PARTITION = "dagster/partition"
# What Dagster forbids in partition keys, and what separates them; `%` begins an escape.
_FORBIDDEN = set('%|,[]"\\') | {chr(code) for code in (*range(32), 127)}


def partition_key(account: str) -> str:
    """Return the partition key of an account: the account, if Dagster allows it.

    Args:
        account: The account: any text.
    """
    escaped = "".join(quote(sign, safe="") if sign in _FORBIDDEN else sign for sign in account)
    return escaped.replace("...", "%2E%2E%2E")


def account_of(key: str) -> str:
    """Return the account of a partition key."""
    return unquote(key)


def account_key(key: str) -> str:
    """Return the part of a partition key that is of the account: `acme` of `acme|2025-01-01`."""
    return key.partition(SEPARATOR)[0]


def identifier(platform: str) -> str:
    """Return the name of a platform as one of Dagster; `rest.matrix` has a dot."""
    return re.sub(r"\W", "_", platform.removeprefix("rest."))


def partitions_of(
    platform: str, windows: TimeWindowPartitionsDefinition | None
) -> DynamicPartitionsDefinition | MultiPartitionsDefinition:
    """Return the partitions of a platform: its accounts, or each account in each window."""
    accounts = account_partitions(platform)
    if windows is None:
        return accounts
    return MultiPartitionsDefinition({ACCOUNT: accounts, WINDOW: windows})


def account_partitions(platform: str) -> DynamicPartitionsDefinition:
    """Return the partitions of a platform: its accounts, such as `dixa_accounts`."""
    return DynamicPartitionsDefinition(name=f"{identifier(platform)}_accounts")


@dataclass(frozen=True)
class PlatformAssets:
    """The assets of a platform, as `chat_assets` returned them.

    Attributes:
        definition: The multi-asset.
    """

    definition: AssetsDefinition

    @cached_property
    def platform(self) -> str:
        """The name of the platform."""
        return str(next(iter(self.definition.specs)).metadata["platform"])

    @cached_property
    def name(self) -> str:
        """The name of what is loaded: `dixa_accounts`, or `dixa_lists` next to windows of time."""
        name = self.definition.op.name
        has_lists = name.endswith(LISTS)
        return name if has_lists else f"{identifier(self.platform)}_accounts"

    @cached_property
    def accounts(self) -> DynamicPartitionsDefinition:
        """The partitions by account."""
        return account_partitions(self.platform)

    @cached_property
    def windows(self) -> TimeWindowPartitionsDefinition | None:
        """The windows of time of each account; None if its partitions are accounts alone."""
        partitions = self.definition.partitions_def
        if not isinstance(partitions, MultiPartitionsDefinition):
            return None
        return partitions.time_window_partitions_def

    @cached_property
    def job(self) -> UnresolvedAssetJobDefinition:
        """The job that loads partitions of the assets, such as `load_dixa_accounts`."""
        return define_asset_job(f"load_{self.name}", AssetSelection.assets(self.definition))

    def known_accounts(self, instance: DagsterInstance) -> set[str]:
        """Return the partition keys of the accounts that Dagster knows."""
        return set(self.accounts.get_partition_keys(dynamic_partitions_store=instance))

    def account_keys(self, accounts: AccountConfigs) -> dict[str, dict[str, Any]]:
        """Return the partition keys of the accounts that have the platform, with their settings."""
        configs = {
            partition_key(account): platform_config(config, self.platform)
            for account, config in accounts.items()
        }
        return {key: config for key, config in configs.items() if config is not None}

    def due(self, accounts: AccountConfigs, instance: DagsterInstance) -> list[str]:
        """Return the keys of the partitions to load.

        Those are all accounts; or their windows that are complete and were not loaded yet, the
        latest first, up to `MOST_WINDOWS` of them.

        Args:
            accounts: The accounts.
            instance: Dagster's storage.
        """
        configs = self.account_keys(accounts)
        if self.windows is None:
            return list(configs)
        return list(islice(self._missing_windows(self.windows, configs, instance), MOST_WINDOWS))

    def _missing_windows(
        self,
        windows: TimeWindowPartitionsDefinition,
        configs: AccountConfigs,
        instance: DagsterInstance,
    ) -> Iterator[str]:
        loaded = set.intersection(
            *(instance.get_materialized_partitions(key) for key in self.definition.keys)
        )
        lags = {key: window_lag(config, self.platform) for key, config in configs.items()}
        now = datetime.now(UTC)
        for window in reversed(windows.get_partition_keys()):
            end = windows.time_window_for_partition_key(window).end
            for key, lag in lags.items():
                partition = MultiPartitionKey({ACCOUNT: key, WINDOW: window})
                if partition not in loaded and end + lag <= now:
                    yield partition

    def runs_of(self, runs: Sequence[DagsterRun]) -> dict[str, DagsterRun]:
        """Return the newest run of each partition, by its key.

        Args:
            runs: Runs of any assets, the newest first.
        """
        keys = set(self.definition.keys)
        return {
            run.tags[PARTITION]: run
            for run in reversed(runs)
            if PARTITION in run.tags and keys & (run.asset_selection or keys)
        }

    def run_request(self, key: str, tags: Mapping[str, str]) -> RunRequest:
        """Return a request to load a partition.

        Args:
            key: The partition key.
            tags: Tags of the run.
        """
        return RunRequest(
            job_name=self.job.name,
            asset_selection=list(self.definition.keys),
            partition_key=str(key),
            tags=dict(tags),
        )


def platforms_without_assets(
    platforms: Iterable[PlatformAssets], accounts: AccountConfigs
) -> list[str]:
    """Return the platforms that accounts have, and that have no assets."""
    sections = {name for config in accounts.values() for name in sections_of(config)}
    return sorted(sections - {platform.platform for platform in platforms})
