"""The rows of the main API of the made-up Dixa organisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tap_chat.sandbox.samples import NAMES, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_chat.sandbox.dialects.dixa.history import History

Row = dict[str, Any]

#: The streams of lists, and the ends of their paths.
LISTS = {
    "dixa_agents": "agents",
    "dixa_end_users": "endusers",
    "dixa_queues": "queues",
    "dixa_teams": "teams",
    "dixa_tags": "tags",
    "dixa_custom_attributes": "custom-attributes",
}
LOG, RATINGS, NOTES = "dixa_activity_log", "dixa_ratings", "dixa_notes"

#: Dixa: some times end with the name of their zone, as Java writes them.
ZONE = "[GMT]"

#: The steps of a conversation in the log: its creation, its changes, its notes.
CREATED = 0
FIRST_NOTE = 10
KINDS = {
    CREATED: ("ConversationCreatedByCustomer", {"_type": "ConversationCreatedAttribute"}),
    1: ("ConversationAssigned", {"_type": "ConversationAssignedAttribute", "agentName": "Ana"}),
    2: ("ConversationClosed", None),
    3: ("TagAdded", {"_type": "TagAddedAttribute", "name": "vip"}),
    4: ("ConversationReopened", None),
    FIRST_NOTE: ("NoteAdded", {"_type": "NoteAddedAttribute", "noteId": "1"}),
    FIRST_NOTE + 1: ("NoteAdded", {"_type": "NoteAddedAttribute", "noteId": "2"}),
}
#: The steps of a conversation with a survey.
SURVEY = KINDS | {
    2: ("ConversationRatingOffered", {"_type": "ConversationRatingOfferedAttribute"}),
    3: ("ConversationRated", {"_type": "ConversationRatedAttribute", "score": 5}),
    # Not in the documents: what it brings is not known.
    4: ("ConversationAnonymized", None),
}
#: One conversation in so many has a survey.
WITH_SURVEY = 10
#: The status of the first question of a survey, after so many changes of its conversation.
STATUSES = {2: "Offered", 3: "Rated", 4: "Rated"}


def uid(kind: int, number: int) -> str:
    """Return an id that is different for each kind and number."""
    return str(UUID(int=(kind << 96) + number))


def zoned(moment: int) -> str:
    """Return a time as the API writes it: some end with the name of a zone."""
    return timestamp(moment) + (ZONE if moment % 3 else "")


def person(key: str, name: str, number: int, created: str) -> Row:
    """Return what agents and end users have in common."""
    return {
        "id": key,
        "createdAt": created,
        "displayName": name,
        "email": f"{'agent' if number < 0 else 'customer'}{abs(number)}@example.com",
        "phoneNumber": None if number % 2 else "+4512345678",
        "additionalEmails": [],
        "additionalPhoneNumbers": ["+4587654321"] if number % 5 == 0 else [],
        "firstName": name,
        "lastName": None,
        "middleNames": ["J."] if number % 7 == 0 else [],
        "avatarUrl": None,
    }


def end_user(number: int, created: int) -> Row:
    """Return an end user. The list has no custom attributes."""
    key = f"e0000000-0000-4000-8000-{number:012}"
    row = person(key, NAMES[number % len(NAMES)], number, zoned(created))
    return row | {"externalId": f"#{number}" if number % 3 == 0 else None}


def entry(moment: int, history: History, step: int) -> Row:
    """Return an entry of the log."""
    kind, attributes = (KINDS if history.number % WITH_SURVEY else SURVEY)[step]
    row: Row = {
        "id": uid(0xA, (history.number << 8) + step),
        "conversationId": history.csid,
        "activityTimestamp": zoned(moment),
        "activityType": kind,
        "_type": kind,
        "author": {"id": uid(0xB, history.number % 10), "name": "Ana", "email": None},
        "attributes": attributes,
    }
    return row


def ratings(number: int, changes: Sequence[int]) -> list[Row]:
    """Return the ratings of a conversation after some changes.

    Those of several questions have one id, and one of them may stay unrated.
    """
    if (status := STATUSES.get(len(changes))) is None:
        return []
    times = {"offeredAt": zoned(changes[1])}
    if status == "Rated":
        times["ratedAt"] = zoned(changes[2])
    first = {
        "id": uid(0xC, number),
        "ratingScore": 1 + number % 5 if status == "Rated" else None,
        "ratingType": "Csat",
        "ratingComment": "Super good!" if status == "Rated" else None,
        "conversationChannel": "Email",
        "agentId": uid(0xB, number % 10),
        "userId": f"e0000000-0000-4000-8000-{number % 40:012}",
        "ratingStatus": status,
        "language": "English",
        "timestamps": times,
    }
    second = first | {
        "ratingScore": None,
        "ratingType": "Nps",
        "ratingComment": None,
        "ratingStatus": "Offered",
        "timestamps": {},
    }
    return [first, second] if number % 20 == 0 else [first]


def note(history: History, step: int, moment: int) -> Row:
    """Return an internal note."""
    return {
        "id": uid(0xD, (history.number << 8) + step),
        "authorId": uid(0xB, history.number % 10),
        "createdAt": zoned(moment),
        "csid": history.csid,
        "message": 'line\nbreak, said "Ana" [x]' if step % 2 else "call back ☎",
    }


AGENTS = [
    person(uid(0xB, number), name, -1 - number, zoned(1_600_000_000_000 + number))
    | {"roles": ["Agent", "Administrator"] if number == 0 else ["Agent"]}
    for number, name in enumerate(NAMES)
]
QUEUES: list[Row] = [
    {
        "id": uid(0xE, number),
        "name": name,
        "isDefault": number == 0,
        "organizationId": uid(0xF, 1),
        "queueThresholds": {"SlaTimeLimit": 20, "SlaPercentage": 80} if number else {},
        "slaCalculationMethod": "AbandonedIgnored",
        "offerTimeout": 30 + number,
        "offeringAlgorithm": "AgentPriorityLongestIdle",
        "memberListType": "Default",
        "usages": [],
        "wrapupTimeout": None,
        "priority": number,
        "offerAbandonedConversations": False,
        "doNotOfferTimeouts": {"Email": 86400},
        "isDoNotOfferEnabled": False,
        "isPreferredAgentEnabled": True,
        "preferredAgentTimeouts": {},
    }
    for number, name in enumerate(("Sales", "Support", "Försäljning"))
]
TEAMS: list[Row] = [{"id": uid(0x10, number), "name": name} for number, name in enumerate("AB")]
TAGS: list[Row] = [
    {
        "id": uid(0x11, number),
        "name": name,
        "color": "#a5ff8d" if number else None,
        "state": "Inactive" if number == 2 else "Active",
    }
    for number, name in enumerate(("vip", "refund", "størrelse", "a,b"))
]
CUSTOM_ATTRIBUTES: list[Row] = [
    {
        "id": uid(0x12, number),
        "entityType": "Conversation" if number else "Contact",
        "identifier": name,
        "label": name.title(),
        "inputDefinition": definition,
        "description": "",
        "createdAt": zoned(1_600_000_000_001),
        "updatedAt": None,
        "isRequired": False,
        "isArchived": False,
        "isDeactivated": number == 0,
    }
    for number, (name, definition) in enumerate(
        (
            ("plan", {"placeholder": "", "_type": "Text"}),
            ("topics", {"options": [{"value": "a"}, {"value": "b/c"}], "_type": "Select"}),
        )
    )
]
