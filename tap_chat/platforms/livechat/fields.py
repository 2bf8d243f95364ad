"""The fields of LiveChat's v2 API. Texts of times are in the account's own time zone."""

from __future__ import annotations

from tap_chat.streams.fields import (
    any_value,
    boolean,
    integer,
    json_array,
    json_object,
    number,
    record_schema,
    text,
)

PAIR = json_object("A question or variable.", key=text("Its name."), value=any_value("Its value."))
LOCAL = "as text in the account's time zone; use the timestamp."

CHATS = record_schema(
    ("id", "agent_email"),
    id=text("The chat's id."),
    agent_email=text("The agent of this row, added by the tap; `unassigned` if there is none."),
    type=text("chat or missed_chat."),
    visitor=json_object(
        "The visitor.",
        id=text("The visitor's id."),
        name=text("Name."),
        email=text("E-mail address."),
        ip=text("IP address."),
        city=text("City."),
        region=text("Region."),
        country=text("Country."),
        country_code=text("Country code."),
        timezone=text("Time zone."),
        user_agent=text("Browser."),
    ),
    visitor_id=text("The visitor's id."),
    agents=json_array(
        "All agents of the chat.",
        json_object(
            "An agent.",
            display_name=text("Name."),
            email=text("E-mail address."),
            ip=text("IP address."),
        ),
    ),
    supervisors=json_array("The agents who watched."),
    rate=text("The rating."),
    duration=number("How long it took, seconds."),
    chat_start_url=text("The page it was started on."),
    referrer=text("The page before."),
    group=json_array("The ids of its groups."),
    started=text(f"When it was started, {LOCAL}"),
    started_timestamp=integer("When it was started, seconds since 1970."),
    ended=text(f"When it ended, {LOCAL}"),
    ended_timestamp=integer("When it ended, seconds since 1970."),
    pending=boolean("Whether it is still open."),
    prechat_survey=json_array("The customer's entries in the survey before the chat.", PAIR),
    postchat_survey=json_array("The customer's entries in the survey after the chat.", PAIR),
    custom_variables=json_array("The account's own variables.", PAIR),
    integration_variables=json_array("Variables of integrations.", PAIR),
    goals=json_array("The goals it reached.", json_object("A goal.")),
    queue=json_object("The queue.", duration=number("How long the visitor waited, seconds.")),
    tags=json_array("The tags.", text("A tag.")),
    timezone=text("The account's time zone."),
    engagement=text("auto_invite, manual_invite or immediate_start."),
    messages=json_array("The messages; also in livechat_messages.", json_object("A message.")),
    events=json_array(
        "Everything that happened; also in livechat_events.", json_object("An event.")
    ),
    # Only missed chats have these: the customer left a message.
    time=text("When a missed chat's message was left."),
    message=text("A missed chat's message."),
    email=text("A missed chat's e-mail address."),
)

MESSAGES = record_schema(
    ("chat_id", "event_id"),
    chat_id=text("The chat's id, added by the tap."),
    event_id=text("The message's id; <chat_id>_<n> where LiveChat gives none."),
    author_name=text("The author."),
    text=text("The text."),
    message_json=any_value("The message as JSON."),
    date=text(f"When it was said, {LOCAL}"),
    timestamp=integer("When it was said, seconds since 1970."),
    user_type=text("agent, visitor or supervisor."),
    agent_id=text("The agent's id."),
    welcome_message=boolean("Whether it greets."),
)

EVENTS = record_schema(
    ("chat_id", "event_id"),
    chat_id=text("The chat's id, added by the tap."),
    event_id=text("The event's id; <chat_id>_<n> where LiveChat gives none."),
    type=text("message, attachment or event."),
    event_type=text("The kind of event, such as `closed`."),
    author_name=text("The author."),
    text=text("The text."),
    message_json=any_value("The message as JSON."),
    date=text(f"When, {LOCAL}"),
    timestamp=integer("When, seconds since 1970."),
    user_type=text("agent, visitor or supervisor."),
    agent_id=text("The agent's id."),
    welcome_message=boolean("Whether it greets."),
    files=json_array("The files.", json_object("A file.")),
)
