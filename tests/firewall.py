"""A firewall between a client and a server, which drops a connection without notice to either."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

#: The value of SO_LINGER that resets a closed connection.
RESET = struct.pack("ii", 1, 0)


class Firewall:
    """Forwards connections to a server, until it forgets all open ones.

    Args:
        server: The URL of the server.
        way: How it treats data on a forgotten connection: it resets the connection, or drops the
            data.
        after: The number of the request at which it forgets all connections for the first time.

    Attributes:
        url: The URL for clients.
        connections: The number of connections so far.
        hits: The number of requests on forgotten connections.
    """

    def __init__(
        self, server: str, way: Literal["reset", "swallow"], after: int | None = None
    ) -> None:
        parts = urlsplit(server)
        self._server = (parts.hostname, parts.port)
        self._way = way
        self._after = after
        self._known: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept)
        self._requests = 0
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.connections = self.hits = 0

    def forget(self) -> None:
        """Forget all connections."""
        self._known.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._known.add(client)
            server = socket.create_connection(self._server)
            threading.Thread(target=self._requested, args=(client, server), daemon=True).start()
            threading.Thread(target=_carry, args=(server, client), daemon=True).start()

    def _requested(self, client: socket.socket, server: socket.socket) -> None:
        """Forward requests, each of which arrives in one piece."""
        with server, suppress(OSError):
            while data := client.recv(65536):
                self._requests += 1
                if self._requests == self._after:
                    self.forget()
                if client in self._known:
                    server.sendall(data)
                    continue
                self.hits += 1
                if self._way == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    client.close()
                    break
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


def _carry(server: socket.socket, client: socket.socket) -> None:
    with client, suppress(OSError):
        while data := server.recv(65536):
            client.sendall(data)
