"""How an answer may come: what drips is one that hangs, and what is no part of it has an end."""

from __future__ import annotations

import io
import ssl
import time
from http import HTTPStatus, client
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from socket import socket

# Once an answer has begun, for so many bytes no longer is waited than for its beginning.
SLOWEST = 64 * 1024

# Bytes of all that comes before a body, and of all that comes after one; browsers take as much.
LARGEST_HEAD = LARGEST_TRAILER = 256 * 1024

# Statuses of interim answers are less; but after one of these follows no HTTP. As plain numbers,
# which are compared in less time.
FINAL, SWITCHED = int(HTTPStatus.OK), int(HTTPStatus.SWITCHING_PROTOCOLS)

# Interim answers (1xx) before the answer itself; Go takes 5.
MOST_INTERIM = 10


class SilentError(ConnectionError):
    """A connection ended without a byte of an answer."""

    @classmethod
    def of(cls, error: OSError) -> OSError:
        """Return the error for one that came before the first byte."""
        match error:
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                pass
            case ssl.SSLError():  # the server has answered, if by refusing TLS
                return error
            # The system's own has a number: nothing that was sent was acknowledged.
            case TimeoutError(errno=None):
                return error
        return cls(*error.args)


class PacedReader(io.RawIOBase):
    """Reads from a socket while enough comes.

    What counts is the time for which reads wait: who takes long between two of them, as for a
    loader that is slow, is not the server.

    Args:
        raw: The reader of the socket.
        timeout: Seconds for so many bytes; each read alone has no more by the socket itself.

    Attributes:
        bytes: How many came so far.
        most: How many may come, while the head is read; None for the body.
    """

    def __init__(self, raw: io.RawIOBase, timeout: float) -> None:
        self._raw = raw
        self._timeout = timeout
        self._waited = 0.0
        self.bytes = 0
        self.most: int | None = LARGEST_HEAD

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int | None:
        """Read.

        Raises:
            TimeoutError: Too little came in too long.
            HTTPException: The head does not end.
        """
        started = time.monotonic()
        count = self._raw.readinto(buffer)
        if self.bytes:
            self._waited += time.monotonic() - started
        self.bytes += count or 0
        if self._waited > self._timeout * (1 + self.bytes // SLOWEST):
            raise TimeoutError
        if self.most is not None and self.bytes > self.most:
            raise client.HTTPException
        return count

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class PacedResponse(client.HTTPResponse):
    """An answer that must not come too slowly, with a head and a trailer that end."""

    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *args, **options)
        raw = self.fp.detach()
        self._paced = PacedReader(raw, sock.gettimeout() or 0.0)
        self.fp = io.BufferedReader(self._paced)

    @override
    def begin(self) -> None:
        """Read the head; raises a `SilentError` if the connection ends before."""
        try:
            super().begin()
        except OSError as error:
            if self._paced.bytes:
                raise
            raise SilentError.of(error) from error
        self._paced.most = None

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status of the answer, and pass over interim ones.

        A client must be able to, and may ignore them (RFC 9110, 15.2). `http.client` passes over
        `100 Continue` alone, and over any number of them.
        """
        interim = 0
        while True:
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # http.client's own
            status = found[1]
            if status >= FINAL or status == SWITCHED:
                return found
            interim += 1
            if interim > MOST_INTERIM:
                raise client.HTTPException
            client.parse_headers(self.fp)

    def _read_and_discard_trailer(self) -> None:
        """Read what follows the last chunk, which `http.client` does without an end."""
        self._paced.most = self._paced.bytes + LARGEST_TRAILER
        super()._read_and_discard_trailer()  # type: ignore[misc]  # as above
