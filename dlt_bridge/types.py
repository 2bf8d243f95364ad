"""JSON Schema to column types: pure and total, with no I/O.

The types are dlt's (https://dlthub.com/docs/general-usage/schema#data-types). What has no type of
its own there (objects, arrays, mixed and untyped values) is kept as its JSON text.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DataType = Literal[
    "bigint", "double", "decimal", "bool", "text", "timestamp", "date", "time", "binary", "json"
]

LARGEST_BIGINT = 2**63 - 1
DECIMAL_PRECISION = 38
FORMATS: dict[str, DataType] = {"date-time": "timestamp", "date": "date", "time": "time"}
TYPES: dict[str, DataType] = {
    "integer": "bigint",
    "number": "double",
    "boolean": "bool",
    "string": "text",
    "object": "json",
    "array": "json",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: The property's own name.
        data_type: dlt's name of the type.
        nullable: False for a key.
        scale: Digits after the point, of a decimal.
    """

    name: str
    data_type: DataType
    nullable: bool = True
    scale: int | None = None


def columns(schema: Mapping[str, Any], keys: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns of a stream.

    Args:
        schema: Its JSON Schema. A property that can only be null has no column.
        keys: Its key properties.
    """
    return tuple(
        Column(name, kind[0], name not in keys, kind[1])
        for name, prop in schema.get("properties", {}).items()
        if (kind := column_type(prop))
    )


def column_type(prop: Mapping[str, Any]) -> tuple[DataType, int | None] | None:
    """Return the type and scale of a property's column, or None if it can only be null.

    Args:
        prop: The JSON Schema of the property.
    """
    names = prop.get("type", ())
    kinds = {names} if isinstance(names, str) else set(names)
    if not kinds:
        options = [option for option in prop.get("anyOf", ()) if option.get("type") != "null"]
        return column_type(options[0]) if len(options) == 1 else ("json", None)
    kinds.discard("null")
    if not kinds:
        return None
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) > 1:
        return "json", None
    return _scalar_type(kinds.pop(), prop)


def _scalar_type(kind: str, prop: Mapping[str, Any]) -> tuple[DataType, int | None]:
    if kind == "string":
        if prop.get("contentEncoding") == "base64":
            return "binary", None
        return FORMATS.get(prop.get("format", ""), "text"), None
    if kind == "number" and (step := prop.get("multipleOf")):
        exponent = Decimal(str(step)).normalize().as_tuple().exponent
        return "decimal", max(0, -int(exponent))
    if kind == "integer" and prop.get("maximum", 0) > LARGEST_BIGINT:
        return "decimal", 0
    return TYPES.get(kind, "json"), None
