"""JSON Schema to column types: pure and total, with no I/O.

The types are dlt's (https://dlthub.com/docs/general-usage/schema#data-types). What has no type of
its own there (objects, arrays, mixed and untyped values) is kept as its JSON text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

DataType = Literal[
    "bigint", "double", "decimal", "bool", "text", "timestamp", "date", "time", "binary", "json"
]

#: What is deeper in the schema of a property asks for nothing, and so does what references lead to
#: after so many parts.
DEEPEST = 60
MOST_PARTS = 10_000
LARGEST_BIGINT = 2**63 - 1
DECIMAL_PRECISION = 38
#: Digits after the point of a decimal that is to hold any number: it leaves 20 before the point.
ROOMY_SCALE = 18
# Digits before the point that a decimal leaves room for, if its SCHEMA says nothing of them.
_WHOLE_DIGITS = 12
FORMATS: dict[str, DataType] = {"date-time": "timestamp", "date": "date", "time": "time"}
TYPES: dict[str, DataType] = {
    "integer": "bigint",
    "number": "double",
    "boolean": "bool",
    "string": "text",
    "object": "json",
    "array": "json",
}
#: Types whose values are JSON strings: a text column can hold them all.
STRINGS = frozenset({"text", "timestamp", "date", "time", "binary"})
#: Types whose values are JSON numbers.
NUMERIC = frozenset({"bigint", "double", "decimal"})
#: What JSON Schema calls the limits of a number.
BOUNDS = ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum")

# Of a `singer.decimal`, as some taps have it.
_PRECISION = re.compile(r"\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)")


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of a column.

    Attributes:
        data_type: dlt's name of it.
        precision: Digits of a decimal, or of the fraction of a second; None for the usual ones.
        scale: Digits after the point, of a decimal.
    """

    data_type: DataType
    precision: int | None = None
    scale: int | None = None

    @property
    def text(self) -> str:
        """The type for a reader, such as `decimal with scale 2`."""
        return f"{self.data_type} with scale {self.scale}" if self.scale else self.data_type


#: What holds almost any number exactly.
ROOMY = ColumnType("decimal", DECIMAL_PRECISION, ROOMY_SCALE)


@dataclass(frozen=True, slots=True)
class Column:
    """One property of a stream, as a column.

    Attributes:
        name: The name that dlt is to make a column of; mostly the property's own.
        type: Its type; None if the property can only be null, and so has no column.
        key: It is part of the key, and never null.
        required: No record may lack it.
        schema: Its JSON Schema, with references resolved.
        original: The property's own name, if it is another.
    """

    name: str
    type: ColumnType | None
    key: bool = False
    required: bool = False
    schema: Any = None
    original: str | None = None

    @property
    def json_name(self) -> str:
        """The property's own name, as records have it."""
        return self.name if self.original is None else self.original


def columns(schema: Mapping[str, Any], keys: Collection[str]) -> tuple[Column, ...]:
    """Return the columns of a stream.

    Args:
        schema: Its JSON Schema.
        keys: Its key properties.
    """
    parts = list(_objects(_Resolver(schema), schema))
    found: dict[str, list[Any]] = {}
    for part in parts:
        for name, prop in part.properties.items():
            found.setdefault(name, []).append(_Resolver(schema).resolved(prop))
    needed = {*keys, *(name for part in parts for name in part.required)}
    made = []
    for name, props in found.items():
        prop = props[0] if all(other == props[0] for other in props) else {"anyOf": props}
        kind = _key_type(column_type(prop)) if name in keys else column_type(prop)
        made.append(Column(name, kind, name in keys, name in needed, prop))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class _Object:
    """A part of a stream's schema that says what records have.

    Attributes:
        properties: The schemas of properties, with references.
        required: The names of those that no record may lack.
    """

    properties: Mapping[str, Any]
    required: frozenset[str]


def _objects(resolver: _Resolver, schema: Any, depth: int = 0) -> Iterator[_Object]:  # noqa: ANN401
    """Yield what a schema says of records: itself, and what it is said to be one or all of."""
    schema = resolver.target(schema)
    if not isinstance(schema, dict) or depth > DEEPEST or not resolver.has_more():
        return
    properties, required = resolver.target(schema.get("properties")), schema.get("required")
    yield _Object(
        properties if isinstance(properties, dict) else {},
        frozenset(map(str, required) if isinstance(required, list) else ()),
    )
    for word in ("allOf", "anyOf", "oneOf"):
        options = schema.get(word)
        for option in options if isinstance(options, list) else ():
            for part in _objects(resolver, option, depth + 1):
                # One of several need not be true of a record.
                yield part if word == "allOf" else replace(part, required=frozenset())


def takes_strings(prop: Any) -> bool:  # noqa: ANN401
    """Say whether the JSON Schema of a property allows strings."""
    if not isinstance(prop, dict):
        return True
    names = prop.get("type")
    if names:
        return "string" in (names if isinstance(names, list) else [names])
    return any(map(takes_strings, _options(prop)))


def _key_type(kind: ColumnType | None) -> ColumnType | None:
    """Return the type of a key: many taps declare ids as numbers, and no double holds long ones."""
    return ROOMY if kind == ColumnType("double") else kind


def column_type(prop: Any) -> ColumnType | None:  # noqa: ANN401
    """Return the type of a property's column, or None if it can only be null.

    Args:
        prop: The JSON Schema of the property, without references. What is no JSON Schema asks for
            nothing.
    """
    if not isinstance(prop, dict):
        return ColumnType("json")
    names = prop.get("type")
    types = {str(name) for name in (names if isinstance(names, list) else [names] if names else [])}
    if not types:
        kinds = {column_type(option): None for option in _options(prop)}
        return common(kinds) if kinds else ColumnType("json")
    types.discard("null")
    return common({_single_type(name, prop): None for name in types})


