"""The made-up Intercom account: conversations and their parts, contacts, admins, teams, tags."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zlib import crc32

from tap_chat.sandbox.dialect import Changes
from tap_chat.sandbox.dialects.intercom import rows
from tap_chat.sandbox.dialects.intercom.rows import Conversation, Row
from tap_chat.sandbox.samples import DAY, HOUR, MINUTE, NOW, SECOND, creation_times, epoch_ms

if TYPE_CHECKING:
    from datetime import datetime

    from tap_chat.sandbox.dialects.intercom.settings import IntercomData

#: The list of conversations, as drifts name it.
CONVERSATIONS = "intercom_conversations"
#: Intercom: a conversation has at most this many parts, the newest ones.
MOST_PARTS = 500

WEEK = 7 * DAY


@dataclass(frozen=True)
class IntercomAccount:
    """An Intercom account at one time.

    Attributes:
        seed: Decides every value.
        conversations: The number of conversations at NOW.
        contacts: The number of contacts at NOW.
        parts: The number of parts of the longest conversation.
        gone: The share of conversations that a search finds, but return 404, from 0 to 1.
        now: Later rows and changes do not exist yet.
        changes: What has happened since.
    """

    seed: int = 7
    conversations: int = 60
    contacts: int = 40
    parts: int = 12
    gone: float = 0.0
    now: datetime = NOW
    changes: Changes = field(default_factory=Changes)

    @classmethod
    def of(cls, data: IntercomData) -> IntercomAccount:
        """Return the account of a world."""
        return cls(
            data.seed,
            data.intercom_conversations,
            data.intercom_contacts,
            data.intercom_parts,
            data.intercom_gone,
            data.now,
            data.changes,
        )

    @cached_property
    def talks(self) -> list[Conversation]:
        """The conversations in the order of creation."""
        now = epoch_ms(self.now)
        moments = {key: now + SECOND * (1 + n) for n, key in enumerate(self.changes.updated)}
        dice = random.Random(f"{self.seed} intercom conversations")
        talks = []
        for number, created in enumerate(creation_times(dice, self.conversations, now)):
            times = [moment for moment in self._part_times(number, created) if moment <= now]
            talk = Conversation(number, created, times)
            if talk.id in moments:
                talk = talk._replace(parts=[*times, moments[talk.id]])
            talks.append(talk)
        return talks

    @cached_property
    def talks_by_id(self) -> dict[str, Conversation]:
        """The conversations whose own pages exist."""
        return {talk.id: talk for talk in self.talks if not self._is_gone(talk)}

    @cached_property
    def found(self) -> list[Row]:
        """The conversations as a search lists them."""
        return [rows.conversation(self.seed, talk, self.contacts) for talk in self.talks]

    @cached_property
    def people(self) -> list[Row]:
        """The contacts."""
        now = epoch_ms(self.now)
        people = []
        dice = random.Random(f"{self.seed} intercom contacts")
        for number, created in enumerate(creation_times(dice, self.contacts, now)):
            times = [created + gap * DAY for gap in (0, 9, 40)[: 1 + number % 3]]
            updated = max(moment for moment in times if moment <= now)
            people.append(rows.contact(self.seed, number, created // SECOND, updated // SECOND))
        return people

    def parts_of(self, talk: Conversation) -> list[Row]:
        """Return the parts of a conversation, oldest first, without those before the newest 500."""
        first = max(len(talk.parts) - MOST_PARTS, 0)
        return [
            rows.part(self.seed, talk, place, self.contacts)
            for place in range(first, len(talk.parts))
        ]

    def listed(self, _: str, __: object) -> list[str]:
        """Return the ids of the conversations by the time of their last change."""
        return [talk.id for talk in sorted(self.talks, key=lambda talk: (talk.updated_at, talk.id))]

    def insert(self, _: str, __: int) -> dict[str, Any]:
        """Return no settings: no row can be inserted."""
        return {}

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        return {stream: len(found) for stream, found in self.truth.items()}

    @cached_property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream must bring."""
        return {
            "intercom_conversations": self.found,
            "intercom_conversation_parts": [
                part | {"_conversations_id": talk.id}
                for talk in self.talks_by_id.values()
                for part in self.parts_of(talk)
            ],
            "intercom_contacts": self.people,
            "intercom_admins": rows.admins(self.seed),
            "intercom_teams": rows.teams(self.seed),
            "intercom_tags": rows.tags(self.seed),
        }

    def _part_times(self, number: int, created: int) -> list[int]:
        """Return the times of the parts of a conversation, in ms, whenever they come."""
        dice = random.Random(f"{self.seed} intercom conversation {number}")
        count = self.parts if number == 0 else number * 5 % 8
        times = [created + MINUTE * (place + 1) for place in range(count)]
        if number % 4 == 3:
            times += [created + 45 * DAY + HOUR * place for place in range(dice.randrange(1, 4))]
        if times and number % 2:
            # All conversations of a week are closed within the same second of its last evening.
            evening = times[-1] - times[-1] % WEEK + WEEK + 18 * HOUR
            times.append(evening + number * 7 % SECOND)
        return times

    def _is_gone(self, talk: Conversation) -> bool:
        return self.gone > 0 and crc32(f"{self.seed} {talk.id}".encode()) < self.gone * 2**32
