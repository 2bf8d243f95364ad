"""Responses, and their bodies decoded exactly."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NoReturn, Self

import msgspec

from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from http.client import HTTPMessage

Body = bytes | bytearray

#: The statuses of a server in trouble. A later request may succeed.
TRANSIENT_STATUSES = frozenset({408, 500, 502, 503, 504})

# Fractions become Decimals, so that neither 0.1 nor 1e400 changes.
_decoder = msgspec.json.Decoder(float_hook=Decimal)

# An error shows up to this many names of an object.
SHOWN_NAMES = 8

# The names that APIs give to the number of rows in all pages, and the objects that may hold it.
COUNT_NAMES = ("total", "total_count", "count")
COUNT_PARENTS = ("meta", "pagination", "paging")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that a body states, besides the status of its response.

    Attributes:
        status: The HTTP status that it means.
        predicate: What the server did, as the predicate of a sentence.
        remedy: What to do about it, as a sentence; empty for that of the status.
    """

    status: int
    predicate: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a request.

    Attributes:
        status: The HTTP status.
        headers: The headers, by name in any case.
        body: The decompressed body, or the beginning of a body that is larger than the caller
            wants to hold.
        rest: The rest of such a body, in chunks that are read on demand; None if the body is whole.
        seconds: The time from sending the request until the body was there.
        problem: The error that the body states; None if it states none, or if the API states none
            there. The status is that of the error then.
    """

    status: int
    headers: Mapping[str, str] | HTTPMessage
    body: Body
    rest: Iterator[bytes] | None = None
    seconds: float = 0.0
    problem: Problem | None = None

    def with_problem(self, problem: Problem | None) -> Self:
        """Return the response with the error that its body states."""
        return replace(self, status=problem.status, problem=problem) if problem else self

    def followed_by(self, rest: Iterator[bytes]) -> Self:
        """Return the response with another rest of its body."""
        return replace(self, rest=rest)


class UnreadableError(Exception):
    """A body cannot be decoded, however often it is requested."""


def decode(body: Body) -> Any:  # noqa: ANN401
    """Decode a JSON body exactly: integers of any size, fractions as Decimal.

    Args:
        body: The bytes of the body.

    Returns:
        The value.

    Raises:
        ValueError: The body is not complete and valid JSON in UTF-8.
        UnreadableError: It is nested too deeply, or a number in it has too many digits.
    """
    try:
        return _decode(body)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except (RecursionError, ArithmeticError, ValueError):
        # The ValueError is that of an integer with more digits than Python reads.
        raise UnreadableError from None


def decoded_size(body: Body) -> int:
    """Estimate from above how many bytes of memory the values of a JSON body take."""
    sizes = ((b"{", 64), (b"[", 56), (b",", 40))
    return len(body) + sum(size * body.count(character) for character, size in sizes)


def _decode(body: Body) -> Any:  # noqa: ANN401
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:
        # msgspec refuses lone surrogates, which JSON allows, and a byte order mark, which may be
        # ignored (RFC 8259). From bytes, `json` would guess the charset.
        text = str(body, "utf-8-sig")
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)


def is_html(body: Body) -> bool:
    """Return whether a body is a web page, as portals and proxies send with a status of 200."""
    # The Content-Type does not help: some servers send JSON as text/html.
    return body[:64].lstrip().startswith(b"<")


def is_object(body: Body) -> bool:
    """Return whether a body is a JSON object."""
    try:
        return isinstance(decode(body), dict)
    except (ValueError, UnreadableError):
        return False


def find(body: Any, path: str) -> Any:  # noqa: ANN401
    """Return the value at a path of names with dots between them, or None."""
    for name in path.split(".") if path else ():
        body = body.get(name) if isinstance(body, dict) else None
    return body


def is_null(body: Any, path: str) -> bool:  # noqa: ANN401
    """Return whether there is a null at a path of names with dots between them."""
    parent_path, _, name = path.rpartition(".")
    parent = find(body, parent_path)
    return isinstance(parent, dict) and name in parent and parent[name] is None


def counts_none(body: Any, path: str) -> bool:  # noqa: ANN401
    """Return whether a null stands for an empty list: a count next to it is 0, or it is alone.

    Args:
        body: The decoded body.
        path: Names with dots between them.
    """
    is_alone, level = True, body
    for name in path.split("."):
        counts = [level.get(count) for count in COUNT_NAMES]
        if any(type(count) is int and count == 0 for count in counts):
            return True
        is_alone = is_alone and len(level) == 1
        level = level[name]
    return is_alone


def stated_total(body: Any) -> int | None:  # noqa: ANN401
    """Return the number of rows in all pages that a body states, or None.

    Args:
        body: The decoded body. Its `count` is ignored, because it may be that of the page.
    """
    for parent in ("", *COUNT_PARENTS):
        for name in COUNT_NAMES[:2]:
            total = find(body, f"{parent}.{name}".lstrip("."))
            if type(total) is int:
                return total
    return None


def describe_shape(body: object) -> str:
    """Return a description of a body: its outermost names, never its values."""
    if isinstance(body, dict):
        return f"an object with {name_list(body)}" if body else "an empty object"
    return {list: "a list", str: "a text", type(None): "null"}.get(type(body), "a plain value")


def name_list(names: Iterable[object]) -> str:
    """Return the first of some names, for messages.

    Args:
        names: The names, such as those of a record's properties.
    """
    return ", ".join(f"`{printable(str(name)[:40])}`" for name in list(names)[:SHOWN_NAMES])


def http_date(text: str) -> datetime | None:
    """Return the time in a header such as `Date`, or None if there is none."""
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is not valid JSON", name, 0)