def common(kinds: Iterable[ColumnType | None]) -> ColumnType | None:
    """Return the type that holds the values of all of these exactly."""
    several = {kind for kind in kinds if kind}
    if len(several) < 2:  # noqa: PLR2004
        return next(iter(several), None)
    names = {kind.data_type for kind in several}
    if names == {"bigint", "double"}:
        return ColumnType("double")
    if names <= NUMERIC:
        least = ROOMY_SCALE if "double" in names else 0
        return ColumnType(
            "decimal", DECIMAL_PRECISION, max(least, *(kind.scale or 0 for kind in several))
        )
    return ColumnType("text") if names <= STRINGS else ColumnType("json")


def _options(prop: Mapping[str, Any]) -> list[Any]:
    for word in ("anyOf", "oneOf", "allOf"):
        options = prop.get(word)
        if isinstance(options, list) and options:
            if word == "allOf" and all(isinstance(option, dict) for option in options):
                return [{name: value for option in options for name, value in option.items()}]
            return options
    return []


def _single_type(name: str, prop: Mapping[str, Any]) -> ColumnType:
    if prop.get("format") == "singer.decimal" and name in {"string", "number"}:
        return _singer_decimal(prop)
    if name == "string":
        if prop.get("contentEncoding") == "base64":
            return ColumnType("binary")
        return ColumnType(FORMATS.get(str(prop.get("format")), "text"))
    bounds = [_number(prop, word) for word in BOUNDS]
    if name == "number" and (step := _number(prop, "multipleOf")):
        scale = max(0, -int(step.normalize().as_tuple().exponent))
        return _decimal(scale, max(map(_whole_digits, bounds)) or _WHOLE_DIGITS)
    if name == "integer" and (max(bounds) > LARGEST_BIGINT or min(bounds) < -LARGEST_BIGINT - 1):
        return ColumnType("decimal", DECIMAL_PRECISION, 0)
    return ColumnType(TYPES.get(name, "json"))


def _singer_decimal(prop: Mapping[str, Any]) -> ColumnType:
    """Return the type of the SDK's decimals, which stand in JSON as strings, or as numbers."""
    precision, scale = prop.get("precision"), prop.get("scale")
    more = prop.get("additionalProperties")
    if isinstance(more, dict) and (both := _PRECISION.fullmatch(str(more.get("scale_precision")))):
        precision, scale = map(int, both.groups())
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision:
        return ROOMY
    return _decimal(scale, precision - scale)


def _decimal(scale: int, whole: int) -> ColumnType:
    """Return a decimal with these digits, if there is one; or one with room before the point."""
    fits = scale + whole <= DECIMAL_PRECISION
    return ColumnType("decimal", DECIMAL_PRECISION, scale if fits else min(scale, ROOMY_SCALE))


def _whole_digits(bound: Decimal) -> int:
    """Return how many digits numbers within a bound have before the point; 10 is as good as 9.9."""
    return (
        0
        if not bound
        else max(0, bound.adjusted() + (abs(bound) != Decimal(10) ** bound.adjusted()))
    )


def _number(prop: Mapping[str, Any], keyword: str) -> Decimal:
    value = prop.get(keyword)
    if type(value) is int:
        return Decimal(value)
    return Decimal(str(value)) if type(value) is float and isfinite(value) else Decimal(0)


class _Resolver:
    """Puts what references (`#/...`) lead to in their place, in the schema of one property.

    A reference that leads to itself, or out of the schema, asks for nothing. So does what is too
    deep, or too much: references to references can make a few lines more than any memory holds.

    Args:
        root: The whole schema.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = MOST_PARTS

    def has_more(self) -> bool:
        """Count one part, and say whether it is not too many."""
        self._left -= 1
        return self._left >= 0

    def resolved(self, value: Any, within: tuple[str, ...] = (), depth: int = 0) -> Any:  # noqa: ANN401
        """Return a part of the schema without references."""
        if not isinstance(value, (list, dict)):
            return value
        self._left -= bool(within)
        if self._left < 0 or depth > DEEPEST:
            return {}
        if isinstance(value, list):
            return [self.resolved(item, within, depth + 1) for item in value]
        pointer = value.get("$ref")
        if not isinstance(pointer, str):
            return {name: self.resolved(part, within, depth + 1) for name, part in value.items()}
        target = {} if pointer in within else self._found(pointer)
        beside = {name: part for name, part in value.items() if name != "$ref"}
        whole = {**target, **beside} if isinstance(target, dict) else target
        return self.resolved(whole, (*within, pointer), depth + 1)

    def target(self, value: Any) -> Any:  # noqa: ANN401
        """Return what a part of the schema is that may be a reference, with those in it."""
        met: set[str] = set()
        while isinstance(value, dict) and isinstance(pointer := value.get("$ref"), str):
            if pointer in met:
                return {}
            met.add(pointer)
            found = self._found(pointer)
            beside = {name: part for name, part in value.items() if name != "$ref"}
            value = {**found, **beside} if isinstance(found, dict) else found
        return value

    def _found(self, pointer: str) -> Any:  # noqa: ANN401
        """Return what a JSON pointer within the schema leads to (RFC 6901)."""
        target: Any = self._root
        start, *names = pointer.split("/")
        for name in names if start == "#" else [""]:
            key = name.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and key.isdecimal() and int(key) < len(target):
                target = target[int(key)]
            elif isinstance(target, dict) and key in target:
                target = target[key]
            else:
                return {}
        return target
