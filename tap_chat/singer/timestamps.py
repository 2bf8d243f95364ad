"""Times as APIs write them: ISO 8601 texts, and numbers since 1970."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_chat.http.clock import FAR, SLACK

if TYPE_CHECKING:
    from collections.abc import Iterable

EARLIEST = datetime.min.replace(tzinfo=UTC)

#: Units of times since 1970 that are integers: so many are a second.
UNITS = (1, 10**3, 10**6, 10**9)
#: No chat is older; and below, in any unit, are plain numbers.
OLDEST = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())


def read_datetime(value: object) -> datetime | None:
    """Return a date-time in UTC, or None if there is none to be read.

    Args:
        value: A date or date-time, or the ISO 8601 text of one with hyphens, taken for UTC if it
            names no offset.
    """
    text = value if isinstance(value, str) else str(value)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is UTC:
            pass
        elif moment.tzinfo:
            moment = moment.astimezone(UTC)
        else:
            moment = moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    # Python reads other texts of digits, such as an epoch, as some date, too.
    return moment if text[4:8:3] == "--" else None


def write_datetime(moment: datetime) -> str:
    """Return a date-time of UTC in the format of bookmarks, `2026-01-31T12:00:00.000000Z`."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def normalise_datetime(value: object) -> str | None:
    """Return a date-time in the format of bookmarks.

    Args:
        value: As for `read_datetime`.

    Returns:
        The same instant in UTC with microseconds, or None if there is none to be read.
    """
    moment = read_datetime(value)
    return None if moment is None else write_datetime(moment)


def from_number(number: float, unit: int) -> datetime:
    """Return the moment that a number is, the last one that there is for those beyond.

    Args:
        number: A time since 1970.
        unit: How many of its units are a second.
    """
    try:
        return datetime.fromtimestamp(number // unit, UTC)
    except (ValueError, OverflowError, OSError):
        return FAR


def bounds(unit: int, now: datetime) -> tuple[int, int]:
    """Return the first and the last number that is a time of 2000 to now.

    Args:
        unit: How many of its units are a second.
        now: What time it is.
    """
    return OLDEST * unit, int((now + SLACK).timestamp()) * unit


def unit_of(number: float, now: datetime) -> int | None:
    """Return how many of a number's units are a second, or None if it is no time of 2000 to now.

    Args:
        number: The number.
        now: What time it is.
    """
    for unit in UNITS:
        first, last = bounds(unit, now)
        if first <= number <= last:
            return unit
    return None


class Times:
    """Finds out whether numbers are times, by most of them."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)
        self._within = dict.fromkeys(UNITS, 0)
        self._beyond = dict.fromkeys(UNITS, 0)

    def count(self, numbers: Iterable[float]) -> None:
        """Take note of values of the replication key."""
        ordered = sorted(numbers)
        for unit in UNITS:
            first, last = bounds(unit, self._now)
            end = bisect_right(ordered, last)
            self._within[unit] += end - bisect_left(ordered, first)
            self._beyond[unit] += len(ordered) - end

    def unit(self, known: float | None) -> int | None:
        """Return how many of the numbers' units are a second, or None if they are no times.

        Args:
            known: The bookmark before them, which decides if there is one.
        """
        if known is not None:
            return unit_of(known, self._now)
        unit = max(UNITS, key=lambda unit: self._within[unit])
        return unit if self._within[unit] > self._beyond[unit] else None
