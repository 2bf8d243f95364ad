"""The command `tap-chat-sandbox`."""

from __future__ import annotations

import click
import msgspec

from tap_chat.sandbox.faults import Fault
from tap_chat.sandbox.options import Options
from tap_chat.sandbox.server import Sandbox
from tap_chat.sandbox.world import API_KEY, World


def read_fault(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> list[Fault]:
    """Read the faults of the command line."""
    try:
        return [msgspec.json.decode(text, type=Fault) for text in texts]
    except msgspec.DecodeError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option("--port", default=0, show_default=True, help="Port on 127.0.0.1; 0 for a free one.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same data.")
@click.option("--messages", default=1000, show_default=True, help="Messages of the messages API.")
@click.option("--latency", default=0.0, show_default=True, help="Seconds before each answer.")
@click.option("--rate-limit", type=int, help="Requests allowed in a window; the rest get a 429.")
@click.option("--rate-window", default=60.0, show_default=True, help="Seconds of a window.")
@click.option("--max-page-size", default=100, show_default=True, help="Most records of a page.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=read_fault,
    help='A fault, as JSON: \'{"kind": "status", "status": 503, "after": 3, "times": 2}\'.',
)
def main(  # noqa: PLR0913
    *,
    port: int,
    seed: int,
    messages: int,
    latency: float,
    rate_limit: int | None,
    rate_window: float,
    max_page_size: int,
    faults: list[Fault],
) -> None:
    """Serve the chat APIs on loopback, with made-up data. Its address is the first line printed.

    GET /_sandbox tells the rows of every stream and the requests so far; PATCH /_sandbox with JSON
    changes latency, rate_limit, rate_window, max_page_size and faults while it runs.
    """
    options = Options(
        latency=latency,
        rate_limit=rate_limit,
        rate_window=rate_window,
        max_page_size=max_page_size,
        faults=faults,
    )
    sandbox = Sandbox(World(seed=seed, messages=messages), options, port)
    click.echo(sandbox.url)
    click.echo(f"The API key is {API_KEY}. Stop with Ctrl-C.", err=True)
    sandbox.serve()


if __name__ == "__main__":
    main()
