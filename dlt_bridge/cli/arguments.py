"""`dlt singer`: the command, its arguments, and who does what they ask for."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, BooleanOptionalAction
from typing import TYPE_CHECKING

from dlt.common.configuration.plugins import SupportsCliCommand
from typing_extensions import override

from dlt_bridge.destinations.destination import CHECKPOINT_SECONDS
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.signals import explaining_errors
from dlt_bridge.tap.inputs import to_source_name
from dlt_bridge.tap.process import PATIENCE_SECONDS
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from dlt.common.configuration.plugins import TCliCommandCompose


PROGRESS = ("bars", "log", "tqdm", "enlighten", "alive_progress")


class SingerCommand(SupportsCliCommand):
    """The command, as dlt knows commands."""

    command: str = "singer"
    help_string: str = "Loads any Singer tap into any destination"
    description: str | None = (
        "Loads the output of any Singer tap: types and keys from the tap's schema, its state in"
        " dlt's state, and the last version of each key."
    )
    docs_url: str | None = None
    parent: str | None = None
    compose: TCliCommandCompose = "replace"

    @override
    def configure_parser(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        discover = actions.add_parser("discover", help="shows the streams of a tap")
        _add_tap(discover)
        discover.add_argument("--json", action="store_true", help="print the tap's own catalog")

        run = actions.add_parser("run", help="loads a tap")
        _add_tap(run)
        _add_place(run)
        _add_loading(run)
        run.add_argument("--json", action="store_true", help="print what was loaded as JSON")

        state = actions.add_parser("state", help="shows, takes or sets the bookmarks of a tap")
        _add_tap(state)
        _add_place(state)
        change = state.add_mutually_exclusive_group()
        change.add_argument("--json", action="store_true", help="print it as Singer's state.json")
        change.add_argument(
            "--set", metavar="FILE", dest="new", help="begin from this state.json in the next run"
        )
        change.add_argument(
            "--clear", action="store_true", help="begin anew in the next run; rows stay"
        )

        init = actions.add_parser(
            "init", help="writes a pipeline script for a tap, with its config"
        )
        init.add_argument("tap", metavar="TAP", help="name or path of the tap's executable")
        init.add_argument("--destination", default="duckdb", help="a dlt destination (duckdb)")

    @override
    def execute(self, args: Namespace) -> None:
        # Here, because `dlt` asks all commands for their arguments, and most runs are of others.
        from dlt_bridge.cli import commands  # noqa: PLC0415

        try:
            with explaining_errors():
                getattr(commands, args.action)(args)
        except BridgeError as error:
            # dlt itself shows it, with its notes, and ends with 255.
            if "--debug" in sys.argv:
                raise
            print(printable(str(error), keep="\n\t"), file=sys.stderr)  # noqa: T201
            sys.exit(1)


def _add_tap(parser: ArgumentParser) -> None:
    # In place of a list of all options, before each error.
    parser.usage = f"{parser.prog} TAP [options]"
    parser.add_argument(
        "tap",
        metavar="TAP",
        help="the tap's executable, or its command with arguments in quotes; before options that"
        " take several words",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        action="append",
        default=[],
        help="the tap's settings as JSON; several are joined. By default they come from dlt's"
        " secrets.toml, sources.singer.<name>.config",
    )
    parser.add_argument(
        "--name",
        type=to_source_name,
        help="the name of the source, if one tap reads several accounts; else the tap's",
    )


def _add_place(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--destination", default="duckdb", help="a dlt destination: duckdb (default), postgres, ..."
    )
    parser.add_argument(
        "--credentials",
        help="a path, a URL or a JSON object. A password is better kept in secrets.toml, or in"
        " DESTINATION__<NAME>__CREDENTIALS",
    )
    parser.add_argument("--dataset", help="the dataset, or schema: <pipeline>_dataset by default")
    parser.add_argument(
        "--pipeline", type=to_source_name, help="the pipeline's name; by default that of the source"
    )
    parser.add_argument("--pipelines-dir", help="where pipelines keep their working files")


def _add_loading(parser: ArgumentParser) -> None:
    parser.add_argument("--catalog", metavar="FILE", help="takes the place of --discover")
    parser.add_argument(
        "--no-discover",
        dest="discover",
        action="store_false",
        help="the tap has no discovery: its streams are known by its messages alone",
    )
    parser.add_argument(
        "--properties",
        action="store_true",
        help="the tap is an older one, which takes its catalog by --properties",
    )
    parser.add_argument(
        "--renamed",
        action="store_true",
        help="the tap's messages call streams by other names than its catalog (stream maps do)",
    )
    parser.add_argument(
        "--select",
        metavar="STREAM",
        nargs="+",
        action="extend",
        help="streams to load; * and ? stand for any characters. By default, all",
    )
    parser.add_argument(
        "--exclude",
        metavar="STREAM",
        nargs="+",
        action="extend",
        default=[],
        help="streams to leave out; likewise",
    )
    parser.add_argument(
        "--full-refresh",
        metavar="STREAM",
        nargs="+",
        action="extend",
        default=[],
        help="streams to read from the beginning, into new tables",
    )
    parser.add_argument(
        "--checkpoint-every",
        metavar="SECONDS",
        type=_seconds,
        default=CHECKPOINT_SECONDS,
        help=f"seconds after which the tap's next STATE commits ({CHECKPOINT_SECONDS:g}); 0"
        " for each",
    )
    parser.add_argument(
        "--nested",
        choices=["json", "native", "tables"],
        help="what becomes of objects and arrays: JSON columns (the default), structs and lists"
        " where the destination has them, or child tables",
    )
    parser.add_argument(
        "--hard-delete",
        action=BooleanOptionalAction,
        help="delete rows with _sdc_deleted_at, and rows of older versions after an"
        " ACTIVATE_VERSION; or keep both. By default the former stay, and the latter are deleted",
    )
    parser.add_argument(
        "--absent",
        choices=["null", "keep"],
        help="what a property is that a record lacks: null (the default), or what its row has",
    )
    parser.add_argument(
        "--naming",
        help="the naming convention of tables and columns: one of dlt's, such as snake_case or"
        " direct, or a module",
    )
    parser.add_argument(
        "--on-name-collision",
        choices=["refuse", "suffix"],
        help="what becomes of streams or properties with one name in the destination: nothing is"
        " loaded (the default), or all but the first have a suffix",
    )
    parser.add_argument(
        "--batch-places",
        metavar="PLACE",
        nargs="+",
        action="extend",
        help="folders and addresses (s3://bucket/folder) that BATCH messages may name files in,"
        " besides the working folder, the one for temporary files, and the root of the tap's"
        " batch_config",
    )
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=_seconds,
        help=f"seconds that the tap may take to end when it has closed its output"
        f" ({PATIENCE_SECONDS:g})",
    )
    parser.add_argument(
        "--on-bad-stream",
        choices=["fail", "skip"],
        help="what becomes of a stream with something that can't be loaded: it ends the run (the"
        " default), or the rest of it is skipped, and the exit code is 1 in the end",
    )
    parser.add_argument(
        "--write-disposition",
        choices=["append", "merge", "replace"],
        help="by default streams with a key are merged, and others appended or, if they are read in"
        " full, replaced",
    )
    parser.add_argument(
        "--table-format",
        choices=["delta", "iceberg", "hive", "native"],
        help="of files: delta",
    )
    parser.add_argument(
        "--loader-file-format",
        choices=["parquet", "jsonl", "csv", "insert_values"],
        help="of the files that the destination is given, if it takes several",
    )
    parser.add_argument(
        "--progress",
        nargs="?",
        const="bars",
        type=_progress,
        metavar="KIND",
        help=f"show progress: as bars, or as dlt can: {', '.join(PROGRESS[1:])}",
    )


def _progress(text: str) -> str:
    if text not in PROGRESS:
        raise ArgumentTypeError(f"it is one of {', '.join(PROGRESS)}. TAP stands before it")
    return text


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds >= 0:
        raise ArgumentTypeError("it must be 0 or more")
    return seconds
