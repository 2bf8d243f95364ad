"""The platform `freshchat`: Freshchat's API v2 (https://developers.freshchat.com/api/).

There is no list of conversations: users lead to their conversations, and these to their messages.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.streams.rest import PageContext

from tap_chat.bookmarks import just_before, normalise_datetime
from tap_chat.checks import header_problem
from tap_chat.children import ChildStream
from tap_chat.client import ChatStream
from tap_chat.pagination import NextLinkPaginator, NumberPaginator, SinglePage
from tap_chat.platforms import freshchat_fields as fields
from tap_chat.settings import PlatformSettings, about

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_sdk.helpers.types import Auth, Context
    from singer_sdk.streams.rest import HTTPRequest

    from tap_chat.pagination import Paginator
    from tap_chat.records import Record
    from tap_chat.tap import TapChat
    from tap_chat.throttle import Throttle

#: Before every account. Freshchat: a list of users needs a filter, and this one lets all pass.
BEGINNING = "2000-01-01T00:00:00.000Z"

# What the STATE keeps of a stream that is reached through users: when the last run ended that read
# those of the changed users at least, and the last that read those of all.
USERS_UNTIL = "users_until"
ALL_UNTIL = "all_until"

#: Freshchat: the sizes that a page has when it may be the server that limits it.
SERVER_PAGE_SIZES = (20, 50)


class FreshchatSettings(PlatformSettings, frozen=True, kw_only=True):
    """The section `freshchat`."""

    api_url: Annotated[
        str,
        about(
            "API URL",
            "Where the API is, with /v2.",
            examples=["https://acme.freshchat.com/v2", "https://api.eu.freshchat.com/v2"],
        ),
    ]
    api_key: Annotated[str, about("API key", "A token: Admin settings > API tokens.", secret=True)]
    items_per_page: Annotated[
        int,
        about(
            "Items per page",
            "Records to ask for in a request; 50 is what other connectors found safe.",
            ge=1,
        ),
    ] = 50
    mode: Annotated[
        Literal["all", "updated"],
        about(
            "Mode",
            "Whose conversations are read: of `all` users in every run (complete), or of users"
            " `updated` since the last (fast, but may miss messages of the others).",
        ),
    ] = "all"
    lookback_days: Annotated[
        float,
        about(
            "Lookback",
            "Days before the last run from which messages and updated users are read again.",
            ge=0,
        ),
    ] = 1.0

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield from super().problems()
        yield "api_key", header_problem(self.api_key)


class FreshchatStream(ChatStream):
    """A stream of Freshchat: bearer token, next links."""

    section = "freshchat"
    settings: FreshchatSettings

    @property
    @override
    def authenticator(self) -> Auth:
        return BearerTokenAuthenticator(token=self.settings.api_key)

    @override
    def new_paginator(self) -> Paginator[int]:
        return NextLinkPaginator(
            self.settings.api_url, self.settings.items_per_page, SERVER_PAGE_SIZES
        )

    @override
    def get_http_request(self, *, page: PageContext[int | None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        request.headers["Accept"] = "application/json"
        # Ids are opaque, and may hold what has a meaning in a URL.
        keys = {
            name: quote(str(value), safe="") for name, value in (page.stream_context or {}).items()
        }
        request.url = self.url_base + self.path.format(**keys)
        if page.next_page_token is not None:
            request.params["page"] = page.next_page_token
            request.params["items_per_page"] = self.settings.items_per_page
        return request


class SingleObject(FreshchatStream):
    """An endpoint whose answer is the record."""

    @override
    def new_paginator(self) -> Paginator[Any]:
        return SinglePage()

    @override
    def find_records(self, body: Any) -> Any:
        inner = body.get(self.records_path) if isinstance(body, dict) else None
        record = inner if isinstance(inner, dict) else body
        return [record] if isinstance(record, dict) else None


class FreshchatAccount(SingleObject):
    """The account."""

    name = "freshchat_account"
    path = "/accounts/configuration"
    records_path = "configuration"
    primary_keys = ("account_id",)
    schema = fields.ACCOUNT


class FreshchatRoles(FreshchatStream):
    """What agents may do."""

    name = "freshchat_roles"
    path = "/roles"
    records_path = "roles"
    primary_keys = ("id",)
    schema = fields.ROLES


class FreshchatAgents(FreshchatStream):
    """The agents."""

    name = "freshchat_agents"
    path = "/agents"
    records_path = "agents"
    primary_keys = ("id",)
    schema = fields.AGENTS


class FreshchatGroups(FreshchatStream):
    """The groups of agents."""

    name = "freshchat_groups"
    path = "/groups"
    records_path = "groups"
    primary_keys = ("id",)
    schema = fields.GROUPS


class FreshchatChannels(FreshchatStream):
    """The channels."""

    name = "freshchat_channels"
    path = "/channels"
    records_path = "channels"
    primary_keys = ("id",)
    schema = fields.CHANNELS


class FreshchatConversationsProperties(FreshchatStream):
    """The properties that conversations have."""

    name = "freshchat_conversations_properties"
    path = "/conversations/fields"
    records_path = "data"
    primary_keys = ("id",)
    schema = fields.CONVERSATIONS_PROPERTIES

    @override
    def new_paginator(self) -> Paginator[Any]:
        return SinglePage()


class FreshchatUsers(FreshchatStream):
    """The users, those who write and those who were only imported."""

    name = "freshchat_users"
    path = "/users"
    records_path = "users"
    primary_keys = ("id",)
    replication_key = "updated_time"
    schema = fields.USERS

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        yield from self.users(self.starting_bookmark)
        self.report()

    def users(self, since: str | None) -> Iterator[Record]:
        """Read the users that changed.

        Whether a user that never changed has an `updated_time` is not known. So users are asked for
        twice, by the time of change and by the time of creation.

        Args:
            since: A moment, in the format of bookmarks; None for all users.

        Yields:
            Each user once.
        """
        if since is None:
            yield from self._filtered("created_from", BEGINNING)
            return
        start = str(just_before(since))
        yield from self._filtered("updated_from", start)
        for user in self._filtered("created_from", start):
            changed = normalise_datetime(user.get("updated_time"))
            if changed is None or changed < since:
                yield user

    def _filtered(self, name: str, start: str) -> Iterator[Record]:
        def request_page(number: int) -> HTTPRequest:
            request = self.get_http_request(page=PageContext(None, number))
            # Freshchat: every page needs the filter, and next links may lack it.
            request.params[name] = start
            return request

        for page in self.walk(request_page):
            yield from page.records


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
    def get_records(self, context: Context | None) -> Iterable[Record]:
        for user in self._users.users(self._since):
            for page in self.pages({"user_id": user["id"]}):
                yield from page.records
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
    FreshchatAccount,
    FreshchatRoles,
    FreshchatUsers,
    FreshchatAgents,
    FreshchatGroups,
    FreshchatChannels,
    FreshchatUsersConversations,
    FreshchatConversations,
    FreshchatConversationsMessages,
    FreshchatConversationsProperties,
)


def earlier(bookmark: str | None, days: float) -> str | None:
    """Return a bookmark so many days before another, or None for none."""
    if bookmark is None:
        return None
    return normalise_datetime(datetime.fromisoformat(bookmark) - timedelta(days=days))
