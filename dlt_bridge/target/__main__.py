"""The console script `target-dlt`: its options, its log and its exit codes.

`--version` and `--help` import neither dlt nor the SDK. A load imports no SDK.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import warnings
from contextlib import contextmanager, suppress
from importlib.metadata import version
from io import BufferedWriter, TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from dlt_bridge.errors import BridgeError
from dlt_bridge.tap.inputs import json_object
from tap_chat.config.errors import config_problems
from tap_chat.docs import link_of
from tap_chat.logs import make_log_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "target-dlt"
PACKAGE = "tap-chat"
LOG_CONFIG = "SINGER_SDK_LOG_CONFIG"
#: The format of the SDK's log.
LOG_FORMAT = "{asctime:23s} | {levelname:8s} | {name:30s} | {message}"

logger = logging.getLogger(NAME)


def set_up_log() -> None:
    """Set up the log as the SDK does.

    Raises:
        Exception: The level does not exist, or the file that `SINGER_SDK_LOG_CONFIG` names is not
            valid.
    """
    if LOG_CONFIG in os.environ:
        # Here, because its import takes long. The file may name the SDK's own formatter.
        from dlt_bridge.target.plugin import set_up_sdk_log  # noqa: PLC0415

        set_up_sdk_log()
    else:
        level = os.environ.get("TARGET_DLT_LOGLEVEL") or os.environ.get("LOGLEVEL") or "INFO"
        root = logging.getLogger()
        root.setLevel(level.upper())
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(LOG_FORMAT, style="{"))
        root.addHandler(handler)
    make_log_plain()


def show_version(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    """Show the version of the target and of the SDK, and exit."""
    if value:
        click.echo(f"{NAME} v{version(PACKAGE)}, Meltano SDK v{version('singer-sdk')}")
        context.exit()


@click.command(
    NAME,
    help="Load Singer messages from standard input into a destination of dlt.",
    # \b keeps the line breaks.
    epilog="\b\nExamples:\n"
    "  target-dlt --config config.json < chats.jsonl\n"
    "  tap-chat --config tap.json | TARGET_DLT_DESTINATION=duckdb target-dlt --config=ENV",
    context_settings={"help_option_names": ["--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_version,
    help="Display the package version.",
)
@click.option("--about", is_flag=True, help="Display package metadata and settings.")
@click.option(
    "--format",
    "about_format",
    type=click.Choice(["json", "markdown"], case_sensitive=False),
    help="Specify output style for --about",
)
@click.option(
    "--config",
    "files",
    multiple=True,
    help="Configuration file location or 'ENV' to use environment variables.",
)
@click.option(
    "--input",
    "file_input",
    type=click.File("rb"),
    help="A file to read messages from, instead of standard input.",
)
def command(
    *, about: bool, about_format: str | None, files: tuple[str, ...], file_input: IO[bytes] | None
) -> None:
    """Run the target with the options of a command line."""
    config: dict[str, object] = {}
    for file in files:
        if file != "ENV":
            config |= json_object(file, "config")
    if about:
        from dlt_bridge.target.plugin import Plugin  # noqa: PLC0415 - for the SDK's own text

        Plugin.print_about(about_format)
        return
    if sys.stdout is None:  # as in `target-dlt >&-`
        raise BridgeError("Standard output is closed: there is nowhere to pass the STATE on to.")
    if file_input is None and sys.stdin is None:
        raise BridgeError("Standard input is closed: there is nothing to load.")
    # Imports make many objects and no garbage.
    gc.disable()
    try:
        from dlt_bridge.target.target import run  # noqa: PLC0415 - it imports dlt
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        sys.exit(
            f"target-dlt needs {missing}, which is not installed. Install the extra of its"
            " destination: pip install 'tap-chat[duckdb]', or 'tap-chat[dlt]' 'dlt[<destination>]'."
        )
    gc.freeze()
    gc.enable()
    run(config, file_input or sys.stdin.buffer, parse_env_config="ENV" in files)


def open_standard_streams() -> None:
    """Give a closed standard error a file, and make standard output UTF-8 with a buffer."""
    if sys.stderr is None:  # as in `target-dlt 2>&-`: no other file may get its number
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    if isinstance(sys.stdout, TextIOWrapper):
        # In UTF-8, as Singer asks for, whatever the locale. With a buffer even if Python runs
        # unbuffered: otherwise a write to a full disk may end early without an error.
        raw = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        sys.stdout = TextIOWrapper(BufferedWriter(raw), encoding="utf-8")


@contextmanager
def quick_exit() -> Iterator[None]:
    """Leave the process when the functions of `atexit` have run, if the body exits with 0.

    Otherwise Python first deletes every object, which takes a tenth of the time of a small load.
    """
    codes: list[object] = []

    def leave() -> None:
        if codes == [0]:
            logging.shutdown()
            with suppress(OSError, ValueError):  # Python reports it, and exits with 120
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)

    # Registered first, so that it runs last.
    atexit.register(leave)
    try:
        yield
    except SystemExit as exited:
        codes.append(exited.code or 0)
        raise


def target() -> None:
    """Run `target-dlt`; exit with 0 only if every record is in the destination."""
    open_standard_streams()
    try:
        Path.cwd()
    except FileNotFoundError:
        sys.exit("The working folder no longer exists. Change to another, and run it again.")
    logging.captureWarnings(capture=True)
    warnings.filterwarnings("once", category=DeprecationWarning)
    try:
        with quick_exit():
            set_up_log()
            command()
    except Exception as error:  # noqa: BLE001 - any text may hold values
        texts = config_problems(error) or [_sentence(error)]
        for text in texts:
            logger.error(text)  # noqa: TRY400 - a sentence for people
        logger.info("Docs: %s", link_of(texts[0]))
        sys.exit(1)


def _sentence(error: Exception) -> str:
    if isinstance(error, BridgeError):
        return str(error)
    from dlt_bridge.run.failures import sentence  # noqa: PLC0415 - it imports dlt

    return sentence(error)


if __name__ == "__main__":
    target()
