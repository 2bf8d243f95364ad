"""How slowly an answer may come: a server that sends a byte now and then is one that hangs."""

from __future__ import annotations

import io
import sys
import time
from http import client
from typing import TYPE_CHECKING, Any

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from socket import socket

# Once an answer has begun, for so many bytes no longer is waited than for its beginning.
SLOWEST = 64 * 1024


class PacedReader(io.RawIOBase):
    """Reads from a socket while enough comes.

    What counts is the time for which reads wait: who takes long between two of them, as for a
    loader that is slow, is not the server.

    Args:
        raw: The reader of the socket.
        timeout: Seconds for so many bytes; each read alone has no more by the socket itself.
    """

    def __init__(self, raw: io.RawIOBase, timeout: float) -> None:
        self._raw = raw
        self._timeout = timeout
        self._waited = 0.0
        self._bytes = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int | None:
        """Read; raises `TimeoutError` when too little came in too long."""
        started = time.monotonic()
        count = self._raw.readinto(buffer)
        if self._bytes:
            self._waited += time.monotonic() - started
        self._bytes += count or 0
        if self._waited > self._timeout * (1 + self._bytes // SLOWEST):
            raise TimeoutError
        return count

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class PacedResponse(client.HTTPResponse):
    """An answer that must not come too slowly."""

    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *args, **options)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(PacedReader(raw, sock.gettimeout() or 0.0))
