"""The same streams in a plain tap, written by the documentation of the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, quote

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import APIKeyAuthenticator, BearerTokenAuthenticator
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.pagination import BaseHATEOASPaginator, OffsetPaginator, PageNumberPaginator
from singer_sdk.streams import RESTStream
from typing_extensions import override

from tap_chat.platforms.dixa.fields import CONVERSATION_EXPORT
from tap_chat.platforms.freshchat.fields import (
    CONVERSATIONS,
    CONVERSATIONS_MESSAGES,
    USERS,
    USERS_CONVERSATIONS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import requests
    from singer_sdk.helpers.types import Auth, Context, Record
    from singer_sdk.streams.rest import HTTPRequest, PageContext

PAGE_SIZE = 100
FRESHCHAT_PAGE_SIZE = 50


class Messages(RESTStream[int]):
    """The messages."""

    name = "chat_messages"
    path = "/v1/messages"
    primary_keys = ("id",)
    records_jsonpath = "$.data[*]"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        th.Property("message", th.StringType),
        th.Property("timestamp", th.DateTimeType),
        th.Property("user_id", th.StringType),
    ).to_dict()

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["api_url"])

    @property
    @override
    def authenticator(self) -> Auth:
        return APIKeyAuthenticator(key="api_key", value=self.config["api_key"], location="params")

    @override
    def get_new_paginator(self) -> OffsetPaginator:
        return OffsetPaginator(0, PAGE_SIZE)

    @override
    def get_http_request(self, *, page: PageContext[int]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        request.params |= {"limit": PAGE_SIZE, "offset": page.next_page_token}
        return request


class NextLink(BaseHATEOASPaginator):
    """Follows Freshchat's next links."""

    @override
    def get_next_url(self, response: requests.Response) -> str | None:
        link = response.json().get("links", {}).get("next_page")
        return str(link["href"]) if link else None


class Freshchat(RESTStream[Any]):
    """A stream of Freshchat."""

    # The SDK's own check fails for objects without declared properties.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.ROOT_ONLY

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["freshchat_url"])

    @property
    @override
    def authenticator(self) -> Auth:
        return BearerTokenAuthenticator(token=self.config["api_key"])


class Users(Freshchat):
    """The users."""

    name = "freshchat_users"
    path = "/users"
    primary_keys = ("id",)
    records_jsonpath = "$.users[*]"
    schema: ClassVar[dict[str, Any]] = USERS

    @override
    def get_new_paginator(self) -> NextLink:
        return NextLink()

    @override
    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        number = parse_qs(page.next_page_token.query)["page"] if page.next_page_token else [1]
        request.params |= {
            "created_from": "2000-01-01T00:00:00.000Z",
            "items_per_page": FRESHCHAT_PAGE_SIZE,
            "page": number[0],
        }
        return request

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"user_id": quote(record["id"], safe="")}


class UsersConversations(Freshchat):
    """The conversations of the users."""

    name = "freshchat_users_conversations"
    parent_stream_type = Users
    path = "/users/{user_id}/conversations"
    primary_keys = ("user_id", "id")
    records_jsonpath = "$.conversations[*]"
    schema: ClassVar[dict[str, Any]] = USERS_CONVERSATIONS

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"conversation_id": quote(record["id"], safe="")}


class Conversations(Freshchat):
    """The conversations."""

    name = "freshchat_conversations"
    parent_stream_type = UsersConversations
    path = "/conversations/{conversation_id}"
    primary_keys = ("conversation_id",)
    records_jsonpath = "$"
    schema: ClassVar[dict[str, Any]] = CONVERSATIONS


class ConversationsMessages(Freshchat):
    """Their messages."""

    name = "freshchat_conversations_messages"
    parent_stream_type = UsersConversations
    path = "/conversations/{conversation_id}/messages"
    primary_keys = ("conversation_id", "id")
    records_jsonpath = "$.messages[*]"
    schema: ClassVar[dict[str, Any]] = CONVERSATIONS_MESSAGES

    @override
    def get_new_paginator(self) -> PageNumberPaginator:
        def has_more(response: requests.Response) -> bool:
            return len(response.json()["messages"]) == FRESHCHAT_PAGE_SIZE

        paginator = PageNumberPaginator(1)
        paginator.has_more = has_more  # type: ignore[method-assign]
        return paginator

    @override
    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        request.params |= {"page": page.next_page_token, "items_per_page": FRESHCHAT_PAGE_SIZE}
        return request


class PlainTap(Tap):
    """A plain tap for the messages API, or for Freshchat's conversations."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(
        th.Property("api_url", th.StringType),
        th.Property("freshchat_url", th.StringType),
        th.Property("api_key", th.StringType, required=True),
    ).to_dict()

    @override
    def discover_streams(self) -> Sequence[RESTStream[Any]]:
        if "freshchat_url" in self.config:
            tree = (Users, UsersConversations, Conversations, ConversationsMessages)
            return [kind(self) for kind in tree]
        return [Messages(self)]


class DixaConversations(RESTStream[None]):
    """The conversations of Dixa, in one window."""

    name = "dixa_conversation_export"
    path = "/conversation_export"
    primary_keys = ("id",)
    records_jsonpath = "$[*]"
    schema: ClassVar[dict[str, Any]] = CONVERSATION_EXPORT

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["api_url"])


class PlainDixaTap(Tap):
    """A plain tap for Dixa."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True)
    ).to_dict()

    @override
    def discover_streams(self) -> Sequence[DixaConversations]:
        return [DixaConversations(self)]


if __name__ == "__main__":
    PlainTap.cli()
