"""What a server said: bodies decoded exactly, failures put into words that give nothing away."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

import msgspec
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

# Fractions as Decimal: neither 0.1 nor 1e400 may change on the way.
_decoder = msgspec.json.Decoder(float_hook=Decimal)

# Seconds; a longer Retry-After is taken for a mistake.
LONGEST_WAIT = 24 * 60 * 60.0

READ_BYTES = 64 * 1024

# The number of names shown of an object that is not what it should be.
SHOWN_NAMES = 8

# From the special to the general: a ConnectTimeout is a Timeout, too.
FAILURES: tuple[tuple[type[requests.RequestException], str], ...] = (
    (requests.ConnectTimeout, "could not connect within {timeout:g} s"),
    (requests.Timeout, "got no answer within {timeout:g} s"),
    (requests.exceptions.SSLError, "failed: the server's certificate could not be verified"),
    (requests.exceptions.ProxyError, "failed at the proxy"),
    (requests.exceptions.ChunkedEncodingError, "was cut off in the middle of the answer"),
    (requests.exceptions.ContentDecodingError, "answered with a broken compression"),
)
NO_CONNECTION = "could not be sent, or the connection broke"


@dataclass(frozen=True, slots=True)
class Beginning:
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
    except (RecursionError, ArithmeticError):
        raise UnreadableError from None


def _decode(body: bytes | bytearray) -> Any:  # noqa: ANN401
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:
        # msgspec refuses lone surrogates, which JSON allows.
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)


def is_html(body: bytes | bytearray | Beginning) -> bool:
    """Say whether the body is a web page, as portals and proxies send with a status of 200."""
    # The type that the server names does not count: some name JSON text/html.
    first = body.first if isinstance(body, Beginning) else body
    return first[:64].lstrip().startswith(b"<")


def bounded(response: requests.Response, largest: int) -> bytearray | Beginning:
    """Read a streamed body, but no more of it than can be held.

    Args:
        response: The answer, whose body was not read yet.
        largest: The most bytes to hold.

    Returns:
        The body, or the beginning of a larger one.
    """
    body = bytearray()
    chunks = response.iter_content(READ_BYTES)
    for chunk in chunks:
        body += chunk
        if len(body) > largest:
            return Beginning(body, _closing(response, chunks))
    return body


def _closing(response: requests.Response, chunks: Iterator[bytes]) -> Iterator[bytes]:
    with response:
        yield from chunks


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


def shape(body: object) -> str:
    """Describe a body by its outermost names, never by its values."""
    if isinstance(body, dict):
        names = ", ".join(f"`{str(name)[:40]}`" for name in list(body)[:SHOWN_NAMES])
        return f"an object with {names}" if names else "an empty object"
    return {list: "a list", str: "a text", type(None): "null"}.get(type(body), "a plain value")


def describe_status(status: int) -> str:
    """Return a status with its name, such as `401 Unauthorized`."""
    known = status in set(HTTPStatus)
    return f"{status} {HTTPStatus(status).phrase}" if known else str(status)


def describe_failure(error: requests.RequestException, timeout: float) -> str:
    """Say why there is no answer, as the predicate of a sentence.

    Args:
        error: What `requests` raised; its own text holds the URL, credential included.
        timeout: Seconds that were waited for an answer.
    """
    if "Read timed out" in str(error):  # in the middle of a body it is a ConnectionError
        error = requests.ReadTimeout()
    words = next((words for kind, words in FAILURES if isinstance(error, kind)), NO_CONNECTION)
    return words.format(timeout=timeout)


def broke_off(error: requests.RequestException) -> bool:
    """Say whether an answer had begun, or was to be expected, when it failed."""
    return isinstance(
        error, (requests.exceptions.ChunkedEncodingError, requests.ReadTimeout)
    ) or "Read timed out" in str(error)


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds a server asks to wait, or None if it does not say.

    Args:
        response: The answer; `Retry-After` is a number of seconds or an HTTP date (RFC 9110).

    Returns:
        No more than a day, or None.
    """
    value = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (moment - datetime.now(UTC)).total_seconds()
        except (ValueError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(0.0, seconds), LONGEST_WAIT)


def origin(location: str) -> str:
    """Return where a redirect leads: scheme and host alone, since the rest may hold a secret."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "no URL"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, "", "", "")) if host else "another path of the host"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
