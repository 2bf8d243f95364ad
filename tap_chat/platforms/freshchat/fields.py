"""The fields of Freshchat's API. Objects may have more than these; ids are opaque texts."""

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

PROPERTY = json_object("A property.", name=text("Its name."), value=any_value("Its value."))
AVATAR = json_object("The picture.", url=text("Where it is."))
#: Freshchat: each part is an object with one key, its kind (text, image, file, email, ...).
PARTS = json_array("The parts, each of a kind of its own.", json_object("A part."))

ACCOUNT = record_schema(
    ("account_id",),
    account_id=integer("The account's id."),
    organisation_id=integer("The organisation: id."),
    organisation_domain=text("The organisation: domain."),
    account_domain=text("The account's domain."),
    app_id=text("The app's id."),
    bundle_id=integer("The bundle: id."),
    bundle_type=text("The bundle: freshchat, sales360 or support360."),
    plan_type=text("The plan."),
    datacenter=text("The data centre: US, EUC, AUS, IND or US2."),
    web_chat_id=text("The web chat's id."),
)

ROLES = record_schema(
    ("id",),
    id=text("The role's id."),
    name=text("Its name."),
    description=text("A description."),
    is_custom_role=boolean("Whether the account made it."),
)

USERS = record_schema(
    ("id",),
    id=text("The user's id."),
    created_time=timestamp("When the user was created."),
    updated_time=timestamp("When the user was last changed."),
    email=text("E-mail address."),
    phone=text("Phone number."),
    first_name=text("First name."),
    last_name=text("Last name."),
    avatar=AVATAR,
    properties=json_array("The account's own properties.", PROPERTY),
    login_status=boolean("Whether the user is logged in."),
    org_contact_id=text("The contact in the organisation."),
    reference_id=text("The account's own id of the user."),
    restore_id=text("The id to restore the user's chats with."),
    social_profiles=json_array("Profiles elsewhere.", json_object("A profile.")),
)

AGENTS = record_schema(
    ("id",),
    id=text("The agent's id."),
    created_time=timestamp("When the agent was created."),
    email=text("E-mail address."),
    first_name=text("First name."),
    last_name=text("Last name."),
    avatar=AVATAR,
    biography=text("About the agent."),
    groups=json_array("The ids of the agent's groups.", text("A group's id.")),
    locale=text("The language."),
    role_id=text("The role: id."),
    role_name=text("The role: name."),
    skill_id=text("The skill."),
    license_type=text("The licence."),
    is_deleted=boolean("Whether the agent is deleted."),
    is_deactivated=boolean("Whether the agent is deactivated."),
    agent_status=json_object("The current status.", name=text("Its name.")),
    availability_status=text("Whether the agent is available."),
    login_status=boolean("Whether the agent is logged in."),
    routing_type=text("How conversations are assigned."),
    agent_capacity=number("How many conversations at a time."),
    social_profiles=json_array("Profiles elsewhere.", json_object("A profile.")),
    freshchat_access=boolean("Whether the agent may use Freshchat."),
    round_robin_access=boolean("Whether the agent takes turns."),
    freshid_uuid=text("The id in Freshworks."),
    freshid_group_ids=json_array("The ids of the groups in Freshworks."),
    org_contact_id=text("The contact in the organisation."),
    phone=text("Phone number."),
    scope=any_value("The conversations that the agent may see."),
    timezone=text("The time zone."),
    title=text("The job title."),
)

GROUPS = record_schema(
    ("id",),
    id=text("The group's id."),
    name=text("Its name."),
    description=text("The purpose."),
    routing_type=text("How conversations are assigned."),
    chat_group_id=text("The group's id in chat."),
    routing_logic=text("The logic of the assignment."),
    business_calendar_id=text("The business hours."),
    standard_response_ids=json_array("The ids of its canned responses."),
    sla_policy_ids=json_array("The ids of its service levels."),
)

CHANNELS = record_schema(
    ("id",),
    id=text("The channel's id."),
    updated_time=timestamp("When it was last changed."),
    name=text("Its name."),
    source=text("Where it is."),
    locale=text("The language."),
    icon=json_object("The picture."),
    tags=json_array("The tags.", text("A tag.")),
    public=boolean("Whether everyone sees it."),
    enabled=boolean("Whether it is in use."),
    welcome_message=json_object(
        "The first message.", message_type=text("Its type."), message_parts=PARTS
    ),
)

USERS_CONVERSATIONS = record_schema(
    ("user_id", "id"),
    user_id=text("The user's id, added by the tap."),
    id=text("The conversation's id."),
    # Freshchat gives ids only, but target-duckdb 0.8 fails on a table that has nothing but keys.
    updated_time=timestamp("When the conversation was last changed, if Freshchat says so."),
)

CONVERSATIONS = record_schema(
    ("conversation_id",),
    conversation_id=text("The conversation's id."),
    conversation_internal_id=integer("Its number."),
    app_id=text("The app's id."),
    status=text("new, assigned, resolved or reopened."),
    user_id=text("The user's id."),
    channel_id=text("The channel's id."),
    created_time=timestamp("When it was created."),
    updated_time=timestamp("When it was last changed."),
    url=text("Where it is."),
    created_by=text("The creator."),
    org_contact_id=text("The contact in the organisation."),
    assigned_agent_id=text("The agent's id."),
    assigned_org_agent_id=text("The agent's id in the organisation."),
    assigned_group_id=text("The group's id."),
    assigned_org_group_id=text("The group's id in the organisation."),
    skill_id=integer("The skill."),
    properties=json_object("Priority, and the account's own properties (cf_*)."),
    users=json_array("The users of it.", json_object("A user.")),
    messages=json_array("Messages of it.", json_object("A message.")),
)

CONVERSATIONS_MESSAGES = record_schema(
    ("conversation_id", "id"),
    conversation_id=text("The conversation's id: that of the request, set by the tap."),
    id=text("The message's id."),
    freshchat_conversation_id=text("The conversation's id in Freshchat."),
    app_id=text("The app's id."),
    user_id=text("The user's id."),
    actor_id=text("The sender: id."),
    actor_type=text("The sender: user, agent, bot or system."),
    org_actor_id=text("The sender: id in the organisation."),
    channel_id=text("The channel's id."),
    freshchat_channel_id=text("The channel's id in Freshchat."),
    interaction_id=text("The interaction's id."),
    message_type=text("normal, private or system."),
    message_parts=PARTS,
    reply_parts=json_array("The replies that the user can choose from.", json_object("A part.")),
    in_reply_to=json_object("The message that it replies to."),
    meta_data=json_object("Further data."),
    created_time=timestamp("When it was sent."),
    bots_input=boolean("Whether a bot asked for it."),
    isBotsInput=boolean("Whether a bot asked for it."),
    botsPrivateNote=boolean("Whether it is a bot's private note."),
    restrictResponse=boolean("Whether the user may not reply."),
)

CONVERSATIONS_PROPERTIES = record_schema(
    ("id",),
    id=text("The property's id."),
    type=text("Its type."),
    name=text("Its name."),
    label=text("Its label."),
    column_name=text("Its column."),
    default_value=any_value("Its value by default."),
    custom=boolean("Whether the account made it."),
    editable=boolean("Whether it can be changed."),
    required=boolean("Whether it must be filled in."),
    position=number("Its place."),
    choices=json_array("The values it can have.", json_object("A choice.")),
    fields=json_array("The properties within it.", json_object("A property.")),
)
