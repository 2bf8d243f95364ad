"""Cases that are not faults of one response: limits, changing lists, odd ends, odd rows."""

from __future__ import annotations

from typing import Any

from fault_matrix.case import (
    DRIFTS,
    ENDLESS,
    ENDS,
    FRESHCHAT,
    LIMITS,
    ODD,
    PAGES,
    PARENTS,
    V2,
    Case,
    once,
    stays,
)

from tap_chat.sandbox import Drift, Fault, Limit

CHAT, DIXA, LIVECHAT = ("chat",), ("dixa",), ("livechat",)
#: Freshchat's stream needs some 60 requests.
FIFTY = Limit(count=25, window=0.5)


def met(group: str, name: str, platforms: tuple[str, ...], **more: Any) -> Case:
    """Return the case of an unusual server that is read whole."""
    return Case(group, name, platforms=platforms, **more)


def limited(name: str, *limits: Limit, slow: bool = False, **more: Any) -> Case:
    """Return the case of a server with limits."""
    options = {"limits": list(limits), **more.pop("options", {})}
    of = FRESHCHAT if slow else ()
    return met(LIMITS, name, FRESHCHAT, options=options, slow=of, **more)


LIMITED = (
    limited("a fixed window, stated exactly", Limit(count=25, window=0.5, reports=("exact",))),
    limited("a fixed window, not stated", FIFTY),
    limited(
        "a fixed window that is used up, not stated", Limit(count=25, window=2, used=1), slow=True
    ),
    limited(
        "a fixed window, with `Retry-After: 0`",
        Limit(count=25, window=0.5, reports=("constant",), constant=0),
    ),
    limited(
        "a fixed window, with `Retry-After` in whole seconds",
        Limit(count=25, window=1, reports=("seconds",)),
        slow=True,
    ),
    limited(
        "a fixed window, with `Retry-After` as a date",
        Limit(count=25, window=1, reports=("date",)),
        slow=True,
    ),
    limited(
        "a fixed window that is used up, with `X-RateLimit-*` in seconds",
        Limit(count=25, window=1, used=1, reports=("x_ratelimit",)),
        slow=True,
    ),
    limited(
        "a fixed window that is used up, with `X-RateLimit-*` and a time",
        Limit(count=25, window=1, used=1, reports=("x_ratelimit_epoch",)),
        slow=True,
    ),
    limited(
        "a fixed window, with `RateLimit` as in draft 8",
        Limit(count=25, window=1, reports=("draft_8",)),
        slow=True,
    ),
    limited(
        "a fixed window, with `retry_after_ms` in the body",
        Limit(count=25, window=0.5, reports=("retry_after_ms",)),
        slow=True,
    ),
    limited("a sliding window, not stated", Limit(kind="sliding", count=25, window=0.5)),
    limited("a token bucket, not stated", Limit(kind="token", count=50, window=1, burst=10)),
    limited("nginx's `limit_req`, not stated", Limit(kind="leaky", count=50, window=1)),
    limited(
        "nginx's `limit_req` with a burst that waits",
        Limit(kind="leaky", count=50, window=1, burst=20),
        slow=True,
    ),
    limited(
        "two requests at once, not stated",
        Limit(kind="at_once", count=2),
        options={"latency": 0.02},
    ),
    limited("another client that takes half", Limit(count=25, window=0.5, shared=0.5), slow=True),
    limited("each tenth request is refused, without a reason", Limit(kind="stray", every=10)),
)

#: A part of the ids of most conversations and users.
OF_CONVERSATION, OF_USER = "-0002-4000-", "-0001-4000-"
OF_PARENTS = (
    *(
        once(
            PARENTS,
            f"404 of {which} for a short time, as {what}",
            "status",
            status=404,
            path=path,
            times=times,
            page=page,
            platforms=FRESHCHAT,
        )
        for which, path, times in (
            ("one conversation", OF_CONVERSATION, 1),
            ("most conversations", OF_CONVERSATION, 15),
            ("most users", OF_USER, 8),
        )
        for what, page in (("JSON", False), ("a web page", True))
    ),
    stays(
        PARENTS,
        "404 of most conversations forever",
        "returned 404 Not Found, also",
        "status",
        status=404,
        path=OF_CONVERSATION,
        platforms=FRESHCHAT,
        world={"users": 40, "conversations": 60},
    ),
)

PAGED = (
    met(
        PAGES,
        "pages shorter than asked for",
        ("chat", "freshchat"),
        options={"max_page_size": 7, "message_links": True},
    ),
    *(
        met(
            PAGES,
            f"rows that are hidden in full pages{of}",
            platforms,
            world={"hidden": 5},
            options={"message_links": True},
        )
        for of, platforms in (("", CHAT), (" of Freshchat", FRESHCHAT))
    ),
)

