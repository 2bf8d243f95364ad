"""The rows of Freshchat's raw reports, as the cells of their CSV files.

Columns and names are those that users of the reports have published; Freshchat documents none.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_chat.sandbox.dialects.freshchat import rows
from tap_chat.sandbox.samples import DAY, MINUTE, NAMES, epoch_ms, pick, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from tap_chat.sandbox.dialects.freshchat.histories import Conversation

Row = dict[str, Any]

TRANSCRIPT, RATING = "Chat-Transcript", "CSAT-Score"
CREATED, RESOLVED = "Conversation-Created", "Conversation-Resolved"
AGENT, GROUP = "Conversation-Agent-Assigned", "Conversation-Group-Assigned"
LABEL = "Conversation-Resolution-Label"

#: The reports of what happened to conversations.
CHANGES = (CREATED, AGENT, GROUP, RESOLVED, LABEL)

#: The other reports that Freshchat has; in the sandbox, they are empty.
OTHERS = (
    "Message-Sent",
    "First-Response-Time",
    "Response-Time",
    "Resolution-Time",
    "Agent-Activity",
    "Agent-Intelliassign-Activity",
)

#: The column with the time of a row, by the report.
TIMES = {TRANSCRIPT: "created_time"}
TIME = "created_at"

#: The columns whose cells identify a row, for `id`.
IDENTITY = {
    RATING: ("conversation_id", "interaction_id", "csat_id", TIME, "agent_id"),
    **dict.fromkeys(
        CHANGES,
        (
            "conversation_id",
            "interaction_id",
            TIME,
            "agent_id",
            "group_id",
            "label_category_id",
            "label_category_name",
            "label_sub_category_id",
            "label_sub_category_name",
        ),
    ),
}

#: Responses to a survey, with characters that a CSV file must quote.
RESPONSES = ("", "Great, thanks!", 'They said "no"', "Two\nlines", "très bien, 👍", "=1+1")
LABELS = (("Billing", "Refund"), ("Délivery", ""), ("Other, or none", "Spam"))


class Cells(NamedTuple):
    """A row of a report.

    Attributes:
        time: When it happened, in ms.
        cells: The cells by column, without that of the time.
    """

    time: int
    cells: dict[str, str]


def report_rows(seed: int, talks: Iterable[Conversation], now: datetime, event: str) -> list[Cells]:
    """Return the rows of a report, ascending by time.

    Args:
        seed: The seed of the world.
        talks: The conversations.
        now: Later rows do not exist yet.
        event: The report.
    """
    makers = {TRANSCRIPT: _messages, RATING: _ratings, LABEL: _labels}
    make = makers.get(event, _changes)
    found = (cells for talk in talks for cells in make(seed, talk, event))
    latest = epoch_ms(now)
    return sorted((cells for cells in found if cells.time <= latest), key=lambda row: row.time)


def record(event: str, row: Cells) -> Row:
    """Return a row as a record of the tap: an empty cell is null, and times are ISO 8601."""
    time = TIMES.get(event, TIME)
    values: Row = {name: cell or None for name, cell in row.cells.items()}
    values[time] = timestamp(row.time)
    if event in IDENTITY:
        identity = [event, *(values.get(name) or "" for name in IDENTITY[event])]
        text = json.dumps(identity, ensure_ascii=False, separators=(",", ":"))
        values["id"] = sha256(text.encode()).hexdigest()[:32]
    if event == RATING:
        values["score"] = int(values["value"])
    elif event != TRANSCRIPT:
        values["event"] = event
    return values


def _messages(seed: int, talk: Conversation, _: str) -> Iterator[Cells]:
    for place, moment in enumerate(talk.messages):
        message = rows.message(seed, talk.number, place, talk.user.id, moment)
        parts = {kind: part for item in message["message_parts"] for kind, part in item.items()}
        actor = message["actor_type"]
        yield Cells(
            moment,
            {
                "message_id": message["id"],
                "conversation_id": talk.id,
                "actor_type": actor,
                "actor_id": message["actor_id"],
                "actor_email": "agent@example.com" if actor == "agent" else "",
                "actor_first_name": pick(NAMES, talk.number),
                "actor_last_name": "",
                "message_type": message["message_type"],
                "detailed_message_type": message["message_type"].upper(),
                "message_source": "web",
                "message": parts.get("text", {}).get("content", ""),
                "image_url": parts.get("image", {}).get("url", ""),
                "video_url": "",
                "reference_id": "",
                "channel_id": message["channel_id"],
                "channel_name": f"Inbox {talk.number % rows.CHANNELS} ✉",
                "customer_id": talk.user.id,
                "conversation_url": f"https://sandbox.freshchat.com/a/1/inbox/{talk.number}",
            },
        )


def _ratings(seed: int, talk: Conversation, _: str) -> Iterator[Cells]:
    # Freshchat: a rating has its own time, which may be long after the conversation.
    resolved = [moment for moment, state in talk.states if state == "resolved"]
    for number, moment in enumerate(resolved):
        place = talk.number + 7 * number
        if place % 3 == 0:
            late = 40 * DAY if place % 9 == 0 else MINUTE * (1 + place % 50)
            yield Cells(
                moment + late,
                {
                    **_shared(seed, talk),
                    "csat_id": f"csat-{talk.number}",
                    "value": str(1 + place % 5),
                    "csat_response": pick(RESPONSES, place),
                },
            )


def _labels(seed: int, talk: Conversation, _: str) -> Iterator[Cells]:
    category, subcategory = pick(LABELS, talk.number)
    for moment, state in talk.states:
        if state == "resolved" and talk.number % 2 == 0:
            names = {"label_category_id": "", "label_category_name": category}
            below = {"label_sub_category_id": "", "label_sub_category_name": subcategory}
            yield Cells(moment, {**_shared(seed, talk), **names, **below})


def _changes(seed: int, talk: Conversation, event: str) -> Iterator[Cells]:
    states = {
        CREATED: ("new", "reopened"),
        AGENT: ("assigned",),
        GROUP: ("assigned",) if talk.number % 3 == 0 else (),
        RESOLVED: ("resolved",),
    }
    for moment, state in talk.states:
        if state in states.get(event, ()):
            reopened = {"reopened": str(state == "reopened").lower()} if event == CREATED else {}
            yield Cells(moment, {**_shared(seed, talk), **reopened})


def _shared(seed: int, talk: Conversation) -> dict[str, str]:
    agent = rows.conversation(seed, talk.number, "", talk.created, (0, "resolved"))
    return {
        "conversation_id": talk.id,
        "interaction_id": f"{talk.number}-0",
        "agent_id": agent["assigned_agent_id"],
        "agent_name": _agent_name(talk.number),
        "group_id": agent.get("assigned_group_id", ""),
        "group_name": "",
        "channel_id": agent["channel_id"],
        "channel_name": f"Inbox {talk.number % rows.CHANNELS} ✉",
        "conversation_url": agent["url"],
    }


def _agent_name(number: int) -> str:
    return f"{pick(NAMES, number)}, {number % 53}"
