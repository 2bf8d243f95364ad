"""The types of the fault matrix: where a fault happens, and how a run with it ends."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace
from platforms.facts import FACTS

from tap_chat.sandbox import Fault, World

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A small world with several pages or windows per platform.
WORLD = World(messages=450, users=12, conversations=15, dixa_conversations=120, chats=120)

#: How a run may end: every row once; exit code 1 and a sentence; without rows that are gone.
Ending = Literal["whole", "fails", "skips"]


def number(text: str) -> float | Decimal:
    """Return a number with a fraction or an exponent that may be too large for a float."""
    value = float(text)
    return value if isfinite(value) else Decimal(text)


PLACES = {section: facts.place for section, facts in FACTS.items()}
ALL = tuple(PLACES)


#: A fault that never happens, for cases with another problem.
NONE = Fault(kind="status", times=0)


@dataclass(frozen=True)
class Case:
    """A fault, and how a run with it ends.

    Attributes:
        group: The title of its table.
        name: The description in the first column.
        fault: The fault of the sandbox.
        ending: How the run ends.
        words: The key part of the error or warning.
        platforms: The platforms that have this fault.
        slow: Platforms on which only `make faults` runs it, because it takes long.
        but: The key part of the error on some platforms, if it differs.
        settings: Settings of every platform.
        clock: The seconds by which the server's clock is ahead.
        options: Further options of the sandbox.
        world: Settings of its world.
        again: Whether rows may come more than once, because the tap reads something again.
        least: The shortest possible duration in seconds: the time that the server asks to wait, or
            does not respond.
    """

    group: str
    name: str
    fault: Fault = NONE
    ending: Ending = "whole"
    words: str = ""
    platforms: tuple[str, ...] = ALL
    slow: tuple[str, ...] = ()
    but: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    clock: float = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    world: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False
    least: float = 0

    @property
    def timed(self) -> bool:
        """Whether the page shows the duration."""
        return self.group in TIMED and self.ending == "whole"

    @property
    def quick(self) -> Case:
        """The case on the platforms where it is fast."""
        platforms = tuple(name for name in self.platforms if name not in self.slow)
        return dataclasses.replace(self, platforms=platforms)

    def words_of(self, platform: str) -> str:
        """Return the key part of the error on a platform."""
        return self.but.get(platform, self.words)

    def struck(self, platform: str) -> Fault:
        """Return the fault on the requests of a platform."""
        place, fault = PLACES[platform], self.fault
        fields = {"field": place.fields.get(fault.field, fault.field)}
        if fault.path:
            return replace(fault, **fields)
        at = {
            "path": place.path,
            "query": dict(place.query),
            "content": place.content,
            "after": place.after,
        }
        return replace(fault, **at, **fields)

    def put(self, platform: str) -> tuple[str, Any]:
        """Return the field of a platform that `replace` changes, and the new value."""
        fault = self.struck(platform)
        return fault.field.rpartition(".")[2], json.loads(fault.literal, parse_float=number)


STATUSES = "Statuses"
LIMITS = "Limits"
CONNECTIONS = "Connections"
BODIES = "Bodies"
SHAPES = "JSON of another shape"
PAGES = "Pages and links"
PARENTS = "Users and conversations of Freshchat"
DRIFTS = "Lists that change while they are read"
ENDS = "Ends of the list of the messages API"
ODD = "Rows and counts that are not as they should be"
ENDLESS = "Lists without an end"
KEYS = "Records without what they need"
VALUES = "Values"
GROUPS = (
    STATUSES, LIMITS, CONNECTIONS, BODIES, SHAPES, PAGES, ENDS, PARENTS, DRIFTS, ODD, ENDLESS, KEYS,
    VALUES,
)  # fmt: skip
#: The groups for which the page shows the duration.
TIMED = (STATUSES, LIMITS, CONNECTIONS, BODIES, PARENTS)

PASSING = (500, 502, 503, 504)
#: A short wait, because a refusal limits the requests of the tap in that time.
BRIEFLY = {"Retry-After": "0.1"}
MANY_REQUESTS = ("freshchat",)
#: An outage with more retries than other runs have, and one that lasts too long.
PATIENT = {"max_retries": 20}
SHORT_OUTAGE = {"max_retries": 50, "max_outage": 0.5}
IMPATIENT_OF_LIMITS = {"max_wait": 0.5}
IMPATIENT = {"request_timeout": 0.3}
#: Long enough for the head of a response on a busy machine, and too short for its body.
LESS_IMPATIENT = {"request_timeout": 0.9}
ELSEWHERE = {"Location": "https://elsewhere.invalid/v1/messages?page=2"}
SENT_AGAIN = "not complete JSON"
FRESHCHAT = ("freshchat",)
MARKED = tuple(name for name, place in PLACES.items() if "mark" in place.fields)
WITH_OBJECTS = tuple(name for name, place in PLACES.items() if "object" in place.fields)
WITH_LISTS = tuple(name for name, place in PLACES.items() if place.records)
#: A list of records, but not of chats. For Dixa, it is the whole response.
NO_LIST: dict[str, str] = {}


#: The second page of LiveChat's v2 API.
V2 = {"livechat_version": "2"}
SECOND_PAGE: dict[str, Any] = {
    "path": "/chats",
    "query": {"page": "2"},
    "platforms": ("livechat",),
    "world": V2,
}

#: Settings of the messages API only; see `config_of`.
INCREMENTAL = {"replication_key": "timestamp"}
FIELDS = {
    "fields": {
        "count": {"type": ["integer", "null"]},
        "score": {"type": ["number", "null"]},
        "extra": {"type": ["object", "null"]},
    }
}


#: Fields that belong to the case, not to the fault.
OPTIONS = ("platforms", "slow", "but", "settings", "clock", "options", "world", "again", "least")


def once(group: str, name: str, kind: str, **more: Any) -> Case:
    """Return the case of a temporary fault."""
    options = {key: more.pop(key) for key in OPTIONS if key in more}
    fault = Fault(kind=kind, **more)  # type: ignore[arg-type]
    return Case(group, name, fault, **options)


def stays(group: str, name: str, words: str, kind: str, **more: Any) -> Case:
    """Return the case of a permanent fault, which ends the run."""
    options = {key: more.pop(key) for key in OPTIONS if key in more}
    fault = Fault(kind=kind, **{"times": None, **more})  # type: ignore[arg-type]
    return Case(group, name, fault, "fails", words, **options)


def value(group: str, name: str, where: str, literal: str, **options: Any) -> Case:
    """Return the case of a value that arrives unchanged."""
    return once(group, name, "replace", field=where, literal=literal, **options)


def deep(levels: int) -> str:
    """Return JSON with nested objects."""
    return '{"a":' * levels + "1" + "}" * levels


def lists(value: Any) -> str:
    """Return JSON with a value instead of the list of records, for any platform."""
    body = {place.records: value for place in PLACES.values() if place.records}
    return json.dumps(body | {"total": 1, "pages": 1})
