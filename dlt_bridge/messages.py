"""Singer lines to typed messages (https://hub.meltano.com/singer/spec); records stay undecoded."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from dlt_bridge.errors import MessageError
from dlt_bridge.surrogates import guarded


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
    """What to hand to the tap's next run once all records before it are loaded, as JSON text."""

    value: Raw


class ActivateVersion(Struct, frozen=True, tag_field="type", tag="ACTIVATE_VERSION"):
    """Records of older versions are gone at the source."""

    stream: str
    version: int


class Encoding(Struct, frozen=True):
    """How the files of a BATCH are written."""

    format: str
    compression: str | None = None


class Batch(Struct, frozen=True, tag_field="type", tag="BATCH"):
    """Records in files."""

    stream: str
    encoding: Encoding
    manifest: tuple[str, ...]
    version: int | None = None


StreamMessage = Schema | Record | ActivateVersion | Batch
Message = StreamMessage | State

RECORD_NAME = b'"record"'

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_heads = msgspec.json.Decoder(dict[str, Any])


def decoded(line: bytes, number: int) -> Message:
    """Decode a line of a tap.

    Args:
        line: The line.
        number: Its number, for errors.

    Raises:
        MessageError: It is no message. The error names its number and shows none of its text.
    """
    try:
        return _decoder.decode(line)
    except ValueError as error:  # msgspec's errors, and those of UTF-8
        problem = error
    try:
        # Halves of surrogate pairs: in a record, they are values like others.
        message = _decoder.decode(guarded(line))
    except ValueError:
        message = None
    if isinstance(message, Record):
        return message
    raise MessageError(f"Line {number} is no Singer message: {problem}.")


def record_head(line: bytes, stream: str) -> bytes | None:
    """Return what every line with a record of the same stream begins with.

    Most lines are records that differ in nothing but what comes after these bytes, so they need
    not be decoded to be told apart.

    Args:
        line: A line with a RECORD.
        stream: Its stream.

    Returns:
        The bytes up to the name `record`, or None if the line does not begin with type and stream.
    """
    head = line[: line.find(RECORD_NAME)]
    try:
        start = _heads.decode(head.rstrip().removesuffix(b",") + b"}")
    except ValueError:
        return None
    return head if start == {"type": "RECORD", "stream": stream} else None
