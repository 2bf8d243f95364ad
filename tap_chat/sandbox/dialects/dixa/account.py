"""The made-up Dixa account: conversations that change, some exactly where windows meet."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from tap_chat.sandbox.dialects.dixa import main_rows
from tap_chat.sandbox.dialects.dixa.history import History, change_times
from tap_chat.sandbox.dialects.dixa.main_account import MainAccount
from tap_chat.sandbox.dialects.dixa.messages import (
    MESSAGES,
    Message,
    message_count,
    message_row,
    messages_of,
)
from tap_chat.sandbox.samples import (
    DAY,
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
    from datetime import datetime

    from tap_chat.sandbox.dialects.dixa.settings import DixaData

STREAM = "dixa_conversation_export"
#: A prime number of templates, so that neighbours differ.
TEMPLATES = 211
CHANNELS = ("email", "widgetchat", "pstnphone", "facebookmessenger", "sms", "whatsapp")


@dataclass(frozen=True)
class DixaAccount:
    """The conversations of a Dixa organisation at one time.

    Attributes:
        seed: Decides every value.
        conversations: Their number at NOW.
        now: Later conversations and changes do not exist yet.
        quiet: See `dixa_quiet` of the settings.
        odd: How the `updated_at` of one conversation is wrong: in seconds, or far ahead.
    """

    seed: int = 7
    conversations: int = 200
    now: datetime = NOW
    quiet: int = 0
    odd: Literal["seconds", "ahead"] | None = None
    end_users: int = 40
    removed: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: DixaData) -> DixaAccount:
        """Return the account of a world."""
        return cls(
            data.seed,
            data.dixa_conversations,
            data.now,
            data.dixa_quiet,
            data.dixa_odd,
            data.dixa_end_users,
            data.changes.removed,
        )

    @cached_property
    def main(self) -> MainAccount:
        """What the main API holds."""
        return MainAccount(
            self.seed, self.now, self.end_users, self.histories, frozenset(self.removed)
        )

    @cached_property
    def _now(self) -> int:
        return epoch_ms(self.now)

    @cached_property
    def histories(self) -> list[History]:
        """The conversations in the order of creation."""
        now = self._now
        dice = random.Random(f"{self.seed} dixa changes")
        histories = []
        created = creation_times(random.Random(f"{self.seed} dixa"), self.conversations, now)
        for number, moment in enumerate(created):
            changes = change_times(dice, number, moment)
            histories.append(History(number, moment, tuple(at for at in changes if at <= now)))
        return histories

    @cached_property
    def by_creation(self) -> tuple[list[int], list[History]]:
        """The times of creation, ascending, and their conversations."""
        return [history.created for history in self.histories], self.histories

    @cached_property
    def messages_by_creation(self) -> tuple[list[int], list[Message]]:
        """The times at which messages were created, ascending, and the messages."""
        messages = [message for history in self.histories for message in messages_of(history)]
        messages.sort(key=lambda message: message.created)
        return [message.created for message in messages], messages

    @cached_property
    def by_update(self) -> tuple[list[int], list[History]]:
        """The times of the last change, ascending, and their conversations."""
        histories = sorted(self.histories, key=lambda history: history.updated)
        return [history.updated for history in histories], histories

    def row(self, history: History) -> dict[str, Any]:
        """Return a conversation as the export has it."""
        row = {
            **pick(_templates(self.seed), history.number),
            "id": history.csid,
            "created_at": history.created,
            "updated_at": history.updated,
        }
        for change, moment in zip(CHANGES, history.changes, strict=False):
            row |= change(history.created, moment, history.number)
        if self.odd and history.number == self.conversations // 2:
            row["updated_at"] = ODD_TIMES[self.odd](history.updated)
        return row

    def message_row(self, message: Message) -> dict[str, Any]:
        """Return a message as the export has it."""
        return message_row(self.seed, message, self._now, self.quiet)

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        return {
            STREAM: len(self.histories),
            MESSAGES: sum(map(message_count, self.histories)),
            **self.main.rows,
        }

    @cached_property
    def truth(self) -> dict[str, list[dict[str, Any]]]:
        """The rows that each stream must bring."""
        messages = [message for history in self.histories for message in messages_of(history)]
        return {
            STREAM: [self.row(history) for history in self.histories],
            MESSAGES: [self.message_row(message) for message in messages],
            **self.main.truth,
        }


def _assigned(created: int, moment: int, number: int) -> dict[str, Any]:
    agent = pick(main_rows.AGENTS, number)
    return {
        "status": "pending",
        "queued_at": created + 1,
        "assigned_at": moment,
        "last_message_created_at": moment,
        "assignee_id": agent["id"],
        "assignee_name": agent["displayName"],
        "assignee_email": agent["email"],
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
        "requester_id": f"e0000000-0000-4000-8000-{number % 40:012}",
        "requester_name": name,
        "requester_email": f"customer{number}@example.com",
        "requester_additional_emails": dice.choice(([], [f"second{number}@example.com"])),
        "requester_additional_phone_numbers": dice.choice(([], ["+4512345678"])),
        "tags": (tags := dice.sample(("vip", "refund", "størrelse", "a,b"), dice.randrange(3))),
        "tags_info": [
            {"id": tag["id"], "name": tag["name"], "is_deactivated": False}
            for tag in main_rows.TAGS
            if tag["name"] in tags
        ],
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
    if row.get("queue_id"):
        row["queue_id"] = pick(main_rows.QUEUES, number)["id"]
    return row


_PLAN, _TOPICS = (attribute["id"] for attribute in main_rows.CUSTOM_ATTRIBUTES)
CUSTOM_FIELDS: tuple[list[dict[str, Any]], ...] = (
    [],
    [
        {"attribute_id": _PLAN, "identifier": "plan", "value": "pro", "data_type": "Text",
         "archived": False},
        {"attribute_id": _TOPICS, "identifier": "topics", "value": ["a", "b/c"],
         "data_type": "Select", "archived": True},
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
