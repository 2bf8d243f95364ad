"""Timestamps, dates and times of day, exactly.

A function that ends in `_array` converts the strings of a batch. It raises one of CONVERSION_ERRORS
for a value that would change.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bridge.arrow.limits import TICKS, YEAR_1

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS_OF_DAY = 86_400
# What RFC 3339 and ISO 8601 have in common: Python would take more, and 24:00 from 3.14 on.
_OFFSET = r"([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?"
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?" + _OFFSET)
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]" + _TIME.pattern + ")?")
_BELOW_MICROSECONDS = re.compile(r"[.,]\d{6}\d*[1-9]")


def timestamp_array(values: Sequence[str | None], arrow: pa.DataType) -> pa.Array:
    """Convert date-times; one without an offset is in UTC."""
    return timestamps(pa.array(values, pa.string()), arrow)


def timestamps(texts: pa.Array, arrow: pa.DataType) -> pa.Array:
    """Convert date-times in an array of strings."""
    for read_as in (arrow, pa.timestamp(arrow.unit)):
        with suppress(pa.ArrowInvalid):
            read = texts.cast(read_as)
            first = pc.min(read.cast(pa.int64())).as_py()
            if first is None or first >= YEAR_1 * TICKS[arrow.unit]:
                return read.cast(arrow)
    # Some have an offset and some have none, or Arrow can't read one: lower case, many digits, a
    # year before the first.
    parsed = [value and _timestamp(value) for value in texts.to_pylist()]
    return pa.array(parsed, pa.timestamp("us", "UTC")).cast(arrow)


def date_array(values: Sequence[str | None], arrow: pa.DataType) -> pa.Array:
    """Convert dates."""
    return dates(pa.array(values, pa.string()), arrow)


def dates(texts: pa.Array, arrow: pa.DataType) -> pa.Array:
    """Convert dates in an array of strings."""
    read = texts.cast(arrow)
    first = pc.min(read.cast(pa.int32())).as_py()
    if first is not None and first < YEAR_1 // _SECONDS_OF_DAY:
        raise ValueError("no such year")
    return read


def time_array(values: Sequence[str | None], arrow: pa.DataType) -> pa.Array:
    """Convert times of day in UTC: no database column holds another offset."""
    return pa.array([value and _time(value) for value in values], arrow)


def _timestamp(text: str) -> datetime:
    timestamp = datetime.fromisoformat(_to_microseconds(text, _TIMESTAMP))
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)


def _time(text: str) -> time:
    parsed = time.fromisoformat(_to_microseconds(text, _TIME))
    if parsed.utcoffset():
        raise ValueError("offset of a time")
    return parsed.replace(tzinfo=None)


def _to_microseconds(text: str, form: re.Pattern[str]) -> str:
    """Return a time as Python takes it."""
    if not form.fullmatch(text):
        raise ValueError("no date-time")
    if _BELOW_MICROSECONDS.search(text):
        raise ValueError("more digits than microseconds")
    # RFC 3339 allows `t` and `z`, Python does not.
    return text.upper()
