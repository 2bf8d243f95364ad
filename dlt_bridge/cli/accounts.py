"""`dlt singer run --accounts` and `--shards`: many accounts, or one in shards."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dlt
from singer_sdk.exceptions import ConfigValidationError

from dlt_bridge.accounts.account import Account
from dlt_bridge.accounts.files import filled, merged, read_accounts
from dlt_bridge.accounts.ledger import Ledger
from dlt_bridge.accounts.outcomes import failed_first
from dlt_bridge.accounts.pool import run_accounts
from dlt_bridge.accounts.progress import AccountsProgress
from dlt_bridge.accounts.report import summary, table
from dlt_bridge.accounts.result import AccountResult
from dlt_bridge.accounts.runner import Warehouse
from dlt_bridge.accounts.shards import run_shards
from dlt_bridge.accounts.table import read_accounts_table
from dlt_bridge.cli.common import (
    command_of,
    config_of,
    credentials_of,
    run_arguments,
    say,
    selection_of,
    show,
    write_json,
)
from dlt_bridge.cli.values import NONE, OF_DLT
from dlt_bridge.destinations.clients import describe_location
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.report import counted
from dlt_bridge.tap.inputs import default_source_name, json_object
from tap_chat.config.environment import environment

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from dlt import Pipeline

#: Arguments that belong to one account.
OF_ONE = ("account", "name", "pipeline", "full_refresh")
#: Arguments of `singer`, and of `pipeline.run`, which are the same for all accounts.
OPTIONS = (
    "nested",
    "hard_delete",
    "absent",
    "naming",
    "on_name_collision",
    "on_bad_stream",
    "batch_folders",
    "patience",
    "discover",
    "add_record_metadata",
)


def run_many(args: Namespace) -> None:
    """Load all accounts of a file or a table; exit with 1 if one was not loaded.

    Raises:
        BridgeError: The file or the table of accounts can't be used.
    """
    _refuse(args, OF_ONE, "--accounts" if args.accounts else "--accounts-table")
    warehouse = warehouse_of(args)
    # Once: a catalog may be large, and `.env` may have a variable of each account.
    template, variables = _account(args, "", {}), _variables()
    failed = []
    with warehouse.opened() as pipeline:
        configs, location = _configs(args, pipeline), describe_location(pipeline)
        pipelines = {name: replace(template, name=name).source_name for name in configs}
        order = failed_first(pipelines, Ledger(pipeline).outcomes())
    say(f"Loading {counted(len(order), 'account')} into {location}.", quiet=args.quiet)
    accounts = []
    for name in order:
        try:
            config = filled(name, configs[name], variables)
            accounts.append(replace(template, name=name, config=config))
        except BridgeError as error:
            failed.append(AccountResult(account=name, failure=str(error)))
            _say_outcome(failed, len(order), quiet=args.quiet)
    progress = _progress(args, len(order), "account")
    for result in failed:
        progress.count(result)
    loaded = run_accounts(
        accounts, workers=args.workers, progress=progress, **_settings(args, warehouse)
    )
    _show(args, location, loaded, failed, progress)


def _variables() -> dict[str, str]:
    try:
        return environment()
    except ConfigValidationError as error:
        raise BridgeError(str(error)) from None


def run_in_shards(args: Namespace) -> None:
    """Load one account in shards, and show what was loaded; exit with 1 if a shard was not.

    Raises:
        BridgeError: The account can't be loaded in shards.
    """
    _refuse(args, set(OF_ONE) - {"account"}, "--shards")
    if args.account is None:
        raise BridgeError("--shards is for one account: name it by --account.")
    warehouse = warehouse_of(args)
    source = default_source_name(command_of(args))
    looked_up: Any = dlt.secrets.get(f"sources.singer.{source}.config")
    config = config_of(args) or looked_up or {}
    with warehouse.opened() as pipeline:
        location = describe_location(pipeline)
        say(f"Loading {args.account} in {args.shards} shards into {location}.", quiet=args.quiet)
    progress = _progress(args, args.shards, "run")
    loaded = run_shards(
        _account(args, args.account, config),
        shards=args.shards,
        workers=args.workers,
        progress=progress,
        **_settings(args, warehouse),
    )
    _show(args, location, loaded, [], progress)


def _progress(args: Namespace, total: int, of: str) -> AccountsProgress:
    return AccountsProgress(total, of, shows=args.progress != NONE and not args.quiet)


def _refuse(args: Namespace, arguments: Iterable[str], flag: str) -> None:
    """Refuse arguments of a run that loads one account alone.

    Raises:
        BridgeError: One is given.
    """
    given = [argument for argument in arguments if getattr(args, argument)]
    if args.progress in OF_DLT:
        given.append("progress")
    for argument in given:
        raise BridgeError(
            f"--{argument.replace('_', '-')} can't be combined with {flag}: it is for a run of"
            " one account alone."
        )


def warehouse_of(args: Namespace) -> Warehouse:
    """Return where the accounts of a tap are loaded: one file for all, without credentials."""
    tap = default_source_name(command_of(args))
    return Warehouse(
        destination=args.destination,
        dataset_name=args.dataset or f"{tap}_dataset",
        credentials=credentials_of(args),
        pipelines_dir=args.pipelines_dir,
    ).shared_by(tap)


def _settings(args: Namespace, warehouse: Warehouse) -> dict[str, Any]:
    """Return the arguments of `run`."""
    return {
        **warehouse.arguments,
        "checkpoint_every": args.checkpoint_every,
        **run_arguments(args),
    }


def _show(
    args: Namespace,
    location: str,
    runs: Generator[AccountResult],
    results: list[AccountResult],
    progress: AccountsProgress,
) -> None:
    """Wait for runs, and show what they have done.

    Args:
        args: The arguments.
        location: Where they load to.
        runs: The results of the runs, as they end.
        results: The results of accounts that could not begin.
        progress: Shows how the runs go.

    Raises:
        BridgeError: One has failed.
    """
    start_time = time.monotonic()
    try:
        with progress, closing(runs) as loaded:
            for result in loaded:
                results.append(result)
                progress.count(result)
                _say_outcome(results, progress.total, quiet=args.quiet)
    finally:
        seconds = time.monotonic() - start_time
        if args.json:
            write_json({"destination": location, **summary(results, seconds)})
        elif not args.quiet:
            show(table(results, seconds))
    if missing := [result.title for result in results if result.failure]:
        raise BridgeError(f"{len(missing)} of {len(results)} not loaded: {', '.join(missing)}.")
    say(f"Everything is in {location}.", quiet=args.quiet)


def _configs(args: Namespace, pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """Return the settings of the accounts, over those of the files of `--config`."""
    accounts = (
        read_accounts(args.accounts)
        if args.accounts
        else read_accounts_table(pipeline, args.accounts_table)
    )
    common = config_of(args) or {}
    return {name: merged(common, own) for name, own in accounts.items()}


def _account(args: Namespace, name: str, config: Mapping[str, Any]) -> Account:
    options = {option: getattr(args, option) for option in OPTIONS}
    # None is looked up in dlt's configuration.
    options |= {option: getattr(args, option) or None for option in ("properties", "renamed")}
    return Account(
        name=name,
        config=config,
        tap=command_of(args),
        catalog=json_object(args.catalog, "catalog") if args.catalog else None,
        options={"select": selection_of(args), **options},
    )


def _say_outcome(results: Sequence[AccountResult], total: int, *, quiet: bool) -> None:
    """Say how the last run has ended, and how many of all have."""
    result, done = results[-1], f"({len(results)} of {total})"
    if result.failure:
        say(f"{result.title} failed {done}: {result.failure}", keep="\n\t")
        return
    rows = counted(sum(result.rows.values()), "row")
    say(f"{result.title}: {rows} in {result.seconds:.1f} s {done}.", quiet=quiet)
