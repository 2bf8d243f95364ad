"""The stream of the messages API: any API that pages messages with offset and limit.

It is not the API of one vendor: settings describe the differences between vendors.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from singer_sdk.authenticators import APIKeyAuthenticator
from typing_extensions import override

from tap_chat.platforms.messages.settings import REMEDIES, MessagesSettings, check_fields
from tap_chat.singer.bookmarks import inclusive_start
from tap_chat.streams.paginators import OffsetPaginator, SinglePagePaginator
from tap_chat.streams.probes import Probe
from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.paginators import Paginator
    from tap_chat.streams.read_plans import ReadPlan
    from tap_chat.streams.session import Session

FIELDS: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "description": "The message's own id."},
    "message": {"type": ["string", "null"], "description": "The text."},
    "timestamp": {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "When it was sent.",
    },
    "user_id": {"type": ["string", "null"], "description": "The sender's id."},
}


REACH_REMEDY = (
    "Maybe the API reaches no further. Then each run must ask for less: see the settings"
    " chat.replication_key and chat.filter_param, and start_date."
)


class ChatMessages(ChatStream):
    """The messages."""

    name = "chat_messages"
    section = "chat"
    remedies = REMEDIES
    primary_keys = ("id",)
    account_settings = ("path", "records_path")
    settings: MessagesSettings

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        settings = self.settings
        self.records_path = settings.records_path
        self.path = "/" + settings.path.lstrip("/")
        self.replication_key = settings.replication_key
        check_fields(self.schema["properties"], settings.replication_key)

    @cached_property
    @override
    def schema(self) -> dict[str, Any]:
        """The four fields of every message, and those of the setting `fields`."""
        return {"type": "object", "properties": FIELDS | self.settings.fields, "required": ["id"]}

    @property
    @override
    def records_remedy(self) -> str:
        return f"Check the setting chat.records_path; if it is right, check {REMEDIES.address}."

    @property
    @override
    def record_remedy(self) -> str:
        return "If the API is right, declare the field in the setting chat.fields."

    @property
    @override
    def authenticator(self) -> Auth:
        return APIKeyAuthenticator(
            key=self.settings.api_key_name,
            value=self.settings.api_key,
            location="params" if self.settings.api_key_in == "query" else "header",
        )

    @property
    @override
    def paging_remedy(self) -> str:
        return (
            "Check the settings chat.offset_param and chat.limit_param; if the API gives all it has"
            " at once, set chat.paging to `none`."
        )

    @override
    def new_paginator(self) -> Paginator:
        if self.settings.paging == "none":
            return SinglePagePaginator()
        settings = self.settings
        return OffsetPaginator(
            settings.page_size,
            settings.offset_param,
            settings.limit_param,
            # A total may count all messages, including those that the filter leaves out.
            total_path="" if settings.filter_param else None,
            reach_remedy=REACH_REMEDY,
        )

    @override
    def get_http_request(self, *, page: PageContext[None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        # Without a filter, requests may be built before the stream is synced and has a start.
        if self.settings.filter_param and (start := self.starting_bookmark) is not None:
            request.params[self.settings.filter_param] = inclusive_start(start)
        return request

    @override
    def probe(self) -> Probe:
        params: dict[str, Any] = {}
        if self.settings.paging == "offset":
            params[self.settings.limit_param] = 1
        if self.settings.filter_param and (start := self.planned_start) is not None:
            params[self.settings.filter_param] = inclusive_start(start)
        request = self.new_paginator().page_request(self.new_request(None)).with_params(params)
        return Probe(request, partial(self.check_page, request), "messages")

    @override
    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        # With a filter, the requests depend on where the stream starts.
        if not self.settings.filter_param:
            yield self.plan(None)

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        read = self.bookmark_type.read
        start = None if self.settings.filter_param else read(self.starting_bookmark)
        for chunk in super().read(context):
            if start is None:
                yield chunk
            else:
                # A message without a replication key is always written: its age is unknown.
                values = map(read, chunk.bookmark_values)
                yield chunk.only([value is None or value >= start for value in values])
