"""Singer lines to typed messages (https://hub.meltano.com/singer/spec); records stay undecoded."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from dlt_bridge.errors import MessageError
from dlt_bridge.tap.placeholders import add_placeholders


class Schema(Struct, frozen=True, tag_field="type", tag="SCHEMA"):
    """The schema and keys of the records that follow."""

    stream: str
    schema: dict[str, Any]
    # Taps write a text for one key, and null for a key that they don't have.
    key_properties: tuple[str | None, ...] | str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the key properties, in order."""
        named = self.key_properties or ()
        if isinstance(named, str):
            return (named,)
        return tuple(dict.fromkeys(name for name in named if name))


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


class OtherMessage(Struct, frozen=True):
    """A message of a type that Singer does not have, and that tells of no record, such as a log.

    Attributes:
        type: Its type, as the tap wrote it.
    """

    type: str


class _Typed(Struct):
    """What any message has; the rest says whether it can be a record."""

    type: str
    stream: Raw = Raw()
    record: Raw = Raw()


StreamMessage = Schema | Record | ActivateVersion | Batch
Message = StreamMessage | State

RECORD_NAME = b'"record"'

# A type that looks like one of a message is shown.
_OTHER_TYPE = re.compile(r"Invalid value '(?![A-Z_]{1,40}').*", re.DOTALL)

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_states = msgspec.json.Decoder(State)
_heads = msgspec.json.Decoder(dict[str, Any])
_typed = msgspec.json.Decoder(_Typed)
#: Types of what programs write beside records; of any other, it is not known what is lost with it.
HARMLESS = frozenset(
    {"DEBUG", "HEARTBEAT", "INFO", "LOG", "METRIC", "METRICS", "TRACE", "WARN", "WARNING"}
)


def decode_message(line: bytes, number: int) -> Message | OtherMessage:
    """Decode a line of a tap.

    Args:
        line: The line.
        number: Its number, for errors.

    Returns:
        The message; `OtherMessage` if nothing is lost without it.

    Raises:
        MessageError: It is no message. The error names its number and shows none of its text.
    """
    problem: Exception
    try:
        return _decoder.decode(line)
    except (ValueError, RecursionError) as error:  # msgspec's errors, and those of UTF-8
        problem = error
    # Halves of surrogate pairs: in a record, they are values like others.
    if isinstance(problem, ValueError) and (other := add_placeholders(line)):
        try:
            message = _decoder.decode(other.text)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, Record):
            return message
    if harmless := _harmless(line):
        return harmless
    # What stands as its type may be anything that somebody wrote.
    shown = _OTHER_TYPE.sub("an unknown type", str(problem))
    raise MessageError(f"Line {number} is no Singer message: {shown}.")


def _harmless(line: bytes) -> OtherMessage | None:
    """Return what a line is that is no message, but that can be left out."""
    try:
        message = _typed.decode(line)
    except (ValueError, RecursionError):
        return None
    told = bytes(message.stream) or bytes(message.record)
    return OtherMessage(message.type) if message.type.upper() in HARMLESS and not told else None


def state_text(line: bytes) -> str:
    """Return the JSON text of the value of a STATE, as the tap wrote it.

    Args:
        line: A line with a STATE.
    """
    return bytes(_states.decode(line).value).decode()


def state_value(line: bytes, number: int) -> dict[str, Any]:
    """Return the value of a STATE.

    Args:
        line: A line with a STATE.
        number: Its number, for errors.

    Raises:
        MessageError: It is no object, or has something that Python can't hold.
    """
    try:
        value = json.loads(line.decode())["value"]
    except (ValueError, RecursionError):
        raise MessageError(
            f"The STATE in line {number} can't be read: it is not UTF-8, nested too deeply, or has"
            " a number that is too long."
        ) from None
    if not isinstance(value, dict):
        raise MessageError(f"The value of the STATE in line {number} is no object.")
    return value


def record_prefix(line: bytes, stream: str) -> bytes | None:
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
    except (ValueError, RecursionError):
        return None
    return head if start == {"type": "RECORD", "stream": stream} else None
