"""What is reached through Freshchat's users: their conversations, and the messages of these."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tap_chat.bookmarks import just_before, normalise_datetime
from tap_chat.children import ChildStream
from tap_chat.client import ChatStream
from tap_chat.pagination import NumberPaginator
from tap_chat.platforms import freshchat_fields as fields
from tap_chat.platforms.freshchat import (
    SERVER_PAGE_SIZES,
    FreshchatSettings,
    FreshchatStream,
    FreshchatUsers,
    SingleObject,
)

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_chat.records import Block, Record
    from tap_chat.tap import TapChat
    from tap_chat.throttle import Throttle

# What the STATE keeps of a stream that is reached through users: when the last run ended that read
# those of the changed users at least, and the last that read those of all.
USERS_UNTIL = "users_until"
ALL_UNTIL = "all_until"


class FreshchatUsersConversations(FreshchatStream):
    """Which conversations a user has; the way to all conversations.

    It reads the list of users for itself, so that its progress does not depend on the users stream:
    a run that fails half-way has not moved the users of the next.
    """

    name = "freshchat_users_conversations"
    path = "/users/{user_id}/conversations"
    records_path = "conversations"
    primary_keys = ("user_id", "id")
    parent_keys = ("user_id",)
    schema = fields.USERS_CONVERSATIONS

    def __init__(self, tap: TapChat, settings: FreshchatSettings, throttle: Throttle) -> None:
        super().__init__(tap, settings, throttle)
        self._users = FreshchatUsers(tap, settings, throttle)

    @override
    def blocks(self, context: Context | None, *, verbatim: bool) -> Iterator[Block]:
        for user in self._users.users(self._since):
            for page in self.pages({"user_id": user["id"]}):
                yield page.block
        # The SDK writes a record's children before it, so everything is written now.
        for stream in self._family:
            stream.report()
            stream.stream_state[USERS_UNTIL] = normalise_datetime(self.ends)
            if self.settings.mode == "all":
                stream.stream_state[ALL_UNTIL] = normalise_datetime(self.ends)

    @property
    def _family(self) -> list[ChatStream]:
        """The streams of this one's tree that are written in this run."""
        streams = (self, *self.descendent_streams)
        return [stream for stream in streams if isinstance(stream, ChatStream) and stream.selected]

    @property
    def _since(self) -> str | None:
        """From when on a change makes a user one of this run's; None for all users."""
        marks = [stream.stream_state.get(USERS_UNTIL, "") for stream in self._family]
        if self.settings.mode == "all" or not all(marks):
            return None
        return earlier(min(marks), self.settings.lookback_days)

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"user_id": record["user_id"], "conversation_id": record["id"]}


class FreshchatConversations(SingleObject, ChildStream):
    """The conversations."""

    name = "freshchat_conversations"
    parent_stream_type = FreshchatUsersConversations
    path = "/conversations/{conversation_id}"
    records_path = "conversation"
    primary_keys = ("conversation_id",)
    schema = fields.CONVERSATIONS


class FreshchatConversationsMessages(ChildStream, FreshchatStream):
    """The messages of the conversations."""

    name = "freshchat_conversations_messages"
    parent_stream_type = FreshchatUsersConversations
    path = "/conversations/{conversation_id}/messages"
    records_path = "messages"
    primary_keys = ("conversation_id", "id")
    parent_keys = ("conversation_id",)
    schema = fields.CONVERSATIONS_MESSAGES

    @override
    def new_paginator(self) -> NumberPaginator:
        # Freshchat: there may be a link object here, but it can't be depended upon.
        return NumberPaginator(self.settings.items_per_page, SERVER_PAGE_SIZES)

    @override
    def get_http_request(self, *, page: PageContext[int | None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        # Only a run over all users has read every message until then.
        until = self.stream_state.get(ALL_UNTIL) if self.settings.mode == "all" else None
        if start := earlier(until, self.settings.lookback_days):
            request.params["from_time"] = just_before(start)
        return request


STREAMS = (
    FreshchatUsersConversations,
    FreshchatConversations,
    FreshchatConversationsMessages,
)


def earlier(bookmark: str | None, days: float) -> str | None:
    """Return a bookmark so many days before another, or None for none."""
    if bookmark is None:
        return None
    return normalise_datetime(datetime.fromisoformat(bookmark) - timedelta(days=days))
