"""The people, groups and tags of the made-up LiveChat account, as LiveChat's v3 APIs have them."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tap_chat.sandbox.dialects.livechat.api import ENTITY_ID
from tap_chat.sandbox.dialects.livechat.threads import SECOND, timestamp
from tap_chat.sandbox.samples import NAMES, WORDS, pick

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_chat.sandbox.dialects.livechat.threads import Thread

Row = dict[str, Any]

CUSTOMERS = 211
#: LiveChat: the group of a new account has the id 0.
GROUPS: tuple[Row, ...] = (
    {"id": 0, "name": "General", "language_code": "en", "routing_status": "offline"},
    {"id": 1, "name": 'Größe, "quoted"', "language_code": "de", "routing_status": "offline"},
    {"id": 2, "name": "日本語", "language_code": "ja", "routing_status": "accepting chats"},
)
#: The groups of the agent that made the token.
OWN_GROUPS = frozenset({0, 2})
#: The number of that agent.
REQUESTER = 3
#: The fields that LiveChat returns only if a request names them in `fields`.
ASKED_OF_AGENT = frozenset({
    "groups", "work_scheduler", "email_subscriptions", "notifications", "job_title", "mobile",
    "max_chats_count", "suspended", "awaiting_approval", "last_logout",
})  # fmt: skip
ASKED_OF_BOT = frozenset({"groups", "work_scheduler", "job_title", "max_chats_count", "timezone"})
ASKED_OF_GROUP = frozenset({"agent_priorities", "routing_status"})
TAGS = ("vip", "a,b", "größe", "spam", "refund")


def agent_id(number: int) -> str:
    """Return the id of an agent, which is an e-mail address."""
    return f"agent{number % len(NAMES)}@example.com"


def agent_ids(thread: Thread) -> list[str]:
    """Return the ids of the agents of a thread, each once."""
    return [agent_id(thread.number + place) for place in range(thread.agents)]


def customer_id(seed: int, thread: Thread) -> str:
    """Return the id of the customer of a chat."""
    return str(pick(_customers(seed), thread.chat)["id"])


def users(seed: int, thread: Thread, further: Iterable[str], *, is_late: bool) -> list[Row]:
    """Return the users of a chat, as a thread comes with them.

    Args:
        seed: Decides every value.
        thread: The thread.
        further: The ids of agents of other threads of the chat.
        is_late: Whether what changes after the thread has changed.
    """
    customer = pick(_customers(seed), thread.chat)
    begun = timestamp(thread.created - 90 * SECOND)
    row: Row = {
        **customer,
        "type": "customer",
        "present": False,
        "created_at": timestamp(thread.created - thread.chat % 40 * 3600 * SECOND),
        "visit": {
            "started_at": begun,
            "ended_at": timestamp(thread.created + SECOND),
            "referrer": "https://shop.example/?q=größe",
            "ip": "198.51.100.7",
            "user_agent": "Mozilla/5.0",
            "geolocation": GEOLOCATION,
            "last_pages": [{"opened_at": begun, "url": "https://shop.example/", "title": "Shop"}],
        },
        "session_fields": [{"plan": "pro"}, {"größe": "a,b"}] if thread.chat % 5 == 1 else [],
        "statistics": {"chats_count": 1, "threads_count": 1, "visits_count": thread.chat % 7},
        "agent_last_event_created_at": timestamp(thread.created),
        "customer_last_event_created_at": timestamp(thread.created),
        "events_seen_up_to": timestamp(thread.created),
    }
    if thread.chat % 3 == 0 and is_late:
        row["email"] = f"customer{thread.chat}@example.com"
    if thread.chat % 6 == 2:
        row["tickets"] = [{"ticket_id": f"T{thread.chat}", "created_at": begun}]
    ids = dict.fromkeys([*agent_ids(thread), *further])
    return [row, *(_user(key) for key in ids)]


GEOLOCATION = {
    "latitude": "51.1043015",
    "longitude": "17.0335007",
    "country": "Poland",
    "country_code": "PL",
    "region": "Dolnośląskie",
    "city": "Wrocław",
    "timezone": "Europe/Warsaw",
}


def _user(key: str) -> Row:
    """Return an agent as a user of a chat."""
    number = int(key.removeprefix("agent").partition("@")[0])
    return {
        "id": key,
        "type": "agent",
        "name": NAMES[number],
        "email": key,
        "present": False,
        "avatar": f"cdn.example/avatars/{number}.png",
        "visibility": "agents" if number == 9 else "all",
    }


def agents(seed: int) -> list[Row]:
    """Return the agents with all their fields."""
    return [
        {
            "id": agent_id(number),
            "account_id": ENTITY_ID if number == REQUESTER else _uuid(seed, 5000 + number),
            "name": name,
            "role": ("owner", "viceowner", "administrator", "normal")[min(number, 3)],
            "avatar_path": f"cdn.example/avatars/{number}.png",
            "login_status": "accepting chats" if number % 2 else "not accepting chats",
            "summaries": ["daily_summary"] if number % 3 == 0 else [],
            "job_title": "Support Hero",
            "mobile": "",
            "max_chats_count": number % 6,
            "suspended": number == 8,
            "awaiting_approval": False,
            "groups": [
                {"id": group["id"], "priority": "normal"}
                for place, group in enumerate(GROUPS)
                if (group["id"] in OWN_GROUPS if number == REQUESTER else place >= number % 3)
            ],
            "work_scheduler": {"timezone": "Europe/Warsaw", "schedule": []},
            "email_subscriptions": ["weekly_summary"],
            "notifications": ["new_visitor"],
            # LiveChat: the field is absent if the agent never logged out.
            **({"last_logout": "2025-10-23T14:31:21.000000Z"} if number % 2 else {}),
        }
        for number, name in enumerate(NAMES)
    ]


def bots(seed: int) -> list[Row]:
    """Return the bots with all their fields; only the first is the requester's."""
    return [
        {
            "id": UUID(_uuid(seed, 6000 + number)).hex,
            "name": f"Bot {WORDS[number]}",
            "avatar_path": "cdn.example/bot.png",
            "job_title": "Bot",
            "max_chats_count": 6,
            "groups": [{"id": 0, "priority": "first"}],
            "timezone": "Europe/Warsaw",
            "work_scheduler": {},
        }
        for number in range(3)
    ]


