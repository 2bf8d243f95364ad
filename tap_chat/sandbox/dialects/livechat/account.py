"""The made-up LiveChat account: chats that ended, missed chats, and open chats."""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from tap_chat.sandbox.dialects.livechat.rows import Chat, Row, Writer
from tap_chat.sandbox.samples import DAY, HOUR, NOW, OPENED, SECOND, creation_times, epoch_ms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from tap_chat.sandbox.dialects.livechat.settings import LiveChatData

#: The agent that the tap writes for a chat without one.
UNASSIGNED = "unassigned"
#: The longest chat, in seconds.
LONGEST = 4 * 3600


@dataclass(frozen=True)
class LiveChatAccount:
    """A LiveChat account at one time.

    Attributes:
        seed: Decides every value.
        chats: The number of chats that have ended by NOW, or were missed.
        now: Chats that end later do not exist yet, or are open.
        timezone: The account's time zone.
        removed: The ids of chats that are gone.
    """

    seed: int = 7
    chats: int = 150
    now: datetime = NOW
    timezone: str = "Europe/Berlin"
    removed: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: LiveChatData) -> LiveChatAccount:
        """Return the account of a world."""
        return cls(data.seed, data.chats, data.now, data.livechat_timezone, data.changes.removed)

    @cached_property
    def ended(self) -> int:
        """The number of chats that have ended: the first ones of `by_end`."""
        return bisect_right(self.ends, self._seconds)

    @cached_property
    def kept(self) -> list[Chat]:
        """The chats that have ended and are not gone, in the order in which they ended."""
        return self.but_removed(self.by_end[: self.ended])

    def but_removed(self, chats: Sequence[Chat]) -> list[Chat]:
        """Return the chats that are not gone."""
        gone = set(self.removed)
        return [chat for chat in chats if chat.id not in gone] if gone else [*chats]

    @property
    def by_end(self) -> list[Chat]:
        """The chats in the order in which they end, including some that start after `now`."""
        return self._history[0]

    @property
    def ends(self) -> list[int]:
        """When each chat of `by_end` ends, in seconds, ascending."""
        return self._history[1]

    @cached_property
    def open(self) -> list[Chat]:
        """The chats that have started and not ended, newest first."""
        until = bisect_right(self.ends, self._seconds + LONGEST)
        coming = self.by_end[self.ended : until]
        found = [chat for chat in coming if chat.agents is not None]
        found = [chat for chat in found if chat.started <= self._seconds]
        return sorted(found, key=lambda chat: chat.started, reverse=True)

    def listed(self, _: str, __: object) -> list[str]:
        """Return the ids of the chats that have ended, newest first."""
        return [chat.id for chat in reversed(self.kept)]

    def insert(self, _: str, __: int) -> dict[str, Any]:
        """Return the settings of the world in which one more chat has ended, if there is one."""
        if self.ended == len(self.ends):
            return {}
        return {"now": datetime.fromtimestamp(self.ends[self.ended], OPENED.tzinfo)}

    def chat(self, chat: Chat) -> Row:
        """Return a chat as the API has it."""
        return self._writer.chat(chat, self._seconds)

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        chats = self.kept
        return {
            "livechat_chats": sum(chat.agents or 1 for chat in chats),
            "livechat_messages": sum(chat.messages for chat in chats),
            "livechat_events": sum(chat.events for chat in chats),
        }

    @cached_property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream must bring, of the chats that have ended, oldest first."""
        chats = [self.chat(chat) for chat in self.kept]
        return {
            "livechat_chats": [
                {**chat, "agent_email": agent["email"]}
                for chat in chats
                for agent in chat.get("agents") or [{"email": UNASSIGNED}]
            ],
            "livechat_messages": _nested(chats, "messages"),
            "livechat_events": _nested(chats, "events"),
        }

    @cached_property
    def _writer(self) -> Writer:
        return Writer(self.seed, self.timezone)

    @cached_property
    def _seconds(self) -> int:
        return epoch_ms(self.now) // SECOND

    @cached_property
    def _history(self) -> tuple[list[Chat], list[int]]:
        # Whole months ahead, so that a world a little later has the same history.
        month = 30 * DAY
        return history(self.seed, self.chats, (epoch_ms(self.now) // month + 2) * month)


@lru_cache(maxsize=4)
def history(seed: int, size: int, until: int) -> tuple[list[Chat], list[int]]:
    """Return the chats that end by a time in ms, in that order, and when they end, in seconds."""
    dice = random.Random(f"{seed} livechat durations")
    opened = epoch_ms(OPENED) // SECOND
    chats = []
    # LiveChat: days are those of the account's zone, so chats end about midnight in Berlin.
    ends = creation_times(
        random.Random(f"{seed} livechat"), size, until, midnight=23 * HOUR, margin=SECOND
    )
    for number, moment in enumerate(ends):
        # Upwards, so that none ends before its slot of time.
        end = -(-moment // SECOND)
        duration = int(dice.random() ** 3 * LONGEST)
        chat = Chat(number, max(end - duration, opened), end)
        chats.append(chat if chat.agents is not None else chat._replace(started=end))
    return chats, [chat.ended for chat in chats]


def _nested(chats: list[Row], name: str) -> list[Row]:
    return [
        {**item, "chat_id": chat["id"], "event_id": item.get("event_id") or f"{chat['id']}_{place}"}
        for chat in chats
        for place, item in enumerate(chat.get(name, ()))
    ]
