"""Keeps whole records, as JSON, in a column of their own where their SCHEMA describes too little.

Taps of document databases declare no properties, or only those that they had to convert.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from dlt_bridge.arrow.columns import Column
from dlt_bridge.arrow.metadata_columns import RECORD_COLUMN
from dlt_bridge.arrow.types import ColumnType
from dlt_bridge.tap.placeholders import add_placeholders

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class _Line(Struct, gc=False):
    record: Raw
    version: Raw = Raw()
    time_extracted: Raw = Raw()


_lines = msgspec.json.Decoder(_Line)
_properties = msgspec.json.Decoder(dict[str, Raw])


def with_record_column(
    columns: Sequence[Column], keys: Collection[str], tap_keys: Collection[str]
) -> tuple[Column, ...] | None:
    """Return the columns of a stream with one for whole records; None if the SCHEMA has enough.

    Args:
        columns: The columns of its SCHEMA.
        keys: Its key properties.
        tap_keys: Those of them that the tap declares. If the SCHEMA has properties, any other key
            that it lacks is a mistake of the user.

    Returns:
        Columns for the keys that the SCHEMA lacks, its own columns, and one for whole records.
    """
    names = {column.name for column in columns if column.type}
    lacking = [key for key in keys if key not in names and (key in tap_keys or not names)]
    if RECORD_COLUMN in names or (names and not lacking):
        return None
    added = [
        Column(key, ColumnType("text"), key=True, required=True, schema={"type": "string"})
        for key in lacking
    ]
    others = [column for column in columns if column.name not in lacking]
    # Required, so that an error names a line without it.
    return (*added, *others, Column(RECORD_COLUMN, ColumnType("json"), required=True, schema={}))


class RecordColumn:
    """Adds whole records to their lines, as one more property.

    Args:
        columns: What `with_record_column` returned.
        declared: The names of the properties of the SCHEMA.
    """

    def __init__(self, columns: Sequence[Column], declared: Collection[str]) -> None:
        names = [column.name for column in columns if column.name != RECORD_COLUMN]
        self._names = {name: json.dumps(name).encode() for name in names}
        # A key that is not a string becomes its JSON text.
        self._as_text = set(names) - set(declared)

    def add_to(self, lines: bytes) -> bytes:
        """Return lines of RECORDs with the whole record as one of its properties.

        Args:
            lines: The lines, with newlines between them.
        """
        return b"\n".join(map(self._line, lines.split(b"\n")))

    def _line(self, line: bytes) -> bytes:
        with suppress(ValueError, RecursionError):
            return self._with_record(line)
        if replaced := add_placeholders(line):
            with suppress(ValueError, RecursionError):
                return replaced.restored(self._with_record(replaced.text))
        # The error comes when the line is decoded.
        return line

    def _with_record(self, line: bytes) -> bytes:
        decoded = _lines.decode(line)
        record = _properties.decode(decoded.record)
        parts = [
            json_name + b":" + self._value(name, bytes(record[name]))
            for name, json_name in self._names.items()
            if name in record
        ]
        whole = b'"%b":%b' % (RECORD_COLUMN.encode(), bytes(decoded.record))
        version = bytes(decoded.version)
        end = b',"version":' + version if version else b""
        if extracted := bytes(decoded.time_extracted):
            end += b',"time_extracted":' + extracted
        return b'{"record":{' + b",".join([*parts, whole]) + b"}" + end + b"}"

    def _value(self, name: str, text: bytes) -> bytes:
        if name not in self._as_text or text.startswith(b'"') or text == b"null":
            return text
        return json.dumps(text.decode()).encode()
