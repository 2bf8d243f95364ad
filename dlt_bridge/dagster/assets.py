"""`chat_assets`: the streams of tap-chat as assets, with a partition for each account."""

# Annotations are read when the operations are made: no `from __future__ import annotations`.
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    RetryPolicy,
    TimeWindowPartitionsDefinition,
    multi_asset,
)

from dlt_bridge.dagster.accounts import Accounts, read_accounts, without_settings
from dlt_bridge.dagster.loading import Loading
from dlt_bridge.dagster.metadata import stream_metadata
from dlt_bridge.dagster.partitions import (
    LISTS,
    PlatformAssets,
    account_key,
    account_of,
    identifier,
    partitions_of,
)
from dlt_bridge.dagster.streams import PlatformFacts, StreamFacts, platforms_of

#: The end of the name of the assets of a platform.
STREAMS = "_streams"


class ChatAssets(list[AssetsDefinition]):
    """The multi-assets of the platforms.

    Args:
        definitions: The multi-assets.
        loading: How their accounts are loaded.

    Attributes:
        platforms: The assets of each platform.
    """

    def __init__(self, definitions: Iterable[AssetsDefinition], loading: Loading) -> None:
        super().__init__(definitions)
        self.loading = loading
        self.platforms = [PlatformAssets(definition) for definition in self]


def chat_assets(  # noqa: PLR0913 - the settings of a destination, and of assets
    *,
    accounts: Accounts,
    platforms: Sequence[str] | None = None,
    destination: str = "duckdb",
    dataset_name: str,
    credentials: Any = None,  # noqa: ANN401
    pipelines_dir: str | None = None,
    catalog: Mapping[str, Any] | None = None,
    windows: TimeWindowPartitionsDefinition | None = None,
    key_prefix: str | Sequence[str] = (),
    retry_policy: RetryPolicy | None = None,
    pool: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
) -> ChatAssets:
    """Return the streams of tap-chat as assets of Dagster, with a partition for each account.

    Each platform has one multi-asset, from which any streams can be selected, and partitions of
    its own: the accounts that have the platform. A run loads one account with checkpoints::

        assets = chat_assets(accounts="accounts.toml", destination="postgres", dataset_name="chats")
        defs = Definitions(assets=assets, sensors=[account_sensor(assets)])

    Args:
        accounts: The file of the accounts, as for `dlt singer run --accounts`; or each account
            with its config of tap-chat; or a function that returns these.
        platforms: The names of the platforms; by default those that the accounts have now. With
            them, a function is not called when the definitions are loaded.
        destination: The name of a dlt destination.
        dataset_name: The dataset, which all accounts share.
        credentials: The credentials of the destination, or the `EnvVar` that has them; None to use
            dlt's configuration.
        pipelines_dir: The folder for working files; None for dlt's default.
        catalog: A catalog of tap-chat, for all accounts. By default, each run starts the tap with
            `--discover`, which takes about two seconds.
        windows: Windows of time, such as `MonthlyPartitionsDefinition(start_date="2024-01-01")`,
            for the streams that are read in windows, which dixa and livechat have. Each of their
            partitions is then a window of an account, which is read in whole. The other streams of
            these platforms have a multi-asset of their own. By default, a run continues from where
            the last one of the account ended.
        key_prefix: The first parts of the keys of the assets.
        retry_policy: When Dagster runs an account again that has failed.
        pool: The pool of Dagster that limits how many accounts are loaded at once.
        op_tags: Tags of the operations, such as those for Kubernetes.

    Returns:
        One multi-asset for each platform.

    Raises:
        BridgeError: The file of the accounts, a platform or a declaration is wrong.
    """
    loading = Loading(
        accounts=accounts,
        destination=destination,
        dataset_name=dataset_name,
        credentials=credentials,
        pipelines_dir=pipelines_dir,
        catalog=catalog,
    )
    configs = (
        map(without_settings, read_accounts(accounts).values())
        if platforms is None
        else [{platform: {} for platform in platforms}]
    )
    prefix = [key_prefix] if isinstance(key_prefix, str) else list(key_prefix)
    definitions = [
        _platform_assets(
            platform.name,
            name,
            {AssetKey([*prefix, facts.name]): facts for facts in streams},
            loading,
            partitions,
            retry_policy=retry_policy,
            pool=pool,
            op_tags=op_tags,
        )
        for platform in platforms_of(configs)
        for name, streams, partitions in _parts(platform, windows)
    ]
    return ChatAssets(definitions, loading)


def _parts(
    platform: PlatformFacts, windows: TimeWindowPartitionsDefinition | None
) -> Iterator[tuple[str, list[StreamFacts], TimeWindowPartitionsDefinition | None]]:
    """Yield the name of each multi-asset of a platform, its streams, and its windows of time."""
    name = identifier(platform.name)
    windowed = [facts for facts in platform.streams if windows and facts.has_windows]
    others = [facts for facts in platform.streams if facts not in windowed]
    if windowed:
        yield f"{name}{STREAMS}", windowed, windows
    if others:
        yield f"{name}{LISTS if windowed else STREAMS}", others, None


def _platform_assets(
    platform: str,
    name: str,
    streams: Mapping[AssetKey, StreamFacts],
    loading: Loading,
    windows: TimeWindowPartitionsDefinition | None,
    **options: Any,  # noqa: ANN401
) -> AssetsDefinition:
    @multi_asset(
        name=name,
        specs=[_spec(key, facts, platform, loading) for key, facts in streams.items()],
        can_subset=True,
        partitions_def=partitions_of(platform, windows),
        **options,
    )
    def assets(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        selected = {
            key: facts.name for key, facts in streams.items() if key in context.selected_asset_keys
        }
        result = loading.load(
            account_of(account_key(context.partition_key)),
            platform,
            list(selected.values()),
            context.partition_time_window if windows else None,
        )
        for key, stream in selected.items():
            yield MaterializeResult(asset_key=key, metadata=stream_metadata(result, stream))

    return assets


def _spec(key: AssetKey, facts: StreamFacts, platform: str, loading: Loading) -> AssetSpec:
    return AssetSpec(
        key,
        deps=[AssetKey([*key.path[:-1], facts.parent])] if facts.parent else [],
        description=facts.title,
        group_name=identifier(platform),
        kinds={"dlt", loading.destination},
        metadata={
            "keys": ["_account", *facts.keys],
            "platform": platform,
            "stream": facts.name,
        },
    )
