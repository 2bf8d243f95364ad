"""Decodes Singer lines to messages (https://hub.meltano.com/singer/spec); records stay JSON."""

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
    # Some taps write one key as a string, and null for no key.
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
    """The state for the tap's next run, once all records before it are loaded; as JSON text."""

    value: Raw


class ActivateVersion(Struct, frozen=True, tag_field="type", tag="ACTIVATE_VERSION"):
    """Records of older versions do not exist at the source any more."""

    stream: str
    version: int


class Encoding(Struct, frozen=True):
    """The format of the files of a BATCH."""

    format: str
    compression: str | None = None


class Batch(Struct, frozen=True, tag_field="type", tag="BATCH"):
    """Records in files."""

    stream: str
    encoding: Encoding
    manifest: tuple[str, ...]
    version: int | None = None


class OtherMessage(Struct, frozen=True):
    """A message of a type that Singer does not have, with no record in it, such as a log.

    Attributes:
        type: Its type, as the tap wrote it.
    """

    type: str


class _AnyMessage(Struct):
    """A message of any type; with a stream or a record, it may be data."""

    type: str
    stream: Raw = Raw()
    record: Raw = Raw()


StreamMessage = Schema | Record | ActivateVersion | Batch
Message = StreamMessage | State

RECORD_NAME = b'"record"'

# An error shows a type only if it looks like one: it may be any text of a record.
_OTHER_TYPE = re.compile(r"Invalid value '(?![A-Z_]{1,40}').*", re.DOTALL)

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_states = msgspec.json.Decoder(State)
_prefixes = msgspec.json.Decoder(dict[str, Any])
_any_messages = msgspec.json.Decoder(_AnyMessage)
#: The types of other messages that are skipped; a message of any other type may be data.
HARMLESS = frozenset(
    {"DEBUG", "HEARTBEAT", "INFO", "LOG", "METRIC", "METRICS", "TRACE", "WARN", "WARNING"}
)


def decode_message(line: bytes, number: int) -> Message | OtherMessage:
    """Decode a line of a tap.

    Args:
        line: The line.
        number: Its number, for errors.

    Returns:
        The message; an `OtherMessage` can be skipped.

    Raises:
        MessageError: The line is not a message. The error names its number, but not its text.
    """
    problem: Exception
    try:
        return _decoder.decode(line)
    except (ValueError, RecursionError) as error:  # msgspec's errors, and those of UTF-8
        problem = error
    # Half of a surrogate pair, or NaN: a record may have one.
    if isinstance(problem, ValueError) and (replaced := add_placeholders(line)):
        try:
            message = _decoder.decode(replaced.text)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, Record):
            return message
    if harmless := _harmless(line):
        return harmless
    shown = _OTHER_TYPE.sub("an unknown type", str(problem))
    raise MessageError(f"Line {number} is not a Singer message: {shown}.")


def _harmless(line: bytes) -> OtherMessage | None:
    """Return the message of a line that can be skipped; None for any other line."""
    try:
        message = _any_messages.decode(line)
    except (ValueError, RecursionError):
        return None
    has_data = bytes(message.stream) or bytes(message.record)
    is_harmless = message.type.upper() in HARMLESS and not has_data
    return OtherMessage(message.type) if is_harmless else None


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
        MessageError: It is not an object, or Python can't hold it.
    """
    try:
        value = json.loads(line.decode())["value"]
    except (ValueError, RecursionError):
        raise MessageError(
            f"The STATE in line {number} can't be read: it is not UTF-8, nested too deeply, or has"
            " a number that is too long."
        ) from None
    if not isinstance(value, dict):
        raise MessageError(f"The value of the STATE in line {number} is not an object.")
    return value


def record_prefix(line: bytes, stream: str) -> bytes | None:
    """Return the bytes that each line with a record of a stream begins with.

    Most lines are records that differ only after these bytes, so that their stream is known without
    decoding them.

    Args:
        line: A line with a RECORD.
        stream: Its stream.

    Returns:
        The bytes up to the name `record`, or None if the line does not begin with type and stream.
    """
    prefix = line[: line.find(RECORD_NAME)]
    try:
        message = _prefixes.decode(prefix.rstrip().removesuffix(b",") + b"}")
    except (ValueError, RecursionError):
        return None
    return prefix if message == {"type": "RECORD", "stream": stream} else None
