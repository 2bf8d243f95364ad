"""The command `tap-chat-sandbox`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click
import msgspec

from tap_chat.sandbox.dialects.livechat.api import ENTITY_ID
from tap_chat.sandbox.drifts import Drift
from tap_chat.sandbox.faults import Fault
from tap_chat.sandbox.limits import Limit
from tap_chat.sandbox.options import Options
from tap_chat.sandbox.samples import API_KEY
from tap_chat.sandbox.server import Sandbox
from tap_chat.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable


def listed(flag: str, name: str, kind: type, text: str) -> Callable[[Any], Any]:
    """Return the flag of a list of Options, whose items are JSON, one for each time it is given."""

    def read(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> list[Any]:
        try:
            return [msgspec.json.decode(text, type=kind) for text in texts]
        except msgspec.DecodeError as error:
            raise click.BadParameter(str(error)) from None

    return click.option(flag, name, multiple=True, callback=read, help=text)


def setting(name: str, text: str, **more: Any) -> Callable[[Any], Any]:  # noqa: ANN401
    """Return the flag of an attribute of World or Options, with its default."""
    field = name.removeprefix("--").replace("-", "_")
    default = World().settings.get(field, getattr(Options(), field, None))
    return click.option(name, default=default, show_default=default is not None, help=text, **more)


@click.command()
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port on 127.0.0.1; 0 for a free one.",
)
@setting("--seed", "The same seed gives the same data.")
@setting("--messages", "Messages of the messages API.")
@setting("--users", "Users of Freshchat.")
@setting("--conversations", "Conversations of the users of Freshchat.")
@setting("--deleted", "The part of Freshchat's users and conversations that are gone.")
@setting("--dixa-conversations", "Conversations of Dixa.")
@setting("--chats", "Chats of LiveChat.")
@setting("--livechat-timezone", "The time zone of the LiveChat account.")
@setting("--now", "The moment at which the accounts are seen, ISO 8601 with a zone.", type=str)
@setting("--hidden", "Of so many rows, one is not shown in its page; 0 for none.")
@setting("--dixa-odd", "A conversation of Dixa has an odd updated_at: seconds or ahead.", type=str)
@setting("--latency", "Seconds before each answer.")
@setting("--rate-limit", "Requests allowed in a window; the rest get a 429.", type=int)
@setting("--rate-window", "Seconds of a window.")
@setting("--max-page-size", "Most records of a page.")
@setting("--links", "Freshchat's next links: relative, path, absolute or absent.")
@setting("--users-order", "What Freshchat's users are ordered by.")
@setting("--message-links", "Pages of messages have a link to the next.", is_flag=True)
@setting("--messages-end", "What comes beyond the last message of the messages API.")
@setting("--messages-total", "The messages API says how many messages there are.", is_flag=True)
@setting("--dixa-bounds", "Which bounds of Dixa's filters belong to the window.")
@setting("--dixa-rate-limit", "Requests to Dixa allowed in a window; it allows 10.", type=int)
@setting("--dixa-max-rows", "Rows from which Dixa's answers break off.", type=int)
@setting("--livechat-page-size", "Chats of a page of LiveChat.")
@setting("--livechat-cap", "Chats that one query of LiveChat can reach.")
@setting("--livechat-date", "Which end of a chat LiveChat's dates select by: ended or started.")
@setting("--livechat-drift", "Pages of LiveChat after which one more chat has ended.", type=int)
@setting("--livechat-twice", "Of so many chats, one is listed twice.", type=int)
@setting("--livechat-excess", "Chats that LiveChat counts beyond those that it lists.")
@setting("--livechat-count", "Whether LiveChat counts what can be reached (capped), or all.")
@setting("--livechat-beyond", "A page of LiveChat beyond its cap: refused or empty.")
@setting("--clock", "Seconds by which the server's clock is ahead.")
@listed(
    "--limit",
    "limits",
    Limit,
    'A limit, as JSON: \'{"kind": "token", "count": 20, "window": 1, "told": ["seconds"]}\'.',
)
@listed(
    "--drift",
    "drifts",
    Drift,
    'What changes meanwhile, as JSON: \'{"kind": "delete", "of": "users", "after": 2}\'.',
)
@listed(
    "--fault",
    "faults",
    Fault,
    'A fault, as JSON: \'{"kind": "status", "status": 503, "after": 3, "times": 2}\'.',
)
def main(*, port: int, **settings: object) -> None:
    """Serve the chat APIs on loopback, with made-up data. Its address is the first line printed.

    GET /_sandbox tells the rows of every stream, the requests so far and all settings; PATCH
    /_sandbox with JSON changes settings while it runs: the data, the moment `now`, how it behaves
    and what goes wrong (`faults`).
    """
    of_world = {name: settings.pop(name) for name in World.names() & settings.keys()}
    try:
        world, options = World().changed(of_world), msgspec.convert(settings, Options)
    except msgspec.ValidationError as error:
        raise click.UsageError(str(error)) from None
    try:
        sandbox = Sandbox(world, options, port)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise click.ClickException(
            f"Port {port} can't be used: {why}. Choose another, or 0 for a free one."
        ) from None
    click.echo(sandbox.url)
    click.echo(f"The API key is {API_KEY}, LiveChat's entity {ENTITY_ID}.", err=True)
    click.echo("Stop with Ctrl-C.", err=True)
    sandbox.serve()


if __name__ == "__main__":
    main()
