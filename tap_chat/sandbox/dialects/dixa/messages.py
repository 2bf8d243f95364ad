"""The messages of the made-up Dixa account: late ones, and those that are edited later."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_chat.sandbox.lines import line
from tap_chat.sandbox.samples import DAY, NAMES, pick, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_chat.sandbox.dialects.dixa.history import History

MESSAGES = "dixa_messages"
#: A prime number of templates, so that neighbours differ.
TEMPLATES = 199
#: These changes of a conversation come with a message: it is assigned, closed, rated.
WITH_MESSAGE = 3


class Message(NamedTuple):
    """A message of a conversation: its place in it, and when it was created, in ms."""

    history: History
    place: int
    created: int


def messages_of(history: History) -> Iterator[Message]:
    """Yield the messages of a conversation.

    Some are a little older than their conversation, which Dixa creates for them. Some arrive days
    after their time, with a change of the conversation.
    """
    early = 2 if history.number % 11 == 4 else 0
    yield Message(history, 0, history.created - early)
    for place, moment in enumerate(history.changes[:WITH_MESSAGE], 1):
        is_late = history.number % 2 == 1 and place == 1 + history.number // 2 % WITH_MESSAGE
        created = max(history.created, moment - 10 * DAY) if is_late else moment
        yield Message(history, place, created)


def message_count(history: History) -> int:
    """Return the number of messages of a conversation."""
    return 1 + len(history.changes[:WITH_MESSAGE])


def message_row(seed: int, message: Message, now: int, quiet: int) -> dict[str, Any]:
    """Return a message as the export has it.

    Args:
        seed: Decides every value.
        message: The message.
        now: The time of the account, in ms.
        quiet: About one conversation in this many has a message that is edited a day after the last
            change, which does not count as a change; 0 for none.
    """
    history = message.history
    number = history.number * (WITH_MESSAGE + 1) + message.place
    template = pick(_templates(seed), number)
    by_agent = template["direction"] == "outbound"
    row = {
        **template,
        "text": line(seed, history.number, 2 * message.place, by_agent=by_agent),
        "id": f"{history.number:08x}-0000-4000-8000-{message.place:012x}",
        "csid": history.csid,
        "created_at": message.created,
    }
    changes = len(history.changes)
    if changes > WITH_MESSAGE:
        # Anonymised.
        return row | {"text": None, "author_name": None, "author_email": None}
    if changes == WITH_MESSAGE and history.number % 2 and message.place == 0:
        row["text"] = "(edited)"
    if quiet and history.number % quiet == 0 and now >= history.updated + DAY:
        row["text"] = "(edited in silence)"
    return row


@lru_cache(maxsize=8)
def _templates(seed: int) -> list[dict[str, Any]]:
    dice = random.Random(f"{seed} dixa messages")
    return [_template(dice, number) for number in range(TEMPLATES)]


def _template(dice: random.Random, number: int) -> dict[str, Any]:
    """Return the part of a message that never changes."""
    row: dict[str, Any] = {
        "initial_channel": dice.choice(("email", "widgetchat", "pstnphone", "sms")),
        "author_name": dice.choice(NAMES),
        "author_email": dice.choice((f"agent{1 + number % 10}@example.com", None)),
        "direction": dice.choice(("inbound", "outbound")),
        "to": dice.choice(([], ["support@example.com"])),
        "cc": dice.choice(([], ["second@example.com", "third@example.com"])),
        "bcc": [],
        "attached_files": dice.choice(([], ["https://files.example.com/å b.pdf"])),
        "is_automated_message": dice.random() < 1 / 5,
        # Dixa: an object of free keys, null or absent.
        **dice.choice(FORMS),
    }
    for field in STRINGS:
        fate = dice.randrange(4)
        if fate == 0:
            row[field] = sentence(dice, 4)
        elif fate == 1:
            row[field] = None
    if row["initial_channel"] == "pstnphone":
        row["duration"] = dice.randrange(1 << 20)
    return row


FORMS: tuple[dict[str, Any], ...] = (
    {},
    {"form_submission": None},
    {"form_submission": {"name": "Bjørn", "e-mail": "b@example.com", "Ordre nr.": "17"}},
    {"form_submission": {}},
)
STRINGS = (
    "from", "from_phone_number", "to_phone_number", "voicemail_url", "recording_url",
    "chat_input_question", "chat_input_answer", "chat_menu_text",
)  # fmt: skip
