"""The made-up Gorgias account: tickets, their messages, customers and satisfaction surveys."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_chat.sandbox.dialect import Changes
from tap_chat.sandbox.lines import line
from tap_chat.sandbox.samples import (
    DAY,
    HOUR,
    NAMES,
    NOW,
    creation_times,
    epoch_ms,
    pick,
    sentence,
    timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tap_chat.sandbox.dialect import Row
    from tap_chat.sandbox.dialects.gorgias.settings import GorgiasData

#: A customer writes this many tickets on average.
TICKETS_PER_CUSTOMER = 3
CHANNELS = ("email", "chat", "facebook", "instagram-direct-message")


class Ticket(NamedTuple):
    """One ticket, with times in ms that have passed.

    Attributes:
        number: Its place in the order of creation.
        messages: When its messages were written, ascending; the first one opened it.
        closed: When it was closed, or None.
        moved: When it was updated for another reason, or None.
    """

    number: int
    messages: Sequence[int]
    closed: int | None
    moved: int | None

    @property
    def id(self) -> int:
        """Its id."""
        return 5000 + 3 * self.number

    @property
    def customer(self) -> int:
        """The number of its customer."""
        return self.number // TICKETS_PER_CUSTOMER

    @property
    def updated(self) -> int:
        """When it was last updated."""
        return max(self.messages[-1], self.closed or 0, self.moved or 0)


@dataclass(frozen=True)
class GorgiasAccount:
    """A Gorgias account at one time.

    Attributes:
        seed: Decides every value.
        size: The number of tickets at NOW.
        now: Later rows and changes do not exist yet.
        changes: What has happened since.
    """

    seed: int = 7
    size: int = 40
    now: datetime = NOW
    changes: Changes = field(default_factory=Changes)

    @classmethod
    def of(cls, data: GorgiasData) -> GorgiasAccount:
        """Return the account of a world."""
        return cls(data.seed, data.gorgias_tickets, data.now, data.changes)

    @cached_property
    def tickets(self) -> list[Ticket]:
        """The tickets in the order of creation."""
        now, gone = epoch_ms(self.now), set(self.changes.removed)
        moves = {key: now + 1000 * place for place, key in enumerate(self.changes.updated, 1)}
        found = []
        created = creation_times(random.Random(f"{self.seed} gorgias"), self.size, now)
        for number, moment in enumerate(created):
            dice = self._dice("ticket", number)
            gaps = [dice.randrange(1, DAY) for _ in range(dice.randrange(7))]
            # Some customers write again weeks later.
            gaps += [dice.randrange(20 * DAY, 60 * DAY)] if number % 5 == 0 else []
            times = [moment + sum(gaps[:place]) for place in range(len(gaps) + 1)]
            past = [time for time in times if time <= now]
            closed = past[-1] + HOUR if number % 3 else None
            ticket = Ticket(number, past, closed if (closed or 0) <= now else None, None)
            ticket = ticket._replace(moved=moves.get(str(ticket.id)))
            if str(ticket.id) not in gone:
                found.append(ticket)
        return found

    def listed(self, _: str, __: object) -> list[str]:
        """Return the ids of the tickets, the one that was updated last first."""
        return [str(row["id"]) for row in self.ordered("tickets", "updated_datetime", reverse=True)]

    def insert(self, _: str, __: int) -> dict[str, Any]:
        """Return no settings: tickets come with time."""
        return {}

    def ordered(self, name: str, by: str, *, reverse: bool) -> list[Row]:
        """Return the rows of a list in the order of a time, and of ids where times are equal."""
        rows: list[Row] = getattr(self, LISTS[name])
        return sorted(rows, key=lambda row: (row[by], row["id"]), reverse=reverse)

    @cached_property
    def ticket_rows(self) -> list[Row]:
        """The tickets as their list has them: without messages."""
        return [self._ticket(ticket) for ticket in self.tickets]

    @cached_property
    def messages(self) -> list[Row]:
        """The messages of all tickets."""
        return [
            self._message(ticket, place)
            for ticket in self.tickets
            for place in range(len(ticket.messages))
        ]

    @cached_property
    def customers(self) -> list[Row]:
        """The customers; one changes when one of its tickets opens."""
        opened: dict[int, list[int]] = {}
        for ticket in self.tickets:
            opened.setdefault(ticket.customer, []).append(ticket.messages[0])
        return [
            {
                **self._customer(number),
                "created_datetime": text(times[0], number),
                "updated_datetime": text(times[-1], number),
                "nb_tickets": len(times),
                "note": None,
                "timezone": pick((None, "Europe/Paris"), number),
                "data": {"plan": "größe"} if number % 2 else None,
            }
            for number, times in opened.items()
        ]

    @cached_property
    def surveys(self) -> list[Row]:
        """The surveys of closed tickets. A score comes days after the survey was made."""
        now, found = epoch_ms(self.now), []
        for ticket in self.tickets:
            if ticket.closed and ticket.number % 3 == 1:
                scored = ticket.closed + 9 * DAY
                is_scored = scored <= now and ticket.number % 2 == 0
                found.append(
                    {
                        "id": 70_000 + ticket.number,
                        "ticket_id": ticket.id,
                        "customer_id": 900 + ticket.customer,
                        "created_datetime": text(ticket.closed, ticket.number),
                        "should_send_datetime": text(ticket.closed + HOUR, ticket.number),
                        "sent_datetime": text(ticket.closed + HOUR, ticket.number),
                        "scored_datetime": text(scored, ticket.number) if is_scored else None,
                        "score": 1 + ticket.number % 5 if is_scored else None,
                        "body_text": "très bien" if is_scored else None,
                        "meta": None,
                        "uri": f"/api/satisfaction-surveys/{70_000 + ticket.number}/",
                    }
                )
        return found

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        return {stream: len(rows) for stream, rows in self.truth.items()}

    @cached_property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream must bring."""
        return {f"gorgias_{name}": getattr(self, rows) for name, rows in LISTS.items()}

    def _ticket(self, ticket: Ticket) -> Row:
        dice = self._dice("text", ticket.number)
        last = len(ticket.messages) - 1
        return {
            "id": ticket.id,
            "uri": f"/api/tickets/{ticket.id}/",
            "external_id": None,
            "status": "closed" if ticket.closed else "open",
            "priority": "normal",
            "channel": pick(CHANNELS, ticket.number),
            "via": pick(CHANNELS, ticket.number),
            "subject": sentence(dice) if ticket.number % 4 else None,
            "excerpt": line(self.seed, ticket.number, 0, by_agent=False),
            "language": "fr" if ticket.number % 3 else None,
            "spam": False,
            "is_unread": not ticket.closed,
            "customer": self._customer(ticket.customer),
            "assignee_user": {"id": 11, "name": pick(NAMES, ticket.number)}
            if ticket.number % 2
            else None,
            "assignee_team": None,
            "tags": [{"id": 3, "name": "a,b", "decoration": {"color": "#fff"}}]
            if ticket.number % 3 == 0
            else [],
            "meta": None,
            "messages_count": last + 1,
            "created_datetime": text(ticket.messages[0], ticket.number),
            "opened_datetime": text(ticket.messages[0], ticket.number),
            "last_message_datetime": text(ticket.messages[last], ticket.number),
            "updated_datetime": text(ticket.updated, ticket.number),
            "closed_datetime": text(ticket.closed, ticket.number) if ticket.closed else None,
            "snooze_datetime": None,
            "trashed_datetime": None,
        }

    def _message(self, ticket: Ticket, place: int) -> Row:
        key, moment = 100_000 + 100 * ticket.number + place, ticket.messages[place]
        by_agent = place % 2 == 1
        body = line(self.seed, ticket.number, place, by_agent=by_agent)
        return {
            "id": key,
            "uri": f"/api/tickets/{ticket.id}/messages/{key}/",
            "message_id": f"<{key}@example.com>" if place % 3 else None,
            "ticket_id": ticket.id,
            "channel": pick(CHANNELS, ticket.number),
            "via": pick(CHANNELS, ticket.number),
            "public": place % 5 != 4,
            "from_agent": by_agent,
            "sender": {"id": 11, "name": "Ana"} if by_agent else self._customer(ticket.customer),
            "receiver": None,
            "source": {"type": "email", "from": {"address": "a@example.com"}, "to": []},
            "subject": None,
            "body_text": body,
            "body_html": f"<p>{body}</p>",
            "stripped_text": body,
            "attachments": [{"name": "a b.pdf", "size": 2**31, "public": False}]
            if place % 4 == 3
            else [],
            "macros": None,
            "rule_id": 4 if place % 6 == 5 else None,
            "created_datetime": text(moment, key),
            "sent_datetime": text(moment, key),
            "failed_datetime": None,
            "deleted_datetime": None,
            "opened_datetime": None,
        }

    def _customer(self, number: int) -> Row:
        return {
            "id": 900 + number,
            "name": pick(NAMES, number),
            "firstname": pick(NAMES, number),
            "lastname": "",
            "email": f"customer{number}@example.com" if number % 4 else None,
            "external_id": None,
            "language": "fr",
            "meta": {},
        }

    def _dice(self, purpose: str, number: int) -> random.Random:
        return random.Random(f"{self.seed} gorgias {purpose} {number}")


#: The attribute with the rows of each stream.
LISTS = {
    "tickets": "ticket_rows",
    "messages": "messages",
    "customers": "customers",
    "satisfaction_surveys": "surveys",
}


def text(moment: int, number: int) -> str:
    """Return a time in ms as Gorgias has it: with microseconds, and the offset of UTC."""
    return f"{timestamp(moment).removesuffix('Z')}{number % 1000:03d}+00:00"
