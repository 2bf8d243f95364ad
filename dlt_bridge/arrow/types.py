"""The types of columns, in one table with a row for each, and the choice between them.

The types are dlt's (https://dlthub.com/docs/general-usage/schema#data-types). Objects, arrays,
and mixed or undescribed values have no type of their own there, and are kept as JSON.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from msgspec import Raw

from dlt_bridge.arrow import numbers as numeric
from dlt_bridge.arrow import texts, times
from dlt_bridge.arrow import whole_columns as whole
from dlt_bridge.arrow.json_schema import number_of, options_of, type_names
from dlt_bridge.tap.placeholders import NON_FINITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dlt_bridge.arrow.limits import Limits

DataType = Literal[
    "bigint", "double", "decimal", "bool", "text", "timestamp", "date", "time", "binary", "json"
]
JsonForm = Literal["number", "string", "boolean", "any"]
Strings = Literal["always", "never", "if declared", "if allowed"]


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of a column.

    Attributes:
        data_type: dlt's name of the type.
        precision: The digits of a decimal, or of the fraction of a second; None for the default.
        scale: The digits of a decimal after the point.
    """

    data_type: DataType
    precision: int | None = None
    scale: int | None = None

    @property
    def text(self) -> str:
        """The type for a reader, such as `decimal with scale 2`."""
        return f"{self.data_type} with scale {self.scale}" if self.scale else self.data_type


#: The digits of a decimal, by default and at most.
DECIMAL_PRECISION = 38
#: The digits after the point of a decimal that is to hold any number: 20 are left before the point.
WIDE_SCALE = 18
#: Holds almost any number exactly.
WIDE_DECIMAL = ColumnType("decimal", DECIMAL_PRECISION, WIDE_SCALE)
INTEGER_DECIMAL = ColumnType("decimal", DECIMAL_PRECISION, 0)
# The digits before the point that a decimal has room for, if its SCHEMA does not say how many.
_DEFAULT_WHOLE_DIGITS = 12
LARGEST_BIGINT = 2**63 - 1
# Arrow's units, by the digits of the fraction of a second.
_UNITS: dict[int | None, str] = {0: "s", 3: "ms", 6: "us", 9: "ns"}


def _decimal_type(column_type: ColumnType) -> pa.DataType:
    return pa.decimal128(column_type.precision or DECIMAL_PRECISION, column_type.scale or 0)


def _timestamp_type(column_type: ColumnType) -> pa.DataType:
    return pa.timestamp(_UNITS.get(column_type.precision, "us"), tz="UTC")


def _time_type(column_type: ColumnType) -> pa.DataType:
    digits = column_type.precision
    return (pa.time32 if digits in {0, 3} else pa.time64)(_UNITS.get(digits, "us"))


@dataclass(frozen=True, slots=True)
class TypeRow:
    """How the values of one data type are declared, decoded and converted.

    Attributes:
        declared: How a JSON Schema declares it: a type; or a type, a keyword and its value.
        json: The form of its values in JSON.
        strings: When a JSON string is a value of it: `if declared` as this type, or `if allowed` by
            a SCHEMA that declares this type.
        arrow: Its Arrow type, or a function that returns it for a precision and a scale.
        decoded: What msgspec decodes a value to. `Raw` keeps the JSON text: a float would not show
            whether it is exactly the number in the text.
        array: Converts decoded values to an Arrow array.
        convert: Converts the JSON text of one value to what Arrow takes. None for times, which stay
            strings: `array` converts them.
        column: Converts an Arrow column of a file as a whole; see `whole_columns`.
        in_struct: The Arrow and the Python type of a value in a struct; None if none is exact.
    """

    declared: Sequence[tuple[str, ...]]
    json: JsonForm
    strings: Strings
    arrow: pa.DataType | Callable[[ColumnType], pa.DataType]
    decoded: Any
    array: Callable[[Sequence[Any], pa.DataType], pa.Array]
    convert: Callable[[bytes, pa.DataType, Limits], Any] | None
    column: Callable[[pa.Array, pa.DataType, Limits], pa.Array]
    in_struct: tuple[pa.DataType, Any] | None


