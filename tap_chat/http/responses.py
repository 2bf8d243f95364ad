"""What a server said: bodies decoded exactly, failures put into words that give nothing away."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

import msgspec
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
    TimeoutError,  # noqa: A004 - that of urllib3
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_chat.http.connections import Timeouts

# Fractions as Decimal: neither 0.1 nor 1e400 may change on the way.
_decoder = msgspec.json.Decoder(float_hook=Decimal)

# The number of names shown of an object that is not what it should be.
SHOWN_NAMES = 8

# Names that APIs give to the number of rows in all pages, and where it stands beside the root.
COUNTS = ("total", "total_count", "count")
AROUND_COUNTS = ("meta", "pagination", "paging")

NO_CONNECTION = "could not be sent, or the connection broke"
CUT_OFF = "was cut off in the middle of the answer"
STALLED = "stalled in the middle of the answer for {read:g} s"

NO_TLS = "failed: the server does not speak TLS, as https:// wants it"

# From the special to the general: a ConnectTimeoutError is a TimeoutError, too.
FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (NameResolutionError, "could not be sent: no host of that name was found"),
    (NewConnectionError, "could not be sent: no connection to that host and port"),
    (ConnectTimeoutError, "could not connect within {connect:g} s"),
    (TimeoutError, "got no answer within {read:g} s"),
    (SSLError, "failed: the server's certificate could not be verified"),
    (ProxyError, "failed at the proxy"),
    (DecodeError, "answered with a broken compression"),
)


@dataclass(frozen=True, slots=True)
class PartialBody:
    """A body that is larger than what is held of one.

    Attributes:
        first: The first bytes.
        rest: Those that follow, in chunks that are read when they are asked for.
    """

    first: bytearray
    rest: Iterator[bytes]


class UnreadableError(Exception):
    """A body may be whole, but no value can be made of it, today or tomorrow."""


def decode(body: bytes | bytearray) -> Any:  # noqa: ANN401
    """Decode a JSON body exactly: integers of any size, fractions as Decimal.

    Args:
        body: The bytes of the body.

    Returns:
        The value.

    Raises:
        ValueError: The body is not whole and valid JSON in UTF-8.
        UnreadableError: It is nested too deeply, or a number in it has too many digits.
    """
    try:
        return _decode(body)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except (RecursionError, ArithmeticError, ValueError):
        # Of the ValueErrors, that of an integer with more digits than Python reads.
        raise UnreadableError from None


def decode_sized(body: bytes | bytearray) -> tuple[int, Any]:
    """Decode a body as `decode` does; return its size in bytes, too."""
    return len(body), decode(body)


def decoded_size(body: bytes | bytearray) -> int:
    """Return about how many bytes of memory the values of a JSON body take at most.

    Args:
        body: The bytes of the body.
    """
    sizes = ((b"{", 64), (b"[", 56), (b",", 40))
    return len(body) + sum(size * body.count(sign) for sign, size in sizes)


def _decode(body: bytes | bytearray) -> Any:  # noqa: ANN401
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:
        # msgspec refuses lone surrogates, which JSON allows, and a byte order mark, which may be
        # ignored (RFC 8259). Given bytes, `json` would guess other charsets.
        text = str(body, "utf-8-sig")
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)


def is_html(body: bytes | bytearray | PartialBody) -> bool:
    """Say whether the body is a web page, as portals and proxies send with a status of 200."""
    # The type that the server names does not count: some name JSON text/html.
    first = body.first if isinstance(body, PartialBody) else body
    return first[:64].lstrip().startswith(b"<")


def is_object(body: bytes | bytearray | PartialBody) -> bool:
    """Say whether the body is a JSON object."""
    if isinstance(body, PartialBody):
        return False
    try:
        return isinstance(decode(body), dict)
    except (ValueError, UnreadableError):
        return False


def find(body: Any, path: str) -> Any:  # noqa: ANN401
    """Return what is at a path of names with dots between them, or None."""
    for name in path.split(".") if path else ():
        body = body.get(name) if isinstance(body, dict) else None
    return body


def is_null(body: Any, path: str) -> bool:  # noqa: ANN401
    """Say whether there is a null at a path of names with dots between them."""
    parent, _, name = path.rpartition(".")
    around = find(body, parent)
    return isinstance(around, dict) and name in around and around[name] is None


def counts_none(body: Any, path: str) -> bool:  # noqa: ANN401
    """Say whether a null at a path is an empty list: a count beside it is 0, or nothing is there.

    Args:
        body: The decoded body.
        path: Names with dots between them.
    """
    alone, level = True, body
    for name in path.split("."):
        counts = [level.get(count) for count in COUNTS]
        if any(type(count) is int and count == 0 for count in counts):
            return True
        alone = alone and len(level) == 1
        level = level[name]
    return alone


def stated_total(body: Any) -> int | None:  # noqa: ANN401
    """Return the number of rows that a list says it has in all pages, or None if it does not say.

    Args:
        body: The decoded body. A `count` may be that of the page, and does not count.
    """
    for place in ("", *AROUND_COUNTS):
        for name in COUNTS[:2]:
            total = find(body, f"{place}.{name}".lstrip("."))
            if type(total) is int:
                return total
    return None


def describe_shape(body: object) -> str:
    """Describe a body by its outermost names, never by its values."""
    if isinstance(body, dict):
        names = ", ".join(f"`{str(name)[:40]}`" for name in list(body)[:SHOWN_NAMES])
        return f"an object with {names}" if names else "an empty object"
    return {list: "a list", str: "a text", type(None): "null"}.get(type(body), "a plain value")


def describe_status(status: int) -> str:
    """Return a status with its name, such as `401 Unauthorized`."""
    known = status in set(HTTPStatus)
    return f"{status} {HTTPStatus(status).phrase}" if known else str(status)


def describe_failure(error: HTTPError, timeouts: Timeouts, *, began: bool) -> str:
    """Say why there is no answer, as the predicate of a sentence.

    Args:
        error: What urllib3 raised; its own text may hold the URL, credential included.
        timeouts: How long was waited.
        began: Whether there was the beginning of one.
    """
    if isinstance(error, SSLError) and not is_about_certificate(error):
        return NO_TLS
    other = CUT_OFF if began else NO_CONNECTION
    words = next((words for kind, words in FAILURES if isinstance(error, kind)), other)
    if began and isinstance(error, TimeoutError):
        words = STALLED
    return words.format(connect=timeouts.connect, read=timeouts.read)


def is_about_certificate(error: SSLError) -> bool:
    """Say whether it is the server's certificate that is wrong, and not what it speaks."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in error.args)


def http_date(text: str) -> datetime | None:
    """Return the moment that a header names, or None if it names none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def origin(location: str) -> str:
    """Return where a redirect leads: scheme and host alone, since the rest may hold a secret."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "no URL"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, "", "", "")) if host else "another path of the host"


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)
