"""Connections to a host that are kept open, without urllib3's price for each request.

urllib3 opens them, with its certificates, timeouts and errors; `http.client`, on which it is built,
carries the requests. That takes half of the CPU.
"""

from __future__ import annotations

import ssl
import weakref
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from http import client
from typing import TYPE_CHECKING

from urllib3 import HTTPHeaderDict, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from tap_chat.pace import PacedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import HTTPConnectionPool


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a server may take.

    Attributes:
        connect: Seconds for a connection, TLS included.
        read: Seconds for each read, and for each 64 KiB of an answer that has begun.
    """

    connect: float
    read: float


#: Bytes of an answer that has to be held as a whole; no API that pages comes near.
LARGEST_ANSWER = 256 * 1024 * 1024


class TooLargeError(Exception):
    """An answer is larger than any that is held."""


class Connections:
    """The connections to a host, which is asked without a proxy; safe to use from several threads.

    Args:
        pool: urllib3's own pool, for what it knows of the host and its certificates.
    """

    def __init__(self, pool: HTTPConnectionPool) -> None:
        self._pool = pool
        self._kept: deque[HTTPConnection] = deque()
        weakref.finalize(self, _close_all, self._kept)

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], timeouts: Timeouts
    ) -> Exchange:
        """Send a request and read the head of its answer.

        Args:
            method: The method.
            target: The path, with its query.
            headers: The headers.
            timeouts: How long the server may take.

        Raises:
            HTTPError: There is no answer.
        """
        with self.errors(target):
            connection = self._kept_one() or self._opened(timeouts.connect)
            # Platforms of one host may wait for different times.
            connection.timeout = timeouts.read
            connection.sock.settimeout(timeouts.read)
            try:
                # Not urllib3's methods of these names, but those beneath.
                client.HTTPConnection.request(connection, method, target, headers=headers)
                response = client.HTTPConnection.getresponse(connection)
            except BaseException:
                connection.close()
                raise
        return Exchange(self, connection, response, target)

    def release(self, connection: HTTPConnection, *, usable: bool) -> None:
        """Take back a connection, on which nothing is to be read any more."""
        if usable:
            self._kept.append(connection)
        else:
            connection.close()

    @contextmanager
    def errors(self, target: str) -> Iterator[None]:
        """Let errors be those of urllib3.

        Args:
            target: What was asked for.
        """
        try:
            yield
        except TimeoutError as error:
            raise ReadTimeoutError(self._pool, target, "Read timed out.") from error
        except ssl.SSLError as error:
            raise SSLError(error) from error
        except (client.HTTPException, OSError) as error:
            raise ProtocolError("The connection broke.", error) from error

    def _kept_one(self) -> HTTPConnection | None:
        """Return a connection that the server has not closed meanwhile."""
        while self._kept:
            try:
                connection = self._kept.pop()
            except IndexError:
                return None
            if connection.is_connected:
                return connection
            connection.close()
        return None

    def _opened(self, timeout: float) -> HTTPConnection:
        pool = self._pool
        connection = (
            HTTPSConnection(
                pool.host,
                pool.port,
                timeout=timeout,
                cert_reqs=pool.cert_reqs,
                ca_certs=pool.ca_certs,
                ca_cert_dir=pool.ca_cert_dir,
            )
            if isinstance(pool, HTTPSConnectionPool)
            else HTTPConnection(pool.host, pool.port, timeout=timeout)
        )
        connection.response_class = PacedResponse
        try:
            connection.connect()
        except TimeoutError as error:
            connection.close()
            raise ConnectTimeoutError(connection, "No TLS within the time.") from error
        return connection


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and the answer to it, whose body is to be read.

    Attributes:
        connections: Where the connection comes from.
        connection: The connection.
        response: The head of the answer.
        target: What was asked for.
    """

    connections: Connections
    connection: HTTPConnection
    response: client.HTTPResponse
    target: str

    def whole(self, largest: int | None) -> bytes | None:
        """Return the body if it is known to be small, and not compressed; else None.

        Args:
            largest: The most bytes that are held; None if it has to be held as a whole.

        Raises:
            HTTPError: The answer broke off.
            TooLargeError: It is larger than any that is held.
        """
        length = self.response.length
        if "Content-Encoding" in self.response.headers:
            return None
        if largest is not None and (length is None or length > largest):
            return None
        # Only without a number of bytes does it say that a known length was not reached.
        bound = () if length is not None else (LARGEST_ANSWER + 1,)
        try:
            with self.connections.errors(self.target):
                body = b"" if (length or 0) > LARGEST_ANSWER else self.response.read(*bound)
        except HTTPError:
            self.connection.close()
            raise
        if max(length or 0, len(body)) > LARGEST_ANSWER:
            self.connection.close()
            raise TooLargeError
        self.release()
        return body

    def decoded(self) -> HTTPResponse:
        """Return the answer as urllib3 reads it, decompressed."""
        return HTTPResponse(
            self.response,
            HTTPHeaderDict(self.response.headers.items()),
            self.response.status,
            preload_content=False,
            original_response=self.response,
            connection=self.connection,
        )

    def release(self) -> None:
        """Give back the connection, when all is read."""
        self.connections.release(self.connection, usable=not self.response.will_close)


def _close_all(connections: deque[HTTPConnection]) -> None:
    while connections:
        connections.pop().close()
