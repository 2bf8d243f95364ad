"""Connections to a host that are kept open, without urllib3's price for each request.

urllib3 opens them, with its certificates, timeouts and errors; `http.client`, on which it is built,
carries the requests. That takes half of the CPU.
"""

from __future__ import annotations

import socket
import ssl
import time
import weakref
from collections import deque
from dataclasses import dataclass
from functools import cache
from http import client
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override
from urllib3 import HTTPHeaderDict, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from tap_chat.http.reading import PacedResponse, SilentError

if TYPE_CHECKING:
    from collections.abc import Mapping

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

#: Bytes of memory that its values may take, about. Of a common answer they take five times as much
#: as it has bytes, and of one of nothing but `{}` thirty times.
LARGEST_DECODED = 6 * LARGEST_ANSWER

#: Seconds; a connection that was idle for longer is not used again. Servers close theirs about
#: then: AWS's load balancers after 60 s (https://docs.aws.amazon.com/elasticloadbalancing/latest/
#: application/application-load-balancers.html), nginx after 75 s
#: (https://nginx.org/en/docs/http/ngx_http_core_module.html#keepalive_timeout). And what lies
#: between, forgets them some day without a word.
LONGEST_IDLE = 50.0

#: What lets the system find out that nobody is at the other end any more (tcp(7)): it asks after 20
#: s without a packet, 3 times, and waits for no more than 20 s until a packet is acknowledged. Each
#: is seconds, a number, or milliseconds. Some systems have other names, or not all.
KEPT_ALIVE = {
    "TCP_KEEPIDLE": 20,
    "TCP_KEEPALIVE": 20,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 20_000,
}


#: What a connection may raise.
FAILURES = (client.HTTPException, OSError)


class TooLargeError(Exception):
    """An answer is larger than any that is held, or would be once it is decoded."""


class Reusable(HTTPConnection):
    """A part of connections: it says which of them are used again.

    The class of the connections to a host is made of it, and belongs to that host alone.

    Attributes:
        void_until: Connections that were opened before are not used again.
        opened: When the connection was.
        answered: When the last answer on it began; None before the first.
    """

    response_class = PacedResponse
    void_until: ClassVar[float] = 0.0
    opened = 0.0
    answered: float | None = None

    @override
    def connect(self) -> None:
        super().connect()
        self.opened, self.answered = time.monotonic(), None

    @property
    @override
    def is_connected(self) -> bool:
        if self.opened < self.void_until or self.is_old(time.monotonic()):
            return False
        return super().is_connected

    def is_old(self, now: float) -> bool:
        """Say whether it was idle for too long."""
        return self.answered is not None and self.answered < now - LONGEST_IDLE

    def fail(self) -> None:
        """Note that it failed: what it met, the others that are open may have met."""
        # Once for all that were open then: those that were opened since are no worse for it.
        if self.opened >= self.void_until:
            type(self).void_until = time.monotonic()

    @override
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        """Read the head of an answer; raises a `StaleError` if the connection was gone before."""
        try:
            response = super().getresponse()
        except Exception as error:
            self.fail()
            if isinstance(error, SilentError) and self.answered is not None:
                raise StaleError(*error.args) from error
            raise
        self.answered = time.monotonic()
        return response


class StaleError(ConnectionError):
    """A connection that was used before was gone, when it was to be used again."""


