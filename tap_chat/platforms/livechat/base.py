"""The bases of LiveChat's streams: of the chats, and of their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.http.request import Request
from tap_chat.platforms.livechat.account_stream import BEGINNING, LiveChatAPIStream
from tap_chat.singer.bookmarks import WindowBookmarks
from tap_chat.streams.child import ChildStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.session import Session

#: When a chat ended, in seconds since 1970: the replication key of all streams.
ENDED = "ended_timestamp"


class LiveChatStream(LiveChatAPIStream):
    """A stream of LiveChat's v2 API: the chats, or a part of each chat."""

    path = "/chats"
    has_windows = True
    bookmarks_class = WindowBookmarks

    @property
    @override
    def first_bookmark(self) -> int:
        return int(max(self.start_date or BEGINNING, BEGINNING).timestamp())

    @property
    @override
    def exclusions(self) -> tuple[str, ...]:
        return () if self.settings.include_pending else ("pending chats",)

    @property
    @override
    def planned_start(self) -> int:
        """Where this run starts to read the stream, in seconds since 1970."""
        if not self.has_bookmarks:
            return self.first_bookmark
        return int(self.state_manager.find_start(self.saved_state, ENDED) or self.first_bookmark)


class ChatPart(ChildStream, LiveChatStream):
    """Records that are nested in a chat, which the stream of the chats hands over."""

    primary_keys = ("chat_id", "event_id")
    has_bookmarks = True

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        self.chat: Record = {}
        self.request = Request(self.url_base)

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        chat_id = self.chat["id"]
        records = []
        for number, part in enumerate(self.chat.get(self.records_path) or ()):
            record = part
            if isinstance(part, dict):
                record = part | {
                    "chat_id": chat_id,
                    # LiveChat: in some accounts, parts have no id.
                    "event_id": part.get("event_id") or f"{chat_id}_{number}",
                }
            self.conform(self.request, number, record)
            records.append(record)
        yield self.chunk(records)
