"""The actions of `dlt singer`: a function for each."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from click import Abort
from rich.table import Table
from rich.text import Text
from singer_sdk.exceptions import ConfigValidationError

from dlt_bridge.accounts.account import Account
from dlt_bridge.accounts.leases import Lease
from dlt_bridge.accounts.ledger import Ledger
from dlt_bridge.accounts.result import AccountResult
from dlt_bridge.arrow.columns import columns
from dlt_bridge.cli import scaffold
from dlt_bridge.cli.accounts import run_in_shards, run_many, warehouse_of
from dlt_bridge.cli.common import (
    command_of,
    config_of,
    credentials_of,
    run_arguments,
    say,
    selection_of,
    show,
    source_name_of,
    write_json,
)
from dlt_bridge.cli.next_step import next_step
from dlt_bridge.cli.values import OF_DLT, STREAMS
from dlt_bridge.destinations.clients import describe_location
from dlt_bridge.destinations.destination import DRIVER
from dlt_bridge.destinations.state_owner import current_state, drop_foreign_state
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.checkpoints import committed_packages, load_leftovers
from dlt_bridge.run.locks import exclusive
from dlt_bridge.run.pipelines import PipelineSpec, make_local_pipeline
from dlt_bridge.run.progress import RunProgress
from dlt_bridge.run.report import Report, counted
from dlt_bridge.source import singer, unconfigured
from dlt_bridge.tables import state_store
from dlt_bridge.tables.descriptions import description_of
from dlt_bridge.tap.catalog import Catalog
from dlt_bridge.tap.inputs import default_source_name, json_object
from dlt_bridge.tap.private_folder import private_folder, write_private
from dlt_bridge.tap.process import Tap
from tap_chat.config.questions import (
    START_DATE,
    ask_platform,
    in_terminal,
    settings_of,
    start_date_of,
)
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from dlt import Pipeline
    from dlt.extract import DltSource

    from dlt_bridge.tap.catalog import Stream

#: The tap of `dlt singer init` that names none.
TAP_CHAT = "tap-chat"


def discover(args: Namespace) -> None:
    """Show the streams of a tap, with their keys, replication methods and selection."""
    discovered = _discovered(args)
    if args.json:
        write_json(discovered)
        return
    catalog = Catalog(discovered)
    if args.fields:
        for entry in discovered["streams"]:
            show(_fields(catalog.streams[entry["tap_stream_id"]], entry.get("schema") or {}))
        return
    fields = {
        entry["tap_stream_id"]: len((entry.get("schema") or {}).get("properties") or {})
        for entry in discovered["streams"]
    }
    table = Table()
    for column in ("stream", "key", "replication", "fields", "selected"):
        justify: Any = "right" if column == "fields" else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for stream in catalog.streams.values():
        selected = "no" if stream.deselected else "yes"
        keys, method = ", ".join(stream.keys), stream.method or ""
        cells = (stream.name, keys, method, str(fields[stream.name]), selected)
        # As Text, because rich would read markup in names.
        table.add_row(*(Text(printable(cell)) for cell in cells))
    show(table)


def _fields(stream: Stream, schema: Mapping[str, Any]) -> Table:
    """Return a table of the fields of a stream, under its name and description."""
    title = ": ".join(filter(None, (stream.name, description_of(schema))))
    table = Table(
        "field", "type", "description", title=Text(printable(title)), title_justify="left"
    )
    for column in columns(schema, stream.keys):
        type_name = column.type.text if column.type else ""
        cells = (column.name, type_name, description_of(column.schema))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def run(args: Namespace) -> None:
    """Load a tap, and show what was loaded."""
    if args.accounts or args.accounts_table:
        run_many(args)
        return
    if args.shards:
        run_in_shards(args)
        return
    shows = args.progress in {None, STREAMS} and not args.quiet
    with RunProgress(f"Starting {Path(command_of(args)[0]).name}", shows=shows) as progress:
        source = _source(args)
        collector = args.progress if args.progress in OF_DLT else None
        pipeline = _pipeline(args, progress=collector)
        with _lease(pipeline, args) as lease, exclusive(pipeline):
            _load(pipeline, source, args, lease, progress)
            if args.account is not None:
                lease.result = AccountResult(account=args.account)


def _source(args: Namespace) -> DltSource:
    return singer(
        command_of(args),
        config_of(args),
        catalog=json_object(args.catalog, "catalog") if args.catalog else None,
        discover=args.discover,
        # None is looked up in dlt's configuration.
        properties=args.properties or None,
        renamed=args.renamed or None,
        select=selection_of(args),
        nested=args.nested,
        hard_delete=args.hard_delete,
        absent=args.absent,
        naming=args.naming,
        on_name_collision=args.on_name_collision,
        batch_folders=args.batch_folders,
        patience=args.patience,
        on_bad_stream=args.on_bad_stream,
        account=args.account,
        add_record_metadata=args.add_record_metadata,
        name=args.name,
    )


def _lease(pipeline: Pipeline, args: Namespace) -> AbstractContextManager[Lease]:
    """Return the lease of the account, which keeps other runs from loading it at the same time."""
    if args.account is None:
        return nullcontext(Lease())
    account = Account(name=args.account, config={}, tap=command_of(args))
    return Ledger(pipeline, name=account.lease_name).hold(args.account)


def _load(
    pipeline: Pipeline, source: DltSource, args: Namespace, lease: Lease, progress: RunProgress
) -> None:
    start_time = time.monotonic()
    location = describe_location(pipeline)
    say(f"Loading into {location}.", quiet=args.quiet)
    for info in load_leftovers(pipeline):
        packages_left = counted(len(info.loads_ids), "package")
        say(f"Loaded {packages_left} that an earlier run left.", quiet=args.quiet)
    streams = [name for name in source.resources.selected if name != DRIVER]
    report = Report(pipeline, streams)
    arguments = run_arguments(args)

    def before_commit() -> None:
        lease.check()
        progress.load()

    try:
        for part, refresh in _parts(source, args.full_refresh):
            packages = committed_packages(
                pipeline,
                part,
                checkpoint_every=args.checkpoint_every,
                before_commit=before_commit,
                at_start=progress.begin,
                refresh=refresh,
                **arguments,
            )
            for package in packages:
                report.add(package)
                progress.commit()
                if not package.last:
                    say(f"Committed: {report.rows:,} rows so far.", quiet=args.quiet)
    finally:
        progress.end()
        if report.packages:
            seconds = time.monotonic() - start_time
            if args.json:
                write_json({"destination": location, **report.summary(seconds)})
            elif not args.quiet:
                show(report.table(seconds))
    say(report.in_words(location), quiet=args.quiet)
    if command := next_step(pipeline, report):
        say(f"Next: {command}", quiet=args.quiet)


def state(args: Namespace) -> None:
    """Show the STATE of a tap that a pipeline keeps, or replace it."""
    source = source_name_of(args)
    value = _state(args.new) if args.new else {}
    pipeline = _pipeline(args)
    location = f"{describe_location(pipeline)} (pipeline {pipeline.pipeline_name})"
    if not args.new:
        _require_file(pipeline, location)
    if args.new or args.clear:
        catalog = Catalog(_discovered(args))

        def owner(key: str) -> str | None:
            streams = catalog.streams_named(key)
            return streams[0] if len(streams) == 1 else None

        with exclusive(pipeline):
            drop_foreign_state(pipeline)
            pipeline.sync_destination()
            state_store.replace_state(pipeline, source, value, catalog.names, owner)
        begins = "continues from this state" if args.new else "reads everything from the beginning"
        say(f"The next run of {source} {begins}.")
        return
    pipeline.sync_destination()
    saved = state_store.saved_state(current_state(pipeline), source)
    if not saved:
        raise BridgeError(f"There is no state of {source} in {location}.")
    if args.json:
        write_json(saved)
        return
    table = Table("stream", "bookmark")
    bookmarks = saved.get("bookmarks", {})
    for stream, bookmark in bookmarks.items():
        table.add_row(Text(printable(stream)), Text(json.dumps(_values_first(bookmark))))
    for name, value in saved.items():
        if name != "bookmarks":
            table.add_row(Text(f"({printable(name)})"), Text(json.dumps(value)))
    show(table)


def init(args: Namespace) -> None:
    """Write a pipeline script for a tap, with its secrets and config, into the current folder."""
    tap = args.tap or TAP_CHAT
    schema = scaffold.settings_schema(tap)
    try:
        given, missing = _given(args, tap, schema)
    except ConfigValidationError as error:
        raise BridgeError(str(error)) from None
    except Abort:
        raise BridgeError("Nothing was written, because the dialog was ended.") from None
    for line in scaffold.write(Path(), tap, args.destination, settings=schema, given=given):
        say(line)
    if missing:
        say(f"Before, fill in {', '.join(missing)}.")


def _given(
    args: Namespace, tap: str, schema: dict[str, Any]
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the settings of a platform, as its section, and those to fill in.

    Without a platform, there are none. In a terminal, the user is asked for one.

    Raises:
        BridgeError: The tap has no such platform.
        ConfigValidationError: The settings are wrong.
    """
    properties = schema.get("properties", {})
    platforms = [name for name in properties if "api_url" in properties[name].get("properties", {})]
    platform = args.platform
    if platform is None:
        if not (platforms and in_terminal()):
            return None, []
        platform = ask_platform(platforms)
    if platform not in platforms:
        raise BridgeError(
            f"{tap} has no platform `{printable(platform)}`. It has: {', '.join(platforms)}."
        )

    def works(section: dict[str, Any]) -> bool:
        with private_folder("dlt-bridge-") as folder:
            path = folder / "config.json"
            write_private(path, json.dumps({platform: section}))
            command = [*Tap(tap, {}).command, "--config", str(path), "--test"]
            # Standard output has what came of each test.
            return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0  # noqa: S603

    variables = f"{default_source_name([tap])}_".upper()
    test = works if args.test else None
    section, missing = settings_of(platform, properties[platform], variables, test)
    existing = scaffold.existing_settings(Path(), tap)
    has_start = START_DATE in properties
    start = start_date_of(variables, existing, scaffold.SECRETS) if has_start else None
    return {**({START_DATE: start} if start else {}), platform: section}, missing


