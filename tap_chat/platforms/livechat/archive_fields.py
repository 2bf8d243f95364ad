"""The fields of the threads of LiveChat's v3 API, of their events, and of their users.

https://platform.text.com/docs/messaging/agent-chat-api/data-structures
"""

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
    timestamp,
)

PROPERTIES = "by their namespaces: that of LiveChat, such as `rating`, or the id of an app"

ACCESS = json_object("Who can see it.", group_ids=json_array("The ids of the groups."))

GEOLOCATION = json_object(
    "Where the customer was.",
    latitude=any_value("The latitude, in degrees."),
    longitude=any_value("The longitude, in degrees."),
    country=text("The country."),
    country_code=text("The code of the country."),
    region=text("The region."),
    city=text("The city."),
    timezone=text("The time zone."),
)

THREADS = record_schema(
    ("id",),
    id=text("The thread's id."),
    chat_id=text("The id of the chat, which may have several threads."),
    active=boolean("Whether the thread is still active."),
    created_at=timestamp("When the thread began."),
    ended_at=timestamp(
        "When the thread ended. Derived by the tap: the time of the last event that says that the"
        " thread was archived, or of its last event if none does; null while it is active, and if"
        " it has no events."
    ),
    user_ids=json_array("The ids of the users of the thread.", text("The id of a user.")),
    properties=json_object(f"The properties of the thread, {PROPERTIES}."),
    access=ACCESS | {"description": "The groups that can see the thread."},
    tags=json_array("The tags.", text("A tag.")),
    queue=json_object(
        "The place in the queue, while the thread waits for an agent.",
        position=integer("The position."),
        wait_time=number("The estimated wait, seconds."),
        queued_at=timestamp("When the thread entered the queue."),
    ),
    queues_duration=number("How long the thread waited in queues, seconds."),
    previous_thread_id=text("The id of the thread before this one in the chat."),
    next_thread_id=text("The id of the thread after this one in the chat."),
    previous_accessible_thread_id=text("The id of the one before it that the token can read."),
    next_accessible_thread_id=text("The id of the one after it that the token can read."),
    customer_visit=json_object(
        "The visit of the customer.",
        ip=text("The IP address."),
        user_agent=text("The browser."),
        geolocation=GEOLOCATION,
    ),
    summary=json_object(
        "A summary that LiveChat's AI wrote.",
        status=text("Whether there is one, such as `ok`."),
        text=text("The summary."),
        updated_at=timestamp("When it was written."),
    ),
    restricted_access=text("Why the plan hides the events of the thread; null if it does not."),
    chat_properties=json_object(f"The properties of the chat, {PROPERTIES}."),
    chat_access=ACCESS | {"description": "The groups that can see the chat."},
    is_followed=boolean("Whether the agent of the token follows the chat."),
)

THREAD_EVENTS = record_schema(
    ("thread_id", "id"),
    thread_id=text("The id of the thread, added by the tap."),
    chat_id=text("The id of the chat, added by the tap."),
    id=text("The event's id, which is unique in its thread."),
    custom_id=text("The id that the sender gave the event."),
    type=text("message, file, form, filled_form, rich_message, custom, system_message or system."),
    created_at=timestamp("When it happened."),
    author_id=text("The id of the user who sent it; null for events of the system."),
    visibility=text("`all`, or `agents` if the customer does not see it."),
    deleted=boolean("Whether it was deleted, and only this is left of it."),
    properties=json_object(f"The properties of the event, {PROPERTIES}."),
    text=text("The text of a message, or of a system message."),
    postback=json_object(
        "The button to which a message is the reaction.",
        id=text("The id of the button."),
        thread_id=text("The id of the thread with the button."),
        event_id=text("The id of the event with the button."),
        type=text("The type of the button."),
        value=text("The value of the button."),
    ),
    system_message_type=text("The kind of a system message, such as `routing.assigned`."),
    text_vars=json_object("The variables in the text of a system message."),
    source=text("The source of a system event, such as `cdp`."),
    subtype=text("The kind of a system event, such as `store_order_was_created`."),
    version=integer("The version of the details of a system event."),
    details=text("The details of a system event: JSON in a text, as LiveChat sends it."),
    name=text("The name of a file."),
    url=text("The URL of a file."),
    thumbnail_url=text("The URL of a small image of a file."),
    thumbnail2x_url=text("The URL of a small image of a file, in twice the size."),
    content_type=text("The media type of a file."),
    size=integer("The size of a file, bytes."),
    width=integer("The width of an image, pixels."),
    height=integer("The height of an image, pixels."),
    alternative_text=text("The text that describes a file."),
    form_id=text("The id of a form."),
    form_type=text("The type of a form, such as `prechat`."),
    fields=json_array(
        "The fields of a form; `answer` or `answers` of one that was filled in.",
        json_object("A field."),
    ),
    template_id=text("The template of a rich message, such as `cards`."),
    elements=json_array("The elements of a rich message.", json_object("An element.")),
    content=any_value("The content of a custom event."),
)

THREAD_USERS = record_schema(
    ("thread_id", "id"),
    thread_id=text("The id of the thread, added by the tap."),
    chat_id=text("The id of the chat, added by the tap."),
    id=text("The user's id: the e-mail address of an agent, or the id of a customer or bot."),
    type=text("`customer` or `agent`."),
    name=text("The name."),
    email=text("The e-mail address."),
    email_verified=boolean("Whether the e-mail address of a customer is verified."),
    phone_number=text("The phone number of a customer."),
    avatar=text("The URL of the picture."),
    present=boolean("Whether the user is in the chat."),
    events_seen_up_to=timestamp("Up to when the user has seen the events of the chat."),
    visibility=text("`all`, or `agents` for an agent whom the customer does not see."),
    created_at=timestamp("When the customer came for the first time."),
    agent_last_event_created_at=timestamp("When the last event of an agent was."),
    customer_last_event_created_at=timestamp("When the last event of the customer was."),
    visit=json_object(
        "The last visit of a customer.",
        started_at=timestamp("When it began."),
        ended_at=timestamp("When it ended."),
        referrer=text("The page before."),
        ip=text("The IP address."),
        user_agent=text("The browser."),
        geolocation=GEOLOCATION,
        last_pages=json_array("The last pages of the visit.", json_object("A page.")),
    ),
    session_fields=json_array(
        "The variables of a customer.", json_object("A variable: an object with its name alone.")
    ),
    statistics=json_object(
        "How often a customer came.",
        chats_count=integer("The number of chats."),
        threads_count=integer("The number of threads."),
        visits_count=integer("The number of visits."),
        page_views_count=integer("The number of pages that were viewed."),
        greetings_shown_count=integer("The number of greetings that were shown."),
        greetings_accepted_count=integer("The number of greetings that were accepted."),
        tickets_count=integer("The number of tickets."),
    ),
    followed=boolean("Whether the agent of the token follows the customer."),
    online=boolean("Whether the customer is online."),
    state=text("The customer's state, such as `browsing`."),
    group_ids=json_array("The ids of the groups of a customer."),
    tickets=json_array("The tickets of a customer.", json_object("A ticket.")),
    carts=json_array("The carts of a customer.", json_object("A cart.")),
    omnichannel=json_object("The profiles of a customer on other channels."),
    address=json_object("The postal address of a customer."),
    __priv_lc2_customer_id=text(
        "The id of the customer in LiveChat's v2 API, which LiveChat does not document."
    ),
)
