"""The records of the made-up Intercom account, as the API writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tap_chat.sandbox.lines import line
from tap_chat.sandbox.samples import NAMES, SECOND, pick

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]

ADMINS, TEAMS, TAGS = 7, 3, 5
FIRST_ADMIN = 814_000
#: The kinds of parts, in the order in which they come; the last part of a conversation closes it.
KINDS = ("comment", "comment", "note", "assignment", "comment", "open")


class Conversation(NamedTuple):
    """One conversation: its number, and the times in ms of its start and of its parts."""

    number: int
    created: int
    parts: Sequence[int]

    @property
    def id(self) -> str:
        """Its id."""
        return str(215_000_000 + self.number)

    @property
    def updated_at(self) -> int:
        """The time of its last change, in seconds."""
        return (self.parts[-1] if self.parts else self.created) // SECOND

    @property
    def is_closed(self) -> bool:
        """Whether its last part closes it."""
        return len(self.parts) % len(KINDS) == 0 and bool(self.parts)


def conversation(seed: int, talk: Conversation, contacts: int) -> Row:
    """Return a conversation as a search lists it: without its parts."""
    number = talk.number
    contact = _contact_reference(number % max(contacts, 1))
    admin = number % ADMINS if number % 4 else None
    return {
        "type": "conversation",
        "id": talk.id,
        "created_at": talk.created // SECOND,
        "updated_at": talk.updated_at,
        "waiting_since": talk.updated_at if number % 3 == 0 else None,
        "snoozed_until": None,
        "source": {
            "type": "conversation",
            "id": str(403_000_000 + number),
            "delivered_as": "customer_initiated",
            "subject": "" if number % 2 else f"<p>Nº {number}</p>",
            "body": f"<p>{line(seed, number, 0, by_agent=False)}</p>",
            "author": contact | {"name": pick(NAMES, number), "email": _email(number)},
            "attachments": [],
            "url": None,
            "redacted": False,
        },
        "contacts": {"type": "contact.list", "contacts": [contact]},
        # A number, though the id of an admin is a text.
        "admin_assignee_id": None if admin is None else FIRST_ADMIN + admin,
        "team_assignee_id": str(number % TEAMS) if admin else None,
        "open": not talk.is_closed,
        "state": "closed" if talk.is_closed else "open",
        "read": number % 2 == 0,
        "priority": "priority" if number % 9 == 0 else "not_priority",
        "title": None,
        "tags": {"type": "tag.list", "tags": tags(seed)[: number % 3]},
        "conversation_rating": {"rating": 5, "remark": "👍"} if number % 8 == 1 else None,
        "custom_attributes": {"Größe": number % 5, "AI": None} if number % 3 else {},
        "statistics": {
            "type": "conversation_statistics",
            "count_conversation_parts": len(talk.parts),
        },
    }


def part(seed: int, talk: Conversation, place: int, contacts: int) -> Row:
    """Return the part of a conversation at a place, counted from its first."""
    number, second = talk.number, talk.parts[place] // SECOND
    closes = (place + 1) % len(KINDS) == 0
    kind = "close" if closes else KINDS[place % len(KINDS)]
    by_admin = kind != "comment" or place % 2 == 1
    admin = (number + place) % ADMINS
    author = admin_reference(admin) if by_admin else _contact_reference(number % max(contacts, 1))
    return {
        "type": "conversation_part",
        # Ids of parts are not in the order of time.
        "id": str(7_000_000_000 + (number * 1009 + place) * 7919 % 999_999_937),
        "part_type": kind,
        "body": f"<p>{line(seed, number, place + 2, by_agent=by_admin)}</p>"
        if kind != "close"
        else None,
        "created_at": second,
        "updated_at": second,
        "notified_at": second,
        "assigned_to": admin_reference(admin) if kind == "assignment" else None,
        "author": author | {"name": pick(NAMES, number + place), "email": _email(number)},
        "attachments": [{"type": "upload", "name": "a b.png"}] if place % 5 == 2 else [],
        "external_id": None,
        "redacted": place % 7 == 6,
    }


def contact(seed: int, number: int, created: int, updated: int) -> Row:
    """Return a contact; the times are in seconds."""
    return {
        **_contact_reference(number),
        "workspace_id": "sandbox",
        "role": "user" if number % 3 else "lead",
        "email": _email(number),
        "phone": "+15550100" if number % 4 == 0 else None,
        "name": pick(NAMES, number, seed),
        "created_at": created,
        "updated_at": updated,
        "signed_up_at": created if number % 3 else None,
        "custom_attributes": {"plan": "größer"} if number % 2 else {},
        "location": {"type": "location", "country": "Norge", "region": None},
        "tags": {"type": "list", "data": [], "total_count": 0, "has_more": False},
    }


def admins(seed: int) -> list[Row]:
    """Return all admins."""
    return [
        {
            **admin_reference(number),
            "name": pick(NAMES, number, seed),
            "email": f"admin{number}@example.com",
            "job_title": None if number % 2 else "Support",
            "away_mode_enabled": number % 3 == 0,
            "has_inbox_seat": True,
            "team_ids": [number % TEAMS],
        }
        for number in range(ADMINS)
    ]


def teams(_: int) -> list[Row]:
    """Return all teams."""
    return [
        {
            "type": "team",
            "id": str(number),
            "name": f"Team {number} ✉",
            "admin_ids": [FIRST_ADMIN + number],
        }
        for number in range(TEAMS)
    ]


def tags(_: int) -> list[Row]:
    """Return all tags."""
    return [
        {"type": "tag", "id": str(900 + number), "name": f"a,b {number}"} for number in range(TAGS)
    ]


def admin_reference(number: int) -> Row:
    """Return what refers to an admin."""
    return {"type": "admin", "id": str(FIRST_ADMIN + number)}


def _contact_reference(number: int) -> Row:
    return {
        "type": "contact",
        "id": f"{number * 2654435761 % (1 << 32):08x}{number:016x}",
        "external_id": f"user/{number}" if number % 2 else None,
    }


def _email(number: int) -> str | None:
    return f"customer{number}@example.com" if number % 3 else None
