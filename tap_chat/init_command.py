"""The command `tap-chat init`: asks for the settings of a platform, and writes a config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from singer_sdk.exceptions import ConfigValidationError

from tap_chat.config.errors import config_error
from tap_chat.config.parsing import json_schema
from tap_chat.config.private_files import ignore, write_private
from tap_chat.config.questions import (
    START_DATE,
    ask_platform,
    in_terminal,
    settings_of,
    start_date_of,
)
from tap_chat.platforms.registry import PLATFORMS, Config
from tap_chat.singer.files import check_config_file
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = [platform.name for platform in PLATFORMS]


@click.command(
    "tap-chat init",
    help="Ask for the settings of a platform, test them with one request, and write a config file.",
    epilog="Without a terminal, nothing is asked: settings come from environment variables, such as"
    " TAP_CHAT_FRESHCHAT_API_KEY, and others get placeholders.",
)
@click.option("--platform", type=click.Choice(NAMES), help="The platform to read.")
@click.option(
    "--config",
    "file",
    default="config.json",
    show_default=True,
    help="The file to write or add to.",
)
@click.option("--test/--no-test", default=True, show_default=True, help="Send a request.")
def command(*, platform: str | None, file: str, test: bool) -> None:
    """Run `tap-chat init` with the options of a command line."""
    path = Path(file)
    config = _existing(path)
    if platform is None:
        if not in_terminal():
            raise click.UsageError(f"--platform is missing: one of {', '.join(NAMES)}.")
        platform = ask_platform(NAMES)
    if platform in config:
        raise config_error(
            f"The config file {path} has a section `{platform}` already. Name another file with"
            " --config, or remove the section."
        )
    schema = json_schema(Config)["properties"][platform]

    def works(section: Mapping[str, Any]) -> bool:
        try:
            return not TapChat(config={platform: section}).test_connections(as_json=False)
        except ConfigValidationError as error:
            for text in error.errors:
                TapChat.logger.error(text)
            return False

    section, missing = settings_of(platform, schema, "TAP_CHAT_", works if test else None)
    if start := start_date_of("TAP_CHAT_", config, file):
        config = {START_DATE: start, **config}
    _write(path, {**config, platform: section})
    run = f"tap-chat --config {path}"
    if missing:
        click.echo(f"Fill in {', '.join(missing)}, then test them: {run} --test", err=True)
    else:
        click.echo(f"Next: {run} > chats.jsonl\n  or: dlt singer run {run}", err=True)


def _write(path: Path, config: Mapping[str, Any]) -> None:
    """Write a config that nobody else can read and git ignores, and say so.

    Raises:
        ConfigValidationError: It can't be written.
    """
    try:
        write_private(path, f"{json.dumps(config, indent=2)}\n")
        # Elsewhere, the file may belong to another repository.
        ignored = path == Path(path.name) and ignore(path.parent, [path.name])
    except OSError as error:
        raise config_error(
            f"The file {error.filename} can't be written: {error.strerror}."
        ) from None
    click.echo(f"{path}: the settings, for you alone to read.", err=True)
    if ignored:
        click.echo(".gitignore: the settings stay out of commits.", err=True)


def _existing(path: Path) -> dict[str, Any]:
    """Return the config in a file, which need not exist.

    Raises:
        ConfigValidationError: The file is not a JSON object, or can't be read.
    """
    if not path.exists():
        return {}
    check_config_file(str(path))
    config: dict[str, Any] = json.loads(path.read_bytes())
    return config