_STRING = (pa.string(), str)
_DOUBLE = (pa.float64(), int | float)
TYPES: dict[DataType, TypeRow] = {
    "bigint": TypeRow(
        (("integer",),), "number", "never",
        pa.int64(), int, texts.plain_array, numeric.convert_bigint,
        whole.cast_from(pa.types.is_integer), (pa.int64(), int),
    ),
    "double": TypeRow(
        (("number",),), "number", "never",
        pa.float64(), Raw, numeric.double_array, numeric.convert_double,
        whole.double_column, _DOUBLE,
    ),
    "decimal": TypeRow(
        (), "number", "if allowed",
        _decimal_type, Raw, numeric.decimal_array, numeric.convert_decimal,
        whole.decimal_column, None,
    ),
    "bool": TypeRow(
        (("boolean",),), "boolean", "never",
        pa.bool_(), bool, texts.plain_array, texts.convert_bool,
        whole.cast_from(pa.types.is_boolean), (pa.bool_(), bool),
    ),
    "text": TypeRow(
        (("string",),), "string", "always",
        pa.string(), str, texts.plain_array, texts.convert_text,
        whole.text_column, _STRING,
    ),
    "timestamp": TypeRow(
        (("string", "format", "date-time"),), "string", "if declared",
        _timestamp_type, str, times.timestamp_array, None,
        whole.of_strings(pa.types.is_timestamp, times.timestamps), _STRING,
    ),
    "date": TypeRow(
        (("string", "format", "date"),), "string", "if declared",
        pa.date32(), str, times.date_array, None,
        whole.of_strings(pa.types.is_date, times.dates), _STRING,
    ),
    "time": TypeRow(
        (("string", "format", "time"),), "string", "if declared",
        _time_type, str, times.time_array, None,
        whole.cast_from(pa.types.is_time), _STRING,
    ),
    "binary": TypeRow(
        (("string", "contentEncoding", "base64"),), "string", "if declared",
        pa.binary(), str, texts.binary_array, texts.convert_binary,
        whole.cast_from(pa.types.is_binary), _STRING,
    ),
    "json": TypeRow(
        (("object",), ("array",)), "any", "always",
        pa.string(), Raw, texts.json_array, texts.convert_json,
        whole.json_column, None,
    ),
}  # fmt: skip

_DECLARED: dict[tuple[str, ...], DataType] = {
    form: data_type for data_type, row in TYPES.items() for form in row.declared
}
# How the JSON texts of these types begin; all others are numbers.
_TYPES_BY_START = {b'"': ColumnType("text")} | dict.fromkeys((b"t", b"f"), ColumnType("bool"))
_TYPES_BY_START |= dict.fromkeys((b"{", b"["), ColumnType("json"))
#: The keywords of JSON Schema that limit a number.
BOUNDS = ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum")
# The `scale_precision` of a `singer.decimal`, as some taps write it.
_PRECISION = re.compile(r"\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)")


@cache
def arrow_type(column_type: ColumnType) -> pa.DataType:
    """Return the Arrow type of a column."""
    arrow = TYPES[column_type.data_type].arrow
    return arrow(column_type) if callable(arrow) else arrow


def property_type(prop: Any) -> ColumnType | None:  # noqa: ANN401
    """Return the type of a property's column, or None if it can only be null.

    Args:
        prop: The JSON Schema of the property, without references.
    """
    if not isinstance(prop, dict):
        return ColumnType("json")
    names = type_names(prop)
    if not names:
        options = {property_type(option): None for option in options_of(prop)}
        return common_type(options) if options else ColumnType("json")
    return common_type({_single_type(name, prop): None for name in names - {"null"}})


def key_type(declared: ColumnType | None) -> ColumnType | None:
    """Return the type of a key: taps declare ids as numbers, and no double holds long ones."""
    return WIDE_DECIMAL if declared == ColumnType("double") else declared


def common_type(types: Iterable[ColumnType | None]) -> ColumnType | None:
    """Return the type that holds the values of all these types exactly."""
    several = {column_type for column_type in types if column_type}
    if len(several) < 2:  # noqa: PLR2004
        return next(iter(several), None)
    names = {column_type.data_type for column_type in several}
    if names == {"bigint", "double"}:
        return ColumnType("double")
    forms = {TYPES[name].json for name in names}
    if forms == {"number"}:
        least = WIDE_SCALE if "double" in names else 0
        scales = [column_type.scale or 0 for column_type in several]
        return ColumnType("decimal", DECIMAL_PRECISION, max(least, *scales))
    return ColumnType("text" if forms == {"string"} else "json")


