"""Values of cursors: how they are compared, and how bounds are written as an API writes them.

A cursor is a property whose value grows with every new or changed record. Bookmarks of declared
streams keep its values as the API sent them, because they are sent back to it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from math import ceil
from typing import TYPE_CHECKING, Any, TypeAlias

from tap_chat.singer.bookmarks import normalise_number
from tap_chat.singer.timestamps import from_epoch, read_datetime, unit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_chat.singer.records import Record

#: A number or a text, as the API sent it.
CursorValue: TypeAlias = int | float | str

# The format of a date or a date-time: its date, and what follows.
DATETIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:(?P<separator>.)\d\d:\d\d(?P<seconds>:\d\d(?:[.,](?P<fraction>\d+))?)?"
    r"(?P<offset>Z|[+-]\d\d(?:(?P<colon>:?)\d\d)?)?)?",
    re.ASCII,
)
MICROSECOND_DIGITS, MILLISECOND_DIGITS = 6, 3


@dataclass(frozen=True, slots=True)
class CursorType:
    """How values of a cursor are compared.

    Attributes:
        name: What a value is, for sentences.
        read: Turns a value into one that can be compared, or into None if it is of another type.
    """

    name: str
    read: Callable[[object], Any]


def _read_datetime(value: object) -> datetime | None:
    return read_datetime(value) if isinstance(value, str) else None


def _read_digits(value: object) -> int | None:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None


NUMBER = CursorType("a number", normalise_number)
DATETIME_TEXT = CursorType("a date-time", _read_datetime)
#: As texts, "10" would be before "9".
DIGITS_TEXT = CursorType("a text of digits", _read_digits)
TEXT = CursorType("a text", lambda value: value if isinstance(value, str) and value else None)

TYPES = (NUMBER, DATETIME_TEXT, DIGITS_TEXT, TEXT)

# Times whose texts are in another order than they: `28.11.2026`, `Sat, 28 Nov 2026 10:00:00 GMT`.
ODD_TIME = re.compile(
    r"(?:\w{3,9}, )?\d{1,2}([/. -])(?:\d{1,2}|[A-Z]\w{2,8})\1\d{2,4}\b"
    r"|[A-Z]\w{2,8}\.? \d{1,2}, \d{4}\b",
    re.ASCII,
)


def cursor_type(value: object) -> CursorType | None:
    """Return the type of a value, or None if it has no order."""
    return next((each for each in TYPES if each.read(value) is not None), None)


def common_type(values: Iterable[object]) -> CursorType | None:
    """Return the type that most of some values have, or None if none has an order."""
    counts = Counter(filter(None, map(cursor_type, values)))
    return max(counts, key=counts.__getitem__, default=None)


def is_odd_time(value: object) -> bool:
    """Return whether a value is a time in a format whose texts are not in the order of time."""
    return isinstance(value, str) and ODD_TIME.match(value) is not None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The cursor of a stream.

    Attributes:
        path: Its path in a record, for sentences.
        find: Returns its value in a record; None if there is none.
        falls: Whether later records have smaller values.
    """

    path: str
    find: Callable[[Record], Any]
    falls: bool = False

    def is_before(self, value: Any, other: Any) -> bool:  # noqa: ANN401
        """Return whether a comparable value is before another one."""
        return bool(value > other) if self.falls else bool(value < other)

    def later(self, value: CursorValue | None, other: CursorValue | None) -> CursorValue | None:
        """Return the later of two values; if they are of different types, or equal, the second."""
        if value is None or other is None:
            return value if other is None else other
        read = cursor_type(other).read  # type: ignore[union-attr]  # it has a type
        comparable = read(value)
        return (
            value if comparable is not None and self.is_before(read(other), comparable) else other
        )


