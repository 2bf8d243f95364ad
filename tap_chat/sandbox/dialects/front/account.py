"""The made-up company of Front: conversations, and the events that change them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_chat.sandbox.dialects.front.rows import Conversation, Event, Writer
from tap_chat.sandbox.samples import DAY, HOUR, MINUTE, NOW, creation_times, epoch_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_chat.sandbox.dialect import Row
    from tap_chat.sandbox.dialects.front.settings import FrontData


@dataclass(frozen=True)
class FrontAccount:
    """A company of Front at one time.

    Attributes:
        seed: Decides every value.
        size: The number of conversations at NOW.
        now: Later events do not exist yet.
        deleted: The share of conversations that are gone, from 0 to 1.
    """

    seed: int = 7
    size: int = 25
    now: datetime = NOW
    deleted: float = 0.0

    @classmethod
    def of(cls, data: FrontData) -> FrontAccount:
        """Return the account of a world."""
        return cls(data.seed, data.front_conversations, data.now, data.front_deleted)

    @cached_property
    def conversations(self) -> list[Conversation]:
        """The conversations in the order of creation, with the events so far."""
        now = epoch_ms(self.now)
        created = creation_times(random.Random(f"{self.seed} front"), self.size, now)
        return [
            Conversation(number, [event for event in self._history(number, at) if event.at <= now])
            for number, at in enumerate(created)
        ]

    @cached_property
    def events(self) -> list[Row]:
        """The events of all conversations, oldest first."""
        rows = [
            self._writer.event(conversation, place)
            for conversation in self.conversations
            for place in range(len(conversation.events))
        ]
        return sorted(rows, key=lambda row: (row["emitted_at"], row["id"]))

    def listed(self, _: str, __: object) -> list[str]:
        """Return the ids of the events, oldest first."""
        return [row["id"] for row in self.events]

    def insert(self, _: str, __: int) -> dict[str, Any]:
        """Return the settings of the world at the time of the next event, if one comes soon."""
        soon = replace(self, now=self.now + timedelta(days=30)).events[len(self.events) :]
        at = soon[0]["emitted_at"] if soon else None
        return {} if at is None else {"now": datetime.fromtimestamp(at, UTC)}

    @cached_property
    def by_id(self) -> dict[str, Conversation]:
        """The conversations that are not gone."""
        return {
            conversation.id: conversation
            for conversation in self.conversations
            if not self._gone(conversation)
        }

    def conversation(self, conversation: Conversation) -> Row:
        """Return a conversation as the API has it."""
        return self._writer.conversation(conversation, len(conversation.events))

    def messages(self, conversation: Conversation) -> list[Row]:
        """Return the messages of a conversation, newest first."""
        return self._written(conversation, "message")

    def comments(self, conversation: Conversation) -> list[Row]:
        """Return the comments of a conversation, newest first."""
        return self._written(conversation, "comment")

    @cached_property
    def lists(self) -> dict[str, list[Row]]:
        """The lists that have nothing to do with time, by name."""
        return {
            "contacts": self._writer.contacts(self.conversations),
            "teammates": self._writer.teammates(),
            "inboxes": self._writer.inboxes(),
            "tags": self._writer.tags(),
            "channels": self._writer.channels(),
        }

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        return {stream: len(rows) for stream, rows in self.truth.items()}

    @cached_property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream must bring."""
        kept = self.by_id.values()
        return {
            "front_events": self.events,
            "front_conversations": [self.conversation(talk) for talk in kept],
            "front_messages": [
                row | {"_conversations_id": talk.id} for talk in kept for row in self.messages(talk)
            ],
            "front_comments": [
                row | {"_conversations_id": talk.id} for talk in kept for row in self.comments(talk)
            ],
            **{f"front_{name}": rows for name, rows in self.lists.items()},
        }

    def _written(self, conversation: Conversation, kind: str) -> list[Row]:
        """Return what a kind of events has written, newest first."""
        rows = [
            self._writer.target(conversation, place)
            for place, event in enumerate(conversation.events)
            if event.target == kind
        ]
        return [row for row in reversed(rows) if row is not None]

    def _history(self, number: int, created: int) -> Iterator[Event]:
        """Yield all events of a conversation, oldest first."""
        dice = random.Random(f"{self.seed} front conversation {number}")
        moment = created
        # The first one has whatever a conversation can have.
        for place in range(dice.randrange(1, 9) if number else 5):
            yield Event("outbound" if place % 2 else "inbound", moment)
            if place == 0:
                yield Event("assign", moment + MINUTE)
            if place % 3 == 1:
                # Both at the same time, as a rule does it.
                yield Event("comment", moment + MINUTE)
                yield Event("tag", moment + MINUTE)
            moment += dice.randrange(HOUR, DAY)
        yield Event("archive", moment)
        if number % 4 == 0:
            # Weeks later the customer writes again.
            moment += dice.randrange(10 * DAY, 60 * DAY)
            yield Event("inbound", moment)
            yield Event("reopen", moment)

    def _gone(self, conversation: Conversation) -> bool:
        dice = random.Random(f"{self.seed} front gone {conversation.number}")
        return self.deleted > 0 and dice.random() < self.deleted

    @cached_property
    def _writer(self) -> Writer:
        return Writer(self.seed)
