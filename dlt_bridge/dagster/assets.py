"""`chat_assets`: the streams of tap-chat as assets, with a partition for each account."""

# Annotations are read when the operations are made: no `from __future__ import annotations`.
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    EnvVar,
    Failure,
    MaterializeResult,
    RetryPolicy,
    RetryRequested,
    multi_asset,
)

from dlt_bridge.accounts import Account, AccountResult, run
from dlt_bridge.dagster.accounts import Accounts, platform_config, read_accounts
from dlt_bridge.dagster.metadata import run_metadata, stream_metadata
from dlt_bridge.dagster.partitions import account_of, account_partitions, identifier
from dlt_bridge.dagster.streams import StreamFacts, platforms_of

#: Seconds after which a run tries again if another run holds its account, and how often it does.
BUSY_SECONDS, BUSY_RETRIES = 60, 60


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where the assets are loaded.

    Attributes:
        destination: The name of a dlt destination.
        dataset: The dataset, which all accounts share.
        credentials: The credentials of the destination; None to use dlt's configuration.
        pipelines_dir: The folder for working files; None for dlt's default.
    """

    destination: str
    dataset: str
    credentials: Any = None
    pipelines_dir: str | None = None

    def run(self, account: Account) -> AccountResult:
        """Load an account."""
        is_variable = isinstance(self.credentials, EnvVar)
        return run(
            account,
            destination=self.destination,
            dataset_name=self.dataset,
            credentials=self.credentials.get_value() if is_variable else self.credentials,
            pipelines_dir=self.pipelines_dir,
        )


def chat_assets(  # noqa: PLR0913 - the settings of a destination
    *,
    accounts: Accounts,
    platforms: Sequence[str] | None = None,
    destination: str = "duckdb",
    dataset_name: str,
    credentials: Any = None,  # noqa: ANN401
    pipelines_dir: str | None = None,
    key_prefix: str | Sequence[str] = (),
    retry_policy: RetryPolicy | None = None,
    pool: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
) -> list[AssetsDefinition]:
    """Return the streams of tap-chat as assets of Dagster, with a partition for each account.

    Each platform has one multi-asset, from which any streams can be selected, and partitions of
    its own: the accounts that have the platform. A run loads one account with checkpoints::

        accounts = {"acme": {"dixa": {"api_token": os.environ["ACME_DIXA"]}}}
        assets = chat_assets(accounts=accounts, destination="postgres", dataset_name="chats")
        defs = Definitions(assets=assets)

    Args:
        accounts: The accounts, each with its config of tap-chat; or a function that returns them.
        platforms: The names of the platforms; by default those that the accounts have now. With
            them, a function is not called when the definitions are loaded.
        destination: The name of a dlt destination.
        dataset_name: The dataset, which all accounts share.
        credentials: The credentials of the destination, or the `EnvVar` that has them; None to use
            dlt's configuration.
        pipelines_dir: The folder for working files; None for dlt's default.
        key_prefix: The first parts of the keys of the assets.
        retry_policy: When Dagster runs an account again that has failed.
        pool: The pool of Dagster that limits how many accounts are loaded at once.
        op_tags: Tags of the operations, such as those for Kubernetes.

    Returns:
        One multi-asset for each platform.

    Raises:
        BridgeError: A setting of an account is wrong.
    """
    prefix = [key_prefix] if isinstance(key_prefix, str) else list(key_prefix)
    place = Destination(
        destination=destination,
        dataset=dataset_name,
        credentials=credentials,
        pipelines_dir=pipelines_dir,
    )
    configs = (
        read_accounts(accounts).values()
        if platforms is None
        else [{platform: {} for platform in platforms}]
    )
    return [
        _platform_assets(
            platform,
            [_spec(facts, prefix, platform, destination) for facts in streams],
            accounts,
            place,
            retry_policy=retry_policy,
            pool=pool,
            op_tags=op_tags,
        )
        for platform, streams in platforms_of(configs).items()
    ]


def _spec(facts: StreamFacts, prefix: list[str], platform: str, destination: str) -> AssetSpec:
    return AssetSpec(
        AssetKey([*prefix, facts.name]),
        deps=[AssetKey([*prefix, facts.parent])] if facts.parent else [],
        description=facts.title,
        group_name=identifier(platform),
        kinds={"dlt", destination},
        metadata={"keys": ["_account", *facts.keys], "platform": platform, "stream": facts.name},
    )


def _platform_assets(
    platform: str,
    specs: list[AssetSpec],
    accounts: Accounts,
    place: Destination,
    **options: Any,  # noqa: ANN401
) -> AssetsDefinition:
    names = {spec.key: str(spec.metadata["stream"]) for spec in specs}

    @multi_asset(
        name=f"{identifier(platform)}_streams",
        specs=specs,
        can_subset=True,
        partitions_def=account_partitions(platform),
        **options,
    )
    def assets(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        account_name = account_of(context.partition_key)
        selected = [spec.key for spec in specs if spec.key in context.selected_asset_keys]
        account = _account(
            account_name, read_accounts(accounts), platform, [names[key] for key in selected]
        )
        result = place.run(account)
        if result.is_busy:
            raise RetryRequested(max_retries=BUSY_RETRIES, seconds_to_wait=BUSY_SECONDS)
        if result.failure:
            raise Failure(result.failure, metadata=run_metadata(result))
        for key in selected:
            yield MaterializeResult(asset_key=key, metadata=stream_metadata(result, names[key]))

    return assets


def _account(
    name: str,
    accounts: Mapping[str, Mapping[str, Any]],
    platform: str,
    streams: Sequence[str],
) -> Account:
    """Return an account, with the settings of one platform.

    Raises:
        Failure: There is no such account, or it lacks the platform.
    """
    config = accounts.get(name)
    if config is None:
        raise Failure(
            f"The account {name} has a partition, but is not among the accounts. Delete the"
            " partition, or add the account.",
            allow_retries=False,
        )
    own = platform_config(config, platform)
    if own is None:
        raise Failure(
            f"The account {name} has no section `{platform}` in its settings. Add it, or delete"
            " the partition.",
            allow_retries=False,
        )
    return Account(
        name=name,
        config=own,
        tap=[sys.executable, "-m", "tap_chat"],
        options={"select": streams},
    )
