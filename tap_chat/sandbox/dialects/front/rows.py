"""The rows of Front: events, conversations, and what belongs to them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_chat.sandbox.lines import line
from tap_chat.sandbox.samples import NAMES, SECOND, pick, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Row = dict[str, Any]

#: Front: links lead to the host of the company, not to the one that a client asks.
HOST = "https://sandbox.api.frontapp.com"
#: What each type of event is about.
TARGETS = {
    "inbound": "message",
    "outbound": "message",
    "comment": "comment",
    "assign": "teammate",
    "tag": "tag",
}
#: The status of a conversation after each type of event that changes it.
STATUSES = {
    "inbound": "unassigned",
    "assign": "assigned",
    "archive": "archived",
    "reopen": "assigned",
}
CONTACTS = 11
TEAMMATES = 8
INBOXES = 2
CHANNELS = 3
TAGS = 4


class Event(NamedTuple):
    """Something that happened to a conversation.

    Attributes:
        type: What happened.
        at: When, in ms.
    """

    type: str
    at: int

    @property
    def target(self) -> str | None:
        """What it is about."""
        return TARGETS.get(self.type)


class Conversation(NamedTuple):
    """A conversation.

    Attributes:
        number: Its place in the order of creation.
        events: Its events, oldest first.
    """

    number: int
    events: Sequence[Event]

    @property
    def id(self) -> str:
        """Its id."""
        return f"cnv_{self.number + 4096:x}"


class Writer:
    """Writes the rows of a company.

    Args:
        seed: Decides every value.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def event(self, conversation: Conversation, place: int) -> Row:
        """Return an event: with its conversation as it was then."""
        event = conversation.events[place]
        key = f"evt_{conversation.number:x}x{place:x}"
        data = {"_meta": {"type": event.target}, "data": self.target(conversation, place)}
        by_inbox = event.target == "message"
        return {
            "_links": {"self": f"{HOST}/events/{key}"},
            "id": key,
            "type": event.type,
            "emitted_at": seconds(event.at),
            "source": {"_meta": {"type": "inboxes"}, "data": [self._inbox(conversation.number)]}
            if by_inbox
            else {"_meta": {"type": "teammate"}, "data": self._teammate(conversation.number)},
            "target": data if event.target else None,
            "conversation": self.conversation(conversation, place + 1),
        }

    def conversation(self, conversation: Conversation, count: int) -> Row:
        """Return a conversation as it is after some of its events."""
        past = conversation.events[:count]
        states = [STATUSES[event.type] for event in past if event.type in STATUSES]
        types = {event.type for event in past}
        dice, number = self._dice("subject", conversation.number), conversation.number
        link = f"{HOST}/conversations/{conversation.id}"
        return {
            "_links": {
                "self": link,
                "related": {"messages": f"{link}/messages", "comments": f"{link}/comments"},
            },
            "id": conversation.id,
            "subject": sentence(dice) if number % 5 else "",
            "status": states[-1],
            "assignee": self._teammate(number) if "assign" in types else None,
            "recipient": {"handle": f"contact{number % CONTACTS}@example.com", "role": "from"},
            "tags": [self._tag(number)] if "tag" in types else [],
            "links": [],
            "custom_fields": {"Size": number} if number % 2 else {},
            "created_at": seconds(past[0].at),
            "waiting_since": seconds(past[-1].at),
            "is_private": number % 7 == 6,
        }

    def target(self, conversation: Conversation, place: int) -> Row | None:
        """Return what an event is about."""
        event = conversation.events[place]
        match event.target:
            case "message":
                return self._message(conversation, place)
            case "comment":
                return self._comment(conversation, place)
            case "teammate":
                return self._teammate(conversation.number)
            case "tag":
                return self._tag(conversation.number)
            case _:
                return None

    def contacts(self, conversations: Iterable[Conversation]) -> list[Row]:
        """Return the contacts who have written."""
        written: dict[int, int] = {}
        for conversation in conversations:
            written[conversation.number % CONTACTS] = conversation.events[-1].at
        return [
            {
                **self._named("contacts", "crd", number),
                "name": pick(NAMES, number),
                "description": "",
                "avatar_url": None,
                "is_spammer": False,
                "links": ["https://shop.example/?q=größe"] if number % 2 else [],
                "handles": [{"source": "email", "handle": f"contact{number}@example.com"}],
                "groups": [],
                "updated_at": seconds(moment),
                "custom_fields": {},
                "is_private": False,
            }
            for number, moment in sorted(written.items())
        ]

    def teammates(self) -> list[Row]:
        """Return all teammates."""
        return [self._teammate(number) for number in range(TEAMMATES)]

    def inboxes(self) -> list[Row]:
        """Return all inboxes."""
        return [self._inbox(number) for number in range(INBOXES)]

    def tags(self) -> list[Row]:
        """Return all tags."""
        return [self._tag(number) for number in range(TAGS)]

    def channels(self) -> list[Row]:
        """Return all channels."""
        return [
            {
                **self._named("channels", "cha", number),
                "name": None,
                "address": f"support{number}@example.com",
                "types": ["smtp", "custom", "form"][number],
                "send_as": None,
                "settings": {"undo_send_time": 5, "all_teammates_can_reply": True},
                "is_private": False,
                "is_valid": True,
            }
            for number in range(CHANNELS)
        ]

    def _message(self, conversation: Conversation, place: int) -> Row:
        event, number = conversation.events[place], conversation.number
        is_inbound = event.type == "inbound"
        text = line(self._seed, number, place, by_agent=not is_inbound)
        key = f"msg_{conversation.number:x}x{place:x}"
        contact = f"contact{conversation.number % CONTACTS}@example.com"
        return {
            "_links": {"self": f"{HOST}/messages/{key}"},
            "id": key,
            "message_uid": f"uid{key}",
            "type": "email",
            "is_inbound": is_inbound,
            "is_draft": False,
            "error_type": None,
            "created_at": seconds(event.at),
            "blurb": text[:20],
            "body": f"<p>{text}</p>",
            "text": text,
            "subject": None if place else "hello",
            "author": None if is_inbound else self._teammate(conversation.number),
            "recipients": [{"handle": contact, "role": "from" if is_inbound else "to"}],
            "attachments": [{"id": f"fil_{place}", "filename": "a b.pdf", "size": 2**31}]
            if place % 4 == 3
            else [],
            "metadata": {"headers": {"in_reply_to": None}},
        }

    def _comment(self, conversation: Conversation, place: int) -> Row:
        key = f"com_{conversation.number:x}x{place:x}"
        return {
            "_links": {"self": f"{HOST}/comments/{key}"},
            "id": key,
            "author": self._teammate(conversation.number),
            "body": line(self._seed, conversation.number, place, by_agent=True),
            "posted_at": seconds(conversation.events[place].at),
            "attachments": [],
            "is_pinned": False,
        }

    def _teammate(self, number: int) -> Row:
        place = number % TEAMMATES
        return {
            **self._named("teammates", "tea", place),
            "email": f"agent{place}@example.com",
            "username": f"agent{place}",
            "first_name": NAMES[place],
            "last_name": "",
            "is_admin": place == 0,
            "is_available": place % 2 == 0,
            "is_blocked": False,
            "custom_fields": {},
        }

    def _inbox(self, number: int) -> Row:
        place = number % INBOXES
        return {
            **self._named("inboxes", "inb", place),
            "name": ("Support", "Größe & Co.")[place],
            "is_private": False,
            "is_public": True,
            "address": f"inbox{place}@example.com",
        }

    def _tag(self, number: int) -> Row:
        place = number % TAGS
        return {
            **self._named("tags", "tag", place),
            "name": ("vip", "refund", "a,b", "größe")[place],
            "highlight": (None, "red")[place % 2],
            "description": None,
            "is_private": False,
            "is_visible_in_conversation_lists": place % 2 == 0,
        }

    def _named(self, name: str, prefix: str, number: int) -> Row:
        key = f"{prefix}_{number + 256:x}"
        return {"_links": {"self": f"{HOST}/{name}/{key}"}, "id": key}

    def _dice(self, purpose: str, number: int) -> random.Random:
        return random.Random(f"{self._seed} front {purpose} {number}")


def seconds(moment: int) -> float:
    """Return a time in ms as Front has it: in seconds, with three decimals."""
    return moment / SECOND
