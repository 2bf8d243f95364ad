"""The sandbox as a server on loopback, in this process or behind a command."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Self

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tap_chat.sandbox.accounts import UNNAMED, path_of
from tap_chat.sandbox.app import App
from tap_chat.sandbox.options import Options
from tap_chat.sandbox.world import World

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType


class ConnectionInState(HttpToolsProtocol):
    """Gives each request its connection, as `request.state.connection`, so that it can break."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {"connection": transport}


class Sandbox:
    """The sandbox, served from a thread while the context lasts.

    Args:
        world: The data.
        options: How to behave.
        port: Where to listen on 127.0.0.1; 0 for any free port.

    Attributes:
        url: Where it listens, such as `http://127.0.0.1:40000`.
        options: How it behaves. A change takes effect with the next request.
    """

    def __init__(
        self, world: World | None = None, options: Options | None = None, port: int = 0
    ) -> None:
        self.options = options or Options()
        self.app = App(world or World(), self.options)
        # It listens from now on: a client that connects before the server runs waits.
        self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self.app.application(),
            http=ConnectionInState,
            lifespan="off",
            log_level="critical",
            access_log=False,
            date_header=False,  # the application has a clock of its own
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.serve, name="sandbox")

    @property
    def world(self) -> World:
        """The data of the account without a name; may be replaced while the sandbox serves."""
        return self.app.accounts.world_of(UNNAMED)

    @world.setter
    def world(self, world: World) -> None:
        self.app.accounts.set_world(UNNAMED, world)

    @property
    def requests(self) -> int:
        """The number of requests to the APIs so far."""
        return self.app.requests

    def url_of(self, account: str) -> str:
        """Return where the APIs of an account are, such as `http://127.0.0.1:40000/accounts/acme`.

        Args:
            account: The name of the account: any text but the empty one.
        """
        return self.url + path_of(account)

    def world_of(self, account: str) -> World:
        """Return the data of an account: the ids of `world`, and other values by its name."""
        return self.app.accounts.world_of(account)

    def set_world(self, account: str, world: World) -> None:
        """Replace the data of one account, while the sandbox serves."""
        self.app.accounts.set_world(account, world)

    def requests_of(self, account: str) -> int:
        """Return the number of requests of an account so far."""
        return self.app.accounts[account].requests

    def serve(self) -> None:
        """Serve until the process gets a signal to stop."""
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join()
        self.close()

    def close(self) -> None:
        """Stop listening, if the sandbox was never served."""
        self._socket.close()
