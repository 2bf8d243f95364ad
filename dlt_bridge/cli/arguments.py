"""`dlt singer`: the command and its arguments."""

from __future__ import annotations

import gc
import sys
from argparse import ArgumentParser, BooleanOptionalAction
from typing import TYPE_CHECKING, Any, NoReturn

from dlt.common.configuration.plugins import SupportsCliCommand
from typing_extensions import override

from dlt_bridge.cli import values
from dlt_bridge.destinations.destination import CHECKPOINT_SECONDS
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.environment import fix_environment
from dlt_bridge.run.signals import explaining_errors
from dlt_bridge.tap.inputs import to_source_name
from dlt_bridge.tap.process import PATIENCE_SECONDS
from tap_chat.docs import link_of
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from dlt.common.configuration.plugins import TCliCommandCompose

#: Arguments of a parser: the options of argparse, by the name of the argument.
Arguments = dict[str, dict[str, Any]]

#: The number of accounts that are loaded at the same time, by default.
WORKERS = 4


def _several(metavar: str, help_text: str, **options: object) -> dict[str, Any]:
    """Return the options of an argument that takes several words and may be repeated."""
    return {"metavar": metavar, "nargs": "+", "action": "extend", "help": help_text, **options}


TAP: Arguments = {
    "tap": {
        "metavar": "TAP",
        "help": "the tap's executable, or its command with arguments in quotes; before options that"
        " take several words",
    },
    "--config": {
        "metavar": "FILE",
        "action": "append",
        "default": [],
        "help": "the tap's settings as JSON; several files are merged. By default they come from"
        " dlt's secrets.toml, sources.singer.<name>.config",
    },
    "--name": {
        "type": to_source_name,
        "help": "the name of the source; by default the tap's, with the account",
    },
    "--account": {
        "type": values.account,
        "help": "the account that the tap reads: any text. Each row has it in the column _account,"
        " the first part of each key, so that accounts share tables",
    },
}
PIPELINE: Arguments = {
    "--destination": {
        "default": "duckdb",
        "help": "a dlt destination: duckdb (default), postgres, ...",
    },
    "--credentials": {
        "help": "a path, a URL or a JSON object. It is safer to keep passwords in secrets.toml, or"
        " in DESTINATION__<NAME>__CREDENTIALS",
    },
    "--pipeline": {
        "type": to_source_name,
        "help": "the pipeline's name; by default that of the source",
    },
    "--pipelines-dir": {"help": "the folder for working files of pipelines"},
}
#: Of these, a command has one.
DATASET: Arguments = {
    "--dataset": {
        "help": "the dataset, or schema: <pipeline>_dataset by default; with --account, that of"
        " the tap, which all its accounts share"
    },
    "--default-target-schema": {"dest": "dataset", "help": "the same, as SDK targets name it"},
}
LOADING: Arguments = {
    "--catalog": {"metavar": "FILE", "help": "a catalog to use instead of running --discover"},
    "--no-discover": {
        "dest": "discover",
        "action": "store_false",
        "help": "the tap has no discovery: its streams are known from its messages only",
    },
    "--properties": {
        "action": "store_true",
        "help": "the tap is an older one, which takes its catalog by --properties",
    },
    "--renamed": {
        "action": "store_true",
        "help": "the tap's messages use other stream names than its catalog, as with stream maps",
    },
    "--select": _several(
        "STREAM", "streams to load; * and ? stand for any characters. By default, all"
    ),
    "--exclude": _several("STREAM", "streams to leave out; * and ? as in --select", default=[]),
    "--full-refresh": _several(
        "STREAM", "streams to read from the beginning, into new tables", default=[]
    ),
    "--checkpoint-every": {
        "metavar": "SECONDS",
        "type": values.seconds,
        "default": CHECKPOINT_SECONDS,
        "help": f"seconds after which the tap's next STATE commits ({CHECKPOINT_SECONDS:g}); 0"
        " commits at each STATE",
    },
    "--batch-size-rows": {
        "metavar": "NUMBER",
        "type": values.number,
        "help": "rows after which the tap's next STATE commits, too",
    },
    "--nested": {
        "choices": ["json", "native", "tables"],
        "help": "how to load objects and arrays: as JSON columns (default), as structs and lists"
        " where the destination has them, or as child tables",
    },
    "--hard-delete": {
        "action": BooleanOptionalAction,
        "help": "delete rows with _sdc_deleted_at, and rows of older versions after an"
        " ACTIVATE_VERSION; or keep both. By default the former stay, and the latter are deleted",
    },
    "--absent": {
        "choices": ["null", "keep"],
        "help": "how to load properties that a record lacks: as null (default), or with the value"
        " that the row has",
    },
    "--naming": {
        "help": "the naming convention of tables and columns: one of dlt's, such as snake_case or"
        " direct, or a module",
    },
    "--on-name-collision": {
        "choices": ["refuse", "suffix"],
        "help": "if streams or properties have the same name in the destination: load nothing"
        " (default), or give all but the first a suffix",
    },
    "--batch-folders": _several(
        "FOLDER",
        "folders and URLs (s3://bucket/folder) in which BATCH messages may name files, in addition"
        " to the working folder, the temporary folder, and the root of the tap's batch_config",
    ),
    "--patience": {
        "metavar": "SECONDS",
        "type": values.seconds,
        "help": "seconds to wait for the tap to end after it has closed its output"
        f" ({PATIENCE_SECONDS:g})",
    },
    "--on-bad-stream": {
        "choices": ["fail", "skip"],
        "help": "if a stream has something that can't be loaded: end the run (default), or skip"
        " the rest of the stream and exit with 1 at the end",
    },
    "--no-record-metadata": {
        "dest": "add_record_metadata",
        "action": "store_false",
        "default": None,
        "help": "leave out the columns with the times of records (_sdc_extracted_at,"
        " _sdc_received_at and _sdc_batched_at), and in tables with a key the load id of rows"
        " (_dlt_load_id)",
    },
    "--validate-records": {
        "action": BooleanOptionalAction,
        "help": "a value that does not fit its column ends the run; by default it gets a column of"
        " its own",
    },
    "--table-format": {
        "choices": ["delta", "iceberg", "hive", "native"],
        "help": "the table format of the destination filesystem: delta",
    },
    "--loader-file-format": {
        "choices": ["parquet", "jsonl", "csv", "insert_values"],
        "help": "the format of the files to load, if the destination takes several",
    },
    "--progress": {
        "nargs": "?",
        "const": "streams",
        "type": values.progress,
        "metavar": "KIND",
        "help": "how to show progress: streams (default: on a terminal, a line for each), none, or"
        f" with dlt's collectors: {', '.join(values.PROGRESS[2:])}",
    },
}
#: Of these, a run has one.
DISPOSITION: Arguments = {
    "--write-disposition": {
        "choices": ["append", "merge", "replace"],
        "help": "by default streams with a key are merged, and others appended or, if they are read"
        " in full, replaced",
    },
    "--load-method": {
        "dest": "write_disposition",
        "metavar": "METHOD",
        "type": values.load_method,
        "help": "the same, as SDK targets name it: append-only, upsert (merge) or overwrite"
        " (replace)",
    },
}
#: Of these, a run has one.
MANY: Arguments = {
    "--accounts": {
        "metavar": "FILE",
        # Without brackets, which are markup for rich_argparse.
        "help": "load all accounts of a TOML file: the tap's settings of each in the table"
        " accounts.<account>, and those of all in the table config",
    },
    "--accounts-table": {
        "metavar": "TABLE",
        "help": "the same from a table of the destination, such as raw.accounts, with the columns"
        " account and config (as JSON)",
    },
    "--shards": {
        "metavar": "NUMBER",
        "type": values.number,
        "help": "load the history of one large account of tap-chat in so many windows of time, side"
        " by side, then what is new",
    },
}
RUN: Arguments = TAP | PIPELINE | LOADING
RUN |= {
    "--workers": {
        "metavar": "NUMBER",
        "type": values.number,
        "default": WORKERS,
        "help": f"accounts or shards to load at the same time, each in a process ({WORKERS})",
    },
    "--json": {"action": "store_true", "help": "print what was loaded as JSON"},
    "--quiet": {"action": "store_true", "help": "show warnings and errors only"},
}
DISCOVER: Arguments = TAP | {
    "--json": {"action": "store_true", "help": "print the tap's own catalog"},
    "--fields": {
        "action": "store_true",
        "help": "show the fields of each stream, with their types and descriptions",
    },
}
STATE: Arguments = TAP | PIPELINE
STATE_ACTIONS: Arguments = {
    "--json": {"action": "store_true", "help": "print it as Singer's state.json"},
    "--set": {
        "metavar": "FILE",
        "dest": "new",
        "help": "continue from this state.json in the next run",
    },
    "--clear": {
        "action": "store_true",
        "help": "read everything from the start in the next run; rows stay",
    },
}
INIT: Arguments = {
    "tap": {
        "metavar": "TAP",
        "nargs": "?",
        "help": "name or path of the tap's executable; by default tap-chat",
    },
    "--platform": {
        "help": "the platform of tap-chat to read. Its settings come from the environment; in a"
        " terminal you are asked for them",
    },
    "--no-test": {
        "dest": "test",
        "action": "store_false",
        "help": "do not test the settings with a request",
    },
    "--destination": {"default": "duckdb", "help": "a dlt destination (duckdb)"},
}

