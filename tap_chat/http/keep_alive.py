"""Connections that are kept open: which can be used again, and how the system watches them."""

from __future__ import annotations

import socket
import time
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override
from urllib3.connection import HTTPConnection

from tap_chat.http.reading import NoResponseError, PacedResponse

if TYPE_CHECKING:
    from urllib3 import HTTPResponse

#: Seconds. A connection that was idle for longer is not used again. Servers close theirs about
#: then: AWS's load balancers after 60 s (https://docs.aws.amazon.com/elasticloadbalancing/latest/
#: application/application-load-balancers.html), nginx after 75 s
#: (https://nginx.org/en/docs/http/ngx_http_core_module.html#keepalive_timeout). A router between
#: them may forget one without notice.
LONGEST_IDLE = 50.0

#: The options with which the system detects that the other end is gone (tcp(7)): it sends 3 probes
#: after 20 s without a packet, and waits at most 20 s for the acknowledgement of a packet. The
#: values are seconds, a count, or milliseconds. Not all systems have all options.
KEEP_ALIVE = {
    "TCP_KEEPIDLE": 20,
    "TCP_KEEPALIVE": 20,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 20_000,
}


class StaleError(ConnectionError):
    """A reused connection was already closed."""


class ReusableConnection(HTTPConnection):
    """A mixin for urllib3's connections: it knows whether a connection can be used again.

    Each host has a class of its own, so that the connections to it share `void_until`.

    Attributes:
        void_until: Connections that were opened before this time are not used again.
        opened: The time at which the connection was opened.
        responded: The time at which the last response on it began; None before the first.
    """

    response_class = PacedResponse
    void_until: ClassVar[float] = 0.0
    opened = 0.0
    responded: float | None = None

    @override
    def connect(self) -> None:
        super().connect()
        self.opened, self.responded = time.monotonic(), None

    @property
    @override
    def is_connected(self) -> bool:
        if self.opened < self.void_until or self.is_old(time.monotonic()):
            return False
        return super().is_connected

    def is_old(self, now: float) -> bool:
        """Return whether it was idle for too long."""
        return self.responded is not None and self.responded < now - LONGEST_IDLE

    def fail(self) -> None:
        """Take note of a failure: the other open connections may have failed, too."""
        # Close all connections that were open then, once. Later ones may be alive.
        if self.opened >= self.void_until:
            type(self).void_until = time.monotonic()

    @override
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        """Read the head of a response; raises a `StaleError` if the connection was gone before."""
        try:
            response = super().getresponse()
        except Exception as error:
            self.fail()
            if isinstance(error, NoResponseError) and self.responded is not None:
                raise StaleError(*error.args) from error
            raise
        self.responded = time.monotonic()
        return response


@cache
def socket_options() -> list[tuple[int, int, int | bytes]]:
    """Return the options of a socket whose other end may vanish without notice."""
    options = list(HTTPConnection.default_socket_options)
    named = {name: getattr(socket, name, None) for name in KEEP_ALIVE}
    options_to_try = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    options_to_try += [
        (socket.IPPROTO_TCP, number, KEEP_ALIVE[name]) for name, number in named.items() if number
    ]
    for option in options_to_try:
        try:
            with socket.socket() as probe:
                probe.setsockopt(*option)
        except OSError:
            continue  # a system may name an option that it does not have
        options.append(option)
    return options
