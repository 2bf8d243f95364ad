"""The made-up Chatwoot account: conversations and their messages, contacts, agents, inboxes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from tap_chat.sandbox.dialect import Changes
from tap_chat.sandbox.dialects.chatwoot import rows
from tap_chat.sandbox.dialects.chatwoot.rows import Conversation, Message, Row
from tap_chat.sandbox.samples import DAY, HOUR, MINUTE, NOW, SECOND, creation_times, epoch_ms

if TYPE_CHECKING:
    from datetime import datetime

    from tap_chat.sandbox.dialects.chatwoot.settings import ChatwootData

#: The list of conversations, as drifts name it.
CONVERSATIONS = "chatwoot_conversations"
#: Ids of messages that drifts add begin here.
ADDED = 10_000_000

WEEK = 7 * DAY


@dataclass(frozen=True)
class ChatwootAccount:
    """A Chatwoot account at one time.

    Attributes:
        seed: Decides every value.
        conversations: The number of conversations at NOW.
        contacts: The number of contacts at NOW, anonymous ones included.
        messages: The number of messages of the longest conversation.
        now: Later rows and changes do not exist yet.
        changes: What has happened since.
    """

    seed: int = 7
    conversations: int = 60
    contacts: int = 40
    messages: int = 12
    now: datetime = NOW
    changes: Changes = field(default_factory=Changes)

    @classmethod
    def of(cls, data: ChatwootData) -> ChatwootAccount:
        """Return the account of a world."""
        return cls(
            data.seed,
            data.chatwoot_conversations,
            data.chatwoot_contacts,
            data.chatwoot_messages,
            data.now,
            data.changes,
        )

    @cached_property
    def talks(self) -> list[Conversation]:
        """The conversations in the order of creation."""
        now = epoch_ms(self.now)
        month = 30 * DAY
        until = (now // month + 2) * month
        added = {key: place for place, key in enumerate(self.changes.updated)}
        talks = []
        for talk in _history(self.seed, self.conversations, self.messages, until):
            if talk.created > now:
                break
            messages = [message for message in talk.messages if message.moment <= now]
            if (place := added.get(str(talk.id))) is not None:
                messages.append(Message(ADDED + place, now + SECOND * (1 + place)))
            talks.append(talk._replace(messages=messages))
        return talks

    @cached_property
    def talks_by_id(self) -> dict[str, Conversation]:
        """The conversations by their ids."""
        return {str(talk.id): talk for talk in self.talks}

    @cached_property
    def by_activity(self) -> list[Conversation]:
        """The conversations, those with the latest activity first."""
        return sorted(self.talks, key=lambda talk: (-talk.last_activity, -talk.id))

    @cached_property
    def people(self) -> list[Row]:
        """The contacts that the API lists: not the anonymous ones."""
        dice = random.Random(f"{self.seed} chatwoot contacts")
        times = creation_times(dice, self.contacts, epoch_ms(self.now))
        people = (
            rows.contact(self.seed, number, moment // SECOND) for number, moment in enumerate(times)
        )
        return [row for row in people if not rows.is_anonymous(row)]

    def conversation(self, talk: Conversation) -> Row:
        """Return a conversation as the API has it."""
        return rows.conversation(self.seed, talk, self.contacts)

    def messages_of(self, talk: Conversation) -> list[Row]:
        """Return the messages of a conversation, oldest first, as the API has them."""
        return [rows.message(self.seed, talk, place) for place in range(len(talk.messages))]

    def listed(self, _: str, __: object) -> list[str]:
        """Return the ids of the conversations, those with the latest activity first."""
        return [str(talk.id) for talk in self.by_activity]

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
            "chatwoot_conversations": [self.conversation(talk) for talk in self.talks],
            "chatwoot_messages": [row for talk in self.talks for row in self.messages_of(talk)],
            "chatwoot_contacts": self.people,
            "chatwoot_agents": rows.agents(self.seed),
            "chatwoot_inboxes": rows.inboxes(self.seed),
            "chatwoot_teams": rows.teams(self.seed),
            "chatwoot_labels": rows.labels(self.seed),
        }


@lru_cache(maxsize=4)
def _history(seed: int, size: int, longest: int, until: int) -> list[Conversation]:
    """Return the conversations that begin by a time in ms, with all their messages.

    The ids of messages rise with their times, over all conversations.
    """
    times: list[tuple[int, list[int]]] = []
    dice = random.Random(f"{seed} chatwoot conversations")
    for number, created in enumerate(creation_times(dice, size, until)):
        own = random.Random(f"{seed} chatwoot conversation {number}")
        count = longest if number == 0 else number * 5 % 8
        moments = [created + MINUTE * place for place in range(count)]
        if number % 4 == 3:
            moments += [created + 45 * DAY + HOUR * place for place in range(own.randrange(1, 4))]
        if moments and number % 2:
            # All conversations of a week are resolved within the same second of its last evening.
            evening = moments[-1] - moments[-1] % WEEK + WEEK + 18 * HOUR
            moments.append(evening + number * 7 % SECOND)
        times.append((created, moments))
    places = sorted(
        (moment, number, place)
        for number, (_, moments) in enumerate(times)
        for place, moment in enumerate(moments)
    )
    ids = {(number, place): key for key, (_, number, place) in enumerate(places, 1)}
    return [
        Conversation(
            number,
            created,
            [Message(ids[number, place], moment) for place, moment in enumerate(moments)],
        )
        for number, (created, moments) in enumerate(times)
    ]
