"""Objects and arrays as structs and lists of Arrow, or as objects for the child tables of dlt.

By default they stay JSON texts, which are exact and fit every destination.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import isinf
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pyarrow as pa

from dlt_bridge.arrow.json_schema import type_names
from dlt_bridge.arrow.types import TYPES, property_type
from dlt_bridge.arrow.values import CONVERSION_ERRORS
from dlt_bridge.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Nesting = Literal["json", "native", "tables"]

#: What msgspec can't have in the name of a field.
UNFIT_NAME = re.compile(r'["\\\x00-\x1f]|\A\Z')


@dataclass(frozen=True, slots=True)
class NativeType:
    """The Arrow type of an object or array whose JSON Schema describes all of its parts.

    Attributes:
        type: The Arrow type.
        decoder: Decodes a JSON list of such values, and refuses what the type can't hold.
    """

    type: pa.DataType
    decoder: msgspec.json.Decoder[list[Any]]

    def array(self, texts: Sequence[bytes]) -> pa.Array:
        """Return values as an array.

        Args:
            texts: Their JSON texts.

        Raises:
            CONVERSION_ERRORS: A value has a property that the schema lacks, or one of another type.
        """
        values = self.decoder.decode(b"[" + b",".join(texts) + b"]")
        return pa.array(msgspec.to_builtins(values), self.type)

    def holds(self, text: bytes) -> bool:
        """Return whether the type holds the value with this JSON text."""
        try:
            self.array([text])
        except CONVERSION_ERRORS:
            return False
        return True


def is_nested(prop: Any) -> bool:  # noqa: ANN401
    """Return whether the values of a property are objects or arrays, and nothing else but null."""
    names = type_names(prop) - {"null"}
    return bool(names) and names <= {"object", "array"}


def native_type(prop: Any) -> NativeType | None:  # noqa: ANN401
    """Return the native type of a property; None if its JSON Schema leaves a part of it open."""
    types = _types(prop)
    if types is None or not pa.types.is_nested(types[0]):
        return None
    python: Any = types[1]
    return NativeType(types[0], msgspec.json.Decoder(list[python | None]))


def _types(prop: Any) -> tuple[pa.DataType, Any] | None:  # noqa: ANN401
    """Return the Arrow and the Python type of a value."""
    column_type = property_type(prop)
    if column_type is None:
        return None
    if column_type.data_type != "json":
        return TYPES[column_type.data_type].in_struct
    names = type_names(prop) - {"null"}
    if names == {"array"}:
        item = _types(prop.get("items"))
        return (pa.list_(item[0]), _list_of(item[1])) if item else None
    if names == {"object"} and isinstance(prop.get("properties"), dict):
        return _struct(prop["properties"])
    return None


def _list_of(python: Any) -> Any:  # noqa: ANN401
    return list[python | None]


def _struct(properties: dict[str, Any]) -> tuple[pa.DataType, Any] | None:
    parts = {name: _types(part) for name, part in properties.items()}
    fields = [(name, part) for name, part in parts.items() if part]
    if not fields or len(fields) < len(parts) or any(map(UNFIT_NAME.search, parts)):
        return None
    python = msgspec.defstruct(
        "Nested",
        [(f"f{index}", part[1] | None, None) for index, (_, part) in enumerate(fields)],
        rename={f"f{index}": name for index, (name, _) in enumerate(fields)},
        forbid_unknown_fields=True,
    )
    return pa.struct([(name, part[0]) for name, part in fields]), python


def to_objects(table: pa.Table, nested: Collection[str]) -> list[dict[str, Any]]:
    """Return the rows of a table as objects; dlt loads their nested values into child tables.

    Args:
        table: The rows.
        nested: The names of the columns with JSON texts.
    """
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        for name in nested:
            if row[name] is not None:
                try:
                    row[name] = json.loads(row[name], parse_float=_finite)
                except (ValueError, RecursionError):
                    raise MessageError(
                        f"A value of `{name}` can't become rows of child tables: it is nested too"
                        ' deeply, or has a number that is too long. nested="json" keeps it.'
                    ) from None
    return rows


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError("beyond doubles")
    return number
