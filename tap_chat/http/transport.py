"""Sends single requests, without the cost that `requests` has for each.

`requests` chooses the proxy, the certificates and the connection pool of each host, once. Then the
requests go over our own connections to the host, or through urllib3 if there is a proxy.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import Timeout
from urllib3.exceptions import HTTPError, ProtocolError, ProxyError

from tap_chat.http.bounds import LARGEST_BODY, LARGEST_DECODED, TooLargeError
from tap_chat.http.connections import Connections
from tap_chat.http.keep_alive import ReusableConnection, StaleError, socket_options
from tap_chat.http.responses import Response, decoded_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

    from tap_chat.http.bounds import Timeouts

# Bytes of a body to read at once.
READ_BYTES = 64 * 1024

# Bytes. The values of a smaller body cannot take too much memory.
LIGHT = 16 * 1024 * 1024


class CutOffError(Exception):
    """A response broke off after its head.

    Args:
        reason: The error of urllib3.
    """

    def __init__(self, reason: HTTPError) -> None:
        super().__init__()
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a host.

    Attributes:
        pool: urllib3's connection pool.
        prefix: The text before the path in a request: empty, or the host for a proxy.
        direct: The connections without a proxy; None if there is a proxy.
    """

    pool: HTTPConnectionPool
    prefix: str
    direct: Connections | None


class Transport(HTTPAdapter):
    """Sends requests; safe to use from several threads. It does not follow redirects.

    Args:
        connections: The most idle connections to a host that stay open.
    """

    def __init__(self, connections: int) -> None:
        super().__init__(pool_maxsize=connections)
        self._session = requests.Session()
        self._routes: dict[str, Route] = {}
        self._lock = threading.Lock()

    def send_once(
        self, request: requests.PreparedRequest, timeouts: Timeouts, largest: int | None
    ) -> Response:
        """Send a request once.

        Args:
            request: The signed request.
            timeouts: How long the server may take.
            largest: The size in bytes up to which a body is held; None if it must be held as a
                whole.

        Raises:
            HTTPError: There is no response.
            CutOffError: The response broke off.
            TooLargeError: Its body, or the decoded values, would take too much memory.
            ValueError: The URL is invalid.
            OSError: The file of certificates that the environment names does not exist.
        """
        parts = urlsplit(str(request.url))
        origin = f"{parts.scheme}://{parts.netloc}"
        route = self._routes.get(origin) or self._find_route(origin)
        target = f"{route.prefix}{parts.path or '/'}?{parts.query}".removesuffix("?")
        response = self._send(route, target, request, timeouts, largest)
        check_memory(response)
        return response

    def _send(
        self,
        route: Route,
        target: str,
        request: requests.PreparedRequest,
        timeouts: Timeouts,
        largest: int | None,
    ) -> Response:
        if route.direct is None:
            return self._send_by_proxy(route.pool, target, request, timeouts, largest)
        started = time.monotonic()
        exchange = route.direct.send(
            str(request.method), target, request.headers, timeouts, request.body
        )
        head = exchange.response
        try:
            body = exchange.read_whole(largest)
        except HTTPError as error:
            raise CutOffError(error) from None
        if body is not None:
            return Response(head.status, head.headers, body, seconds=time.monotonic() - started)
        first, rest = read(exchange.to_urllib3(), largest, exchange.release)
        return Response(head.status, head.headers, first, rest, time.monotonic() - started)

    @staticmethod
    def _send_by_proxy(
        pool: HTTPConnectionPool,
        target: str,
        request: requests.PreparedRequest,
        timeouts: Timeouts,
        largest: int | None,
    ) -> Response:
        send = partial(
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
        started = time.monotonic()
        try:
            response = send()
        except (ProtocolError, ProxyError) as error:
            if not any(isinstance(cause, StaleError) for cause in error.args):
                raise
            response = send()  # as `Connections.send` does
        body, rest = read(response, largest, response.release_conn)
        return Response(response.status, response.headers, body, rest, time.monotonic() - started)

    def _find_route(self, origin: str) -> Route:
        with self._lock:
            if route := self._routes.get(origin):  # another thread has found it
                return route
            request = requests.Request("GET", origin).prepare()
            # The certificates and proxies that the environment names.
            environment = self._session.merge_environment_settings(
                request.url, proxies={}, stream=None, verify=None, cert=None
            )
            verify, proxies = environment["verify"], environment["proxies"]
            pool = self.get_connection_with_tls_context(request, verify, proxies)
            self.cert_verify(pool, str(request.url), verify, None)  # type: ignore[no-untyped-call]
            prefix = self.request_url(request, proxies).removesuffix("/")
            host_pool = cast("HTTPConnectionPool", pool)
            proxied = select_proxy(origin, proxies)
            # Origins with http share the pool of their proxy.
            if proxied and not issubclass(host_pool.ConnectionCls, ReusableConnection):
                host_pool.ConnectionCls = type(
                    "Proxied", (ReusableConnection, host_pool.ConnectionCls), {}
                )
                host_pool.conn_kw["socket_options"] = socket_options()
            direct = None if proxied else Connections(host_pool)
            route = self._routes[origin] = Route(host_pool, prefix, direct)
            return route


def check_memory(response: Response) -> None:
    """Raise a `TooLargeError` if the decoded values of a body would take too much memory."""
    is_large = response.rest is None and len(response.body) > LIGHT
    if is_large and decoded_size(response.body) > LARGEST_DECODED:
        raise TooLargeError


def read(
    response: BaseHTTPResponse, largest: int | None, release: Callable[[], None]
) -> tuple[bytearray, Iterator[bytes] | None]:
    """Read a body into memory, up to a size.

    Args:
        response: The response, of which the head is read.
        largest: The size in bytes up to which the body is held; None if it must be held as a whole.
        release: Gives back the connection when the body is read.

    Returns:
        The body, decompressed, and None; or the beginning of a larger one, and the rest of it.

    Raises:
        CutOffError: The response broke off.
        TooLargeError: The body would take too much memory.
    """
    body = bytearray()
    # Then http.client decodes the chunks, with the bounds of `PacedResponse`.
    response.chunked = False
    chunks = response.stream(READ_BYTES, decode_content=True)
    try:
        for chunk in chunks:
            body += chunk
            if largest is not None and len(body) > largest:
                return body, _rest(response, chunks, release)
            if len(body) > LARGEST_BODY:
                break
    except HTTPError as error:
        response.close()
        raise CutOffError(error) from None
    if len(body) > LARGEST_BODY:
        response.close()
        raise TooLargeError
    release()
    return body, None


def _rest(
    response: BaseHTTPResponse, chunks: Iterator[bytes], release: Callable[[], None]
) -> Iterator[bytes]:
    is_complete = False
    try:
        yield from chunks
        is_complete = True
    except HTTPError as error:
        raise CutOffError(error) from None
    finally:
        if is_complete:
            release()
        else:
            response.close()  # the connection cannot be used again
