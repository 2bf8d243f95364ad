"""When the conversations of the made-up Dixa account are created and change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from tap_chat.sandbox.samples import DAY, HOUR, MINUTE, SECOND, epoch_ms

if TYPE_CHECKING:
    import random


class History(NamedTuple):
    """One conversation: when it was created and when it changed since, in ms, ascending."""

    number: int
    created: int
    changes: tuple[int, ...]

    @property
    def csid(self) -> int:
        """The conversation's id."""
        return FIRST_ID + ID_STEP * self.number

    @property
    def updated(self) -> int:
        """When it last changed."""
        return self.changes[-1] if self.changes else self.created


FIRST_ID, ID_STEP = 100_000, 7


def number_of(csid: int) -> int | None:
    """Return the number of a conversation, or None if no conversation can have this id."""
    number, rest = divmod(csid - FIRST_ID, ID_STEP)
    return number if number >= 0 and not rest else None


def change_times(dice: random.Random, number: int, created: int) -> list[int]:
    """Return the times of all changes.

    The number of draws is fixed, so that those for the next conversation stay the same.
    """
    gaps = [dice.randrange(MINUTE), dice.randrange(2 * DAY), dice.randrange(HOUR)]
    late = dice.randrange(45 * DAY)
    count = dice.choice((0, 1, 2, 2, 3, 4))
    moments = []
    moment = created
    for gap in (*gaps, late)[:count]:
        moment += 1 + gap
        moments.append(moment)
    # Dixa does not document the bounds of its filters, so changes are exactly where a window
    # may end, and 1 ms before or after that.
    kind, offset = divmod(number % 9, 3)
    if moments and kind:
        meeting = _next_month(moments[-1]) if kind == 1 else moments[-1] - moments[-1] % DAY + DAY
        moments[-1] = meeting + offset - 1
    return moments


def _next_month(moment: int) -> int:
    day = datetime.fromtimestamp(moment / SECOND, UTC).replace(day=1) + timedelta(days=32)
    return epoch_ms(day.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
