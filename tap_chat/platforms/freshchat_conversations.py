"""What is reached through Freshchat's users: their conversations, and the messages of these."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_chat.bookmarks import just_before, normalise_datetime
from tap_chat.children import ChildStream
from tap_chat.client import ChatStream
from tap_chat.fan_out import Plan
from tap_chat.pagination import NumberPaginator, WholeOrPaged
from tap_chat.platforms import freshchat_fields as fields
from tap_chat.platforms.freshchat import (
    FreshchatSettings,
    FreshchatStream,
    FreshchatUsers,
    SingleObject,
)
from tap_chat.resume import INTERRUPTED, Mark, Parents, digest_of, find_mark, remaining

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_chat.pagination import Page
    from tap_chat.records import Block, Record
    from tap_chat.tap import TapChat
    from tap_chat.throttle import Throttle

# What the STATE keeps of a stream that is reached through users: when the last run ended that read
# those of the changed users at least, and the last that read those of all.
USERS_UNTIL = "users_until"
ALL_UNTIL = "all_until"

# Users and conversations have their weights, and at so much of them a STATE is written: often, so
# that a killed run has little to do again, and seldom, so that STATEs are little of the output.
STATE_AT, CONVERSATION, USER = 250, 10, 1


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
    remembers = True

    def __init__(self, tap: TapChat, settings: FreshchatSettings, throttle: Throttle) -> None:
        super().__init__(tap, settings, throttle)
        self._users = FreshchatUsers(tap, settings, throttle)

    @override
    def blocks(self, context: Context | None, *, verbatim: bool) -> Iterator[Block]:
        kind = self._kind(self._since)
        found = find_mark(self.known_state, kind)
        mark = Mark(kind, str(normalise_datetime(self.ends)))
        unsaved = 0
        for parents in self.ahead(self._plan_of_users()):
            if found is not None:
                mark, found = self._go_on(found, mark, parents), None
            for user in parents.rows:
                unsaved += USER
                for page in self.pages({"user_id": user["id"]}):
                    yield page.block
                    unsaved += CONVERSATION * len(page.records)
                # The SDK writes a record's children before it, so everything is written now.
                mark = mark.after(str(user["id"]))
                if unsaved >= STATE_AT:
                    unsaved = 0
                    # Not with each user: the SDK writes a STATE that has changed after each child.
                    self.stream_state[INTERRUPTED] = asdict(mark)
                    self._state_writer.write_state(self.tap_state)
        self.stream_state.pop(INTERRUPTED, None)
        for stream in self._family:
            stream.report()
            stream.stream_state[USERS_UNTIL] = mark.started
            if self.settings.mode == "all":
                stream.stream_state[ALL_UNTIL] = mark.started

    @override
    def first_plans(self) -> Iterator[Plan[Any]]:
        yield self._plan_of_users()

    def _plan_of_users(self) -> Plan[Parents]:
        """Return the plan of the users that are left to read, and of all that follows from them."""
        since = self._since
        for stream in self.child_streams:
            if isinstance(stream, FreshchatConversationsMessages):
                stream.set_since()
        found = find_mark(self.known_state, self._kind(since))
        users = partial(remaining, found, lambda: self._users.users(since))
        return Plan((self.name, "users"), users, self._of_users)

    def _kind(self, since: str | None) -> str:
        """Return a digest of what this pass reads, and from when on."""
        streams = [(stream.name, stream.known_state.get(ALL_UNTIL)) for stream in self._family]
        lookback = self.settings.lookback_days
        return digest_of(self.url_base, self.settings.mode, lookback, since, streams)

    def _go_on(self, found: Mark, new: Mark, first: Parents) -> Mark:
        """Say whether an interrupted pass is gone on with, and return its mark, or the new one."""
        if first.before:
            self.logger.info(
                "Going on after the first %d users, whom the interrupted run has read.",
                found.parents,
            )
            return found
        self.logger.info("The users are not those of the interrupted run: all are read again.")
        return new

    @override
    def new_paginator(self) -> WholeOrPaged:
        # Freshchat: no pages are documented here; whether there are some is not known.
        return WholeOrPaged(self.settings.api_url, self.page_sizes)

    def _of_users(self, parents: Parents) -> Iterator[Plan[Page | None]]:
        for user in parents.rows:
            yield self.plan({"user_id": user["id"]})

    @property
    def _family(self) -> list[ChatStream]:
        """The streams of this one's tree that are written in this run."""
        streams = (self, *self.descendent_streams)
        return [stream for stream in streams if isinstance(stream, ChatStream) and stream.selected]

    @property
    def _since(self) -> str | None:
        """From when on a change makes a user one of this run's; None for all users."""
        marks = [stream.known_state.get(USERS_UNTIL, "") for stream in self._family]
        if self.settings.mode == "all" or not all(marks):
            return None
        return earlier(min(marks), self.settings.lookback_days)

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"user_id": record["user_id"], "conversation_id": record["id"]}


class FreshchatConversations(ChildStream, SingleObject):
    """The conversations."""

    name = "freshchat_conversations"
    parent_stream_type = FreshchatUsersConversations
    path = "/conversations/{conversation_id}"
    records_path = "conversation"
    primary_keys = ("conversation_id",)
    schema = fields.CONVERSATIONS
    remembers = True


class FreshchatConversationsMessages(ChildStream, FreshchatStream):
    """The messages of the conversations."""

    name = "freshchat_conversations_messages"
    parent_stream_type = FreshchatUsersConversations
    path = "/conversations/{conversation_id}/messages"
    records_path = "messages"
    primary_keys = ("conversation_id", "id")
    parent_keys = ("conversation_id",)
    schema = fields.CONVERSATIONS_MESSAGES
    remembers = True
    #: From when on messages are asked for; None for all.
    since: str | None = None

    def set_since(self) -> None:
        """Set `since` before the first request: workers must not look into the state."""
        # Only a run over all users has read every message until then.
        until = self.known_state.get(ALL_UNTIL) if self.settings.mode == "all" else None
        self.since = earlier(until, self.settings.lookback_days)

    @override
    def new_paginator(self) -> NumberPaginator:
        # Freshchat: there may be a link object here, but that there is none says nothing.
        return NumberPaginator(self.page_sizes)

    @override
    def get_http_request(self, *, page: PageContext[int | None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        if self.since is not None:
            request.params["from_time"] = just_before(self.since)
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
