"""When the threads of the made-up LiveChat account begin and end, and which chats they are of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from tap_chat.sandbox.dialects.livechat.account import history
from tap_chat.sandbox.dialects.livechat.rows import AGENTS, Chat
from tap_chat.sandbox.samples import OPENED

#: Times are in microseconds since 1970, as LiveChat's have a resolution of microseconds.
SECOND = 1_000_000
DAY = 86400 * SECOND
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
#: The longest thread, and the longest time from its beginning to the next thread of its chat.
LONGEST, LONGEST_PAUSE = 3 * DAY, 4 * DAY


class Thread(NamedTuple):
    """One thread, whose id is that of the chat in LiveChat's v2 API.

    Attributes:
        number: The number of that chat.
        created: When it begins.
        ended: When it ends.
        chat: The number of the first thread of its chat.
        previous: The number of the thread before it in its chat; None for the first.
        next: The number of the thread after it in its chat, and when it begins; None for the last.
    """

    number: int
    created: int
    ended: int
    chat: int
    previous: int | None = None
    next: tuple[int, int] | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return thread_id(self.number)

    @property
    def agents(self) -> int:
        """The number of its agents."""
        return AGENTS[self.number % len(AGENTS)] or 0

    def late(self, days: float) -> int:
        """Return when it changes for the last time, at most this many days after it began."""
        return max(self.created + int(days * DAY) * (self.number % 5 + 1) // 5, self.ended)


def thread_id(number: int) -> str:
    """Return the id of a thread, which is that of the chat in LiveChat's v2 API."""
    return Chat(number, 0, 0).id


def microseconds(moment: datetime) -> int:
    """Return a time in microseconds since 1970."""
    return (moment - BEGINNING) // timedelta(microseconds=1)


def timestamp(moment: int) -> str:
    """Return a time as LiveChat writes it: UTC with microseconds and a Z."""
    text = (BEGINNING + timedelta(microseconds=moment)).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


@lru_cache(maxsize=4)
def threads(seed: int, size: int, until: int) -> list[Thread]:
    """Return the threads of an account that begin until some weeks before a time in ms, by that.

    A thread lasts until the next one has begun, so that one is active at most times.
    """
    chats, _ = history(seed, size, until)
    begun = sorted((_created(chats, number), number) for number in range(len(chats)))
    found: list[Thread] = []
    for place, (created, number) in enumerate(begun):
        following = begun[place + 1][0] if place + 1 < len(begun) else created
        ended = max(chats[number].ended * SECOND, min(following + 60 * SECOND, created + LONGEST))
        thread = Thread(number, created, max(ended, created + SECOND), number)
        before = found[place - 3] if place >= 3 else None
        if before and number % 4 and before.ended <= created <= before.created + LONGEST_PAUSE:
            thread = thread._replace(chat=before.chat, previous=before.number)
            found[place - 3] = before._replace(next=(number, created))
        found.append(thread)
    return found


def _created(chats: list[Chat], number: int) -> int:
    """Return when a thread begins; some begin at midnight, and some at the same time."""
    if number % 50 == 7:
        number -= 1
    moment = chats[number].started * SECOND + number * 7919 % SECOND
    if number % 20 == 11:
        return max(moment - moment % DAY, microseconds(OPENED))
    return moment
