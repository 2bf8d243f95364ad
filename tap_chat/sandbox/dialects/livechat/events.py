"""The events of the threads of the made-up LiveChat account, as LiveChat's v3 API writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tap_chat.sandbox.dialects.livechat.people import agent_ids, customer_id
from tap_chat.sandbox.dialects.livechat.threads import SECOND, timestamp
from tap_chat.sandbox.lines import line

if TYPE_CHECKING:
    from tap_chat.sandbox.dialects.livechat.threads import Thread

Row = dict[str, Any]

#: How long after the end of a thread its summary comes.
SUMMARY_DELAY = 10 * SECOND
#: The system messages that end a thread; None for a thread that none ends.
ENDS = (
    "manual_archived_agent", "manual_archived_customer", "routing.archived_inactive",
    "system_archived", "archived_customer_disconnected", "routing.archived_disconnected", None,
)  # fmt: skip


def has_events(thread: Thread) -> bool:
    """Return whether a thread has any events."""
    return thread.number % 13 != 5


def count(thread: Thread, now: int) -> int:
    """Return the number of events of a thread at a time."""
    if not has_events(thread):
        return 0
    if now < thread.ended + SUMMARY_DELAY:
        return len(_plan(thread, now))
    has_end = ENDS[thread.number % len(ENDS)] is not None
    return len(_kinds(thread.number, thread.agents)) + has_end + has_summary(thread)


def events(seed: int, thread: Thread, now: int, days: float, *, sees_deleted: bool) -> list[Row]:
    """Return the events of a thread at a time, oldest first.

    Args:
        seed: Decides every value.
        thread: The thread.
        now: The time.
        days: The days after which it no longer changes.
        sees_deleted: Whether the text of deleted events is shown.
    """
    if not has_events(thread):
        return []
    is_late = now >= thread.late(days)
    found = []
    for place, (kind, moment) in enumerate(_plan(thread, now)):
        row = _event(seed, thread, place, kind, moment)
        if is_late and kind == "message" and (thread.number + place) % 9 == 4:
            row["deleted"] = True
            row = row if sees_deleted else _stub(row, place)
        found.append(row)
    return found


def end_of(rows: list[Row]) -> str | None:
    """Return when a thread ended that is not active, from its events; None without events."""
    closed = [row for row in rows if "archived" in row.get("system_message_type", "")]
    return (closed or rows)[-1]["created_at"] if rows else None


def _plan(thread: Thread, now: int) -> list[tuple[str, int]]:
    """Return the kind and the time of each event up to a time."""
    kinds = _kinds(thread.number, thread.agents)
    step = (thread.ended - thread.created) // (len(kinds) + 1)
    planned = [(kind, thread.created + step * place) for place, kind in enumerate(kinds)]
    if ENDS[thread.number % len(ENDS)]:
        planned.append(("end", thread.ended))
    if has_summary(thread):
        planned.append(("summary", thread.ended + SUMMARY_DELAY))
    return [(kind, moment) for kind, moment in planned if moment <= now]


def has_summary(thread: Thread) -> bool:
    """Return whether a summary comes after the end of a thread."""
    return thread.number % 8 == 5


def _kinds(number: int, agents: int) -> list[str]:
    """Return the kinds of the events of a thread before its end."""
    kinds = ["assigned"] if agents else []
    kinds += [] if number % 4 else ["filled_form"]
    messages = number * 7 % 11
    return kinds + ["message"] * messages + (_OTHERS[number % 7] if messages > 1 else [])


_OTHERS: tuple[list[str], ...] = (
    ["file"],
    ["rich_message"],
    ["custom"],
    ["form"],
    ["order"],
    ["file", "custom"],
    [],
)


def _event(seed: int, thread: Thread, place: int, kind: str, moment: int) -> Row:
    number = thread.number
    by_agent = _by_agent(thread, place)
    author = agent_ids(thread)[0] if by_agent else customer_id(seed, thread)
    # LiveChat: older events have a UUID.
    old = str(UUID(int=(number << 32 | place) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)))
    row: Row = {
        "id": old if number % 3 == 0 else f"{thread.id}_{place + 1}",
        "created_at": timestamp(moment),
        "visibility": "agents" if by_agent and number % 5 == 2 else "all",
        "type": kind,
    }
    match kind:
        case "assigned":
            variables = {"agent": agent_ids(thread)[0]}
            return row | _system_message("routing.assigned_inactive", "Assigned", variables)
        case "end":
            return row | _system_message(str(ENDS[number % len(ENDS)]), "The chat was closed", {})
        case "summary":
            details = '{"summary":"größe","n":12345678901234567890}'
            return row | _system_event("messaging", "summary", details)
        case "order":
            return row | _system_event("cdp", "store_order_was_created", '{"order":{"price":1.10}}')
    row["author_id"] = author
    if (number + place) % 4 == 1:
        row |= {"custom_id": f"31-0C-{place}", "properties": {"lc2": {"welcome_message": True}}}
    row |= _content(seed, thread, place, kind)
    return row


def _by_agent(thread: Thread, place: int) -> bool:
    return bool(thread.agents) and (thread.number + place) % 2 == 0


def _content(seed: int, thread: Thread, place: int, kind: str) -> Row:
    """Return the fields that only a kind of events has."""
    number = thread.number
    match kind:
        case "message":
            row: Row = {"text": line(seed, number, place, by_agent=_by_agent(thread, place))}
            if (number + place) % 10 == 7:
                row["postback"] = {"id": "yes", "thread_id": thread.id, "event_id": f"{place}"}
            return row
        case "file":
            file = {"name": "größe.png", "url": "https://files.example/1?a=b", "size": 2**31}
            return {**file, "content_type": "image/png", "width": 640, "height": 480}
        case "filled_form":
            return {
                "form_id": "1473433500211",
                "form_type": "prechat",
                "fields": [
                    {"type": "name", "id": "1", "label": "Your name", "answer": "美咲"},
                    {"type": "radio", "id": "2", "label": "Why", "answer": {"id": "0"}},
                    {"type": "group_chooser", "id": "3", "answer": {"id": "2", "group_id": 0}},
                    {"type": "checkbox", "id": "4", "answers": [{"id": "0", "label": "it"}]},
                ],
            }
        case "form":
            fields = [{"type": "name", "id": "1", "label": "Your name", "required": True}]
            return {"form_id": "1473433500211", "form_type": "postchat", "fields": fields}
        case "rich_message":
            buttons = [{"text": "yes", "postback_id": "yes", "user_ids": []}]
            return {"template_id": "cards", "elements": [{"title": "é", "buttons": buttons}]}
        case _:
            return {"content": {"custom": {"nested": [1, "json", None]}}}


def _system_message(kind: str, text: str, variables: Row) -> Row:
    # LiveChat: it has no author.
    return {
        "type": "system_message",
        "system_message_type": kind,
        "text": text,
        "text_vars": variables,
    }


def _system_event(source: str, subtype: str, details: str) -> Row:
    # LiveChat: `details` is JSON in a text, and there is no author.
    return {
        "type": "system",
        "source": source,
        "subtype": subtype,
        "version": 1,
        "details": details,
    }


def _stub(event: Row, place: int) -> Row:
    """Return a deleted event as an agent with the role `normal` sees it."""
    kept = ("id", "custom_id", "type", "author_id", "created_at", "deleted")
    # LiveChat: its table says that the visibility is always there, and its sample lacks it.
    names = {*kept, "visibility"} if place % 2 else set(kept)
    return {name: value for name, value in event.items() if name in names}
