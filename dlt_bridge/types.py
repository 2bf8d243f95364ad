"""JSON Schema to column types: pure and total, with no I/O.

The types are dlt's (https://dlthub.com/docs/general-usage/schema#data-types). What has no type of
its own there (objects, arrays, mixed and untyped values) is kept as its JSON text.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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
        data_type: dlt's name of the type; "null" if the property can only be null.
        nullable: False for a key.
        scale: Digits after the point, of a decimal.
    """

    name: str
    data_type: DataType | Literal["null"]
    nullable: bool = True
    scale: int | None = None


def columns(schema: Mapping[str, Any], keys: Collection[str]) -> tuple[Column, ...]:
    """Return the columns of a stream.

    Args:
        schema: Its JSON Schema.
        keys: Its key properties.
    """
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return ()
    kinds = {name: column_type(prop) or ("null", None) for name, prop in properties.items()}
    return tuple(
        Column(name, data_type, data_type == "null" or name not in keys, scale)
        for name, (data_type, scale) in kinds.items()
    )


def column_type(prop: Any) -> tuple[DataType, int | None] | None:  # noqa: ANN401
    """Return the type and scale of a property's column, or None if it can only be null.

    Args:
        prop: The JSON Schema of the property. What is no JSON Schema asks for nothing.
    """
    if not isinstance(prop, dict):
        return "json", None
    names = prop.get("type")
    kinds = {str(name) for name in (names if isinstance(names, list) else [names] if names else [])}
    if not kinds:
        options = [option for option in _options(prop) if column_type(option)]
        return column_type(options[0]) if len(options) == 1 else ("json", None)
    kinds.discard("null")
    if not kinds:
        return None
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) > 1:
        return "json", None
    return _scalar_type(kinds.pop(), prop)


def _options(prop: Mapping[str, Any]) -> list[Any]:
    options = prop.get("anyOf")
    return options if isinstance(options, list) else []


def _scalar_type(kind: str, prop: Mapping[str, Any]) -> tuple[DataType, int | None]:
    if kind == "string":
        if prop.get("contentEncoding") == "base64":
            return "binary", None
        return FORMATS.get(str(prop.get("format")), "text"), None
    if kind == "number" and (step := _number(prop, "multipleOf")):
        scale = max(0, -int(step.normalize().as_tuple().exponent))
        # More digits than a decimal has: only the text is exact.
        return ("decimal", scale) if scale <= DECIMAL_PRECISION else ("json", None)
    if kind == "integer" and _number(prop, "maximum") > LARGEST_BIGINT:
        return "decimal", 0
    return TYPES.get(kind, "json"), None


def _number(prop: Mapping[str, Any], keyword: str) -> Decimal:
    value = prop.get(keyword)
    return Decimal(str(value)) if type(value) in {int, float} else Decimal(0)
