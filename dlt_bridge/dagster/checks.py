"""`chat_checks`: what is true of each stream, over all accounts."""

# Annotations are read when the checks are made: no `from __future__ import annotations`.
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSpec,
    AssetKey,
    AssetRecordsFilter,
    DagsterInstance,
    Failure,
    MetadataValue,
    multi_asset_check,
)

from dlt_bridge.dagster.assets import ChatAssets
from dlt_bridge.dagster.key_counts import KeyCounts
from dlt_bridge.dagster.partitions import PlatformAssets, account_key, account_of, identifier
from dlt_bridge.run.failures import sentence

KEYS, FRESH = "keys_are_unique", "accounts_are_fresh"
#: The most accounts that the metadata of a check names, and events that are fetched at once.
MOST_NAMES, PAGE = 100, 1000


def chat_checks(
    assets: ChatAssets, *, max_age: timedelta = timedelta(days=2)
) -> list[AssetChecksDefinition]:
    """Return checks of each stream, over all accounts.

    `keys_are_unique` counts keys with several rows, in the destination. `accounts_are_fresh` looks
    for accounts that were not loaded lately, in Dagster.

    Args:
        assets: The assets, as `chat_assets` returned them.
        max_age: How long ago an account may have been loaded.
    """
    return [
        check(PlatformAssets(definition), assets, max_age)
        for definition in assets
        for check in (_key_checks, _fresh_checks)
    ]


def _key_checks(
    platform: PlatformAssets, assets: ChatAssets, _: timedelta
) -> AssetChecksDefinition:
    streams = {
        AssetCheckKey(spec.key, KEYS): (str(spec.metadata["stream"]), list(spec.metadata["keys"]))
        for spec in platform.definition.specs
    }

    @multi_asset_check(
        name=f"{identifier(platform.platform)}_{KEYS}",
        specs=[
            AssetCheckSpec(KEYS, asset=key.asset_key, description="No key has several rows.")
            for key in streams
        ],
        can_subset=True,
    )
    def keys_are_unique(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        try:
            with assets.loading.pipeline() as pipeline:
                counts = KeyCounts(pipeline)
                found = {key: counts.of(*streams[key]) for key in context.selected_asset_check_keys}
        except Exception as error:  # noqa: BLE001 - dlt's errors may show values of rows
            raise Failure(sentence(error)) from None
        for key, (rows, doubles) in found.items():
            yield AssetCheckResult(
                asset_key=key.asset_key,
                check_name=KEYS,
                passed=doubles == 0,
                metadata={"rows": rows, "keys with several rows": doubles},
            )

    return keys_are_unique


def _fresh_checks(
    platform: PlatformAssets, assets: ChatAssets, max_age: timedelta
) -> AssetChecksDefinition:
    @multi_asset_check(
        name=f"{identifier(platform.platform)}_{FRESH}",
        specs=[
            AssetCheckSpec(FRESH, asset=key, description="Each account was loaded lately.")
            for key in platform.definition.keys
        ],
        can_subset=True,
    )
    def accounts_are_fresh(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        keys = platform.account_keys(assets.loading.read_accounts())
        for check in context.selected_asset_check_keys:
            fresh = _loaded_since(context.instance, check.asset_key, datetime.now(UTC) - max_age)
            stale = [account_of(key) for key in keys if key not in fresh]
            yield AssetCheckResult(
                asset_key=check.asset_key,
                check_name=FRESH,
                passed=not stale,
                metadata={
                    "accounts": len(keys),
                    "accounts that are not fresh": len(stale),
                    "some of them": MetadataValue.json(stale[:MOST_NAMES]),
                },
            )

    return accounts_are_fresh


def _loaded_since(instance: DagsterInstance, asset: AssetKey, since: datetime) -> set[str]:
    """Return the partition keys of the accounts of which an asset was materialized."""
    found: set[str] = set()
    events = AssetRecordsFilter(asset_key=asset, after_timestamp=since.timestamp())
    cursor, has_more = None, True
    while has_more:
        page = instance.fetch_materializations(events, limit=PAGE, cursor=cursor)
        found |= {
            account_key(record.partition_key) for record in page.records if record.partition_key
        }
        cursor, has_more = page.cursor, page.has_more
    return found
