"""The connections to a host, without urllib3's cost for each request.

urllib3 opens the connections, with its certificates, timeouts and errors. `http.client`, on which
urllib3 is built, sends the requests. With urllib3's own pool, 64 workers send 20 % fewer requests
per second at a latency of 0 and 20 ms, 2 % fewer at 100 ms, and each request takes 23 % more CPU
(`benchmarks/README.md`).
"""

from __future__ import annotations

import ssl
import time
import weakref
from collections import deque
from dataclasses import dataclass
from http import client
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPHeaderDict, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from tap_chat.http.bounds import LARGEST_BODY, TooLargeError
from tap_chat.http.keep_alive import ReusableConnection, socket_options
from tap_chat.http.reading import NoResponseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3 import HTTPConnectionPool

    from tap_chat.http.bounds import Timeouts


#: The errors of a connection.
FAILURES = (client.HTTPException, OSError)


class Connections:
    """The connections to a host, without a proxy; safe to use from several threads.

    Args:
        pool: urllib3's own pool, which knows the host and its certificates.
    """

    def __init__(self, pool: HTTPConnectionPool) -> None:
        self._pool = pool
        encrypted = isinstance(pool, HTTPSConnectionPool)
        self._class: type[ReusableConnection] = type(
            "Direct", (ReusableConnection, HTTPSConnection if encrypted else HTTPConnection), {}
        )
        self._idle: deque[ReusableConnection] = deque()
        weakref.finalize(self, _close_all, self._idle)

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        body: Any = None,  # noqa: ANN401 - as `http.client` takes it
    ) -> Exchange:
        """Send a request and read the head of its response.

        Args:
            method: The method.
            target: The path, with its query.
            headers: The headers.
            timeouts: How long the server may take.
            body: The body, or None.

        Raises:
            HTTPError: There is no response.
        """
        try:
            if idle := self._take_idle():
                try:
                    return self._exchange(idle, method, target, headers, timeouts, body)
                except NoResponseError:
                    # The connection was closed before the request, so the request has not failed.
                    # A request that only reads may always be sent again (RFC 9110, 9.2.2), as
                    # browsers and Go's net/http do (https://pkg.go.dev/net/http#Transport).
                    pass
            connection = self._open(timeouts.connect)
            return self._exchange(connection, method, target, headers, timeouts, body)
        except FAILURES as error:
            raise self.failure(error, target) from error

    def release(self, connection: ReusableConnection, *, is_usable: bool) -> None:
        """Take back a connection whose response is read."""
        if is_usable:
            self._idle.append(connection)
            if len(self._idle) > 1:
                self._close_old()
        else:
            connection.close()

    def failure(self, error: Exception, target: str) -> HTTPError:
        """Return urllib3's error for one of the system or of `http.client`.

        Args:
            error: The error.
            target: The path of the request, with its query.
        """
        match error:
            # An error with a number is the system's: nothing acknowledged what was sent.
            case TimeoutError(errno=None):
                return ReadTimeoutError(self._pool, target, "Read timed out.")
            case ssl.SSLError():
                return SSLError(error)
            case _:
                return ProtocolError("The connection broke.", error)

    def _exchange(  # noqa: PLR0913, PLR0917 - what a request has
        self,
        connection: ReusableConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        body: Any,  # noqa: ANN401 - as above
    ) -> Exchange:
        # Platforms with the same host may have different time limits.
        connection.timeout = timeouts.read
        connection.sock.settimeout(timeouts.read)
        try:
            # The methods of `http.client`, which urllib3 overrides.
            try:
                client.HTTPConnection.request(connection, method, target, body, headers)
            except OSError as error:
                raise NoResponseError.of(error) from error
            response = client.HTTPConnection.getresponse(connection)
        except BaseException:
            connection.close()
            connection.fail()
            raise
        connection.responded = time.monotonic()
        return Exchange(self, connection, response, target)

    def _take_idle(self) -> ReusableConnection | None:
        """Return an idle connection that can be used again; None if there is none."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_connected:
                return connection
            connection.close()
        return None

    def _close_old(self) -> None:
        """Close the connections that were idle for too long: the first ones."""
        now = time.monotonic()
        try:
            while self._idle[0].is_old(now):
                self._idle.popleft().close()
        except IndexError:  # another thread has taken it
            return

    def _open(self, timeout: float) -> ReusableConnection:
        pool = self._pool
        certificates: dict[str, Any] = {}
        if isinstance(pool, HTTPSConnectionPool):
            certificates = {
                "cert_reqs": pool.cert_reqs,
                "ca_certs": pool.ca_certs,
                "ca_cert_dir": pool.ca_cert_dir,
            }
        connection = self._class(
            pool.host, pool.port, timeout=timeout, socket_options=socket_options(), **certificates
        )
        try:
            connection.connect()
        except TimeoutError as error:
            connection.close()
            raise ConnectTimeoutError(connection, "No TLS within the time.") from error
        return connection


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its response, whose body is still to be read.

    Attributes:
        connections: The connections to the host.
        connection: The one that is used.
        response: The response, of which the head is read.
        target: The path of the request, with its query.
    """

    connections: Connections
    connection: ReusableConnection
    response: client.HTTPResponse
    target: str

    def read_whole(self, largest: int | None) -> bytes | None:
        """Read and return the body if it is small and not compressed; otherwise return None.

        Args:
            largest: The size in bytes up to which the body is held; None if it must be held as a
                whole.

        Raises:
            HTTPError: The response broke off.
            TooLargeError: The body would take too much memory.
        """
        length = self.response.length
        if "Content-Encoding" in self.response.headers:
            return None
        if largest is not None and (length is None or length > largest):
            return None
        # Only a read without a size fails if the stated length is not reached.
        bound = () if length is not None else (LARGEST_BODY + 1,)
        try:
            body = b"" if (length or 0) > LARGEST_BODY else self.response.read(*bound)
        except FAILURES as error:
            self.connection.close()
            self.connection.fail()
            raise self.connections.failure(error, self.target) from error
        if max(length or 0, len(body)) > LARGEST_BODY:
            self.connection.close()
            raise TooLargeError
        self.release()
        return body

    def to_urllib3(self) -> HTTPResponse:
        """Return the response as urllib3's, which decompresses it."""
        return HTTPResponse(
            self.response,
            HTTPHeaderDict(self.response.headers.items()),
            self.response.status,
            preload_content=False,
            original_response=self.response,
            connection=self.connection,
        )

    def release(self) -> None:
        """Give back the connection when the body is read."""
        self.connections.release(self.connection, is_usable=not self.response.will_close)


def _close_all(connections: deque[ReusableConnection]) -> None:
    while connections:
        connections.pop().close()
