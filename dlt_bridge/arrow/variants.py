"""Where a value goes that may not fit its column: there, or as it is into a variant beside it.

A variant is a column of another type for the values that the column can't hold, named as dlt names
them: `price__v_text` beside `price`. So no value is changed, and none stops a load.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bridge.arrow.types import DECIMAL_PRECISION, ROOMY, Column, ColumnType, takes_strings
from dlt_bridge.arrow.values import (
    CONVERSION_ERRORS,
    LONGEST_NUMBER,
    TICKS,
    YEAR_1,
    YEAR_10000,
    array,
    arrow_type,
    exact_double,
)
from dlt_bridge.tap.placeholders import NON_FINITE, has_non_finite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: A JSON number.
NUMBER = re.compile(rb"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_DIGITS_OF_BIGINT = 19
#: Types that stay as they are written until they are an array.
WRITTEN = frozenset({"timestamp", "date", "time"})
# An escape in a JSON text; of the first group a NUL, of the second half of a surrogate pair.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}"
    rb"|(u0000)|(u[dD][89a-fA-F][\da-fA-F]{2})|.)"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a destination can't hold.

    Attributes:
        nul: It holds the character NUL, in texts and in JSON.
        no_number: Its doubles hold NaN and the infinities.
        before_year_1: It holds instants before the year 1; a time with an offset may be one.
        after_year_9999: It holds instants after the year 9999, likewise.
    """

    nul: bool = True
    no_number: bool = True
    before_year_1: bool = True
    after_year_9999: bool = True

    def hold(self, kind: ColumnType, values: pa.Array) -> bool:
        """Say whether it holds instants; other values are looked at one by one."""
        if kind.data_type != "timestamp" or (self.before_year_1 and self.after_year_9999):
            return True
        ticks = TICKS[values.type.unit]
        found = pc.min_max(values.cast(pa.int64())).as_py()
        first, last = found["min"], found["max"]
        return first is None or not (
            (first < YEAR_1 * ticks and not self.before_year_1)
            or (last >= YEAR_10000 * ticks and not self.after_year_9999)
        )


@dataclass(slots=True)
class FittedColumn:
    """The values of one column, after each has found its place.

    Attributes:
        values: What the column itself holds; None where a value is in a variant, or null.
        variants: What each variant holds, by its `data_type`.
        kinds: The types of the variants.
        moved: Where the first value is that went into each variant.
    """

    values: list[Any]
    variants: dict[str, list[Any]] = field(default_factory=dict)
    kinds: dict[str, ColumnType] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)


def fit_column(
    column: Column,
    kind: ColumnType | None,
    texts: Sequence[bytes],
    known: Mapping[str, ColumnType],
    limits: Limits,
) -> FittedColumn:
    """Find the place of each value of a column.

    Args:
        column: The property, with the type of its SCHEMA.
        kind: The type of its column, which may be another; None if it has none.
        texts: The JSON texts of the values.
        known: The types of the variants that there are already, by `data_type`.
        limits: What the destination can't hold.
    """
    placed = FittedColumn([None] * len(texts))
    known = dict(known)
    natural = column.type if column.type != kind else None
    fits = kind is not None and _takes_texts(column, kind)
    for index, text in enumerate(texts):
        if text == b"null":
            continue
        if kind and (fits or text[:1] != b'"'):
            try:
                placed.values[index] = convert(kind, text, limits)
            except CONVERSION_ERRORS:
                pass
            else:
                continue
        variant, value = _variant(kind, natural, text, known, limits)
        name = variant.data_type
        known.setdefault(name, variant)
        placed.kinds.setdefault(name, variant)
        placed.moved.setdefault(name, index)
        placed.variants.setdefault(name, [None] * len(texts))[index] = value
    return placed


def _takes_texts(column: Column, kind: ColumnType) -> bool:
    """Say whether a JSON string may be a value of a column.

    A text that happens to look like a date or a number is none: the SCHEMA must say that it is.
    """
    if kind.data_type in {"text", "json"}:
        return True
    if column.type is None or column.type.data_type != kind.data_type:
        return False
    return kind.data_type != "decimal" or takes_strings(column.schema)


def convert(kind: ColumnType, text: bytes, limits: Limits) -> Any:  # noqa: ANN401
    """Return what Arrow takes for a value that is not null, if the type holds it exactly.

    Args:
        kind: The type.
        text: The JSON text of the value.
        limits: What the destination can't hold.

    Raises:
        CONVERSION_ERRORS: It does not.
    """
    return FITTERS[kind.data_type](kind, text, limits)


def built(kind: ColumnType, values: Sequence[Any]) -> pa.Array:
    """Return values that are `convert`, and nulls, as an array."""
    if kind.data_type not in WRITTEN:
        return pa.array(values, arrow_type(kind))
    try:
        return array(kind, values)
    except CONVERSION_ERRORS:
        # Each fits, but they are written in different ways.
        return pa.concat_arrays([array(kind, [value]) for value in values])


