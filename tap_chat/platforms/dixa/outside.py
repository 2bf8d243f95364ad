"""Counts the records outside the window that was requested, as a failing filter loses some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_chat.platforms.dixa.queries import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_chat.streams.windows import TimeWindow

#: The run fails after this many records in a row that are outside the window.
MANY_OUTSIDE = 10


@dataclass(slots=True)
class OutsideCount:
    """The number of records outside the window.

    It is not known when Dixa's days begin, and a record may change during the export. So a record
    counts as outside if it is more than a day away, and a few are accepted.

    Attributes:
        total: Their number.
        later: The number of those that are later than the window, and are not counted as outside.
        in_a_row: The number of those since the last record inside.
    """

    total: int = 0
    later: int = 0
    in_a_row: int = 0

    def add(
        self, window: TimeWindow, times: Iterable[int | None], *, may_be_later: bool = False
    ) -> bool:
        """Count the records of a page.

        Args:
            window: The requested window, in ms since 1970.
            times: The time of each record that should be in it; None if there is none.
            may_be_later: Whether records after the window are `later` instead of outside.

        Returns:
            Whether the server filters, as far as is known.
        """
        known = [time for time in times if time is not None]
        later = sum(time > window.end + DAY for time in known)
        outside = sum(time < window.start - DAY for time in known)
        if may_be_later:
            self.later += later
        else:
            outside += later
        self.total += outside
        self.in_a_row = self.in_a_row + outside if outside == len(known) else 0
        return self.in_a_row < MANY_OUTSIDE