def _state(name: str) -> dict[str, Any]:
    """Return the value of a STATE from a Singer file, or from the output of `meltano state get`."""
    value = json_object(name, "state")
    for wrapper in ("singer_state", "value"):
        if isinstance(value.get(wrapper), dict):
            value = value[wrapper]
    return value


def _discovered(args: Namespace) -> Any:  # noqa: ANN401
    command = command_of(args)
    config = config_of(args)
    if config is not None:
        return Tap(command, config).discover()
    name = source_name_of(args)
    looked_up: Any = dlt.secrets.get(f"sources.singer.{name}.config")
    advice = "" if looked_up else unconfigured(name)
    return Tap(command, looked_up or {}, advice=advice).discover()


def _pipeline(args: Namespace, *, progress: Any = None) -> Pipeline:  # noqa: ANN401
    is_shared = args.account is not None and not (args.pipeline or args.name)
    shared = warehouse_of(args) if is_shared else None
    spec = PipelineSpec(
        destination=args.destination,
        pipeline=args.pipeline or source_name_of(args),
        dataset=shared.dataset_name if shared else args.dataset,
        credentials=shared.credentials if shared else credentials_of(args),
        folder=args.pipelines_dir,
    )
    return make_local_pipeline(spec, progress=progress)


def _require_file(pipeline: Pipeline, location: str) -> None:
    """Refuse a database file that does not exist, because opening it would create it.

    Raises:
        BridgeError: The file does not exist.
    """
    _, is_file, path = str(pipeline.destination_client().config).partition(":///")
    if is_file and Path(path).is_absolute() and not Path(path).exists():
        raise BridgeError(
            f"There is no {location}. Is the tap's name right, and is this the folder of its runs?"
        )


def _parts(source: DltSource, refreshed: list[str]) -> list[tuple[DltSource, Any]]:
    """Return the sources to load one after the other, each with its argument `refresh` of dlt.

    dlt refreshes all streams of a source, so the other streams are a source of their own.
    """
    if not refreshed:
        return [(source, None)]
    streams = [name for name in source.resources.selected if name != DRIVER]
    if unknown := [name for name in refreshed if name not in streams]:
        raise BridgeError(
            f"--full-refresh: there is no selected stream `{unknown[0]}`. There are:"
            f" {', '.join(streams)}."
        )
    rest = [name for name in streams if name not in refreshed]
    first = (source.with_resources(*refreshed), "drop_resources")
    return [first, (source.with_resources(*rest), None)] if rest else [first]


def _values_first(bookmark: Any) -> Any:  # noqa: ANN401 - a tap's own
    """Return a bookmark with its plain values before its objects and arrays."""
    if not isinstance(bookmark, dict):
        return bookmark
    return dict(sorted(bookmark.items(), key=lambda item: isinstance(item[1], dict | list)))
