"""The records of the made-up Chatwoot account, as the API writes them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from tap_chat.sandbox.lines import line
from tap_chat.sandbox.samples import NAMES, SECOND, pick

Row = dict[str, Any]

AGENTS, INBOXES, TEAMS, LABELS = 6, 4, 3, 5
ACCOUNT = 3
#: Chatwoot: a REST API writes the type of a message as a number.
INCOMING, OUTGOING, ACTIVITY = 0, 1, 2


class Message(NamedTuple):
    """One message: its id, and its time in ms."""

    id: int
    moment: int


class Conversation(NamedTuple):
    """One conversation: its number, the time of its start in ms, and its messages by time."""

    number: int
    created: int
    messages: list[Message]

    @property
    def id(self) -> int:
        """Its id, which Chatwoot calls `display_id`."""
        return self.number + 1

    @property
    def last_activity(self) -> int:
        """The time of its last message in seconds."""
        return (self.messages[-1].moment if self.messages else self.created) // SECOND

    @property
    def status(self) -> str:
        """Its status."""
        if self.number % 13 == 5:
            return "snoozed"
        if self.number % 11 == 4:
            return "pending"
        return "resolved" if len(self.messages) % 3 == 0 else "open"


def conversation(seed: int, talk: Conversation, contacts: int) -> Row:
    """Return a conversation as a list has it: with its last message."""
    number = talk.number
    last = len(talk.messages) - 1
    return {
        "meta": {
            "sender": contact(seed, number % max(contacts, 1), talk.created // SECOND),
            "channel": "Channel::WebWidget",
            **({"assignee": agents(seed)[number % AGENTS]} if number % 3 else {}),
            "hmac_verified": False,
        },
        "id": talk.id,
        "messages": [message(seed, talk, last)] if talk.messages else [],
        "account_id": ACCOUNT,
        "uuid": f"{number * 2654435761 % (1 << 32):08x}-0001-4000-8000-{number:012x}",
        "additional_attributes": {"browser": {"größe": number % 5}} if number % 2 else {},
        "can_reply": number % 7 > 0,
        "custom_attributes": {},
        "inbox_id": number % INBOXES + 1,
        "labels": ["a-0", "a-1"][: number % 3],
        "muted": False,
        "snoozed_until": None,
        "status": talk.status,
        "created_at": talk.created // SECOND,
        "updated_at": talk.last_activity + 0.25,
        "timestamp": talk.last_activity,
        "last_activity_at": talk.last_activity,
        "first_reply_created_at": None,
        "unread_count": number % 3,
        "priority": "urgent" if number % 9 == 0 else None,
        "waiting_since": 0,
        "sla_policy_id": None,
    }


def message(seed: int, talk: Conversation, place: int) -> Row:
    """Return the message of a conversation at a place."""
    key, moment = talk.messages[place]
    number = talk.number
    kind = (INCOMING, OUTGOING, OUTGOING, INCOMING, ACTIVITY)[place % 5]
    return {
        "id": key,
        "content": line(seed, number, place, by_agent=kind == OUTGOING) if place % 8 != 7 else None,
        "inbox_id": number % INBOXES + 1,
        "conversation_id": talk.id,
        "message_type": kind,
        "content_type": "text",
        "status": "sent",
        "content_attributes": {"deleted": True} if place % 9 == 8 else {},
        "created_at": moment // SECOND,
        "private": kind == OUTGOING and place % 4 == 2,
        "source_id": None,
        **({"sender": {"id": number, "name": pick(NAMES, number)}} if kind != ACTIVITY else {}),
        **({"attachments": [{"file_type": "image", "id": key}]} if place % 6 == 3 else {}),
    }


def contact(seed: int, number: int, seen: int) -> Row:
    """Return a contact; `seen` is a time in seconds. One without an address is anonymous."""
    return {
        "id": number + 1,
        "name": pick(NAMES, number, seed),
        "email": f"customer{number}@example.com" if number % 3 == 1 else None,
        "phone_number": "+15550100" if number % 3 == 2 else None,
        "identifier": None,
        "thumbnail": "",
        "blocked": False,
        "additional_attributes": {"city": "Łódź"} if number % 2 else {},
        "custom_attributes": {},
        "created_at": seen,
        "last_activity_at": seen if number % 4 else None,
    }


def is_anonymous(row: Row) -> bool:
    """Return whether a contact has no address."""
    return not (row["email"] or row["phone_number"] or row["identifier"])


@lru_cache(maxsize=8)
def agents(seed: int) -> list[Row]:
    """Return all agents."""
    return [
        {
            "id": number + 1,
            "account_id": ACCOUNT,
            "availability_status": "online" if number % 2 else "offline",
            "auto_offline": True,
            "confirmed": True,
            "email": f"agent{number}@example.com",
            "name": pick(NAMES, number, seed),
            "role": "agent" if number else "administrator",
            "custom_role_id": None,
        }
        for number in range(AGENTS)
    ]


def inboxes(_: int) -> list[Row]:
    """Return all inboxes."""
    return [
        {
            "id": number + 1,
            "channel_id": number + 9,
            "name": f"Inbox {number} ✉",
            "channel_type": "Channel::Api" if number else "Channel::WebWidget",
            "enable_auto_assignment": number % 2 == 0,
            "working_hours": [{"day_of_week": 0, "closed_all_day": True, "open_hour": None}],
        }
        for number in range(INBOXES)
    ]


def teams(_: int) -> list[Row]:
    """Return all teams."""
    return [
        {"id": number + 1, "name": f"team {number}", "allow_auto_assign": True, "is_member": False}
        for number in range(TEAMS)
    ]


def labels(_: int) -> list[Row]:
    """Return all labels."""
    return [
        {"id": number + 1, "title": f"a-{number}", "color": "#1f93ff", "show_on_sidebar": True}
        for number in range(LABELS)
    ]
