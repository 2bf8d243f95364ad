"""Times as APIs write them: ISO 8601 texts, and numbers since 1970."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_chat.http.clock import FAR, SLACK

if TYPE_CHECKING:
    from collections.abc import Iterable

EARLIEST = datetime.min.replace(tzinfo=UTC)

#: Units of numbers since 1970, each as its number per second: s, ms, µs, ns.
UNITS = (1, 10**3, 10**6, 10**9)
#: No chat is older. Smaller numbers, in any unit, are not times.
OLDEST = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())


def read_datetime(value: object) -> datetime | None:
    """Return a date-time in UTC, or None for a value that is not a date-time.

    Args:
        value: A date, a date-time, or an ISO 8601 text with hyphens. Without an offset, it is
            taken as UTC.
    """
    text = value if isinstance(value, str) else str(value)
    try:
        timestamp = datetime.fromisoformat(text)
        if timestamp.tzinfo is UTC:
            pass
        elif timestamp.tzinfo:
            timestamp = timestamp.astimezone(UTC)
        else:
            timestamp = timestamp.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    # Python also reads other texts of digits, such as a number since 1970, as a date.
    return timestamp if text[4:8:3] == "--" else None


def write_datetime(timestamp: datetime) -> str:
    """Return a date-time in UTC in the format of bookmarks: `2026-01-31T12:00:00.000000Z`."""
    return timestamp.isoformat(timespec="microseconds").replace("+00:00", "Z")


def normalise_datetime(value: object) -> str | None:
    """Return a value in the format of bookmarks, or None if it is not a date-time.

    Args:
        value: As for `read_datetime`.
    """
    timestamp = read_datetime(value)
    return None if timestamp is None else write_datetime(timestamp)


def from_epoch(number: float, unit: int) -> datetime:
    """Return a number since 1970 as a date-time, without fractions of a second.

    Args:
        number: The number. If it is after the last date-time of Python, that one is returned.
        unit: Its unit, one of `UNITS`.
    """
    try:
        return datetime.fromtimestamp(number // unit, UTC)
    except (ValueError, OverflowError, OSError):
        return FAR


def epoch_range(unit: int, now: datetime) -> tuple[int, int]:
    """Return the first and the last number that is a time from 2000 until now, in a unit."""
    return OLDEST * unit, int((now + SLACK).timestamp()) * unit


def unit_of(number: float, now: datetime) -> int | None:
    """Return the unit in which a number is a time from 2000 until now, or None if there is none."""
    for unit in UNITS:
        first, last = epoch_range(unit, now)
        if first <= number <= last:
            return unit
    return None


class UnitDetector:
    """Finds the unit of numbers by majority, because a few of them may be wrong."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)
        self._inside = dict.fromkeys(UNITS, 0)
        self._beyond = dict.fromkeys(UNITS, 0)

    def add(self, numbers: Iterable[float]) -> None:
        """Count numbers."""
        ordered = sorted(numbers)
        for unit in UNITS:
            first, last = epoch_range(unit, self._now)
            end = bisect_right(ordered, last)
            self._inside[unit] += end - bisect_left(ordered, first)
            self._beyond[unit] += len(ordered) - end

    def unit(self, bookmark: float | None) -> int | None:
        """Return the unit of the numbers, or None if they are not times.

        Args:
            bookmark: The bookmark before them, which decides if there is one.
        """
        if bookmark is not None:
            return unit_of(bookmark, self._now)
        unit = max(UNITS, key=lambda unit: self._inside[unit])
        return unit if self._inside[unit] > self._beyond[unit] else None
