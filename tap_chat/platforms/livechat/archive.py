"""The base of the streams of LiveChat's archive, and the parts of its rows.

`list_archives` returns a row per thread: a chat with one of its threads, which has the events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.platforms.livechat.account_stream import BEGINNING
from tap_chat.platforms.livechat.web_api import WebStream
from tap_chat.singer.bookmarks import DATETIMES, TimeWindowBookmarks
from tap_chat.singer.timestamps import read_datetime, write_datetime
from tap_chat.streams.child import ChildStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.http.request import Request
    from tap_chat.singer.bookmarks import BookmarkType
    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.session import Session

#: The replication key of the threads. The other streams have the same bookmarks.
CREATED = "created_at"

#: The types of system messages that say that a thread was archived: these, and those that begin so.
#: https://platform.text.com/docs/extending-chat-widget/system-messages
ARCHIVED = ("manual_archived_", "routing.archived_", "system_archived", "archived_")

#: What is not a part of a thread's row: the streams of parts have it.
OTHER_STREAMS = frozenset({"events", "users"})


class ArchiveStream(WebStream):
    """A stream of the archive: the threads, or a part of each thread."""

    action = "agent/action/list_archives"
    has_windows = True
    bookmarks_class = TimeWindowBookmarks

    @property
    @override
    def bookmark_type(self) -> BookmarkType:
        return DATETIMES

    @property
    @override
    def first_bookmark(self) -> str:
        return write_datetime(max(self.start_date or BEGINNING, BEGINNING))

    @property
    @override
    def planned_start(self) -> str:
        """Where this run starts to read the stream."""
        if not self.has_bookmarks:
            return self.first_bookmark
        start: str | None = self.state_manager.find_start(self.saved_state, CREATED)
        return start or self.first_bookmark


class ThreadPart(ChildStream, ArchiveStream):
    """Records that are nested in the rows of the archive, which the stream of the threads gives."""

    primary_keys = ("thread_id", "id")
    raw_reader = None
    has_bookmarks = True

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        self.chats: list[Record] = []
        self.request: Request = self.new_request(None)
        self._repeated = 0

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        records = []
        for chat in self.chats:
            ids = {"thread_id": chat["thread"]["id"], "chat_id": chat.get("id")}
            parts = self.parts_of(chat) or []
            for number, part in enumerate(parts if isinstance(parts, list) else [parts]):
                record = part | ids if isinstance(part, dict) else part
                self.conform(self.request, number, record)
                records.append(record)
        self._repeated += count_repeated(records)
        yield self.chunk(records)

    def parts_of(self, chat: Record) -> Any:  # noqa: ANN401 - LiveChat's value
        """Return the list of the parts of a row of the archive; None if it has none."""
        raise NotImplementedError

    def warn_of_repeated(self) -> None:
        """Warn if records have the keys of others."""
        if self._repeated:
            self.logger.warning(
                "Records of %s with the key of another record of their thread, and other content:"
                " %d. A loader that merges rows by their key keeps one of them.",
                self.name,
                self._repeated,
            )


def count_repeated(records: list[Record]) -> int:
    """Return how many parts of threads have the key of an earlier one, and other content."""
    first: dict[tuple[Any, Any], Record] = {}
    return sum(
        first.setdefault((record["thread_id"], record["id"]), record) != record
        for record in records
    )


def thread_row(chat: Any) -> Any:  # noqa: ANN401 - anything but a row is an error later
    """Return the record of a thread from a row of the archive: with its chat, without its parts.

    Args:
        chat: The chat with one thread. A value that is not an object is returned as it is.
    """
    if not isinstance(chat, dict):
        return chat
    thread = chat.get("thread")
    if not isinstance(thread, dict):
        return {}  # which has no id, and is an error
    row = {name: value for name, value in thread.items() if name not in OTHER_STREAMS}
    row["ended_at"] = None if thread.get("active") else end_of(thread.get("events"))
    for name, value in chat.items():
        if name not in {"thread", *OTHER_STREAMS}:
            row[name if name == "is_followed" else f"chat_{name}"] = value
    return row


def end_of(events: Any) -> str | None:  # noqa: ANN401 - it may be no list
    """Return when a thread ended, which LiveChat does not say; None if no event shows it.

    Args:
        events: The events of a thread that is not active.
    """
    if not isinstance(events, list):
        return None
    times = [(event, time_of_event(event)) for event in events if isinstance(event, dict)]
    archived = [time for event, time in times if time and is_archival(event)]
    latest = max(archived or [time for _, time in times if time], default=None)
    return None if latest is None else write_datetime(latest)


def is_archival(event: Record) -> bool:
    """Return whether an event says that its thread was archived."""
    kind = event.get("system_message_type")
    is_system = event.get("type") == "system_message"
    return is_system and isinstance(kind, str) and kind.startswith(ARCHIVED)


def time_of_event(event: Record) -> datetime | None:
    """Return when an event happened, or None."""
    return read_datetime(event.get("created_at"))
