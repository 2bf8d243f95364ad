"""The fields of Dixa's main API, as https://docs.dixa.io/openapi/dixa-api/v1/ has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_chat.streams.fields import (
    any_value,
    boolean,
    integer,
    json_array,
    json_object,
    record_schema,
    text,
    timestamp,
)

if TYPE_CHECKING:
    from tap_chat.streams.fields import Field

#: What agents and end users have in common.
PERSON: dict[str, Field] = {
    "id": text("The id."),
    "createdAt": timestamp("When the person was added."),
    "displayName": text("The name that others see."),
    "email": text("The e-mail address."),
    "phoneNumber": text("The phone number."),
    "additionalEmails": json_array("Further e-mail addresses."),
    "additionalPhoneNumbers": json_array("Further phone numbers."),
    "firstName": text("The first name."),
    "lastName": text("The last name."),
    "middleNames": json_array("The middle names."),
    "avatarUrl": text("The address of the picture."),
}

AGENTS = record_schema(("id",), **PERSON, roles=json_array("The roles."))

END_USERS = record_schema(
    ("id",),
    **PERSON,
    externalId=text("The id in another system."),
    customAttributes=json_array(
        "The custom attributes; Dixa's list of end users leaves them out.",
        json_object(
            "A custom attribute; its value is a text or a list.",
            id=text("Its id."),
            name=text("Its label."),
            identifier=text("Its name."),
        ),
    ),
)

QUEUES = record_schema(
    ("id",),
    id=text("The id."),
    name=text("The name."),
    isDefault=boolean("Whether conversations enter it by default."),
    organizationId=text("The organisation: id."),
    queueThresholds=json_object("The thresholds, by their names."),
    slaCalculationMethod=text("How the service level is computed."),
    offerTimeout=integer("Seconds for which a conversation is offered to an agent."),
    offeringAlgorithm=text("How conversations are offered."),
    memberListType=text("The kind of the list of members."),
    usages=any_value("The objects that use the queue."),
    wrapupTimeout=integer("Seconds for the wrap-up."),
    priority=integer("The priority."),
    offerAbandonedConversations=boolean("Whether abandoned conversations are offered."),
    doNotOfferTimeouts=json_object("The seconds without offers, by channel."),
    isDoNotOfferEnabled=boolean("Whether conversations may not be offered for a time."),
    isPreferredAgentEnabled=boolean("Whether a preferred agent is offered a conversation first."),
    preferredAgentTimeouts=json_object("The seconds for the preferred agent, by channel."),
    preferredAgentOfflineTimeout=integer("Seconds for a preferred agent who is offline."),
    personalAgentOfflineTimeout=integer("Seconds for a personal agent who is offline."),
    isRestricted=boolean("Whether access to the queue is restricted."),
)

TEAMS = record_schema(("id",), id=text("The id."), name=text("The name."))

TAGS = record_schema(
    ("id",),
    id=text("The id."),
    name=text("The name."),
    color=text("The colour."),
    state=text("Active or inactive."),
)

CUSTOM_ATTRIBUTES = record_schema(
    ("id",),
    id=text("The id."),
    entityType=text("The objects with the attribute: conversations or contacts."),
    identifier=text("The name."),
    label=text("The name that people see."),
    inputDefinition=json_object("The kind of its value, and the values to choose from."),
    description=text("The description."),
    createdAt=timestamp("When it was created."),
    updatedAt=timestamp("When it was last changed."),
    isRequired=boolean("Whether a value is required."),
    isArchived=boolean("Whether it is archived."),
    isDeactivated=boolean("Whether it is out of use."),
)

ACTIVITY_LOG = record_schema(
    ("id",),
    id=text("The id of the entry."),
    conversationId=integer("The conversation: id."),
    activityTimestamp=timestamp("When it happened."),
    activityType=text("The kind of activity; deprecated by Dixa."),
    _type=text("The kind of activity."),
    author=json_object(
        "The person who did it.",
        id=text("The id."),
        name=text("The name."),
        email=text("The e-mail address."),
        phoneNumber=text("The phone number."),
    ),
    attributes=json_object("The details, which differ by what happened."),
)

#: What a rating has as its type if Dixa gives none: loaders need every part of a key.
NO_TYPE = "unknown"

RATINGS = record_schema(
    ("conversation_id", "id", "ratingType"),
    conversation_id=integer("The conversation: id. The tap adds it."),
    id=text("The id of the survey, which the rows of all its questions have."),
    ratingType=text(f"The kind of the question: Csat, Nps, ...; `{NO_TYPE}` if Dixa gives none."),
    ratingScore=integer("The score."),
    ratingComment=text("The comment."),
    conversationChannel=text("The channel of the conversation."),
    agentId=text("The agent: id."),
    userId=text("The end user: id."),
    ratingStatus=text("Scheduled, offered, rated, ..."),
    language=text("The language."),
    timestamps=json_object("When it was scheduled, offered, rated, ..."),
)

NOTES = record_schema(
    ("conversation_id", "id"),
    conversation_id=integer("The conversation: id. The tap adds it."),
    id=text("The id of the note."),
    authorId=text("The agent who wrote it: id."),
    createdAt=timestamp("When it was written."),
    csid=integer("The conversation: id, as Dixa sends it."),
    message=text("The text."),
)
