"""The faults that the tap meets, and how it ends: a table, which docs/faults.md shows."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from tap_chat.sandbox import Fault, World

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Small, but with several pages or windows of each platform.
WORLD = World(messages=450, users=12, conversations=15, dixa_conversations=120, chats=120)

#: Settings with which a run takes little time.
QUICK: dict[str, dict[str, Any]] = {
    "chat": {},
    "freshchat": {"items_per_page": 20},
    "dixa": {},
    "livechat": {},
}

#: How a run may end: every row once; exit code 1 and a sentence; without what was said to be gone.
Ending = Literal["whole", "fails", "skips"]


def number(text: str) -> float | Decimal:
    """Return a number with a fraction or an exponent, which may be too large for a float."""
    value = float(text)
    return value if isfinite(value) else Decimal(text)


@dataclass(frozen=True)
class Place:
    """The requests of a platform that a fault strikes: in the middle of a stream.

    Attributes:
        title: The heading of its column.
        stream: The stream.
        path: A part of their path.
        query: Parameters that they have.
        after: How many such requests are answered well first.
        fields: Fields of its records by what they hold: key, mark, text, integer, number, object.
    """

    title: str
    stream: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    after: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)


PLACES = {
    "chat": Place(
        "messages API",
        "chat_messages",
        "/v1/messages",
        {"offset": "198"},
        fields={
            "key": "id",
            "mark": "timestamp",
            "text": "message",
            "integer": "count",
            "number": "score",
            "object": "extra",
        },
    ),
    "freshchat": Place(
        "Freshchat",
        "freshchat_agents",
        "/v2/agents",
        {"page": "2"},
        fields={
            "key": "id",
            "text": "last_name",
            "integer": "agent_capacity",
            "object": "agent_status",
        },
    ),
    "dixa": Place(
        "Dixa",
        "dixa_conversation_export",
        "/v1/conversation_export",
        after=2,
        fields={
            "key": "id",
            "mark": "updated_at",
            "text": "queue_name",
            "integer": "total_duration",
        },
    ),
    "livechat": Place(
        "LiveChat",
        "livechat_chats",
        "/chats",
        {"page": "2"},
        fields={
            "key": "id",
            "mark": "ended_timestamp",
            "text": "referrer",
            "integer": "duration",
            "object": "visitor",
        },
    ),
}
ALL = tuple(PLACES)


@dataclass(frozen=True)
class Case:
    """One fault, and how a run ends that meets it.

    Attributes:
        group: The table it stands in.
        name: What happens, as a row of the table.
        fault: What the sandbox does.
        ending: How the run ends.
        words: What its error says, or its warning.
        platforms: Those where it makes sense.
        slow: Platforms where it takes long, so that only `make faults` runs it there.
        but: Platforms on which the error says something else.
        settings: Settings of every platform.
        clock: Seconds by which the server's clock is ahead.
    """

    group: str
    name: str
    fault: Fault
    ending: Ending = "whole"
    words: str = ""
    platforms: tuple[str, ...] = ALL
    slow: tuple[str, ...] = ()
    but: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    clock: float = 0

    @property
    def quick(self) -> Case:
        """The case on the platforms where it does not take long."""
        platforms = tuple(name for name in self.platforms if name not in self.slow)
        return dataclasses.replace(self, platforms=platforms)

    def words_of(self, platform: str) -> str:
        """Return what the error says on a platform."""
        return self.but.get(platform, self.words)

    def struck(self, platform: str) -> Fault:
        """Return the fault as it strikes a platform."""
        place, fault = PLACES[platform], self.fault
        fields = {"field": place.fields.get(fault.field, fault.field)}
        if fault.path:
            return replace(fault, **fields)
        at = {"path": place.path, "query": dict(place.query), "after": place.after}
        return replace(fault, **at, **fields)

    def put(self, platform: str) -> tuple[str, Any]:
        """Return the field of a platform that `replace` puts a value into, and the value."""
        fault = self.struck(platform)
        return fault.field, json.loads(fault.literal, parse_float=number)


STATUSES = "Statuses"
CONNECTIONS = "Connections"
BODIES = "Bodies"
SHAPES = "JSON of another shape"
PAGES = "Pages and links"
PARENTS = "Users and conversations of Freshchat"
KEYS = "Records without what they need"
VALUES = "Values"

PASSING = (500, 502, 503, 504)
#: Short, as a refusal teaches the tap how many requests are allowed in that time.
BRIEFLY = {"Retry-After": "0.1"}
MANY_REQUESTS = ("freshchat", "livechat")
IMPATIENT = {"request_timeout": 0.3}
ELSEWHERE = {"Location": "https://elsewhere.invalid/v1/messages?page=2"}
SENT_AGAIN = "not whole JSON"
FRESHCHAT = ("freshchat",)
MARKED = ("chat", "dixa", "livechat")
WITH_OBJECTS = ("chat", "freshchat", "livechat")
#: A list of records, but not of chats; those of Dixa are the whole answer.
NO_LIST = {"livechat": "without the list `chats`"}


#: Settings of the messages API alone; see `config_of`.
INCREMENTAL = {"replication_key": "timestamp"}
FIELDS = {
    "fields": {
        "count": {"type": ["integer", "null"]},
        "score": {"type": ["number", "null"]},
        "extra": {"type": ["object", "null"]},
    }
}


#: What is the case's, and not the fault's.
OPTIONS = ("platforms", "slow", "but", "settings", "clock")


def once(group: str, name: str, kind: str, **more: Any) -> Case:
    """Return the case of a fault that passes."""
    options = {key: more.pop(key) for key in OPTIONS if key in more}
    fault = Fault(kind=kind, **more)  # type: ignore[arg-type]
    return Case(group, name, fault, **options)


def stays(group: str, name: str, words: str, kind: str, **more: Any) -> Case:
    """Return the case of a fault that stays, and ends the run."""
    options = {key: more.pop(key) for key in OPTIONS if key in more}
    fault = Fault(kind=kind, **{"times": None, **more})  # type: ignore[arg-type]
    return Case(group, name, fault, "fails", words, **options)


def value(group: str, name: str, where: str, literal: str, **options: Any) -> Case:
    """Return the case of a value that arrives as it is."""
    return once(group, name, "replace", field=where, literal=literal, **options)


def deep(levels: int) -> str:
    """Return JSON of objects in objects."""
    return '{"a":' * levels + "1" + "}" * levels


CASES = (
    *(once(STATUSES, f"{status} once", "status", status=status) for status in PASSING),
    *(
        stays(STATUSES, f"{status} for ever", f"answered {status} ", "status", status=status)
        for status in PASSING
    ),
    once(
        STATUSES,
        "429 once, with seconds to wait",
        "status",
        status=429,
        headers=BRIEFLY,
        slow=MANY_REQUESTS,
    ),
    *(
        once(
            STATUSES,
            f"429 once, with a moment to wait for{by}",
            "status",
            status=429,
            until=1,
            clock=clock,
            slow=MANY_REQUESTS,
        )
        for by, clock in (
            ("", 0),
            (", by a clock an hour ahead", 3600),
            (", by a clock an hour behind", -3600),
        )
    ),
    once(
        STATUSES,
        "429 once, without a time to wait",
        "status",
        status=429,
        slow=MANY_REQUESTS,
    ),
    stays(STATUSES, "429 for ever", "answered 429 ", "status", status=429, slow=MANY_REQUESTS),
    stays(STATUSES, "401 from the middle on (a token that expires)", "401", "status", status=401),
    stays(STATUSES, "403 in the middle", "answered 403 ", "status", status=403),
    stays(STATUSES, "404 in the middle", "answered 404 ", "status", status=404),
    stays(
        STATUSES,
        "302 to another host",
        "answered 302 Found towards https://elsewhere.invalid",
        "status",
        status=302,
        headers=ELSEWHERE,
    ),
    once(CONNECTIONS, "reset once", "reset"),
    stays(CONNECTIONS, "reset for ever", "the connection broke", "reset"),
    once(CONNECTIONS, "closed in the middle of the body once", "cut"),
    stays(CONNECTIONS, "closed in the middle of the body for ever", "was cut off", "cut"),
    once(CONNECTIONS, "no answer for long once", "hang", seconds=1, settings=IMPATIENT),
    stays(
        CONNECTIONS,
        "no answer for ever",
        "got no answer within 0.3 s",
        "hang",
        seconds=1,
        settings=IMPATIENT,
        slow=("dixa",),
    ),
    once(CONNECTIONS, "a body that stalls once", "stall", seconds=1, settings=IMPATIENT),
    stays(
        CONNECTIONS,
        "a body that stalls for ever",
        "stalled in the middle of the answer for 0.3 s",
        "stall",
        seconds=1,
        settings=IMPATIENT,
        slow=("dixa",),
    ),
    once(CONNECTIONS, "a body that drips once", "drip", seconds=0.05, settings=IMPATIENT),
    stays(
        CONNECTIONS,
        "a body that drips for ever",
        "stalled in the middle of the answer for 0.3 s",
        "drip",
        seconds=0.05,
        settings=IMPATIENT,
        slow=("dixa",),
    ),
    once(BODIES, "half of the JSON once", "truncate"),
    stays(BODIES, "half of the JSON for ever", SENT_AGAIN, "truncate"),
    once(BODIES, "nothing once", "empty"),
    stays(BODIES, "nothing for ever", SENT_AGAIN, "empty"),
    once(BODIES, "Latin-1 once", "charset"),
    stays(BODIES, "Latin-1 for ever", SENT_AGAIN, "charset"),
    stays(BODIES, "UTF-16", SENT_AGAIN, "charset", charset="utf-16"),
    once(BODIES, "a byte order mark", "charset", charset="utf-8-sig", times=None),
    once(BODIES, "junk said to be gzip once", "gzip_junk"),
    stays(BODIES, "junk said to be gzip for ever", "broken compression", "gzip_junk"),
    once(BODIES, "gzip that breaks off once", "gzip_cut"),
    stays(BODIES, "gzip that breaks off for ever", SENT_AGAIN, "gzip_cut"),
    stays(BODIES, "a web page", "a web page instead of JSON", "html"),
    stays(SHAPES, "`null`", "without a list of records", "null", but=NO_LIST),
    stays(
        SHAPES,
        "an empty list where an object should be",
        "without a list of records",
        "body",
        literal="[]",
        platforms=("chat", "freshchat", "livechat"),
        but=NO_LIST,
    ),
    stays(
        SHAPES,
        "an empty object",
        "without a list of records",
        "body",
        literal="{}",
        but=NO_LIST,
    ),
    stays(
        SHAPES,
        "`null` where the list should be",
        "without a list of records",
        "body",
        literal='{"data": null, "agents": null, "chats": null, "total": 1, "pages": 1}',
        but=NO_LIST,
    ),
    stays(
        SHAPES,
        "an object where the list should be",
        "without a list of records",
        "body",
        literal='{"data": {}, "agents": {}, "chats": {}, "total": 1, "pages": 1}',
        but=NO_LIST,
    ),
    stays(SHAPES, "a text", "without a list of records", "body", literal='"x"', but=NO_LIST),
    stays(
        SHAPES,
        "an error with 200",
        "without a list of records",
        "body",
        literal='{"error": "made up"}',
        but=NO_LIST,
    ),
    once(PAGES, "a page twice, once", "repeat", platforms=("chat", "livechat")),
    stays(
        PAGES,
        "a page twice, for ever",
        "gave a page that came before",
        "repeat",
        but={
            "chat": "did not give the last row of the page before",
            "dixa": "gave conversations of another time than was asked for",
            "livechat": "in all pages, but gave",
        },
    ),
    stays(
        PAGES,
        "the first page again, later",
        "gave a page that came before",
        "repeat",
        platforms=FRESHCHAT,
        times=1,
    ),
    stays(
        PAGES,
        "a next link to itself",
        "does not lead to the next page",
        "self_link",
        platforms=FRESHCHAT,
    ),
    *(
        stays(
            PAGES,
            f"a next link to {where}",
            words,
            "link",
            literal=link,
            platforms=FRESHCHAT,
        )
        for where, words, link in (
            ("another host", "to another host", "https://elsewhere.invalid/v2/agents?page=3"),
            ("a private address", "to another host", "http://169.254.169.254/v2/agents?page=3"),
            ("another host, without a scheme", "to another host", "//elsewhere.invalid/?page=3"),
            (
                "another host, with this one as its user",
                "to another host",
                "http://127.0.0.1@elsewhere.invalid/?page=3",
            ),
            ("another port", "to another host", "http://127.0.0.1:9/v2/agents?page=3"),
            ("the first page", "does not lead to the next page", "/v2/agents?page=1"),
            ("a page far away", "does not lead to the next page", "/v2/agents?page=9"),
            ("two pages", "does not lead to the next page", "/v2/agents?page=3&page=4"),
            ("nowhere", "does not lead to the next page", "/v2/agents"),
            ("what is no URL", "that is no URL", "http://[::/v2?page=3"),
            ("page 9...9", "does not lead to the next page", f"/v2/agents?page={'9' * 5000}"),
        )
    ),
    stays(
        PAGES,
        "an empty page where the count says more",
        "in all pages, but gave",
        "body",
        literal='{"data": [], "agents": [], "chats": [], "total": 40, "pages": 2}',
        platforms=("livechat",),
    ),
    stays(KEYS, "no key", "which is its key", "drop", field="key"),
    stays(KEYS, "`null` as the key", "which is its key", "replace", field="key"),
    stays(
        KEYS,
        "a key of another type",
        "as `id`, which is declared",
        "replace",
        field="key",
        literal="[]",
    ),
    value(
        KEYS,
        "`null` as the replication key",
        "mark",
        "null",
        platforms=MARKED,
        settings=INCREMENTAL,
    ),
    stays(
        KEYS,
        "a replication key of another type",
        "which is declared",
        "replace",
        field="mark",
        literal="[]",
        platforms=MARKED,
        settings=INCREMENTAL,
    ),
    value(VALUES, "NUL in a text", "text", r'"a\u0000b"'),
    value(VALUES, "half a surrogate pair in a text", "text", r'"a\ud83d"'),
    value(VALUES, "a text of 5 MB", "text", json.dumps("x" * 5_000_000)),
    value(VALUES, "2^53+1", "integer", str(2**53 + 1), settings=FIELDS),
    value(
        VALUES,
        "an integer of 30 digits",
        "integer",
        "123456789012345678901234567890",
        settings=FIELDS,
    ),
    value(VALUES, "1e400", "number", "1e400", platforms=("chat",), settings=FIELDS),
    stays(VALUES, "`NaN`", SENT_AGAIN, "replace", field="integer", literal="NaN", settings=FIELDS),
    value(
        VALUES, "an object 500 deep", "object", deep(500), platforms=WITH_OBJECTS, settings=FIELDS
    ),
    stays(
        VALUES,
        "an object 100,000 deep",
        "nested too deeply",
        "replace",
        field="object",
        literal=deep(100_000),
        platforms=WITH_OBJECTS,
        settings=FIELDS,
    ),
)
