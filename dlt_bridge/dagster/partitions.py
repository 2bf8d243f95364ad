"""The partitions of a platform's assets: its accounts, and their windows of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from dagster import DynamicPartitionsDefinition, RunRequest

from dlt_bridge.dagster.accounts import platform_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dagster import AssetsDefinition, DagsterInstance, DagsterRun

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


def identifier(platform: str) -> str:
    """Return the name of a platform as one of Dagster; `rest.matrix` has a dot."""
    return re.sub(r"\W", "_", platform.removeprefix("rest."))


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
    def accounts(self) -> DynamicPartitionsDefinition:
        """The partitions by account."""
        return account_partitions(self.platform)

    def account_keys(self, accounts: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Return the partition keys of the accounts that have the platform."""
        return [
            partition_key(account)
            for account, config in accounts.items()
            if platform_config(config, self.platform) is not None
        ]

    def existing(self, instance: DagsterInstance) -> list[str]:
        """Return the partition keys of accounts that Dagster knows."""
        return list(self.accounts.get_partition_keys(dynamic_partitions_store=instance))

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
            asset_selection=list(self.definition.keys), partition_key=key, tags=dict(tags)
        )
