"""The made-up Dixa account: conversations that change, some exactly where windows meet."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tap_chat.sandbox.samples import (
    DAY,
    HOUR,
    MINUTE,
    NAMES,
    NOW,
    SECOND,
    creation_times,
    epoch_ms,
    pick,
    sentence,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_chat.sandbox.dialects.dixa.settings import DixaData

STREAM = "dixa_conversation_export"
#: A prime number of templates, so that neighbours differ.
TEMPLATES = 211
CHANNELS = ("email", "widgetchat", "pstnphone", "facebookmessenger", "sms", "whatsapp")


class History(NamedTuple):
    """One conversation: when it was created and when it changed since, in ms, ascending."""

    number: int
    created: int
    changes: tuple[int, ...]

    @property
    def updated(self) -> int:
        """When it last changed."""
        return self.changes[-1] if self.changes else self.created


@dataclass(frozen=True)
class DixaAccount:
    """The conversations of a Dixa organisation at one time.

    Attributes:
        seed: Decides every value.
        conversations: Their number at NOW.
        now: Later conversations and changes do not exist yet.
        odd: How the `updated_at` of one conversation is wrong: in seconds, or far ahead.
    """

    seed: int = 7
    conversations: int = 200
    now: datetime = NOW
    odd: Literal["seconds", "ahead"] | None = None

    @classmethod
    def of(cls, data: DixaData) -> DixaAccount:
        """Return the account of a world."""
        return cls(data.seed, data.dixa_conversations, data.now, data.dixa_odd)

    @cached_property
    def histories(self) -> list[History]:
        """The conversations in the order of creation."""
        now = epoch_ms(self.now)
        dice = random.Random(f"{self.seed} dixa changes")
        histories = []
        created = creation_times(random.Random(f"{self.seed} dixa"), self.conversations, now)
        for number, moment in enumerate(created):
            changes = _changes(dice, number, moment)
            histories.append(History(number, moment, tuple(at for at in changes if at <= now)))
        return histories

    @cached_property
    def by_creation(self) -> tuple[list[int], list[History]]:
        """The times of creation, ascending, and their conversations."""
        return [history.created for history in self.histories], self.histories

    @cached_property
    def by_update(self) -> tuple[list[int], list[History]]:
        """The times of the last change, ascending, and their conversations."""
        histories = sorted(self.histories, key=lambda history: history.updated)
        return [history.updated for history in histories], histories

    def row(self, history: History) -> dict[str, Any]:
        """Return a conversation as the export has it."""
        row = {
            **pick(_templates(self.seed), history.number),
            "id": 100_000 + 7 * history.number,
            "created_at": history.created,
            "updated_at": history.updated,
        }
        for change, moment in zip(CHANGES, history.changes, strict=False):
            row |= change(history.created, moment, history.number)
        if self.odd and history.number == self.conversations // 2:
            row["updated_at"] = ODD_TIMES[self.odd](history.updated)
        return row

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        return {STREAM: len(self.histories)}

    @cached_property
    def truth(self) -> dict[str, list[dict[str, Any]]]:
        """The rows that each stream must bring."""
        return {STREAM: [self.row(history) for history in self.histories]}


def _changes(dice: random.Random, number: int, created: int) -> list[int]:
    """Return the times of all changes.

    The number of draws is fixed, so that those for the next conversation stay the same.
    """
    gaps = [dice.randrange(MINUTE), dice.randrange(2 * DAY), dice.randrange(HOUR)]
    late = dice.randrange(45 * DAY)
    count = dice.choice((0, 1, 2, 2, 3, 4))
    moments = []
    moment = created
    for gap in (*gaps, late)[:count]:
        moment += 1 + gap
        moments.append(moment)
    # Dixa does not document the bounds of its filters, so changes are exactly where a window
    # may end, and 1 ms before or after that.
    kind, offset = divmod(number % 9, 3)
    if moments and kind:
        meeting = _next_month(moments[-1]) if kind == 1 else moments[-1] - moments[-1] % DAY + DAY
        moments[-1] = meeting + offset - 1
    return moments


def _next_month(moment: int) -> int:
    day = datetime.fromtimestamp(moment / SECOND, UTC).replace(day=1) + timedelta(days=32)
    return epoch_ms(day.replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def _assigned(created: int, moment: int, number: int) -> dict[str, Any]:
    name = pick(NAMES, number)
    return {
        "status": "pending",
        "queued_at": created + 1,
        "assigned_at": moment,
        "last_message_created_at": moment,
        "assignee_id": f"a0000000-0000-4000-8000-{number % len(NAMES):012}",
        "assignee_name": name,
        "assignee_email": f"agent{number % len(NAMES)}@example.com",
        "assignee_phone_number": None,
    }


def _closed(created: int, moment: int, number: int) -> dict[str, Any]:
    return {
        "status": "closed",
        "closed_at": moment,
        "last_message_created_at": moment - 1,
        "total_duration": moment - created,
        "handling_duration": (moment - created) // (2 + number % 5),
        "conversation_wrapup_notes": ["done ✅"] if number % 2 else [],
    }


def _rated(_: int, moment: int, number: int) -> dict[str, Any]:
    rating: dict[str, Any] = {
        "rating_score": 1 + number % 5,
        "rating_message": "great" if number % 2 else None,
        "rating_type": "csat",
        "rating_status": "rated",
        "rating_language": "da",
        "rating_offered_timestamp": moment - 1,
        "rating_rated_timestamp": moment,
    }
    return {
        "rating_score": rating["rating_score"],
        "rating_message": rating["rating_message"],
        "ratings": [rating],
    }


def _anonymized(_: int, moment: int, __: int) -> dict[str, Any]:
    return {"anonymized_at": moment, "requester_name": None, "requester_email": None}


#: Times in the wrong unit, or far ahead.
ODD_TIMES: dict[str, Callable[[int], int]] = {
    "seconds": lambda moment: moment // SECOND,
    "ahead": lambda moment: moment + 1000 * DAY,
}
#: What the first change of a conversation does, the second, ...
CHANGES: tuple[Callable[[int, int, int], dict[str, Any]], ...] = (
    _assigned,
    _closed,
    _rated,
    _anonymized,
)


@lru_cache(maxsize=8)
def _templates(seed: int) -> list[dict[str, Any]]:
    dice = random.Random(f"{seed} dixa templates")
    return [_template(dice, number) for number in range(TEMPLATES)]


def _template(dice: random.Random, number: int) -> dict[str, Any]:
    """Return the part of a conversation that never changes."""
    name = dice.choice(NAMES)
    row: dict[str, Any] = {
        "initial_channel": dice.choice(CHANNELS),
        "direction": dice.choice(("inbound", "outbound")),
        "status": "open",
        "requester_id": f"e0000000-0000-4000-8000-{number:012}",
        "requester_name": name,
        "requester_email": f"customer{number}@example.com",
        "requester_additional_emails": dice.choice(([], [f"second{number}@example.com"])),
        "requester_additional_phone_numbers": dice.choice(([], ["+4512345678"])),
        "tags": (tags := dice.sample(("vip", "refund", "størrelse", "a,b"), dice.randrange(3))),
        "tags_info": [{"id": f"t-{tag}", "name": tag, "is_deactivated": False} for tag in tags],
        "conversation_wrapup_notes": [],
        "ratings": [],
        "custom_fields": dice.choice(CUSTOM_FIELDS),
    }
    # Dixa: which of the empty fields are null and which are absent is not documented: both occur.
    for field in STRINGS + INTEGERS:
        fate = dice.randrange(4)
        if fate == 0:
            row[field] = sentence(dice) if field in STRINGS else dice.randrange(1 << 40)
        elif fate == 1:
            row[field] = None
    return row


CUSTOM_FIELDS: tuple[list[dict[str, Any]], ...] = (
    [],
    [
        {"attribute_id": "c1", "identifier": "plan", "value": "pro", "data_type": "Text",
         "archived": False},
        {"attribute_id": "c2", "identifier": "topics", "value": ["a", "b/c"], "data_type": "Select",
         "archived": True},
    ],
)  # fmt: skip
STRINGS = (
    "subject", "originating_country", "requester_phone_number", "queue_id", "queue_name",
    "to_provisioned_phone_number_id", "to_provisioned_phone_number_name",
    "from_provisioned_phone_number_id", "from_provisioned_phone_number_name",
    "dixa_email_integration_id", "dixa_email_integration_sender_name", "forwarding_email",
    "facebook_page_id", "facebook_page_name", "widget_id", "widget_name", "transferee_name",
    "transferee_number",
)  # fmt: skip
INTEGERS = ("transfer_time",)
