"""The command `tap-chat-sandbox`."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from tap_chat.sandbox.declarations import settings_of
from tap_chat.sandbox.options import Options
from tap_chat.sandbox.registry import DIALECTS
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


@click.command(params=[flag(setting) for setting in SETTINGS])
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port on 127.0.0.1; 0 for a free one.",
)
def main(*, port: int, **settings: object) -> None:
    """Serve the chat APIs on loopback, with made-up data. The first printed line is the address.

    GET /_sandbox returns the number of rows of every stream, the counts of requests and all
    settings. PATCH /_sandbox with JSON changes settings while the sandbox runs.
    """
    of_world = {name: settings.pop(name) for name in World.names() & settings.keys()}
    try:
        world, options = World().changed(of_world), msgspec.convert(settings, Options)
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from None
    try:
        sandbox = Sandbox(world, options, port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise click.ClickException(
            f"Port {port} can't be used: {reason}. Choose another, or 0 for a free one."
        ) from None
    click.echo(sandbox.url)
    sections = {dialect.name: dialect.config_of(sandbox.url, world) for dialect in DIALECTS}
    click.echo(f"The config of tap-chat: {json.dumps(sections)}", err=True)
    click.echo("Stop with Ctrl-C.", err=True)
    sandbox.serve()


if __name__ == "__main__":
    main()
