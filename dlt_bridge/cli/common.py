"""What the commands have in common: their arguments as values, and their output."""

from __future__ import annotations

import json
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

import dlt
from rich.console import Console
from typing_extensions import override

from dlt_bridge.errors import BridgeError
from dlt_bridge.run.pipelines import VALIDATED
from dlt_bridge.tap.inputs import default_source_name, json_object, source_name
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from argparse import Namespace

    from rich.table import Table


#: Arguments that are passed on.
RUN = ("write_disposition", "table_format", "loader_file_format", "batch_size_rows")


def command_of(args: Namespace) -> list[str]:
    """Return the command of the tap."""
    try:
        command = shlex.split(args.tap)
    except ValueError as error:
        raise BridgeError(f"The command of the tap can't be read: {error}.") from None
    if not command:
        raise BridgeError("The tap has no name.")
    return command


def source_name_of(args: Namespace) -> str:
    """Return the name of the source, in dlt's state and configuration."""
    if args.name:
        return str(args.name)
    return source_name(default_source_name(command_of(args)), args.account)


def config_of(args: Namespace) -> dict[str, Any] | None:
    """Return the merged settings of the files; None to look them up in dlt's configuration."""
    if not args.config:
        return None
    config: dict[str, Any] = {}
    for name in args.config:
        config |= json_object(name, "config")
    return config


def run_arguments(args: Namespace) -> dict[str, Any]:
    """Return the arguments of `pipeline.run`, and the size of packages."""
    arguments = {name: getattr(args, name) for name in RUN if getattr(args, name)}
    if args.validate_records:
        arguments["schema_contract"] = VALIDATED
    return arguments


def selection_of(args: Namespace) -> list[str] | None:
    """Return the patterns of streams; None to look them up in dlt's configuration."""
    select: list[str] | None = args.select
    if select is None and args.exclude:
        select = dlt.config.get(f"sources.singer.{source_name_of(args)}.select")
    return [*(select or ()), *(f"!{name}" for name in args.exclude)] or None


def credentials_of(args: Namespace) -> Any:  # noqa: ANN401
    """Return the credentials of the destination: an object of JSON as such; None without any."""
    credentials = args.credentials
    if credentials and credentials.startswith("{"):
        try:
            credentials = json.loads(credentials)
        except ValueError:
            raise BridgeError("--credentials begins as an object, but is not valid JSON.") from None
    return credentials


class _Output(Console):
    """Standard output, whose reader may close it, as `| head` does."""

    @override
    def on_broken_pipe(self) -> None:
        # By default, rich exits: an error of the run would be lost.
        _discard_output()


def _discard_output() -> None:
    """Discard the rest of the output, because nobody reads it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def show(table: Table) -> None:
    """Print a table, as far as it is read."""
    _Output().print(table)


def write_json(value: Any) -> None:  # noqa: ANN401
    """Print a value as JSON, as far as it is read."""
    try:
        json.dump(value, sys.stdout, indent=2)
        sys.stdout.write("\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()


def say(text: str, *, keep: str = "", quiet: bool = False) -> None:
    """Print a text for people, on standard error.

    Args:
        text: The text.
        keep: Control characters that are not escaped, such as a line break.
        quiet: Whether to print nothing.
    """
    if quiet:
        return
    Console(stderr=True, soft_wrap=True).print(
        printable(text, keep=keep), markup=False, highlight=False
    )
