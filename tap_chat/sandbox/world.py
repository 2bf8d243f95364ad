"""The made-up accounts behind the sandbox: the same seed always gives the same rows."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

#: The credential that every API of the sandbox accepts.
API_KEY = "sandbox-key"

#: Messages of a block are listed newest first.
BLOCK = 50
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
WORDS = (
    "hello", "order", "refund", "shipping", "please", "thanks", "when", "invoice", "où", "straße",
    "日本語", "🚚", "password", "won't", '"quoted"', "a,b", "line\nbreak", "tab\there", "100%",
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """The data of one sandbox.

    Attributes:
        seed: Decides every value.
        messages: The number of messages of the messages API, in rows.
    """

    seed: int = 7
    messages: int = 1000

    @cached_property
    def chat_messages(self) -> list[dict[str, Any]]:
        """The messages in the API's order, which is not that of time, but roughly.

        A larger world of the same seed has the same messages first, and then newer ones if the
        smaller one had whole blocks.
        """
        dice = random.Random(f"{self.seed} messages")
        return [_message(dice, number) for number in range(self.messages)]

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        return {"chat_messages": self.messages}


def timestamp(moment: datetime) -> str:
    """Return a moment in the format of the messages API: UTC with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(dice: random.Random, number: int) -> dict[str, Any]:
    block, place = divmod(number, BLOCK)
    moment = EPOCH + timedelta(seconds=37 * (block * BLOCK + BLOCK - place))
    return {
        "id": f"m-{number:09d}",
        "message": " ".join(dice.choices(WORDS, k=dice.randint(1, 12))) if place else None,
        "timestamp": timestamp(moment + timedelta(milliseconds=dice.randrange(1000))),
        "user_id": f"u-{dice.randrange(1 + number // 10):06d}",
    }