def _variant(
    column: ColumnType | None,
    natural: ColumnType | None,
    text: bytes,
    known: Mapping[str, ColumnType],
    limits: Limits,
) -> tuple[ColumnType, Any]:
    candidates = [*([natural] if natural else []), *_candidates(column, text)]
    # One that is there already is better than one more.
    candidates.sort(key=lambda kind: kind != natural and kind.data_type not in known)
    for kind in candidates:
        there = known.get(kind.data_type, kind)
        try:
            return there, convert(there, text, limits)
        except CONVERSION_ERRORS:
            continue
    # What is no number here has a text that the destination can't hold.
    beyond = NUMBER.fullmatch(text) or has_non_finite(text)
    return (ColumnType("text"), text.decode()) if beyond else (ColumnType("binary"), text)


def _candidates(column: ColumnType | None, text: bytes) -> Iterator[ColumnType]:
    """Yield the types that may hold a value exactly, the most telling first."""
    match text[:1]:
        case b'"':
            yield ColumnType("text")
        case b"t" | b"f":
            yield ColumnType("bool")
        case b"{" | b"[":
            yield ColumnType("json")
        case _ if text not in NON_FINITE:
            # Beside decimals, all are to be decimals, so that they can be added up.
            if column is None or column.data_type != "decimal":
                yield ColumnType("bigint")
                if not text.lstrip(b"-").isdigit():
                    yield ColumnType("double")
            yield ROOMY
            yield ColumnType("decimal", DECIMAL_PRECISION, 0)
            yield ColumnType("double")


def _string(text: bytes) -> str:
    if text[:1] != b'"':
        raise ValueError("no string")
    value: str = json.loads(text)
    return value


def _number(text: bytes) -> Decimal:
    if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text):
        raise ValueError("no number")
    return Decimal(text.decode())


def _bigint(_: ColumnType, text: bytes, __: Limits) -> int:
    number = _number(text)
    if number.adjusted() >= _DIGITS_OF_BIGINT or number != number.to_integral_value():
        raise ValueError("no integer of 64 bits")
    value = int(number)
    pa.scalar(value, pa.int64())
    return value


def _double(_: ColumnType, text: bytes, limits: Limits) -> float:
    if text in NON_FINITE:
        if not limits.no_number:
            raise ValueError("no number")
        return float(text)
    if not NUMBER.fullmatch(text):
        raise ValueError("no number")
    return exact_double(text.decode())


def _decimal(kind: ColumnType, text: bytes, _: Limits) -> Decimal:
    written = _string(text).encode() if text[:1] == b'"' else text
    number = _number(written)
    scale, precision = kind.scale or 0, kind.precision or DECIMAL_PRECISION
    if number and number.adjusted() >= precision - scale:
        raise ValueError("too many digits")
    sign, digits, exponent = number.as_tuple()
    shown = "".join(map(str, digits)).rstrip("0")
    if not shown:
        return Decimal(0)
    # Arrow takes no more digits than a decimal has, be they zeros.
    least = int(exponent) + len(digits) - len(shown)
    if least < -scale:
        raise ValueError("more digits than the scale")
    return Decimal((sign, tuple(map(int, shown + "0" * max(least, 0))), min(least, 0)))


def _bool(_: ColumnType, text: bytes, __: Limits) -> bool:
    if text not in {b"true", b"false"}:
        raise ValueError("no boolean")
    return text == b"true"


def _text(_: ColumnType, text: bytes, limits: Limits) -> str:
    # What is no string is its JSON text.
    value = _string(text) if text[:1] == b'"' else text.decode()
    value.encode()  # a lone surrogate is no text
    if "\0" in value and not limits.nul:
        raise ValueError("NUL")
    return value


def _json(_: ColumnType, text: bytes, limits: Limits) -> str:
    if has_non_finite(text):
        raise ValueError("no number")
    if b"\\u" in text:
        for escape in _ESCAPE.finditer(text):
            if (escape.group(1) and not limits.nul) or escape.group(2):
                raise ValueError("an escape that databases refuse")
    return text.decode()


def _written(kind: ColumnType, text: bytes, limits: Limits) -> str:
    value = _string(text)
    if not limits.hold(kind, array(kind, [value])):
        raise ValueError("an instant that the destination can't hold")
    return value


def _binary(_: ColumnType, text: bytes, __: Limits) -> bytes:
    return base64.b64decode(_string(text), validate=True)


FITTERS: dict[str, Callable[[ColumnType, bytes, Limits], Any]] = {
    "bigint": _bigint,
    "double": _double,
    "decimal": _decimal,
    "bool": _bool,
    "text": _text,
    "timestamp": _written,
    "date": _written,
    "time": _written,
    "binary": _binary,
    "json": _json,
}
