"""The command `tap-chat-sandbox`."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from tap_chat.sandbox.config import sandbox_config, write_config
from tap_chat.sandbox.declarations import settings_of
from tap_chat.sandbox.options import Options
from tap_chat.sandbox.server import Sandbox
from tap_chat.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_chat.sandbox.declarations import Setting

#: The types that click converts; values of other types stay texts.
READ_BY_CLICK = (int, float, bool)


def flag(setting: Setting) -> click.Option:
    """Return the flag of a setting. The flag of a list takes one item as JSON, repeatedly."""
    if setting.item:
        return click.Option(
            [setting.flag, setting.name],
            multiple=True,
            callback=reader(setting.item),
            help=setting.description,
        )
    has_default = setting.default is not None
    default = setting.default
    if isinstance(default, datetime):
        default = default.isoformat()
    return click.Option(
        [setting.flag],
        default=default,
        show_default=has_default,
        type=setting.type if setting.type in READ_BY_CLICK else str,
        is_flag=setting.type is bool,
        metavar=f"[{'|'.join(setting.choices)}]" if setting.choices else None,
        help=setting.description,
    )


def reader(kind: type) -> Callable[[Any, Any, tuple[str, ...]], list[Any]]:
    """Return the callback of click that decodes the items of a list from JSON.

    Args:
        kind: The type of the items.
    """

    def read(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> list[Any]:
        try:
            return [msgspec.json.decode(text, type=kind) for text in texts]
        except msgspec.DecodeError as error:
            raise click.BadParameter(str(error)) from None

    return read


SETTINGS = [*settings_of(World), *settings_of(Options)]


PORT = click.Option(
    ["--port"],
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port on 127.0.0.1; 0 for a free one.",
)
CONFIG_FILE = click.Option(
    ["--write-config", "config_file"],
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the config with which tap-chat reads all platforms of this sandbox.",
)


@click.command(params=[PORT, CONFIG_FILE, *(flag(setting) for setting in SETTINGS)])
@click.version_option(package_name="tap-chat", message="%(prog)s v%(version)s")
def main(*, port: int, config_file: Path | None, **settings: object) -> None:
    """Serve the chat APIs on loopback, with made-up data. The first printed line is the address.

    GET /_sandbox returns the number of rows of every stream, the counts of requests and all
    settings. PATCH /_sandbox with JSON changes settings while the sandbox runs.

    \b
    Examples:
      tap-chat-sandbox --write-config sandbox.json
      tap-chat --config sandbox.json              # in another terminal
      tap-chat-sandbox --port 8000 --messages 100000 --latency 0.1
      tap-chat-sandbox --fault '{"kind": "status", "status": 503, "times": 3}'
    """  # noqa: D301 - click keeps the lines of a paragraph after a backspace
    of_world = {name: settings.pop(name) for name in World.names() & settings.keys()}
    try:
        world, options = World().changed(of_world), msgspec.convert(settings, Options)
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from None
    try:
        sandbox = Sandbox(world, options, port)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} can't be used: {reason(error)}. Choose another, or 0 for a free one."
        ) from None
    config = sandbox_config(sandbox.url, world)
    if config_file is None:
        click.echo(f"The config of tap-chat: {json.dumps(config)}", err=True)
    else:
        try:
            save(config_file, config)
        except click.ClickException:
            sandbox.close()
            raise
        click.echo(f"The config of tap-chat is in {config_file}.", err=True)
    click.echo("Stop with Ctrl-C.", err=True)
    # Who waits for the address also has the config.
    click.echo(sandbox.url)
    sandbox.serve()


def save(path: Path, config: dict[str, Any]) -> None:
    """Write the config.

    Raises:
        click.ClickException: It can't be written.
    """
    try:
        write_config(path, config)
    except FileExistsError:
        raise click.ClickException(
            f"{path} exists and is not a config of a sandbox. Choose another file."
        ) from None
    except OSError as error:
        raise click.ClickException(f"{path} can't be written: {reason(error)}.") from None


def reason(error: OSError) -> str:
    """Return why something failed, in the words of the operating system."""
    return os.strerror(error.errno) if error.errno else type(error).__name__


if __name__ == "__main__":
    main()
