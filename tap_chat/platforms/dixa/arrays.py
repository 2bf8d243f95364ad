"""A JSON array that is too large to be held: read in parts, each of whole items."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

if TYPE_CHECKING:
    from collections.abc import Iterator

_texts = msgspec.json.Decoder(list[Raw])

# The first name of the first item, with which the other items most likely begin, too.
FIRST_NAME = re.compile(rb'\s*\[\s*\{\s*("(?:[^"\\]|\\.)*"\s*:)')

# The last item is first looked for in this many bytes at the end.
TAIL = 64 * 1024

# How many possible ends of an item are tried; each may be inside an item.
TRIES = 16


class NoArrayError(Exception):
    """The body is not an array, or no item of it is complete so far."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some items of an array.

    Attributes:
        body: The JSON of an array of the items, in UTF-8.
        texts: The JSON of each item, as a part of the body.
    """

    body: bytes | bytearray
    texts: list[Raw]


def whole(body: bytes | bytearray) -> Part:
    """Read an array.

    Args:
        body: The bytes of the array.

    Returns:
        All items.

    Raises:
        UnicodeDecodeError: The body is no UTF-8.
        msgspec.ValidationError: It is whole JSON, but no array.
        msgspec.DecodeError: The body is not complete JSON, or msgspec does not read it.
    """
    if not body.isascii():
        str(body, "utf-8")  # msgspec does not check what it skips
    return Part(body, _texts.decode(body))


def parts(body: bytearray, rest: Iterator[bytes]) -> Iterator[Part]:
    """Read an array from where it began, without ever holding more than so many bytes and an item.

    Args:
        body: The beginning of the array.
        rest: What follows, in chunks.

    Yields:
        The items, in parts of about as many bytes as the beginning has.

    Raises:
        NoArrayError: There is no array, or no item that ends within so many bytes.
        ValueError: The body is not whole and valid JSON in UTF-8.
    """
    size = len(body)
    name = FIRST_NAME.match(body)
    if not name:
        raise NoArrayError
    between = re.compile(rb"\}\s*(,)\s*\{\s*" + re.escape(name[1]))
    for chunk in rest:
        if len(body) >= size:
            part, end = _cut(body, between)
            yield part
            del part
            body = bytearray(b"[") + memoryview(body)[end:]
        body += chunk
    try:
        yield whole(body)
    except msgspec.DecodeError:
        raise ValueError("not the end of an array") from None


def _cut(body: bytearray, between: re.Pattern[bytes]) -> tuple[Part, int]:
    """Return the items that are whole, and where the next one begins.

    A text that is an array of whole items once it is closed ends with an item: nothing else can
    come before the bracket. So a wrong guess is never taken.
    """
    for start in (max(0, len(body) - TAIL), 0):
        places = [found.start(1) for found in between.finditer(body, start)]
        for place in places[: -TRIES - 1 : -1]:
            closed = body[:place] + b"]"
            try:
                return whole(closed), place + 1
            except (msgspec.DecodeError, RecursionError):
                continue
    raise NoArrayError
