"""The records of the made-up Freshchat account, as the API writes them."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tap_chat.sandbox.lines import line
from tap_chat.sandbox.samples import NAMES, OPENED, WORDS, pick, sentence, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]

#: Users whose number ends in this digit have no conversations.
SILENT = 9
#: Numbers of messages: none, some, exactly one and two pages of 50, more than a page.
SIZES = (3, 1, 8, 0, 5, 53, 2, 50, 13, 4, 6, 2, 9, 100, 1, 7, 120, 3, 0, 5, 11, 2, 4)
WHOLE_PAGES = (50, 100)
#: Ids of Freshchat are opaque strings, so some need percent-encoding in a path.
ODD = ("{}/a b", "ü{}?x=1&y", "{}#top", "{}%41", "日本/{}")
TEXTS = 509


def user_id(number: int) -> str:
    """Return the id of a user."""
    return _odd(f"u{number}", number // 5) if number % 5 == 2 else _uuid(number, 1)


def conversation_id(number: int) -> str:
    """Return the id of a conversation."""
    return _odd(f"c{number}", number // 6) if number % 6 == 4 else _uuid(number, 2)


def user(seed: int, number: int, created: int, updated_time: str | None, changes: int) -> Row:
    """Return a user that has changed this many times."""
    row = {
        "id": user_id(number),
        "created_time": timestamp(created),
        "updated_time": updated_time,
        **pick(_people(seed), number),
        "properties": [
            {"name": "plan", "value": pick(("free", "pro"), number + changes)},
            {"name": "cf_changes", "value": str(changes)},
        ],
        "login_status": changes % 2 == 1,
    }
    if number % 4 == 1:
        row |= {"reference_id": f"crm-{number}", "org_contact_id": str(10**18 + number)}
    return row


def conversation(seed: int, number: int, user: str, created: int, state: tuple[int, str]) -> Row:
    """Return a conversation of a user; its state is the time of its last change, and its status."""
    updated, status = state
    agent = _uuid(number % AGENTS, 3)
    row = {
        "conversation_id": conversation_id(number),
        # Freshchat: an integer of 64 bits, which no floating-point number holds.
        "conversation_internal_id": (1 << 62) + 2 * number + 1,
        "app_id": _uuid(seed, 9),
        "status": status,
        "user_id": user,
        "channel_id": _uuid(number % CHANNELS, 5),
        "created_time": timestamp(created),
        "updated_time": timestamp(updated),
        "url": f"https://sandbox.freshchat.com/a/1/inbox/{number}",
        "created_by": user,
        "skill_id": number % 5,
        "properties": {
            "priority": pick(("Low", "Medium", "High"), number),
            "cf_order": pick(_texts(seed), number),
            "cf_score": number / 8,
            **({"cf_étage": [1, "b"], "cf_open": None} if number % 6 == 1 else {}),
        },
    }
    if status != "new":
        row |= {"assigned_agent_id": agent, "assigned_org_agent_id": str(10**17 + number % AGENTS)}
    if number % 3 == 0:
        row["assigned_group_id"] = _uuid(number % GROUPS, 4)
    return row


def message(seed: int, talk: int, place: int, user: str, moment: int) -> Row:
    """Return a message of a conversation."""
    number = 1000 * talk + place
    actor = pick(("user", "agent", "user", "bot", "system", "agent", "user"), number)
    conversation = conversation_id(talk)
    row: Row = {
        "id": _uuid(number, 6),
        "app_id": _uuid(seed, 9),
        "user_id": user,
        "actor_id": user if actor == "user" else _uuid(number % AGENTS, 3),
        "actor_type": actor,
        "channel_id": _uuid(talk % CHANNELS, 5),
        "conversation_id": conversation,
        "interaction_id": f"{talk}-{place // 10}",
        "message_type": pick(("normal", "normal", "private", "normal", "system"), number),
        "created_time": timestamp(moment),
        "message_parts": pick(PARTS, number)(line(seed, talk, place, by_agent=actor != "user")),
        "botsPrivateNote": False,
        "restrictResponse": False,
    }
    # Freshchat: a message may carry another id of its conversation, or none; the path has the one
    # under which it can be found.
    if talk % 4 == 1:
        row["conversation_id"] = str((1 << 62) + 2 * talk + 1)
        row["freshchat_conversation_id"] = conversation
    elif talk % 4 == 2:
        del row["conversation_id"]
    if actor == "bot":
        row |= {"bots_input": True, "isBotsInput": True}
    if place % 9 == 8:
        row["in_reply_to"] = {"message_id": _uuid(number - 1, 6)}
        row["meta_data"] = {"cf_source": None}
    return row


#: Freshchat: the items of message_parts are objects with one key, of more kinds than are known.
PARTS: tuple[Callable[[str], list[Row]], ...] = (
    lambda text: [{"text": {"content": text}}],
    lambda _: [],
    lambda text: [{"text": {"content": text}}, {"image": {"url": "https://files.example/é.png"}}],
    lambda text: [{"email": {"subject": text, "content": f"<p>{text}</p>"}}],
    lambda text: [{"file": {"name": text, "file_size_in_bytes": 2**53 + 1, "content_type": "a/b"}}],
    lambda text: [{"collection": {"sub_parts": [{"quick_reply_button": {"label": text}}]}}],
    lambda text: [
        {"text": {"content": f"👩‍👩‍👧 {text}"}},
        {"url_button": {"url": "", "label": "ok"}},
    ],
)


def account(seed: int) -> Row:
    """Return the configuration of the account."""
    return {
        "organisation_id": 10**17 + seed,
        "organisation_domain": "sandbox.myfreshworks.com",
        "account_id": 4_000_000_000 + seed,
        "account_domain": "sandbox.freshchat.com",
        "app_id": _uuid(seed, 9),
        "bundle_id": 10**16 + seed,
        "bundle_type": "freshchat",
        "plan_type": "Pro",
        "datacenter": "EUC",
    }


def fields() -> list[Row]:
    """Return the definitions of the properties of conversations."""
    return [
        {
            "id": _uuid(number, 8),
            "type": kind,
            "name": name,
            "label": name.title(),
            "column_name": f"{kind}_{number}",
            "default_value": None,
            "custom": name.startswith("cf_"),
            "editable": True,
            "required": number == 0,
            "position": number,
            "choices": [{"id": 1, "value": "Low"}] if kind == "choice" else [],
            "fields": [{"name": "nested", "fields": []}] if number == 1 else [],
        }
        for number, (name, kind) in enumerate(FIELDS)
    ]


FIELDS = (
    ("priority", "choice"),
    ("cf_order", "text"),
    ("cf_score", "number"),
    ("cf_étage", "text"),
)
# Exactly one page of the largest size, exactly one of the default size, and others.
AGENTS, GROUPS, CHANNELS, ROLES = 53, 50, 20, 5


@lru_cache(maxsize=8)
def _agents(seed: int) -> list[Row]:
    dice = random.Random(f"{seed} freshchat agents")
    return [
        {
            "id": _uuid(number, 3),
            "created_time": timestamp(OPENED),
            "email": f"agent{number}@example.com",
            "first_name": dice.choice(NAMES),
            "last_name": dice.choice(WORDS),
            "groups": [_uuid(dice.randrange(GROUPS), 4) for _ in range(dice.randrange(3))],
            "role_id": (role := str(dice.randrange(ROLES))),
            "role_name": f"Role {role}",
            "is_deleted": False,
            "is_deactivated": number % 11 == 10,
            "agent_status": {"name": "Active", "icon": None} if number % 2 else {},
            "agent_capacity": number % 6,
            "social_profiles": [],
            "locale": dice.choice(("en", "de", "pt-BR")),
        }
        for number in range(AGENTS)
    ]


def _groups(_: int) -> list[Row]:
    return [
        {"id": _uuid(number, 4), "name": f"Group {number}", "routing_type": "INTELLIASSIGN"}
        for number in range(GROUPS)
    ]


def _channels(_: int) -> list[Row]:
    return [
        {
            "id": _uuid(number, 5),
            "updated_time": timestamp(OPENED),
            "name": f"Inbox {number} ✉",
            "icon": {},
            "tags": ["a", "b"][: number % 3],
            "public": number % 2 == 0,
            "enabled": True,
            "welcome_message": {
                "message_type": "normal",
                "message_parts": [{"text": {"content": "Hi! 👋"}}],
                "isBotsInput": False,
            },
        }
        for number in range(CHANNELS)
    ]


def _roles(_: int) -> list[Row]:
    return [
        {"id": str(number), "name": f"Role {number}", "description": "", "is_custom_role": False}
        for number in range(ROLES)
    ]


#: The rows of lists without a parent, by the name of their path and of their key in the response.
LISTS: dict[str, Callable[[int], list[Row]]] = {
    "roles": _roles,
    "agents": _agents,
    "groups": _groups,
    "channels": _channels,
}


@lru_cache(maxsize=8)
def _people(seed: int) -> list[Row]:
    """Return the parts of users that never change, for a prime number of users."""
    dice = random.Random(f"{seed} freshchat people")
    return [
        {
            "email": dice.choice((None, f"customer{number}@example.com")),
            "phone": dice.choice((None, "+15550100")),
            "first_name": dice.choice(NAMES),
            "last_name": dice.choice((None, "", dice.choice(WORDS))),
            "avatar": dice.choice(({}, {"url": "https://files.example/a.png"})),
        }
        for number in range(211)
    ]


@lru_cache(maxsize=8)
def _texts(seed: int) -> list[str]:
    dice = random.Random(f"{seed} freshchat texts")
    return [sentence(dice) for _ in range(TEXTS)]


def _uuid(number: int, kind: int) -> str:
    return f"{number * 2654435761 % (1 << 32):08x}-000{kind}-4000-8000-{number:012x}"


def _odd(name: str, number: int) -> str:
    return ODD[number % len(ODD)].format(name)
