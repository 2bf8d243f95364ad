"""Reads a JSON array that is too large for memory in parts, each of whole items."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

if TYPE_CHECKING:
    from collections.abc import Iterator

_texts = msgspec.json.Decoder(list[Raw])

# The first name in the first item. The other items most likely begin with the same name.
FIRST_NAME = re.compile(rb'\s*\[\s*\{\s*("(?:[^"\\]|\\.)*"\s*:)')

# The end of the last whole item is first searched in this many bytes at the end.
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
    """Read a large array in parts of about the size of its beginning.

    Args:
        body: The beginning of the array.
        rest: The rest of the array, in chunks.

    Yields:
        The items, in parts.

    Raises:
        NoArrayError: The body is not an array, or no item ends within the size of a part.
        ValueError: The body is not complete and valid JSON in UTF-8.
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
    """Return the items that are complete, and the index at which the next one begins.

    A cut is tried by closing the array there. The result is valid JSON only if the cut is the end
    of an item, so a wrong guess is never taken.
    """
    for start in (max(0, len(body) - TAIL), 0):
        commas = [match.start(1) for match in between.finditer(body, start)]
        for comma in commas[: -TRIES - 1 : -1]:
            closed = body[:comma] + b"]"
            try:
                return whole(closed), comma + 1
            except (msgspec.DecodeError, RecursionError):
                continue
    raise NoArrayError