def groups() -> list[Row]:
    """Return the groups with all their fields."""
    return [
        {**group, "agent_priorities": {agent_id(group["id"]): "normal", agent_id(9): "last"}}
        for group in GROUPS
    ]


def tags() -> list[Row]:
    """Return the tags: without an id, and some by no author, with a local time."""
    return [
        {
            "name": name,
            "group_ids": [0, 2] if place % 2 else [1],
            "author_id": agent_id(place) if place % 2 else "",
            "created_at": f"2025-10-0{place + 1}T15:37:36.000000{'Z' if place % 2 else '+01:00'}",
        }
        for place, name in enumerate(TAGS)
    ]


def with_fields(rows: Iterable[Row], asked: Sequence[str], only_asked: frozenset[str]) -> list[Row]:
    """Return rows without the fields that come only if a request names them."""
    absent = only_asked - set(asked)
    return [{name: row[name] for name in row if name not in absent} for row in rows]


def _uuid(seed: int, number: int) -> str:
    return str(UUID(int=random.Random(f"{seed} livechat {number}").getrandbits(128), version=4))


@lru_cache(maxsize=8)
def _customers(seed: int) -> list[Row]:
    """Return a prime number of customers."""
    dice = random.Random(f"{seed} livechat customers")
    return [
        {
            "id": str(UUID(int=dice.getrandbits(128), version=4)),
            "name": f"{dice.choice(NAMES)} {dice.choice(WORDS)}",
            "email_verified": False,
            # LiveChat: the id of the visitor in its v2 API.
            "__priv_lc2_customer_id": f"S{dice.randrange(1 << 60)}.{number:08x}",
        }
        for number in range(CUSTOMERS)
    ]
