"""The values of one column to an Arrow array, exactly: what would change on the way is refused."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from dlt_bridge.types import DECIMAL_PRECISION, Column

if TYPE_CHECKING:
    from collections.abc import Sequence

ARROW_TYPES: dict[str, pa.DataType] = {
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "binary": pa.binary(),
    "json": pa.string(),
}
#: What `array` raises for a value that does not fit.
MISFIT = (pa.ArrowException, ArithmeticError, ValueError)

_BELOW_MICROSECONDS = re.compile(r"[.,]\d{6}\d*[1-9]")
_DIGITS_OF_BIGINT = 19
_YEAR_1 = -62_135_596_800_000_000  # microseconds since 1970


def arrow_type(column: Column) -> pa.DataType:
    """Return the Arrow type of a column."""
    if column.data_type == "decimal":
        return pa.decimal128(DECIMAL_PRECISION, column.scale or 0)
    return ARROW_TYPES[column.data_type]


def array(column: Column, values: Sequence[Any]) -> pa.Array:
    """Return the values of a column.

    Args:
        column: The column.
        values: None, or what msgspec decodes; of JSON columns, and of integers with a point or an
            exponent, the source text.

    Raises:
        MISFIT: A value can't be stored as it is, or is null in a key.
    """
    made = _array(column, values)
    if made.null_count and not column.nullable:
        raise ValueError("null in a key")
    return made


def _array(column: Column, values: Sequence[Any]) -> pa.Array:
    kind = arrow_type(column)
    match column.data_type:
        case "bigint":
            values = [_integer(value) if isinstance(value, Raw) else value for value in values]
        case "double":
            return _doubles(values)
        case "timestamp":
            return _instants(values)
        case "date":
            return pa.array(values, pa.string()).cast(kind)
        case "time":
            values = [value and _time(value) for value in values]
        case "binary":
            values = [
                None if value is None else base64.b64decode(value, validate=True)
                for value in values
            ]
        case "json":
            texts = map(bytes, values)
            values = [None if text == b"null" else text.decode() for text in texts]
    return pa.array(values, kind)


def _integer(text: Raw) -> int | None:
    """Return an integer that may be written as 1.0 or 1e2, as JSON Schema allows."""
    if text == Raw(b"null"):
        return None
    number = Decimal(bytes(text).decode())
    if number.adjusted() >= _DIGITS_OF_BIGINT or number != number.to_integral_value():
        raise ValueError("no integer of 64 bits")
    return int(number)


def _doubles(values: Sequence[float | None]) -> pa.Array:
    kind = ARROW_TYPES["double"]
    try:
        return pa.array(values, kind)
    except pa.ArrowInvalid:
        # Arrow refuses every integer beyond 2^53; of these, some are exact.
        return pa.array([value and _exact_float(value) for value in values], kind)


def _exact_float(value: float) -> float:
    number = float(value)
    if number != value:
        raise ValueError("no exact double")
    return number


def _instants(values: Sequence[str | None]) -> pa.Array:
    kind = ARROW_TYPES["timestamp"]
    with suppress(pa.ArrowInvalid):
        instants = pa.array(values, pa.string()).cast(kind)
        if (first := pc.min(instants).value) is None or first >= _YEAR_1:
            return instants
    # A date-time without an offset (taken for UTC), in lower case, with many digits, or of a year
    # that there is not.
    return pa.array([value and _instant(value) for value in values], kind)


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(_to_microseconds(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time(text: str) -> time:
    """Return a time of day: no database column holds its offset, so it must be UTC."""
    moment = time.fromisoformat(_to_microseconds(text))
    if moment.utcoffset():
        raise ValueError("offset of a time")
    return moment.replace(tzinfo=None)


def _to_microseconds(text: str) -> str:
    if _BELOW_MICROSECONDS.search(text):
        raise ValueError("more digits than microseconds")
    # RFC 3339 allows `t` and `z`, Python does not.
    return text.upper()
