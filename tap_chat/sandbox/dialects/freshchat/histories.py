"""When the users and conversations of the made-up Freshchat account were created and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_chat.sandbox.dialects.freshchat import rows
from tap_chat.sandbox.samples import DAY, HOUR, MINUTE, SECOND, pick, timestamp

if TYPE_CHECKING:
    import random


class User(NamedTuple):
    """A user: when it was created and when it changed since, in ms, ascending."""

    number: int
    id: str
    created: int
    changes: list[int]

    @property
    def updated_time(self) -> str | None:
        """The `updated_time` of the API.

        Freshchat: whether it is null or equal to the creation while nothing has changed is not
        known, so both occur.
        """
        if not self.changes and self.number % 2:
            return None
        return timestamp(self.changes[-1] if self.changes else self.created)


class Conversation(NamedTuple):
    """A conversation: its user, and the times of its messages and states, in ms, ascending."""

    number: int
    id: str
    user: User
    created: int
    messages: list[int]
    states: list[tuple[int, str]]

    @property
    def updated(self) -> int:
        """When the conversation last changed."""
        return max(self.states[-1][0], self.messages[-1] if self.messages else 0)


def message_times(dice: random.Random, number: int, created: int) -> tuple[list[int], list[int]]:
    """Return the times of the messages of a conversation, and those after the customer returns."""
    size = pick(rows.SIZES, number)
    pace = dice.choice((30 * SECOND, 10 * MINUTE, 8 * HOUR))
    first = _burst(dice, created, size, pace)
    if not first or size in rows.WHOLE_PAGES or dice.random() < 1 / 2:
        return first, []
    back = first[-1] + dice.randrange(2 * DAY, 60 * DAY)
    return first, _burst(dice, back, dice.randint(1, 9), pace)


def _burst(dice: random.Random, start: int, size: int, pace: int) -> list[int]:
    moments = []
    for place in range(size):
        # Some messages share their millisecond with the one before.
        start += dice.randrange(1, 2 * pace) if place % 7 else 0
        moments.append(start)
    return moments
