"""The threads of the made-up LiveChat account at one time, as LiveChat's v3 API has them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING

from tap_chat.sandbox.dialects.livechat import events, people
from tap_chat.sandbox.dialects.livechat.reports import REPORTS, report_rows
from tap_chat.sandbox.dialects.livechat.threads import (
    BEGINNING,
    DAY,
    SECOND,
    Thread,
    microseconds,
    thread_id,
    threads,
    timestamp,
)
from tap_chat.sandbox.samples import DAY as DAY_MS
from tap_chat.sandbox.samples import OPENED, epoch_ms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from tap_chat.sandbox.dialects.livechat.people import Row
    from tap_chat.sandbox.dialects.livechat.settings import LiveChatData


@dataclass(frozen=True)
class Archive:
    """The threads that a token sees at one time.

    Attributes:
        data: The settings of the world.
    """

    data: LiveChatData

    @cached_property
    def threads(self) -> list[Thread]:
        """The threads that have begun and are not gone, by their beginning."""
        gone = set(self.data.changes.removed)
        begun = self._history[: bisect_right(self._history, self.now, key=attrgetter("created"))]
        return [thread for thread in begun if thread.id not in gone and self._is_seen(thread)]

    @cached_property
    def archived(self) -> list[Thread]:
        """The threads that the archive lists."""
        return [
            thread
            for thread in self.threads
            if self.data.livechat_lists == "all" or self.ended(thread)
        ]

    @cached_property
    def now(self) -> int:
        """The current time in microseconds since 1970."""
        return microseconds(self.data.now)

    def ended(self, thread: Thread) -> bool:
        """Return whether a thread has ended."""
        return thread.ended <= self.now

    def latest(self, thread: Thread) -> int:
        """Return when the last event of a thread was, or when it began."""
        return max(thread.created, min(thread.ended, self.now))

    def chat(self, thread: Thread) -> Row:
        """Return a thread in its chat, as the archive lists it."""
        seed, next_ = self.data.seed, self._next(thread)
        following = people.agent_ids(next_) if next_ else []
        return {
            "id": thread_id(thread.chat).replace("MH", "CH"),
            "users": people.users(seed, thread, following, is_late=self._is_late(thread)),
            "thread": self._thread(thread),
            "properties": {"source": {"client_id": "c5e4f61e1a6c3b1521b541bc5c5a2ac5"}},
            "access": {"group_ids": self.groups(thread)},
            "is_followed": False,
        }

    def _thread(self, thread: Thread) -> Row:
        number, is_late = thread.number, self._is_late(thread)
        ids = [people.customer_id(self.data.seed, thread), *people.agent_ids(thread)]
        row: Row = {
            "id": thread.id,
            "active": not self.ended(thread),
            "user_ids": ids,
            "properties": {
                "routing": {"continuous": number % 9 == 1, "unassigned": not thread.agents}
            },
            "access": {"group_ids": self.groups(thread)},
            "created_at": timestamp(thread.created),
        }
        found = self._events(thread)
        if self._is_restricted(thread):
            days = self.data.livechat_history_days
            row["restricted_access"] = (
                f"You can't access threads older than {days} days on your plan"
            )
        elif found:
            row["events"] = found
        if is_late and number % 3 == 0:
            row["properties"]["rating"] = {"score": number % 2, "comment": "größe"}
        if is_late and number % 2 == 0:
            row["tags"] = [people.TAGS[number % len(people.TAGS)]]
        if is_late and number % 6 == 1:
            row["summary"] = {"status": "ok", "text": "é", "updated_at": row["created_at"]}
        if number % 4 == 1:
            row |= {
                "queue": {"position": 1, "wait_time": 1337, "queued_at": row["created_at"]},
                "queues_duration": 1337,
            }
        if number % 5 == 3:
            row["customer_visit"] = {"ip": "198.51.100.7", "geolocation": people.GEOLOCATION}
        if thread.previous is not None:
            row["previous_thread_id"] = thread_id(thread.previous)
            row["previous_accessible_thread_id"] = thread_id(thread.previous)
        if next_ := self._next(thread):
            row |= {"next_thread_id": next_.id, "next_accessible_thread_id": next_.id}
        return row

    def summary(self, thread: Thread) -> Row:
        """Return the summary of a chat, given its last thread."""
        chat = self.chat(thread)
        last = {
            name: value
            for name, value in chat["thread"].items()
            if name in {"id", "created_at", "user_ids", "properties", "active", "access", "queue"}
        }
        by_type: Row = {}
        for event in chat["thread"].get("events", []):
            by_type[event["type"]] = {
                "thread_id": thread.id,
                "thread_created_at": chat["thread"]["created_at"],
                "event": event,
            }
        del chat["thread"]
        return chat | {"last_thread_summary": last, "last_event_per_type": by_type}

    @cached_property
    def found(self) -> dict[tuple[str, bytes], Sequence[Thread]]:
        """What was found so far, by the list and the query."""
        return {}

    @cached_property
    def last_threads(self) -> list[Thread]:
        """The last thread of each chat."""
        return list({thread.chat: thread for thread in self.threads}.values())

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        listed = self.archived
        return {
            "livechat_threads": len(listed),
            "livechat_thread_events": sum(
                events.count(thread, self.now)
                for thread in listed
                if not self._is_restricted(thread)
            ),
            "livechat_thread_users": sum(len(self._users(thread)) for thread in listed),
            **{name: len(rows) for name, rows in self._others.items()},
        }

    @cached_property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream must bring, oldest first."""
        chats = [self.chat(thread) for thread in self.archived]
        return {
            "livechat_threads": [_thread_row(chat) for chat in chats],
            "livechat_thread_events": [
                _of_thread(chat) | event
                for chat in chats
                for event in chat["thread"].get("events", [])
            ],
            "livechat_thread_users": [
                _of_thread(chat) | user for chat in chats for user in chat["users"]
            ],
            **self._others,
        }

    @cached_property
    def _others(self) -> dict[str, list[Row]]:
        reports = {
            f"livechat_report_{name}": report_rows(self.threads, name, OPENED, self.data.now)
            for name in REPORTS
        }
        return {
            "livechat_agents": people.agents(self.data.seed),
            "livechat_groups": people.groups(),
            "livechat_tags": people.tags(),
            "livechat_bots": people.bots(self.data.seed),
            "livechat_active_chats": [
                self.summary(thread) for thread in self.last_threads if not self.ended(thread)
            ],
            **reports,
        }

    def listed(self, _: str, __: object) -> list[str]:
        """Return the ids of the threads that the archive lists, oldest first."""
        return [thread.id for thread in self.archived]

    def insert(self, _: str, __: int) -> dict[str, Any]:
        """Return the settings of the world in which one more thread has begun, if there is one."""
        place = bisect_right(self._history, self.now, key=attrgetter("created"))
        if place == len(self._history):
            return {}
        moment = -(-self._history[place].created // SECOND)
        return {"now": datetime.fromtimestamp(moment, BEGINNING.tzinfo)}

    def _users(self, thread: Thread) -> list[str]:
        next_ = self._next(thread)
        further = people.agent_ids(next_) if next_ else []
        return ["", *dict.fromkeys([*people.agent_ids(thread), *further])]

    def _events(self, thread: Thread) -> list[Row]:
        data = self.data
        sees = data.livechat_role == "administrator"
        return events.events(
            data.seed, thread, self.now, data.livechat_late_days, sees_deleted=sees
        )

    def _next(self, thread: Thread) -> Thread | None:
        if thread.next is None or thread.next[1] > self.now:
            return None
        number, created = thread.next
        return Thread(number, created, created, thread.chat)

    def _is_late(self, thread: Thread) -> bool:
        return self.now >= thread.late(self.data.livechat_late_days)

    def _is_restricted(self, thread: Thread) -> bool:
        days = self.data.livechat_history_days
        return days is not None and thread.created < self.now - days * DAY

    def groups(self, thread: Thread) -> list[int]:
        """Return the groups that see a thread."""
        return [thread.chat % 3]

    def _is_seen(self, thread: Thread) -> bool:
        is_own = bool(people.OWN_GROUPS & {*self.groups(thread)})
        return self.data.livechat_groups == "all" or is_own

    @cached_property
    def _history(self) -> list[Thread]:
        # Whole months ahead, so that a world a little later has the same history.
        until = (epoch_ms(self.data.now) // (30 * DAY_MS) + 2) * 30 * DAY_MS
        return threads(self.data.seed, self.data.chats, until)


def _thread_row(chat: Row) -> Row:
    """Return the row of a thread: with its chat, when it ended, and without what has own rows."""
    thread = chat["thread"]
    rows = thread.get("events", [])
    return {
        **{name: value for name, value in thread.items() if name != "events"},
        "chat_id": chat["id"],
        "chat_properties": chat["properties"],
        "chat_access": chat["access"],
        "is_followed": chat["is_followed"],
        "ended_at": None if thread["active"] else events.end_of(rows),
    }


def _of_thread(chat: Row) -> Row:
    return {"thread_id": chat["thread"]["id"], "chat_id": chat["id"]}
