"""Reads responses with bounds: a response that is too slow, or has endless headers, fails."""

from __future__ import annotations

import io
import ssl
import time
from http import HTTPStatus, client
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from socket import socket

# Each further so many bytes may take as long as the first byte of a response.
BYTES_PER_TIMEOUT = 64 * 1024

# Bytes of the head of a response, and of its trailer. Browsers have the same limit.
LARGEST_HEAD = LARGEST_TRAILER = 256 * 1024

# The statuses of interim responses are lower, but after 101 no HTTP follows. Plain numbers are
# faster to compare.
FINAL, SWITCHED = int(HTTPStatus.OK), int(HTTPStatus.SWITCHING_PROTOCOLS)

# Interim responses (1xx) before the final one. Go takes 5.
MOST_INTERIM = 10


class NoResponseError(ConnectionError):
    """A connection ended without a byte of a response."""

    @classmethod
    def of(cls, error: OSError) -> OSError:
        """Return the error to raise for one before the first byte of a response."""
        match error:
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                pass
            case ssl.SSLError():  # the server has responded: it refuses TLS
                return error
            # An error of the system has a number: nothing that was sent was acknowledged.
            case TimeoutError(errno=None):
                return error
        return cls(*error.args)


class PacedReader(io.RawIOBase):
    """Reads from a socket while enough bytes arrive.

    Only the time in which reads wait counts. The time between two reads does not: a slow loader may
    cause it.

    Args:
        raw: The reader of the socket.
        timeout: Seconds for every 64 KiB. The socket itself limits each read to the same time.

    Attributes:
        bytes: The number of bytes so far.
        most: The maximum of `bytes` while the head or trailer is read; None for the body.
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
            TimeoutError: Too few bytes arrived in the time.
            HTTPException: The head or trailer is too long.
        """
        started = time.monotonic()
        count = self._raw.readinto(buffer)
        if self.bytes:
            self._waited += time.monotonic() - started
        self.bytes += count or 0
        if self._waited > self._timeout * (1 + self.bytes // BYTES_PER_TIMEOUT):
            raise TimeoutError
        if self.most is not None and self.bytes > self.most:
            raise client.HTTPException
        return count

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class PacedResponse(client.HTTPResponse):
    """A response that must not be too slow, and whose head and trailer must end."""

    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *args, **options)
        raw = self.fp.detach()
        self._paced = PacedReader(raw, sock.gettimeout() or 0.0)
        self.fp = io.BufferedReader(self._paced)

    @override
    def begin(self) -> None:
        """Read the head; raises a `NoResponseError` if the connection ends before it."""
        try:
            super().begin()
        except OSError as error:
            if self._paced.bytes:
                raise
            raise NoResponseError.of(error) from error
        self._paced.most = None

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status of the final response, and skip interim ones.

        A client must be able to read them, and may ignore them (RFC 9110, 15.2). `http.client`
        skips `100 Continue` only, and any number of them.
        """
        interim = 0
        while True:
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # http.client's own
            status = line[1]
            if status >= FINAL or status == SWITCHED:
                return line
            interim += 1
            if interim > MOST_INTERIM:
                raise client.HTTPException
            client.parse_headers(self.fp)

    def _read_and_discard_trailer(self) -> None:
        """Read what follows the last chunk; `http.client` has no bound for it."""
        self._paced.most = self._paced.bytes + LARGEST_TRAILER
        super()._read_and_discard_trailer()  # type: ignore[misc]  # as above
