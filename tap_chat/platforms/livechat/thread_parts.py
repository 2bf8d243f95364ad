"""The events and users of LiveChat's threads: parts of the threads, which cost no request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.platforms.livechat import archive_fields
from tap_chat.platforms.livechat.archive import ThreadPart
from tap_chat.platforms.livechat.threads import LiveChatThreads

if TYPE_CHECKING:
    from tap_chat.singer.records import Record


class LiveChatThreadEvents(ThreadPart):
    """The events of the threads: messages, files, forms, and what the system did."""

    name = "livechat_thread_events"
    parent_stream_type = LiveChatThreads
    schema = archive_fields.THREAD_EVENTS

    @override
    def parts_of(self, chat: Record) -> Any:
        return chat["thread"].get("events")


class LiveChatThreadUsers(ThreadPart):
    """The customers and agents of the chats of the threads."""

    name = "livechat_thread_users"
    parent_stream_type = LiveChatThreads
    schema = archive_fields.THREAD_USERS

    @override
    def parts_of(self, chat: Record) -> Any:
        return chat.get("users")
