"""How requests travel: connections as `requests` makes them, without its price for each request.

`requests` picks the proxy, the certificates and the pool of connections of a host once. Then each
request goes over a connection of its own to the host, or, if there is a proxy, through urllib3.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import Timeout
from urllib3.exceptions import HTTPError, ProtocolError, ProxyError

from tap_chat.http.connections import (
    LARGEST_ANSWER,
    LARGEST_DECODED,
    Connections,
    Reusable,
    StaleError,
    TooLargeError,
    socket_options,
)
from tap_chat.http.responses import Response, decoded_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

    from tap_chat.http.connections import Timeouts

# Bytes of a body that are read at once.
READ_BYTES = 64 * 1024

# Bytes of a body that is not looked at for what its values take: not too much in any case.
LIGHT = 16 * 1024 * 1024


class CutOffError(Exception):
    """A body ended too early.

    Args:
        reason: What urllib3 raised.
    """

    def __init__(self, reason: HTTPError) -> None:
        super().__init__()
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a host.

    Attributes:
        pool: Its connections.
        prefix: What stands before the path in a request: nothing, or the host for a proxy.
        direct: Connections without a proxy; None if there is one.
    """

    pool: HTTPConnectionPool
    prefix: str
    direct: Connections | None


class Transport(HTTPAdapter):
    """Carries requests; safe to use from several threads. Redirects are not followed.

    Args:
        connections: The most connections to a host that are kept open.
    """

    def __init__(self, connections: int) -> None:
        super().__init__(pool_maxsize=connections)
        self._session = requests.Session()
        self._routes: dict[str, Route] = {}
        self._lock = threading.Lock()

    def carry(
        self, request: requests.PreparedRequest, timeouts: Timeouts, largest: int | None
    ) -> Response:
        """Send a request once.

        Args:
            request: The request, signed.
            timeouts: How long the server may take.
            largest: The most bytes of a body that are held; None if it has to be held as a whole.

        Returns:
            The answer.

        Raises:
            HTTPError: There is no answer.
            CutOffError: The answer broke off.
            TooLargeError: It is larger than any that is held, or would be once it is decoded.
            ValueError: The URL is none that can be asked.
            OSError: The certificates that the environment names are not there.
        """
        parts = urlsplit(str(request.url))
        origin = f"{parts.scheme}://{parts.netloc}"
        route = self._routes.get(origin) or self._find_route(origin)
        target = f"{route.prefix}{parts.path or '/'}?{parts.query}".removesuffix("?")
        answer = self._asked(route, target, request, timeouts, largest)
        is_large = answer.rest is None and len(answer.body) > LIGHT
        if is_large and decoded_size(answer.body) > LARGEST_DECODED:
            raise TooLargeError
        return answer

    def _asked(
        self,
        route: Route,
        target: str,
        request: requests.PreparedRequest,
        timeouts: Timeouts,
        largest: int | None,
    ) -> Response:
        if route.direct is None:
            return self._by_proxy(route.pool, target, request, timeouts, largest)
        exchange = route.direct.ask(
            str(request.method), target, request.headers, timeouts, request.body
        )
        head = exchange.response
        try:
            body = exchange.whole(largest)
        except HTTPError as error:
            raise CutOffError(error) from None
        if body is not None:
            return Response(head.status, head.headers, body)
        first, rest = read(exchange.decoded(), largest, exchange.release)
        return Response(head.status, head.headers, first, rest)

    @staticmethod
    def _by_proxy(
        pool: HTTPConnectionPool,
        target: str,
        request: requests.PreparedRequest,
        timeouts: Timeouts,
        largest: int | None,
    ) -> Response:
        ask = partial(
            pool.urlopen,
            str(request.method),
            target,
            body=request.body,
            headers=request.headers,
            timeout=Timeout(connect=timeouts.connect, read=timeouts.read),
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
        )
        try:
            response = ask()
        except (ProtocolError, ProxyError) as error:
            if not any(isinstance(cause, StaleError) for cause in error.args):
                raise
            response = ask()  # as `Connections.ask` does
        body, rest = read(response, largest, response.release_conn)
        return Response(response.status, response.headers, body, rest)

    def _find_route(self, origin: str) -> Route:
        with self._lock:
            if route := self._routes.get(origin):  # found by another thread meanwhile
                return route
            request = requests.Request("GET", origin).prepare()
            # Certificates and proxies that the environment names.
            environment = self._session.merge_environment_settings(
                request.url, proxies={}, stream=None, verify=None, cert=None
            )
            verify, proxies = environment["verify"], environment["proxies"]
            pool = self.get_connection_with_tls_context(request, verify, proxies)
            self.cert_verify(pool, str(request.url), verify, None)  # type: ignore[no-untyped-call]
            prefix = self.request_url(request, proxies).removesuffix("/")
            made = cast("HTTPConnectionPool", pool)
            proxied = select_proxy(origin, proxies)
            if proxied:
                made.ConnectionCls = type("Proxied", (Reusable, made.ConnectionCls), {})
                made.conn_kw["socket_options"] = socket_options()
            direct = None if proxied else Connections(made)
            route = self._routes[origin] = Route(made, prefix, direct)
            return route


def read(
    response: BaseHTTPResponse, largest: int | None, release: Callable[[], None]
) -> tuple[bytearray, Iterator[bytes] | None]:
    """Read a body into memory, but no more of it than can be held.

    Args:
        response: The response, whose body was not read yet.
        largest: The most bytes to hold; None if it has to be held as a whole.
        release: Gives back the connection, when all is read.

    Returns:
        The body, decompressed, and None; or the beginning of a larger one, and the rest of it.

    Raises:
        CutOffError: The answer broke off.
        TooLargeError: It is larger than any that is held.
    """
    body = bytearray()
    # Then the chunks are undone by http.client, with the bounds of `PacedResponse`.
    response.chunked = False
    chunks = response.stream(READ_BYTES, decode_content=True)
    try:
        for chunk in chunks:
            body += chunk
            if largest is not None and len(body) > largest:
                return body, _rest(response, chunks, release)
            if len(body) > LARGEST_ANSWER:
                break
    except HTTPError as error:
        response.close()
        raise CutOffError(error) from None
    if len(body) > LARGEST_ANSWER:
        response.close()
        raise TooLargeError
    release()
    return body, None


def _rest(
    response: BaseHTTPResponse, chunks: Iterator[bytes], release: Callable[[], None]
) -> Iterator[bytes]:
    whole = False
    try:
        yield from chunks
        whole = True
    except HTTPError as error:
        raise CutOffError(error) from None
    finally:
        if whole:
            release()
        else:
            response.close()  # of the connection nothing more can be had