def as_json(value: object) -> Any:  # noqa: ANN401
    """Return a value as JSON has it: dates and date-times, which YAML and TOML have, as texts."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, date) else value


def is_date(value: object) -> bool:
    """Return whether a value is a date without a time."""
    return isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII))


def write_like(sample: CursorValue, instant: datetime) -> CursorValue | None:
    """Write a time as an API writes it; the rest that this can't express is cut off.

    Args:
        sample: A value of the API: a text, or a number since 1970.
        instant: The time, in UTC.

    Returns:
        The time; None if the sample is not a time.
    """
    if not isinstance(sample, str):
        unit = unit_of(sample, datetime.now(UTC))
        return None if unit is None else _epoch(instant, unit)
    if read_datetime(sample) is None or not (form := DATETIME.fullmatch(sample)):
        return None
    offset = form["offset"]
    if offset and offset != "Z":
        instant = instant.astimezone(_zone(offset))
    text = instant.strftime("%Y-%m-%d").zfill(10)
    if form["separator"] is None:
        return text
    text += form["separator"] + instant.strftime("%H:%M")
    if form["seconds"]:
        text += instant.strftime(":%S")
    if fraction := form["fraction"]:
        digits = f"{instant.microsecond:06}".ljust(len(fraction), "0")
        text += "." + digits[: len(fraction)]
    return text + (offset or "")


def _zone(offset: str) -> timezone:
    hours, minutes = int(offset[1:3]), int(offset[3:].lstrip(":") or 0)
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if offset[0] == "-" else size)


def _epoch(instant: datetime, unit: int) -> int:
    """Return a time as a number since 1970, without a loss of microseconds."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * unit // 10**6


def moved(value: CursorValue, by: float, *, days: bool = False) -> CursorValue | None:
    """Return a value, moved by a number, or by seconds if it is a date-time.

    Args:
        value: The value.
        by: The number or seconds; days for dates, and where `days` is true.
        days: Whether date-times are moved by days: to the start of a day in UTC, or to its end if
            they are moved forward.

    Returns:
        The other value, written alike; None if the value is a text that can't be moved.
    """
    if not isinstance(value, str):
        return int(value + by) if isinstance(value, int) else value + by
    if (instant := read_datetime(value)) is not None:
        days = days or is_date(value)
        try:
            instant += timedelta(days=by) if days else timedelta(seconds=by)
        except OverflowError:
            return value
        if days:
            instant = datetime.combine(instant, time.min if by < 0 else time.max, UTC)
        return write_like(value, instant)
    if (number := _read_digits(value)) is not None:
        return str(max(0, int(number + by))).zfill(len(value))
    return None


def one_step(value: CursorValue) -> float:
    """Return the smallest step of a value that an API surely tells apart, for `moved`.

    It is 1 for numbers; for date-times, in seconds, what their text has, but at least a
    millisecond.
    """
    form = DATETIME.fullmatch(value) if isinstance(value, str) else None
    if form is None or is_date(value):
        return 1
    if len(form["fraction"] or "") >= MILLISECOND_DIGITS:
        return 0.001
    return 1 if form["seconds"] else 60


# --- Converters ---------------------------------------------------------------------------------


def _iso(instant: datetime, *, up: bool) -> str:  # noqa: ARG001 - it is exact
    return instant.isoformat().replace("+00:00", "Z")


def _date(instant: datetime, *, up: bool) -> str:
    is_midnight = instant.time() == datetime.min.time()
    day = instant.date() + timedelta(days=1 if up and not is_midnight else 0)
    return day.isoformat()


def _epoch_in(unit: int) -> Callable[..., int]:
    def convert(instant: datetime, *, up: bool) -> int:
        number = _epoch(instant, 10**6) / (10**6 // unit)
        return ceil(number) if up else _epoch(instant, unit)

    return convert


#: How a time is converted for a request, by the name of the converter.
CONVERTERS: dict[str, Callable[..., CursorValue]] = {
    "iso": _iso,
    "date": _date,
    "epoch_s": _epoch_in(1),
    "epoch_ms": _epoch_in(1000),
}


def read_time(value: CursorValue) -> datetime | None:
    """Return a value as a time in UTC: a date-time, or a number since 1970 in any unit.

    Returns:
        The time; None if the value is none. Small numbers are taken as seconds.
    """
    number = value if not isinstance(value, str) else _read_digits(value)
    if number is None:
        return read_datetime(value)
    unit = unit_of(number, datetime.now(UTC)) or 1
    rest = timedelta(microseconds=int(number % unit * 10**6 // unit))
    return from_epoch(number, unit) + rest


def convert(value: CursorValue, name: str, *, up: bool = False) -> CursorValue | None:
    """Convert a time for a request.

    Args:
        value: A date-time, or a number since 1970.
        name: The name of the converter.
        up: Whether a time between two values becomes the later one; by default the earlier one.

    Returns:
        The time; None if the value is none.
    """
    instant = read_time(value)
    return None if instant is None else CONVERTERS[name](instant, up=up)
