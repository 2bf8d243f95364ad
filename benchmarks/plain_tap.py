"""The same stream as a plain SDK tap: what a developer writes who follows the documentation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import APIKeyAuthenticator
from singer_sdk.pagination import OffsetPaginator
from singer_sdk.streams import RESTStream

from tap_chat.platforms.dixa_fields import CONVERSATION_EXPORT

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers.types import Auth
    from singer_sdk.streams.rest import HTTPRequest, PageContext

PAGE_SIZE = 100


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


class PlainTap(Tap):
    """A plain tap."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True),
        th.Property("api_key", th.StringType, required=True),
    ).to_dict()

    @override
    def discover_streams(self) -> Sequence[Messages]:
        return [Messages(self)]


class Conversations(RESTStream[None]):
    """The conversations of Dixa, one window."""

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
    """A plain tap."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True)
    ).to_dict()

    @override
    def discover_streams(self) -> Sequence[Conversations]:
        return [Conversations(self)]


if __name__ == "__main__":
    PlainTap.cli()
