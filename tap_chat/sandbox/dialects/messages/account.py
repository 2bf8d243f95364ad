"""The made-up account of the messages API: one list of messages."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_chat.sandbox.dialect import Changes
from tap_chat.sandbox.samples import is_shown, sentence, timestamp

if TYPE_CHECKING:
    from tap_chat.sandbox.dialect import Row
    from tap_chat.sandbox.dialects.messages.settings import MessagesData

#: Messages of a block are listed newest first.
BLOCK = 50
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
#: Where messages can be inserted.
FRONT, END = "messages, front", "messages, end"


@dataclass(frozen=True)
class MessagesAccount:
    """One account of the messages API.

    Attributes:
        seed: Decides every value.
        size: The number of messages.
        hidden: About one message in this many is not shown; 0 for none.
        changes: What has happened to the list since the account was created.
    """

    seed: int = 7
    size: int = 1000
    hidden: int = 0
    changes: Changes = field(default_factory=Changes)

    @classmethod
    def of(cls, data: MessagesData) -> MessagesAccount:
        """Return the account of a world."""
        return cls(data.seed, data.messages, data.hidden, data.changes)

    @cached_property
    def messages(self) -> list[Row]:
        """The messages in the order of the API, which is only roughly that of time.

        A larger account of the same seed has the same messages first, and then newer ones if the
        smaller one had whole blocks.
        """
        dice = random.Random(f"{self.seed} messages")
        fronts, ends = map(self.changes.inserted.count, (FRONT, END))
        rows = [_message(dice, number) for number in range(self.size + ends)]
        front = [_message_in_front(self.size, number) for number in range(fronts)]
        gone = set(self.changes.removed)
        return [row for row in [*reversed(front), *rows] if row["id"] not in gone]

    def listed(self, _: str, __: object) -> list[str]:
        """Return the ids of the messages, in their order."""
        return [row["id"] for row in self.messages]

    def insert(self, _: str, place: int) -> dict[str, Any]:
        """Return the settings of the world with one more message, at the front for place 0."""
        return {"changes": self.changes.with_inserted(END if place else FRONT)}

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        return {stream: len(rows) for stream, rows in self.truth.items()}

    @property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream must bring."""
        return {"chat_messages": [row for row in self.messages if is_shown(row["id"], self.hidden)]}


def _message_in_front(others: int, number: int) -> Row:
    """Return a message that is newer than this many others and than those inserted before it."""
    moment = EPOCH + timedelta(seconds=37 * (others + 1000 * BLOCK + number))
    message = _message(random.Random(f"front {number}"), number)
    return message | {"id": f"m-front-{number:06d}", "timestamp": timestamp(moment)}


def _message(dice: random.Random, number: int) -> Row:
    block, place = divmod(number, BLOCK)
    moment = EPOCH + timedelta(seconds=37 * (block * BLOCK + BLOCK - place))
    return {
        "id": f"m-{number:09d}",
        "message": sentence(dice) if place else None,
        "timestamp": timestamp(moment + timedelta(milliseconds=dice.randrange(1000))),
        "user_id": f"u-{dice.randrange(1 + number // 10):06d}",
    }
