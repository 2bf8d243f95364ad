"""A server between the tap and the chat server, which sees each request."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

import requests
from serving import Server
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request


@dataclass
class Forwarder:
    """A running forwarder.

    Attributes:
        url: Its URL.
        statuses: The status of each response so far.
    """

    url: str
    statuses: list[int] = field(default_factory=list)


@contextmanager
def forwarding(url: str, before: Callable[[str], None] | None = None) -> Iterator[Forwarder]:
    """Forward requests to a server during the context.

    Args:
        url: The URL of the server.
        before: A function to call with the path of each request before it is forwarded.
    """
    forwarder = Forwarder("")

    def respond(request: Request) -> Response:
        path = request.scope["raw_path"].decode()
        if before:
            before(unquote(path))
        found = requests.get(
            f"{url}{path}?{request.url.query}",
            headers={"Authorization": request.headers["Authorization"]},
            timeout=60,
        )
        forwarder.statuses.append(found.status_code)
        shown = {"content-type", "retry-after"}
        headers = {name: text for name, text in found.headers.items() if name.lower() in shown}
        return Response(found.content, found.status_code, headers)

    with Server(respond) as server:
        forwarder.url = server.url
        yield forwarder
