"""The conversations of Freshchat, and their messages: one request or more for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.platforms.freshchat import fields
from tap_chat.platforms.freshchat.conversations import FreshchatUsersConversations
from tap_chat.platforms.freshchat.lookups import ConversationLookup
from tap_chat.platforms.freshchat.resume import ALL_UNTIL, BOOKMARK_KEYS, MISSED, ApproximateSet
from tap_chat.platforms.freshchat.streams import PAGES, FreshchatStream
from tap_chat.platforms.freshchat.users import days_before, valid_bookmark
from tap_chat.singer.bookmarks import inclusive_start
from tap_chat.streams.child import ChildStream

if TYPE_CHECKING:
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_chat.streams.paginators import Paginator


class FreshchatConversations(ConversationLookup):
    """The conversations."""

    name = "freshchat_conversations"
    parent_stream_type = FreshchatUsersConversations
    path = "/conversations/{conversation_id}"
    records_path = "conversation"
    primary_keys = ("conversation_id",)
    schema = fields.CONVERSATIONS
    has_bookmarks = True
    bookmark_keys = BOOKMARK_KEYS


class FreshchatConversationsMessages(ChildStream, FreshchatStream):
    """The messages of the conversations."""

    name = "freshchat_conversations_messages"
    parent_stream_type = FreshchatUsersConversations
    path = "/conversations/{conversation_id}/messages"
    records_path = "messages"
    primary_keys = ("conversation_id", "id")
    parent_keys = ("conversation_id",)
    schema = fields.CONVERSATIONS_MESSAGES
    has_bookmarks = True
    bookmark_keys = BOOKMARK_KEYS
    #: The time from which messages are requested, as a bookmark; None for all messages.
    since: str | None = None
    #: The users whose messages are all requested, whatever `since` is.
    missed_before = ApproximateSet()

    @override
    def prepare(self) -> None:
        """Set `since` and `missed_before`."""
        # Only a run over all users has read every message before it: reports may lack some.
        if self.settings.mode != "updated":
            read_until = valid_bookmark(self.saved_state.get(ALL_UNTIL))
            self.since = days_before(read_until, self.settings.lookback_days)
        self.missed_before = ApproximateSet.read(self.saved_state.get(MISSED))

    @override
    def new_paginator(self) -> Paginator:
        # Freshchat: a page may have a link to the next; a page without one is not the last.
        return PAGES(page_size=self.settings.items_per_page, page_sizes=self.page_sizes)

    @override
    def get_http_request(self, *, page: PageContext[None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        user = (page.stream_context or {})["user_id"]
        if self.since is not None and user not in self.missed_before:
            request.params["from_time"] = inclusive_start(self.since)
        return request
