"""The fields of LiveChat's account: its agents, groups, tags, bots, active chats and reports.

https://platform.text.com/docs/management/configuration-api and .../data-reporting/reports-api
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_chat.platforms.livechat.archive_fields import ACCESS, PROPERTIES
from tap_chat.streams.fields import (
    boolean,
    integer,
    json_array,
    json_object,
    number,
    record_schema,
    text,
    timestamp,
)

if TYPE_CHECKING:
    from tap_chat.streams.fields import Field

WORK_SCHEDULER = json_object("The hours in which chats are accepted.")

AGENTS = record_schema(
    ("id",),
    id=text("The agent's id, which is an e-mail address."),
    account_id=text("The id of the agent's account at Text."),
    name=text("The name."),
    role=text("owner, viceowner, administrator or normal."),
    avatar_path=text("The URL of the picture, without its scheme."),
    login_status=text("The status after the login: `accepting chats` or `not accepting chats`."),
    job_title=text("The job title."),
    mobile=text("The mobile number."),
    max_chats_count=integer("The maximum number of chats at the same time."),
    groups=json_array("The groups, with the priority in each.", json_object("A group.")),
    work_scheduler=WORK_SCHEDULER,
    notifications=json_array("The notifications that are on.", text("A notification.")),
    email_subscriptions=json_array("The mails that the agent gets.", text("A kind of mail.")),
    summaries=json_array("The summaries that the agent gets.", text("A kind of summary.")),
    suspended=boolean("Whether the agent is suspended."),
    awaiting_approval=boolean("Whether the agent waits for the approval of the owner."),
    last_logout=timestamp("When the agent logged out."),
)

GROUPS = record_schema(
    ("id",),
    id=integer("The group's id; that of the first group is 0."),
    name=text("The name."),
    language_code=text("The code of the language."),
    routing_status=text("Whether the group accepts chats, or is offline."),
    agent_priorities=json_object("The priority of each agent, by the id of the agent."),
)

TAGS = record_schema(
    ("name",),
    name=text("The tag, which is its own key: tags have no id."),
    group_ids=json_array("The ids of the groups that have the tag."),
    author_id=text("The id of the agent who made it; empty for those of LiveChat."),
    created_at=timestamp("When it was made."),
)

BOTS = record_schema(
    ("id",),
    id=text("The bot's id."),
    name=text("The name."),
    avatar_path=text("The URL of the picture, without its scheme."),
    job_title=text("The job title."),
    max_chats_count=integer("The maximum number of chats at the same time."),
    groups=json_array("The groups, with the priority in each.", json_object("A group.")),
    work_scheduler=WORK_SCHEDULER,
    timezone=text("The time zone of the hours in which the bot works."),
)

THREAD_SUMMARY = json_object(
    "The last thread.",
    id=text("The thread's id."),
    created_at=timestamp("When it began."),
    active=boolean("Whether it is active."),
    user_ids=json_array("The ids of its users."),
    properties=json_object(f"Its properties, {PROPERTIES}."),
    access=ACCESS,
)

ACTIVE_CHATS = record_schema(
    ("id",),
    id=text("The chat's id."),
    users=json_array("The customer and the agents.", json_object("A user.")),
    last_thread_summary=THREAD_SUMMARY,
    # LiveChat: version 3.7 has this name for it.
    last_thread_info=THREAD_SUMMARY,
    last_event_per_type=json_object("The last event of each type."),
    properties=json_object(f"The properties of the chat, {PROPERTIES}."),
    access=ACCESS | {"description": "The groups that can see the chat."},
    is_followed=boolean("Whether the agent of the token follows the chat."),
)


def report(**metrics: Field) -> Field:
    """Return the schema of a report, with one row a day.

    Args:
        metrics: Its numbers.
    """
    day = text("The day, in the time zone of the setting `reports_timezone`.")
    return record_schema(("date",), date=day | {"format": "date"}, **metrics)


TOTAL_CHATS = report(
    total=integer("The number of chats."),
    continuous=integer("The number of continuous chats."),
)

RESPONSE_TIME = report(
    count=integer("The number of chats."),
    response_time=number("The mean time until an agent responds, seconds."),
)

RATINGS = report(
    chats=integer("The number of chats."),
    good=integer("The number of chats that were rated good."),
    bad=integer("The number of chats that were rated bad."),
)

DURATION = report(
    count=integer("The number of chats."),
    duration=number("The mean duration of a chat, seconds."),
    agents_chatting_duration=number("The mean time for which agents chatted, seconds."),
)