def variant_types(column_type: ColumnType | None, text: bytes) -> Iterator[ColumnType]:
    """Yield the types that may hold a value that does not fit its column, the most precise first.

    Args:
        column_type: The type of the column.
        text: The JSON text of the value.
    """
    if not_number := type_of_text(text):
        yield not_number
    elif text not in NON_FINITE:
        # Variants of decimals are decimals, so that both can be added up.
        if column_type is None or column_type.data_type != "decimal":
            yield ColumnType("bigint")
            if not text.lstrip(b"-").isdigit():
                yield ColumnType("double")
        yield from (WIDE_DECIMAL, INTEGER_DECIMAL, ColumnType("double"))


def type_of_text(text: bytes) -> ColumnType | None:
    """Return the type of a JSON text by its first character; None for a number."""
    return _TYPES_BY_START.get(text[:1])


def wider_types(
    declared: ColumnType | None, numbers: Sequence[bytes], *, key: bool
) -> Iterator[ColumnType]:
    """Yield types that may hold numbers that the declared type does not hold.

    Args:
        declared: The declared type; None if it is not a number.
        numbers: The texts of the numbers, which may be JSON strings.
        key: Whether the column is part of the key.
    """
    if declared is None:
        yield ColumnType("bigint")
    if declared in {None, ColumnType("bigint")}:
        yield INTEGER_DECIMAL
    yield WIDE_DECIMAL
    with suppress(ArithmeticError):  # an exponent beyond that of any decimal
        digits = [numeric.count_digits(text.strip(b'"').decode()) for text in numbers]
        least = declared.scale or 0 if declared and declared != WIDE_DECIMAL else 0
        scale = max([least, *(after for _, after in digits)])
        room = DECIMAL_PRECISION - scale - max(before for before, _ in digits)
        if room >= 0:
            # Few digits after the point so far: half of the room is for more of them.
            extra = room // 2 if scale < WIDE_SCALE else 0
            yield ColumnType("decimal", DECIMAL_PRECISION, scale + extra)
    # A tap that declares decimals wants no doubles.
    if key or declared is None or declared.data_type != "decimal":
        yield ColumnType("double")


def _single_type(name: str, prop: Mapping[str, Any]) -> ColumnType:
    """Return the type of the values that have one JSON Schema type."""
    if prop.get("format") == "singer.decimal" and name in {"string", "number"}:
        return _singer_decimal(prop)
    for keyword in ("contentEncoding", "format"):
        if data_type := _DECLARED.get((name, keyword, str(prop.get(keyword)))):
            return ColumnType(data_type)
    bounds = [number_of(prop, keyword) for keyword in BOUNDS]
    if name == "number" and (step := number_of(prop, "multipleOf")):
        scale = max(0, -int(step.normalize().as_tuple().exponent))
        return _decimal(scale, max(map(_whole_digits, bounds)) or _DEFAULT_WHOLE_DIGITS)
    if name == "integer" and (max(bounds) > LARGEST_BIGINT or min(bounds) < -LARGEST_BIGINT - 1):
        return INTEGER_DECIMAL
    return ColumnType(_DECLARED.get((name,), "json"))


def _singer_decimal(prop: Mapping[str, Any]) -> ColumnType:
    """Return the type of a decimal of the SDK, which is a string in JSON, or a number."""
    precision, scale = prop.get("precision"), prop.get("scale")
    more = prop.get("additionalProperties")
    if isinstance(more, dict) and (both := _PRECISION.fullmatch(str(more.get("scale_precision")))):
        precision, scale = map(int, both.groups())
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision:
        return WIDE_DECIMAL
    return _decimal(scale, precision - scale)


def _decimal(scale: int, whole: int) -> ColumnType:
    """Return a decimal with this scale, and room for these digits before the point."""
    fits = scale + whole <= DECIMAL_PRECISION
    return ColumnType("decimal", DECIMAL_PRECISION, scale if fits else min(scale, WIDE_SCALE))


def _whole_digits(bound: Decimal) -> int:
    """Return the digits before the point of numbers within a bound; a bound of 10 counts as 9.9."""
    return bool(bound) * max(0, bound.adjusted() + (abs(bound) != Decimal(10) ** bound.adjusted()))