class Connections:
    """The connections to a host, which is asked without a proxy; safe to use from several threads.

    Args:
        pool: urllib3's own pool, for what it knows of the host and its certificates.
    """

    def __init__(self, pool: HTTPConnectionPool) -> None:
        self._pool = pool
        encrypted = isinstance(pool, HTTPSConnectionPool)
        self._class: type[Reusable] = type(
            "Direct", (Reusable, HTTPSConnection if encrypted else HTTPConnection), {}
        )
        self._kept: deque[Reusable] = deque()
        weakref.finalize(self, _close_all, self._kept)

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        body: Any = None,  # noqa: ANN401 - as `http.client` takes it
    ) -> Exchange:
        """Send a request and read the head of its answer.

        Args:
            method: The method.
            target: The path, with its query.
            headers: The headers.
            timeouts: How long the server may take.
            body: The body, or None.

        Raises:
            HTTPError: There is no answer.
        """
        try:
            if kept := self._kept_one():
                try:
                    return self._asked(kept, method, target, headers, timeouts, body)
                except SilentError:
                    # The connection was gone before the request, which has not failed. A request
                    # that only reads may be sent again in any case (RFC 9110, 9.2.2); so do
                    # browsers, and Go's net/http (https://pkg.go.dev/net/http#Transport).
                    pass
            opened = self._opened(timeouts.connect)
            return self._asked(opened, method, target, headers, timeouts, body)
        except FAILURES as error:
            raise self.failure(error, target) from error

    def release(self, connection: Reusable, *, usable: bool) -> None:
        """Take back a connection, on which nothing is to be read any more."""
        if usable:
            self._kept.append(connection)
            if len(self._kept) > 1:
                self._close_old()
        else:
            connection.close()

    def failure(self, error: Exception, target: str) -> HTTPError:
        """Return the error of urllib3 for one of the system or of `http.client`.

        Args:
            error: What was raised.
            target: What was asked for.
        """
        match error:
            # One with a number is the system's: nothing acknowledges what was sent.
            case TimeoutError(errno=None):
                return ReadTimeoutError(self._pool, target, "Read timed out.")
            case ssl.SSLError():
                return SSLError(error)
            case _:
                return ProtocolError("The connection broke.", error)

    def _asked(  # noqa: PLR0913, PLR0917 - what a request has
        self,
        connection: Reusable,
        method: str,
        target: str,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        body: Any,  # noqa: ANN401 - as above
    ) -> Exchange:
        # Platforms of one host may wait for different times.
        connection.timeout = timeouts.read
        connection.sock.settimeout(timeouts.read)
        try:
            # Not urllib3's methods of these names, but those beneath.
            try:
                client.HTTPConnection.request(connection, method, target, body, headers)
            except OSError as error:
                raise SilentError.of(error) from error
            response = client.HTTPConnection.getresponse(connection)
        except BaseException:
            connection.close()
            connection.fail()
            raise
        connection.answered = time.monotonic()
        return Exchange(self, connection, response, target)

    def _kept_one(self) -> Reusable | None:
        """Return a connection that is fresh, and that the server has not closed meanwhile."""
        while self._kept:
            try:
                connection = self._kept.pop()
            except IndexError:
                return None
            if connection.is_connected:
                return connection
            connection.close()
        return None

    def _close_old(self) -> None:
        """Close the connections that were idle for too long; they are the first."""
        now = time.monotonic()
        try:
            while self._kept[0].is_old(now):
                self._kept.popleft().close()
        except IndexError:  # another thread has taken it
            return

    def _opened(self, timeout: float) -> Reusable:
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
    """A request and the answer to it, whose body is to be read.

    Attributes:
        connections: Where the connection comes from.
        connection: The connection.
        response: The head of the answer.
        target: What was asked for.
    """

    connections: Connections
    connection: Reusable
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
            body = b"" if (length or 0) > LARGEST_ANSWER else self.response.read(*bound)
        except FAILURES as error:
            self.connection.close()
            self.connection.fail()
            raise self.connections.failure(error, self.target) from error
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


@cache
def socket_options() -> list[tuple[int, int, int | bytes]]:
    """Return the options of a socket whose other end may be gone without a word."""
    options = list(HTTPConnection.default_socket_options)
    named = {name: getattr(socket, name, None) for name in KEPT_ALIVE}
    wanted = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    wanted += [
        (socket.IPPROTO_TCP, number, KEPT_ALIVE[name]) for name, number in named.items() if number
    ]
    for option in wanted:
        try:
            with socket.socket() as probe:
                probe.setsockopt(*option)
        except OSError:
            continue  # systems may know the name of an option, and not have it
        options.append(option)
    return options


def _close_all(connections: deque[Reusable]) -> None:
    while connections:
        connections.pop().close()
