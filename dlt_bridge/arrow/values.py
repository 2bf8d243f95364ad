"""The values of one column to an Arrow array, exactly: what would change on the way is refused."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from datetime import UTC, datetime, time
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from dlt_bridge.arrow.types import DECIMAL_PRECISION, ColumnType

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
#: What msgspec decodes for each type. Other numbers stay text: a float would not tell whether it is
#: what was written.
PYTHON_TYPES: dict[str, Any] = {"bigint": int, "bool": bool}
TEXTUAL = frozenset({"decimal", "double", "json"})
#: What is raised for a value that does not fit.
CONVERSION_ERRORS = (pa.ArrowException, ArithmeticError, ValueError)
NULL = Raw(b"null")

#: A number of no more characters is a double, if it has no exponent.
DIGITS_OF_DOUBLE = 15
#: Digits of the longest double.
MOST_DIGITS = 767
#: Characters of a number. Longer ones fit no column, and to look at each digit would take long.
LONGEST_NUMBER = 2_000
#: Seconds since 1970.
YEAR_1, YEAR_10000 = -62_135_596_800, 253_402_300_800
#: Of a timestamp, in a second.
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

_UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}
_MICROSECONDS = 6
# What RFC 3339 and ISO 8601 have in common, and no more of what Python takes for them.
_OFFSET = r"([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?"
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?" + _OFFSET)
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]" + _TIME.pattern + ")?")
_BELOW_MICROSECONDS = re.compile(r"[.,]\d{6}\d*[1-9]")
_DAY = 86_400  # seconds
# Nothing in JSON can be this byte.
_APART = "\x00"


def arrow_type(kind: ColumnType) -> pa.DataType:
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


def decoded_type(kind: ColumnType) -> Any:  # noqa: ANN401
    """Return the type that msgspec decodes for a column: `Raw` where `array` takes the text."""
    return Raw if kind.data_type in TEXTUAL else PYTHON_TYPES.get(kind.data_type, str)


def array(kind: ColumnType, values: Sequence[Any]) -> pa.Array:  # noqa: PLR0911 - a case a type
    """Return the values of a column.

    Args:
        kind: The column's type.
        values: None, or what msgspec decodes for the `decoded_type`.

    Raises:
        CONVERSION_ERRORS: A value can't be stored as it is.
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
            return _decimals(values, kind)
    return pa.array(values, arrow)


def texts(values: Sequence[Raw]) -> pa.Array:
    """Return JSON texts as strings; null for `null`.

    Raises:
        CONVERSION_ERRORS: A text is no UTF-8.
    """
    return _apart(_joined(values)) if values else pa.array([], pa.string())


def _joined(values: Sequence[Raw]) -> bytes:
    # One text, taken apart by Arrow: a third of the time that a string for each needs.
    return _APART.encode().join(values)


def _apart(joined: bytes) -> pa.Array:
    made = pc.split_pattern(pa.array([joined.decode()], pa.large_string()), _APART).flatten()
    made = made.cast(pa.string())
    return pc.if_else(pc.equal(made, "null"), pa.scalar(None, pa.string()), made)


def _has_powers(joined: bytes) -> bool:
    """Say whether a number may have an exponent."""
    return b"e" in joined or b"E" in joined


def _decimals(values: Sequence[Raw], kind: ColumnType) -> pa.Array:
    """Return decimals, if none can have too many digits: Arrow would lose the first of them."""
    joined = _joined(values)
    written = texts(values) if not joined else _apart(joined)
    longest = pc.max(pc.binary_length(written)).as_py() or 0
    most = (kind.precision or DECIMAL_PRECISION) - (kind.scale or 0)
    if _has_powers(joined) or longest > most:
        raise ValueError("perhaps too many digits")
    return written.cast(arrow_type(kind))


def _digits(kind: ColumnType) -> int:
    return _MICROSECONDS if kind.precision is None else kind.precision


def _doubles(values: Sequence[Raw]) -> pa.Array:
    """Return doubles, if each is what is written."""
    joined = _joined(values)
    written = texts(values) if not joined else _apart(joined)
    numbers = written.cast(ARROW_TYPES["double"])
    lengths = pc.binary_length(written)
    powers = _has_powers(joined)
    if not powers and (pc.max(lengths).as_py() or 0) <= DIGITS_OF_DOUBLE:
        return numbers
    unsure = pc.greater(lengths, DIGITS_OF_DOUBLE)
    if powers:
        for letter in "eE":
            unsure = pc.or_(unsure, pc.match_substring(written, letter))
    # Most are written as Arrow writes them, too: a look at the others alone costs little.
    other = pc.not_equal(numbers.cast(pa.string()), written)
    for text in written.filter(pc.and_(unsure, other)).to_pylist():
        exact_double(text)
    return numbers


def exact_double(text: str) -> float:
    """Return the double that a JSON number is.

    So it is if the double, written with as many digits, is the same text. An integer must be just
    the same: 2^53 + 1 is none.

    Args:
        text: The number.

    Raises:
        CONVERSION_ERRORS: No double is just that number.
    """
    if len(text) > LONGEST_NUMBER:
        raise ValueError("too long a number")
    number = float(text)
    if repr(number) == text:
        return number
    exact = Decimal(text)
    if text.lstrip("-").isdigit():
        same = isfinite(number) and Decimal(number) == exact
    else:
        digits = len("".join(map(str, exact.as_tuple().digits)).strip("0"))
        as_long = f"{number:.{min(max(1, digits), MOST_DIGITS) - 1}e}"
        # Of two that are as near, the shortest that Python and others write may be another.
        same = exact in {Decimal(as_long), Decimal(repr(number))}
    if not same:
        raise ValueError("no exact double")
    return number


def _dates(values: Sequence[str | None]) -> pa.Array:
    dates = pa.array(values, pa.string()).cast(pa.date32())
    first = pc.min(dates.cast(pa.int32())).as_py()
    if first is not None and first < YEAR_1 // _DAY:
        raise ValueError("no such year")
    return dates


def _instants(values: Sequence[str | None], arrow: pa.DataType) -> pa.Array:
    written = pa.array(values, pa.string())
    # A date-time without an offset is taken for UTC.
    for kind in (arrow, pa.timestamp(arrow.unit)):
        with suppress(pa.ArrowInvalid):
            instants = written.cast(kind)
            first = pc.min(instants.cast(pa.int64())).as_py()
            if first is None or first >= YEAR_1 * TICKS[arrow.unit]:
                return instants.cast(arrow)
    # Some with an offset, some without; in lower case; with many digits; of a year that there is
    # not.
    moments = [value and _instant(value) for value in values]
    return pa.array(moments, pa.timestamp("us", "UTC")).cast(arrow)


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(_to_microseconds(text, _INSTANT))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time(text: str) -> time:
    """Return a time of day: no database column holds its offset, so it must be UTC."""
    moment = time.fromisoformat(_to_microseconds(text, _TIME))
    if moment.utcoffset():
        raise ValueError("offset of a time")
    return moment.replace(tzinfo=None)


def _to_microseconds(text: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(text):
        raise ValueError("no date-time")
    if _BELOW_MICROSECONDS.search(text):
        raise ValueError("more digits than microseconds")
    # RFC 3339 allows `t` and `z`, Python does not.
    return text.upper()
