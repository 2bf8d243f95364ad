"""Singer lines to typed messages (https://hub.meltano.com/singer/spec); records stay undecoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from dlt_bridge.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Schema(Struct, frozen=True, tag_field="type", tag="SCHEMA"):
    """The schema and keys of the records that follow."""

    stream: str
    schema: dict[str, Any]
    key_properties: tuple[str, ...] | None = None
    bookmark_properties: tuple[str, ...] | None = None


class Record(Struct, frozen=True, tag_field="type", tag="RECORD"):
    """One record, as its JSON text."""

    stream: str
    record: Raw


class State(Struct, frozen=True, tag_field="type", tag="STATE"):
    """What to hand to the tap's next run once all records before it are loaded."""

    value: dict[str, Any]


class ActivateVersion(Struct, frozen=True, tag_field="type", tag="ACTIVATE_VERSION"):
    """Records of older versions are gone at the source."""

    stream: str
    version: int


class Batch(Struct, frozen=True, tag_field="type", tag="BATCH"):
    """Records in files."""

    stream: str


Message = Schema | Record | State | ActivateVersion | Batch

_decoder = msgspec.json.Decoder(Message)


def decoded(lines: Iterable[bytes]) -> Iterator[tuple[int, Message]]:
    """Decode the output of a tap.

    Args:
        lines: Its lines; empty ones are passed over.

    Yields:
        The number of each line, from 1, and its message.

    Raises:
        MessageError: A line is no message. The error names its number and shows none of its text.
    """
    for number, line in enumerate(lines, start=1):
        if line.isspace():
            continue
        try:
            yield number, _decoder.decode(line)
        except ValueError as error:  # msgspec's errors, and those of UTF-8
            raise MessageError(f"Line {number} is no Singer message: {error}.") from None
