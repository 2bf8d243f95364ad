"""The raw material of the made-up accounts: times, words, names, and an even pace of creation."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

T = TypeVar("T")

#: The credential that every API of the sandbox accepts.
API_KEY = "sandbox-key"

#: The accounts of Freshchat, Dixa and LiveChat begin here.
OPENED = datetime(2025, 10, 1, tzinfo=UTC)
#: At this time they have the sizes of the settings; afterwards they grow at the same pace.
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

WORDS = (
    "hello", "order", "refund", "shipping", "please", "thanks", "when", "invoice", "où", "straße",
    "日本語", "🚚", "password", "won't", '"quoted"', "a,b", "line\nbreak", "tab\there", "100%",
)  # fmt: skip
NAMES = ("Ana", "Bjørn", "Chloé", "Daw", "Emre", "Fatima", "Gus", "Łukasz", "美咲", "O'Neil")


def epoch_ms(moment: datetime) -> int:
    """Return a time in milliseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def timestamp(moment: datetime | int) -> str:
    """Return a time, or milliseconds since 1970, as text: UTC with milliseconds and a Z."""
    if isinstance(moment, int):
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def creation_times(
    dice: random.Random, size: int, until: int, *, midnight: int = 0, margin: int = 1
) -> Iterator[int]:
    """Yield the times at which rows are created, in ms, ascending.

    Exactly `size` of them are between OPENED and NOW, and later ones follow at the same pace. Some
    are exactly at midnight, and some just before or after it.

    Args:
        dice: Decides all that is left to chance.
        size: The number of rows that exist at NOW.
        until: The last time, in ms.
        midnight: The time of midnight in a day of UTC, in ms.
        margin: How long before or after midnight, in ms.
    """
    start, span = epoch_ms(OPENED), epoch_ms(NOW) - epoch_ms(OPENED)
    for number in itertools.count(1) if size else ():
        end = epoch_ms(OPENED) + number * span // size
        moment = start + 1 + dice.randrange(end - start)
        meeting = end - (end - midnight) % DAY + (number % 3 - 1) * margin
        if start < meeting <= end and dice.random() < 1 / 3:
            moment = meeting
        if moment > until:
            return
        yield moment
        start = end


def is_shown(key: str, hidden: int) -> bool:
    """Return whether a row is shown, where one of about `hidden` rows is not.

    Args:
        key: The id of the row.
        hidden: One of about this many rows is not shown; 0 to show all.
    """
    return not hidden or crc32(key.encode()) % hidden > 0


def sentence(dice: random.Random, most: int = 12) -> str:
    """Return up to `most` words."""
    return " ".join(dice.choices(WORDS, k=dice.randint(1, most)))


def pick(pool: Sequence[T], number: int, salt: int = 0) -> T:
    """Return the item of a pool that belongs to a number: always the same, and fast."""
    return pool[(number * 7919 + salt * 104729) % len(pool)]
