"""The made-up Freshchat account: its users, their conversations, and the messages of these."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_chat.sandbox.dialect import Changes
from tap_chat.sandbox.dialects.freshchat import report_rows, rows
from tap_chat.sandbox.dialects.freshchat.histories import Conversation, User, message_times
from tap_chat.sandbox.samples import (
    DAY,
    HOUR,
    NOW,
    OPENED,
    SECOND,
    creation_times,
    epoch_ms,
    is_shown,
    timestamp,
)

if TYPE_CHECKING:
    from datetime import datetime

    from tap_chat.sandbox.dialects.freshchat.report_rows import Cells
    from tap_chat.sandbox.dialects.freshchat.settings import FreshchatData, FreshchatOptions

Row = dict[str, Any]

#: The list of users, as drifts name it.
USERS = "users"


@dataclass(frozen=True)
class FreshchatAccount:
    """A Freshchat account at one time.

    Attributes:
        seed: Decides every value.
        users: The number of users at NOW.
        conversations: The number of their conversations at NOW.
        now: Later rows and changes do not exist yet.
        deleted: The share of users and conversations that are listed, but gone, from 0 to 1.
        hidden: One of about this many rows is not shown in its list; 0 to show all.
        changes: What has happened since.
    """

    seed: int = 7
    users: int = 20
    conversations: int = 60
    now: datetime = NOW
    deleted: float = 0.0
    hidden: int = 0
    changes: Changes = field(default_factory=Changes)

    @classmethod
    def of(cls, data: FreshchatData) -> FreshchatAccount:
        """Return the account of a world."""
        sizes = data.users, data.conversations
        return cls(data.seed, *sizes, data.now, data.deleted, data.hidden, data.changes)

    def listed(self, name: str, options: FreshchatOptions) -> list[str]:
        """Return the ids of the users or the conversations, in the order of their list."""
        if name == USERS:
            return [user.id for user in self.in_order(options.users_order)]
        return [talk.id for talk in self.talks]

    def insert(self, name: str, _: int) -> dict[str, Any]:
        """Return the settings of the world with one more user, later than all others."""
        return {"changes": self.changes.with_inserted(name)}

    @cached_property
    def people(self) -> list[User]:
        """The users in the order of creation. The first is as old as the account."""
        now = epoch_ms(self.now)
        came = [
            User(number, rows.user_id(number), now + 1 + place, [])
            for place, number in enumerate(
                range(len(self._founders), len(self._founders) + self.changes.inserted.count(USERS))
            )
        ]
        gone, updated = set(self.changes.removed), self.changes.updated
        moments = {key: now + SECOND * (1 + place) for place, key in enumerate(updated)}
        return [
            user._replace(changes=[*user.changes, moments[user.id]]) if user.id in moments else user
            for user in [*self._founders, *came]
            if user.id not in gone
        ]

    def in_order(self, order: str) -> list[User]:
        """Return the users ordered by `created_time` or `updated_time`, descending after a minus.

        Args:
            order: One of these.
        """
        by_update = order.endswith("updated_time")
        return sorted(
            self.people,
            key=lambda user: user.changes[-1] if by_update and user.changes else user.created,
            reverse=order.startswith("-"),
        )

    @cached_property
    def _founders(self) -> list[User]:
        """The users that existed when the world was made."""
        now = epoch_ms(self.now)
        dice = random.Random(f"{self.seed} freshchat changes")
        moments = list(creation_times(self._dice("users"), self.users, now))
        if self.users and now >= epoch_ms(OPENED):
            moments[:1] = [epoch_ms(OPENED)]
        people = []
        for number, created in enumerate(moments):
            gaps = [dice.randrange(1, 30 * DAY) for _ in range(3)]
            # Freshchat: a user does not change when a message comes, and many never change.
            count = number // 2 % 4 if number % 3 else 0
            changes = [created + sum(gaps[: place + 1]) for place in range(count)]
            changes = [change for change in changes if change <= now]
            people.append(User(number, rows.user_id(number), created, changes))
        return people

    @cached_property
    def talks(self) -> list[Conversation]:
        """The conversations in the order of creation."""
        now = epoch_ms(self.now)
        born = creation_times(
            self._dice("conversations"), self.conversations if self.users else 0, now
        )
        talkers = [user for user in self._founders if user.number % 10 != rows.SILENT]
        known = [user.created for user in talkers]
        talks = []
        gone = set(self.changes.removed)
        for number, moment in enumerate(born):
            key = rows.conversation_id(number)
            if key in gone:
                continue
            dice = self._dice(f"conversation {number}")
            user = talkers[dice.randrange(bisect_right(known, moment))]
            first, late = message_times(dice, number, moment)
            states = [(moment, "new")]
            if first:
                states += [(first[0], "assigned"), (first[-1] + HOUR, "resolved")]
            if late:
                states += [(late[0], "reopened"), (late[-1] + 10 * DAY, "resolved")]
            talks.append(
                Conversation(
                    number,
                    key,
                    user,
                    moment,
                    [at for at in first + late if at <= now],
                    [state for state in states if state[0] <= now],
                )
            )
        return talks

    @cached_property
    def people_by_id(self) -> dict[str, User]:
        """The users whose own pages exist."""
        return {user.id: user for user in self.people if not self._gone("user", user.number)}

    @cached_property
    def talks_by_id(self) -> dict[str, Conversation]:
        """The conversations whose own pages exist."""
        return {talk.id: talk for talk in self.talks if not self._gone("talk", talk.number)}

    @cached_property
    def talks_by_user(self) -> dict[str, list[Conversation]]:
        """The conversations of each user, gone or not."""
        talks = defaultdict(list)
        for talk in self.talks:
            talks[talk.user.id].append(talk)
        return talks

    def user(self, user: User) -> Row:
        """Return a user as the API has it."""
        return rows.user(self.seed, user.number, user.created, user.updated_time, len(user.changes))

    def conversation(self, talk: Conversation) -> Row:
        """Return a conversation as the API has it."""
        return rows.conversation(
            self.seed, talk.number, talk.user.id, talk.created, (talk.updated, talk.states[-1][1])
        )

    def messages(
        self, talk: Conversation, after: str = "", start: int = 0, stop: int | None = None
    ) -> list[Row]:
        """Return a slice of the messages of a conversation, newest first, as the API has them."""
        count = len(talk.messages)
        since = bisect_right(talk.messages, after, key=timestamp) if after else 0
        places = range(count - 1, since - 1, -1)[start:stop]
        return [
            rows.message(self.seed, talk.number, place, talk.user.id, talk.messages[place])
            for place in places
        ]

    def report(self, event: str) -> list[Cells]:
        """Return the rows of a report, ascending by time."""
        if event not in self._reports:
            found = report_rows.report_rows(self.seed, self.talks, self.now, event)
            self._reports[event] = found
        return self._reports[event]

    @cached_property
    def _reports(self) -> dict[str, list[Cells]]:
        return {}

    def reported(self, *events: str) -> list[Row]:
        """Return the rows of reports, as the tap writes them."""
        return [report_rows.record(event, row) for event in events for row in self.report(event)]

    @property
    def transcripts(self) -> list[Row]:
        """The rows of `freshchat_chat_transcripts`, which no config of the sandbox reads."""
        return self.reported(report_rows.TRANSCRIPT)

    def listing(self, name: str) -> list[Row]:
        """Return all roles, agents, groups or channels."""
        return rows.LISTS[name](self.seed)

    def shown(self, found: list[Row]) -> list[Row]:
        """Return those of some rows that are shown."""
        return [row for row in found if is_shown(str(row["id"]), self.hidden)]

    @cached_property
    def account(self) -> Row:
        """The account's configuration."""
        return rows.account(self.seed)

    @cached_property
    def fields(self) -> list[Row]:
        """The definitions of the properties of conversations."""
        return rows.fields()

    @cached_property
    def reachable(self) -> list[tuple[User, Conversation]]:
        """The conversations, gone or not, of the users that are not gone."""
        return [
            (user, talk)
            for user in self.people_by_id.values()
            if is_shown(user.id, self.hidden)
            for talk in self.talks_by_user.get(user.id, ())
        ]

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        kept = [talk for _, talk in self.reachable if talk.id in self.talks_by_id]
        return {
            "freshchat_account": 1,
            **{f"freshchat_{name}": len(self.shown(self.listing(name))) for name in rows.LISTS},
            "freshchat_users": sum(is_shown(user.id, self.hidden) for user in self.people),
            "freshchat_users_conversations": len(self.reachable),
            "freshchat_conversations": len(kept),
            "freshchat_conversations_messages": sum(
                len(self.shown(self.messages(talk))) if self.hidden else len(talk.messages)
                for talk in kept
            ),
            "freshchat_conversations_properties": len(self.fields),
            **{name: len(found) for name, found in self._report_truth.items()},
        }

    @cached_property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream must bring."""
        kept = [talk for _, talk in self.reachable if talk.id in self.talks_by_id]
        return {
            "freshchat_account": [self.account],
            **{f"freshchat_{name}": self.shown(self.listing(name)) for name in rows.LISTS},
            "freshchat_users": self.shown([self.user(user) for user in self.people]),
            "freshchat_users_conversations": [
                {"id": talk.id, "user_id": user.id} for user, talk in self.reachable
            ],
            "freshchat_conversations": [self.conversation(talk) for talk in kept],
            "freshchat_conversations_messages": [
                message | {"conversation_id": talk.id}
                for talk in kept
                for message in self.shown(self.messages(talk))
            ],
            "freshchat_conversations_properties": self.fields,
            **self._report_truth,
        }

    @property
    def _report_truth(self) -> dict[str, list[Row]]:
        return {
            "freshchat_csat_scores": self.reported(report_rows.RATING),
            "freshchat_conversation_events": self.reported(*report_rows.CHANGES),
        }

    def _dice(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed} freshchat {purpose}")

    def _gone(self, kind: str, number: int) -> bool:
        return self.deleted > 0 and self._dice(f"gone {kind} {number}").random() < self.deleted