#: What follows the name of an action in an example of it.
EXAMPLES = {
    "discover": "tap-chat --config config.json",
    "run": "tap-chat --config config.json --select 'freshchat_*'",
    "state": "tap-chat",
    "init": "--platform freshchat",
}


class _ActionParser(ArgumentParser):
    """Parses the arguments of an action."""

    @override
    def error(self, message: str) -> NoReturn:
        if message.endswith("required: TAP"):
            # An option that takes several words, such as --select, has taken it.
            message = f"TAP is missing. Write it before all options: {self.prog} tap-chat ..."
        super().error(message)


class SingerCommand(SupportsCliCommand):
    """The command, as a plugin of dlt."""

    command: str = "singer"
    help_string: str = "Loads any Singer tap into any destination"
    # Markdown.
    description: str | None = (
        "Loads the output of any Singer tap: types and keys from the tap's schema, its state in"
        " dlt's state, and the last version of each key.\n\n"
        + "\n".join(f"- `dlt singer {name} {words}`" for name, words in EXAMPLES.items())
    )
    docs_url: str | None = None
    parent: str | None = None
    compose: TCliCommandCompose = "replace"

    @override
    def configure_parser(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="ACTION", parser_class=_ActionParser
        )

        def add(name: str, help_text: str, arguments: Mapping[str, Any]) -> ArgumentParser:
            epilog = f"For example: dlt singer {name} {EXAMPLES[name]}"
            action = actions.add_parser(name, help=help_text, epilog=epilog)
            for argument, options in arguments.items():
                action.add_argument(argument, **options)
            return action

        def add_one_of(action: ArgumentParser, arguments: Arguments) -> None:
            group = action.add_mutually_exclusive_group()
            for argument, options in arguments.items():
                group.add_argument(argument, **options)

        discover = add("discover", "shows the streams of a tap", DISCOVER)
        run = add("run", "loads a tap", RUN)
        state = add("state", "shows, sets or clears the bookmarks of a tap", STATE)
        for action in (discover, run, state):
            # Otherwise each error starts with a list of all options.
            action.usage = f"{action.prog} TAP [options]"
        add_one_of(run, DATASET)
        add_one_of(run, DISPOSITION)
        add_one_of(run, MANY)
        add_one_of(state, DATASET)
        add_one_of(state, STATE_ACTIONS)
        add("init", "writes a pipeline script for a tap, with its config", INIT)

    @override
    def execute(self, args: Namespace) -> None:
        # Here, because `dlt` asks every command for its arguments, whichever is run.
        from dlt_bridge.cli import commands  # noqa: PLC0415

        # What is imported stays to the end: the garbage collector need not look at it.
        gc.freeze()
        fix_environment()
        try:
            with explaining_errors():
                getattr(commands, args.action)(args)
        except BridgeError as error:
            # With --debug, dlt shows the error with its notes, and exits with 255.
            if "--debug" in sys.argv:
                raise
            print(printable(str(error), keep="\n\t"), file=sys.stderr)  # noqa: T201
            print(f"Docs: {link_of(str(error))}", file=sys.stderr)  # noqa: T201
            sys.exit(1)
