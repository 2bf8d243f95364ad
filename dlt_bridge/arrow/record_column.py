"""Records that their SCHEMA does not describe: kept whole, as JSON, in a column of their own.

Taps of document databases declare no properties, or no more than those that they had to convert.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from dlt_bridge.arrow.metadata_columns import RECORD_COLUMN
from dlt_bridge.arrow.types import Column, ColumnType
from dlt_bridge.tap.placeholders import add_placeholders

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class _Line(Struct, gc=False):
    record: Raw
    version: Raw = Raw()


_lines = msgspec.json.Decoder(_Line)
_properties = msgspec.json.Decoder(dict[str, Raw])


def with_record_column(
    columns: Sequence[Column], keys: Collection[str], told: Collection[str]
) -> tuple[Column, ...] | None:
    """Return the columns of a stream whose SCHEMA lacks those that it must have.

    Args:
        columns: The columns of its SCHEMA.
        keys: Its keys.
        told: Those that the tap tells. Others can only be mistakes of the user, where the SCHEMA
            has properties.

    Returns:
        Columns for its keys, the others, and one for whole records; None if nothing is lacking.
    """
    known = {column.name for column in columns if column.type}
    lacking = [key for key in keys if key not in known and (key in told or not known)]
    if RECORD_COLUMN in known or (known and not lacking):
        return None
    added = [
        Column(key, ColumnType("text"), key=True, required=True, schema={"type": "string"})
        for key in lacking
    ]
    others = [column for column in columns if column.name not in lacking]
    # Required, so that no record goes without it.
    return (*added, *others, Column(RECORD_COLUMN, ColumnType("json"), required=True, schema={}))


class RecordColumn:
    """Puts whole records beside the properties that their SCHEMA has.

    Args:
        columns: What `with_record_column` returned.
        declared: The names of the properties of the SCHEMA.
    """

    def __init__(self, columns: Sequence[Column], declared: Collection[str]) -> None:
        self._names = {
            name: json.dumps(name).encode()
            for column in columns
            if (name := column.name) != RECORD_COLUMN
        }
        # A key that is no text becomes its JSON text.
        self._as_text = self._names.keys() - set(declared)

    def lines(self, lines: bytes) -> bytes:
        """Return lines of RECORDs that have the record once more, as one of its properties.

        Args:
            lines: The lines, with newlines between them.
        """
        return b"\n".join(map(self._line, lines.split(b"\n")))

    def _line(self, line: bytes) -> bytes:
        with suppress(ValueError, RecursionError):
            return self._made(line)
        if other := add_placeholders(line):
            with suppress(ValueError, RecursionError):
                return other.restored(self._made(other.text))
        # Whoever decodes it says what is wrong with it.
        return line

    def _made(self, line: bytes) -> bytes:
        decoded = _lines.decode(line)
        record = _properties.decode(decoded.record)
        parts = [
            shown + b":" + self._value(name, bytes(record[name]))
            for name, shown in self._names.items()
            if name in record
        ]
        whole = b'"%b":%b' % (RECORD_COLUMN.encode(), bytes(decoded.record))
        version = bytes(decoded.version)
        end = b',"version":' + version if version else b""
        return b'{"record":{' + b",".join([*parts, whole]) + b"}" + end + b"}"

    def _value(self, name: str, text: bytes) -> bytes:
        if name not in self._as_text or text.startswith(b'"') or text == b"null":
            return text
        return json.dumps(text.decode()).encode()
