"""Records as files of Arrow's IPC format: their readers get the values of RECORD messages.

Strings, integers and booleans are columns of these types. All other values are columns of JSON
texts (https://arrow.apache.org/docs/format/CanonicalExtensions.html#json), which the SDK's targets
and the bridge decode as they decode lines. So numbers keep their digits, and objects all that is in
them. A property that a record lacks is null.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from msgspec import Raw

from tap_chat.http import responses
from tap_chat.singer.records import declared_types
from tap_chat.singer.writer import encode_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON = pa.json_(pa.string())
NULL = Raw(b"null")

_members = msgspec.json.Decoder(dict[str, Raw])

_PYTHON: dict[str, type] = {"string": str, "integer": int, "boolean": bool}
_ARROW: dict[type, pa.DataType] = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
# What msgspec can't have in the name of a field.
_UNFIT_NAME = re.compile(r'["\\\x00-\x1f]|\A\Z')


class ArrowEncoder:
    """Encodes the records of one SCHEMA as files.

    Args:
        properties: The properties of the SCHEMA.
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._types = {name: _python_type(field) for name, field in properties.items()}
        self._fields = {name: f"f{index}" for index, name in enumerate(self._types)}
        self._decoder = None
        if not any(map(_UNFIT_NAME.search, self._types)):
            record = msgspec.defstruct(
                "Record",
                [
                    (self._fields[name], python | None if python else Raw, None if python else NULL)
                    for name, python in self._types.items()
                ],
                rename={field: name for name, field in self._fields.items()},
                forbid_unknown_fields=True,
                gc=False,
            )
            self._decoder = msgspec.json.Decoder(list[record])  # type: ignore[valid-type]

    def encode(self, texts: Sequence[bytes]) -> bytes:
        """Return the content of a file.

        Args:
            texts: The JSON of each record.
        """
        table = self.table(texts)
        file = pa.BufferOutputStream()
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        return bytes(file.getvalue())

    def table(self, texts: Sequence[bytes]) -> pa.Table:
        """Return a table with a row for each record.

        Args:
            texts: The JSON of each record.
        """
        try:
            return self._exact_table(texts)
        except (ValueError, OverflowError, RecursionError):
            return self._any_table(texts)

    def _exact_table(self, texts: Sequence[bytes]) -> pa.Table:
        """Return the table of records that are as declared.

        Raises:
            ValueError, OverflowError, RecursionError: One is not.
        """
        if self._decoder is None:
            raise ValueError("a name that no field can have")
        records = self._decoder.decode(b"[" + b",".join(texts) + b"]")
        columns = {}
        for name, python in self._types.items():
            values = list(map(attrgetter(self._fields[name]), records))
            columns[name] = pa.array(values, _ARROW[python]) if python else _json_column(values)
        return pa.table(columns)

    def _any_table(self, texts: Sequence[bytes]) -> pa.Table:
        """Return the table of any records: a column with an unfit value becomes JSON texts."""
        records = list(map(_raw_members, texts))
        names = dict.fromkeys([*self._types, *(name for record in records for name in record)])
        columns = {}
        for name in names:
            values = [record.get(name, NULL) for record in records]
            columns[name] = _typed_column(self._types.get(name), values)
            if columns[name] is None:
                columns[name] = _json_column(values)
        return pa.table(columns)


def _python_type(field: Mapping[str, Any]) -> type | None:
    """Return the type of the values of a property; None for those that become JSON texts."""
    names = [name for name in declared_types(field) if name != "null"]
    return _PYTHON.get(names[0]) if len(names) == 1 else None


def _raw_members(text: bytes) -> dict[str, Raw]:
    """Return the members of a record. Their values may be too deep or too long for Python."""
    try:
        return _members.decode(text)
    except msgspec.DecodeError:
        # A name has a lone surrogate.
        record = responses.decode(text)
        return {name: Raw(encode_record(value)) for name, value in record.items()}


def _typed_column(python: type | None, texts: Sequence[Raw]) -> pa.Array | None:
    """Return a column of one type; None if a value is of another one."""
    if python is None:
        return None
    try:
        values = [responses.decode(bytes(text)) for text in texts]
        if {type(value) for value in values} <= {python, type(None)}:
            return pa.array(values, _ARROW[python])
    except (ValueError, OverflowError, responses.UnreadableError, pa.ArrowException):
        pass
    return None


def _json_column(texts: Sequence[Raw]) -> pa.Array:
    """Return a column of JSON texts."""
    values = [None if text == NULL else str(text, "utf-8") for text in texts]
    return pa.ExtensionArray.from_storage(JSON, pa.array(values, pa.string()))