ENDING = (
    *(
        met(
            ENDS,
            f"{end}, after {before}",
            CHAT,
            options={"messages_end": value},
            world={"messages": messages},
        )
        for end, value in (
            ("`null`", "null"),
            ("`{}`", "object"),
            ("400", "400"),
            ("404", "404"),
            ("416", "416"),
            ("422", "422"),
            ("204", "204"),
            ("an empty body", "nothing"),
            ("a message", "message"),
            ("the last page again", "last"),
        )
        for before, messages in (("a full page", 400), ("a short page", 450))
    ),
)


def drifting(name: str, platforms: tuple[str, ...], *drifts: dict[str, Any], **more: Any) -> Case:
    """Return the case of lists that change."""
    options = {"drifts": [Drift(**drift) for drift in drifts], **more.pop("options", {})}
    return met(DRIFTS, name, platforms, options=options, **more)


MANY_USERS = {"users": 60}
DRIFTING = (
    drifting(
        "messages that were read are deleted",
        CHAT,
        {"kind": "delete", "of": "messages", "after": 2, "rows": 3},
    ),
    drifting(
        "messages come before the others", CHAT, {"kind": "insert", "of": "messages", "after": 2}
    ),
    drifting(
        "messages come after the others",
        CHAT,
        {"kind": "insert", "of": "messages", "after": 2, "place": -1, "rows": 2},
    ),
    drifting(
        "a user who was read is deleted",
        FRESHCHAT,
        {"kind": "delete", "of": "users", "path": "/v2/users", "after": 2},
        world=MANY_USERS,
    ),
    drifting(
        "a user who was read changes, and the order is that of changes",
        FRESHCHAT,
        {"kind": "update", "of": "users", "path": "/v2/users", "after": 2},
        options={"users_order": "updated_time"},
        world=MANY_USERS,
    ),
    drifting(
        "a chat of LiveChat's v2 that was read is deleted",
        LIVECHAT,
        {"kind": "delete", "of": "chats", "after": 1, "place": 0},
        world=V2,
    ),
    drifting(
        "a chat of LiveChat's v2 ends",
        LIVECHAT,
        {"kind": "insert", "of": "chats", "after": 1},
        world=V2,
    ),
    drifting(
        "threads that were read are deleted",
        LIVECHAT,
        {"kind": "delete", "of": "threads", "path": "list_archives", "after": 1, "rows": 3},
    ),
    drifting(
        "a thread begins",
        LIVECHAT,
        {"kind": "insert", "of": "threads", "path": "list_archives", "after": 1},
    ),
)

ODD_ROWS = (
    met(ODD, "one `updated_at` in seconds", DIXA, world={"dixa_odd": "seconds"}),
    met(ODD, "one `updated_at` far ahead", DIXA, world={"dixa_odd": "ahead"}),
    met(
        ODD,
        "chats of LiveChat's v2 that are listed twice",
        LIVECHAT,
        options={"livechat_twice": 20},
        world=V2,
    ),
    met(
        ODD,
        "a count of LiveChat's v2 above what is listed",
        LIVECHAT,
        options={"livechat_excess": 1},
        world=V2,
    ),
    met(
        ODD,
        "a count of LiveChat's v2 above what can be reached",
        LIVECHAT,
        options={"livechat_cap": 25, "livechat_count": "all"},
        world=V2,
    ),
    met(
        ODD,
        "a count of LiveChat's v2 above what can be reached, and empty pages beyond",
        LIVECHAT,
        options={"livechat_cap": 25, "livechat_count": "all", "livechat_beyond": "empty"},
        world=V2,
    ),
    met(ODD, "a number of threads far above", LIVECHAT, options={"livechat_found": "many"}),
    met(ODD, "a number of threads that is 0", LIVECHAT, options={"livechat_found": "none"}),
    met(
        ODD,
        "filters that compare the last event of a thread",
        LIVECHAT,
        options={"livechat_compares": "last_event"},
    ),
    met(
        ODD,
        "intervals without their ends",
        LIVECHAT,
        options={"livechat_bounds": "neither"},
        settings={"batch_size": 1},
    ),
    met(
        ODD,
        "a page that begins in the millisecond in which the one before ends",
        LIVECHAT,
        options={"livechat_paging": "time"},
    ),
)

NEVER_ENDING = (
    Case(
        ENDLESS,
        "an `offset` that is ignored while something comes",
        Fault(kind="repeat", times=None),
        "fails",
        "mostly known rows",
        CHAT,
        options={"drifts": [Drift(kind="insert", of="messages", times=None)]},
    ),
    stays(
        ENDLESS,
        "empty pages with a next link",
        "empty pages in a row",
        "empty_page",
        path="/v2/agents",
        after=1,
        platforms=FRESHCHAT,
    ),
    stays(
        ENDLESS,
        "a count of 10^12 pages",
        "empty pages in a row",
        "many_pages",
        path="/v2/agents",
        platforms=FRESHCHAT,
        options={"links": "absent"},
    ),
    met(
        ENDLESS,
        "a count of 10^12 pages of LiveChat's v2",
        LIVECHAT,
        fault=Fault(kind="many_pages", path="/chats", times=None),
        options={"livechat_beyond": "empty"},
        world=V2,
    ),
)
