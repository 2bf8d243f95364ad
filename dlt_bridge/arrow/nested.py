"""Objects and arrays in types of their own: Arrow's structs and lists, or dlt's child tables.

By default they stay their JSON text, which is exact and fits every destination.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import isinf
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pyarrow as pa

from dlt_bridge.arrow.types import column_type
from dlt_bridge.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Nesting = Literal["json", "native", "tables"]

# Within a struct, what is text in JSON stays text.
_SCALARS: dict[str, tuple[pa.DataType, Any]] = {
    "bigint": (pa.int64(), int),
    "double": (pa.float64(), int | float),
    "bool": (pa.bool_(), bool),
    "text": (pa.string(), str),
    "timestamp": (pa.string(), str),
    "date": (pa.string(), str),
    "time": (pa.string(), str),
    "binary": (pa.string(), str),
}
_UNFIT_NAME = re.compile(r'["\\\x00-\x1f]|\A\Z')


@dataclass(frozen=True, slots=True)
class NativeType:
    """The Arrow type of an object or array whose JSON Schema tells all of its parts.

    Attributes:
        type: The Arrow type.
        decoder: Decodes a JSON list of such values, and refuses what the type has no place for.
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


def is_nested(prop: Any) -> bool:  # noqa: ANN401
    """Say whether the values of a property are objects or arrays, and nothing else but null."""
    names = _type_names(prop)
    return bool(names) and names <= {"object", "array"}


def _type_names(prop: Any) -> set[str]:  # noqa: ANN401
    types = prop.get("type") if isinstance(prop, dict) else None
    return {str(name) for name in (types if isinstance(types, list) else [types])} - {"null"}


def native(prop: Any) -> NativeType | None:  # noqa: ANN401
    """Return the native type of a property, or None if its JSON Schema leaves something open."""
    found = _native(prop)
    if found is None or not pa.types.is_nested(found[0]):
        return None
    python: Any = found[1]
    return NativeType(found[0], msgspec.json.Decoder(list[python | None]))


def _native(prop: Any) -> tuple[pa.DataType, Any] | None:  # noqa: ANN401
    kind = column_type(prop)
    if kind is None or kind.data_type == "decimal":
        # Decimals are exact as text only: the JSON text is kept.
        return None
    if kind.data_type != "json":
        return _SCALARS[kind.data_type]
    names = _type_names(prop)
    if names == {"array"}:
        item = _native(prop.get("items"))
        return (pa.list_(item[0]), _list_of(item[1])) if item else None
    if names == {"object"} and isinstance(prop.get("properties"), dict):
        return _struct(prop["properties"])
    return None


def _list_of(python: Any) -> Any:  # noqa: ANN401
    return list[python | None]


def _struct(properties: dict[str, Any]) -> tuple[pa.DataType, Any] | None:
    parts = {name: _native(part) for name, part in properties.items()}
    fields = [(name, part) for name, part in parts.items() if part]
    if not fields or len(fields) < len(parts) or any(map(_UNFIT_NAME.search, parts)):
        return None
    made = msgspec.defstruct(
        "Nested",
        [(f"f{index}", part[1] | None, None) for index, (_, part) in enumerate(fields)],
        rename={f"f{index}": name for index, (name, _) in enumerate(fields)},
        forbid_unknown_fields=True,
    )
    return pa.struct([(name, part[0]) for name, part in fields]), made


def objects(table: pa.Table, nested: Collection[str]) -> list[dict[str, Any]]:
    """Return the rows of a table as objects, for dlt to make child tables of what is nested.

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
