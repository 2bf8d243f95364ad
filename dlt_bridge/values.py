"""The values of one column to an Arrow array, exactly: what would change on the way is refused."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from dlt_bridge.types import DECIMAL_PRECISION, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

ARROW_TYPES: dict[str, pa.DataType] = {
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "binary": pa.binary(),
    "json": pa.string(),
}
#: What msgspec decodes for each type. Numbers of decimals stay text, which is exact and fastest.
PYTHON_TYPES: dict[str, Any] = {"bigint": int, "double": int | float, "bool": bool}
TEXTUAL = frozenset({"decimal", "json"})
#: What is raised for a value that does not fit.
MISFIT = (pa.ArrowException, ArithmeticError, ValueError)
NULL = Raw(b"null")

_UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}
_MICROSECONDS = 6
_BELOW_MICROSECONDS = re.compile(r"[.,]\d{6}\d*[1-9]")
_YEAR_1 = -62_135_596_800  # seconds since 1970
_DAY = 86_400  # seconds
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# Nothing in JSON can be this byte.
_APART = "\x00"


def arrow_type(kind: Kind) -> pa.DataType:
    """Return the Arrow type of a column."""
    match kind.data_type:
        case "decimal":
            return pa.decimal128(kind.precision or DECIMAL_PRECISION, kind.scale or 0)
        case "timestamp":
            return pa.timestamp(_UNITS.get(_digits(kind), "us"), tz="UTC")
        case "time":
            digits = _digits(kind)
            unit = _UNITS.get(digits, "us")
            return pa.time32(unit) if digits in {0, 3} else pa.time64(unit)
    return ARROW_TYPES[kind.data_type]


def decoded_type(kind: Kind) -> Any:  # noqa: ANN401
    """Return the type that msgspec decodes for a column: `Raw` where `array` takes the text."""
    return Raw if kind.data_type in TEXTUAL else PYTHON_TYPES.get(kind.data_type, str)


def array(kind: Kind, values: Sequence[Any]) -> pa.Array:  # noqa: PLR0911 - a case a type
    """Return the values of a column.

    Args:
        kind: The column's type.
        values: None, or what msgspec decodes for the `decoded_type`.

    Raises:
        MISFIT: A value can't be stored as it is.
    """
    arrow = arrow_type(kind)
    match kind.data_type:
        case "double":
            return _doubles(values)
        case "timestamp":
            return _instants(values, arrow)
        case "date":
            return _dates(values)
        case "time":
            return pa.array([value and _time(value) for value in values], arrow)
        case "binary":
            values = [
                None if value is None else base64.b64decode(value, validate=True)
                for value in values
            ]
        case "json":
            return texts(values)
        case "decimal":
            return texts(values).cast(arrow)
    return pa.array(values, arrow)


def texts(values: Sequence[Raw]) -> pa.Array:
    """Return JSON texts as strings; null for `null`.

    Raises:
        MISFIT: A text is no UTF-8.
    """
    if not values:
        return pa.array([], pa.string())
    # One string, taken apart by Arrow: a third of the time that a string for each needs.
    whole = _APART.encode().join(values).decode()
    made = pc.split_pattern(pa.array([whole], pa.large_string()), _APART).flatten()
    made = made.cast(pa.string())
    return pc.if_else(pc.equal(made, "null"), pa.scalar(None, pa.string()), made)


def _digits(kind: Kind) -> int:
    return _MICROSECONDS if kind.precision is None else kind.precision


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


def _dates(values: Sequence[str | None]) -> pa.Array:
    dates = pa.array(values, pa.string()).cast(pa.date32())
    first = pc.min(dates.cast(pa.int32())).as_py()
    if first is not None and first < _YEAR_1 // _DAY:
        raise ValueError("no such year")
    return dates


def _instants(values: Sequence[str | None], arrow: pa.DataType) -> pa.Array:
    written = pa.array(values, pa.string())
    # A date-time without an offset is taken for UTC.
    for kind in (arrow, pa.timestamp(arrow.unit)):
        with suppress(pa.ArrowInvalid):
            instants = written.cast(kind)
            first = pc.min(instants.cast(pa.int64())).as_py()
            if first is None or first >= _YEAR_1 * _TICKS[arrow.unit]:
                return instants.cast(arrow)
    # Some with an offset, some without; in lower case; with many digits; of a year that there is
    # not.
    moments = [value and _instant(value) for value in values]
    return pa.array(moments, pa.timestamp("us", "UTC")).cast(arrow)


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
