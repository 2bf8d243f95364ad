"""The fields of Freshchat's raw reports. All except times are texts, as in the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_chat.streams.fields import json_object, number, record_schema, text, timestamp

if TYPE_CHECKING:
    from collections.abc import Collection

#: The fields that no column fills.
DERIVED = frozenset({"id", "event", "score", "other_columns"})

OTHER_COLUMNS = json_object("The columns of the report that no other field has, by their names.")

#: The fields of most reports.
SHARED = {
    "conversation_id": text("The conversation: id."),
    "interaction_id": text("The interaction, a part of the conversation: id."),
    "agent_id": text("The agent: id."),
    "agent_name": text("The agent: name."),
    "group_id": text("The group: id."),
    "group_name": text("The group: name."),
    "channel_id": text("The channel: id."),
    "channel_name": text("The channel: name."),
    "conversation_url": text("The conversation's page in Freshchat."),
}

CSAT_SCORES = record_schema(
    ("id",),
    id=text("Derived: a digest of the conversation, interaction, survey, time and agent."),
    created_at=timestamp("When the customer rated; taken as UTC."),
    csat_id=text("The survey's id."),
    value=text("The rating, as in the report."),
    score=number("Derived: the rating as a number, if it is one."),
    csat_response=text("The customer's comment."),
    **SHARED,
    other_columns=OTHER_COLUMNS,
)

CONVERSATION_EVENTS = record_schema(
    ("id",),
    id=text("Derived: a digest of the report and of what tells the event from others."),
    event=text("The report, such as `Conversation-Resolved`."),
    created_at=timestamp("When it happened; taken as UTC."),
    reopened=text("Whether the conversation was reopened, as in the report."),
    label_category_id=text("The label's category: id."),
    label_category_name=text("The label's category: name."),
    label_sub_category_id=text("The label's subcategory: id."),
    label_sub_category_name=text("The label's subcategory: name."),
    **SHARED,
    other_columns=OTHER_COLUMNS,
)

CHAT_TRANSCRIPTS = record_schema(
    ("message_id",),
    message_id=text("The message's id; without one, derived: a digest of the row."),
    conversation_id=text("The conversation: id."),
    created_time=timestamp("When the message was written; taken as UTC."),
    actor_type=text("The author: user, agent, bot or system."),
    actor_id=text("The author: id."),
    actor_email=text("The author: e-mail address."),
    actor_first_name=text("The author: first name."),
    actor_last_name=text("The author: last name."),
    message_type=text("The kind of message: normal, private or system."),
    detailed_message_type=text("The kind of message, in detail."),
    message_source=text("Where the message came from."),
    message=text("The text."),
    message_parts=text("The parts of the message, as in the report."),
    image_url=text("A picture in the message."),
    video_url=text("A video in the message."),
    reference_id=text("The account's own id of the user."),
    channel_id=text("The channel: id."),
    channel_name=text("The channel: name."),
    customer_id=text("The user: id."),
    conversation_url=text("The conversation's page in Freshchat."),
    other_columns=OTHER_COLUMNS,
)


def columns_of(schema: dict[str, Any]) -> Collection[str]:
    """Return the names of the fields of a stream that a column can fill."""
    return frozenset(schema["properties"]) - DERIVED
