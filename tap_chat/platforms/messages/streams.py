"""The platform `chat`: any API that gives messages by offset and limit, with an API key.

It is a template rather than one vendor's API, so what differs between vendors is a setting.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from jsonschema import Draft202012Validator, SchemaError
from singer_sdk.authenticators import APIKeyAuthenticator
from typing_extensions import override

from tap_chat.config.errors import config_error
from tap_chat.config.settings import MOST_ON_A_PAGE, PlatformSettings, about
from tap_chat.config.validators import header_name_problem, header_problem, path_problem
from tap_chat.escapes import printable
from tap_chat.http.errors import Remedies
from tap_chat.singer.bookmarks import inclusive_start, is_bookmarkable
from tap_chat.streams.paginators import OffsetPaginator, SinglePagePaginator
from tap_chat.streams.probes import Probe
from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.fan_out import ReadPlan
    from tap_chat.streams.paginators import Paginator
    from tap_chat.streams.session import Session

FIELDS: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "description": "The message's own id."},
    "message": {"type": ["string", "null"], "description": "The text."},
    "timestamp": {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "When it was sent.",
    },
    "user_id": {"type": ["string", "null"], "description": "Who sent it."},
}


REMEDIES = Remedies(
    section="chat",
    address="the settings chat.api_url and chat.path: together they must lead to the messages",
    unknown=(
        "The setting chat.api_key is wrong or expired, or the API expects it elsewhere: see"
        " chat.api_key_in and chat.api_key_name."
    ),
    forbidden=(
        "The key in the setting chat.api_key may not read the messages. Permit it where it was"
        " made, or see whether the account's plan has the API."
    ),
)


REACH_REMEDY = (
    "Maybe the API reaches no further. Then each run must ask for less: see the settings"
    " chat.replication_key and chat.filter_param, and start_date."
)


class MessagesSettings(PlatformSettings, frozen=True, kw_only=True):
    """The section `chat`."""

    api_key: Annotated[str, about("API key", "The key of the account.", secret=True)]
    api_key_in: Annotated[
        Literal["query", "header"],
        about("API key in", "Where the key is sent: `query` or `header`."),
    ] = "query"
    api_key_name: Annotated[
        str, about("API key name", "The name of the query parameter or header with the key.")
    ] = "api_key"
    path: Annotated[str, about("Path", "The path of the messages, after the API URL.")] = (
        "/v1/messages"
    )
    records_path: Annotated[
        str,
        about(
            "Records path",
            "Where the list of messages is in an answer: names with dots between them; empty if"
            " the answer is the list.",
        ),
    ] = "data"
    paging: Annotated[
        Literal["offset", "none"],
        about(
            "Paging",
            "How pages are asked for: by `offset` and limit, or `none` if the API gives all it has"
            " at once.",
        ),
    ] = "offset"
    page_size: Annotated[
        int, about("Page size", "Messages to ask for in a request.", ge=1, le=MOST_ON_A_PAGE)
    ] = 100
    offset_param: Annotated[
        str, about("Offset parameter", "The parameter with the number of messages to skip.")
    ] = "offset"
    limit_param: Annotated[str, about("Limit parameter", "The parameter with the page size.")] = (
        "limit"
    )
    fields: Annotated[
        dict[str, dict[str, Any]],
        about(
            "Fields",
            "Further fields of a message, or other types for `id`, `message`, `timestamp` and"
            " `user_id`: an object of field name to JSON Schema. What is not declared is left out.",
            examples=[{"channel": {"type": ["string", "null"]}}],
        ),
    ] = {}  # noqa: RUF012 - msgspec gives every instance its own
    replication_key: Annotated[
        str | None,
        about(
            "Replication key",
            "A field that grows with every new or changed message, for incremental runs; unset,"
            " every run reads the full table.",
            examples=["timestamp"],
        ),
    ] = None
    filter_param: Annotated[
        str | None,
        about(
            "Filter parameter",
            "The parameter by which the server leaves out messages older than a value of the"
            " replication key; unset, the tap reads all and leaves them out itself.",
            examples=["since"],
        ),
    ] = None

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield from super().problems()
        yield "path", path_problem(self.path)
        if self.api_key_in == "header":
            yield "api_key", header_problem(self.api_key)
            yield "api_key_name", header_name_problem(self.api_key_name)


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
        """The four fields every message has, and those of the setting `fields`."""
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
            # A total may be that of all messages, whatever the filter leaves out.
            total_path="" if settings.filter_param else None,
            reach_remedy=REACH_REMEDY,
        )

    @override
    def get_http_request(self, *, page: PageContext[None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        # Without a filter this may be asked before the stream is synced, when it has no start yet.
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
        return Probe(request, partial(self.page, request), "messages")

    @override
    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        # With a filter, requests depend on where the stream starts.
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
                # A message without a bookmark has no age: better twice than never.
                marks = map(read, chunk.bookmark_values)
                yield chunk.only([mark is None or mark >= start for mark in marks])


def check_fields(fields: Mapping[str, Any], replication_key: str | None) -> None:
    """Check the fields that a config declares.

    Args:
        fields: JSON Schemas by field.
        replication_key: The setting of that name.

    Raises:
        ConfigValidationError: One is no JSON Schema, or the replication key is not among them, or
            its values have no order.
    """
    for name, schema in fields.items():
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            where = ".".join(map(str, (name, *error.absolute_path)))
            raise config_error(
                f"The setting `chat.fields.{printable(where)}` is no JSON Schema. One is, for"
                ' example, {"type": ["string", "null"]}.'
            ) from None
    if replication_key and replication_key not in fields:
        raise config_error(
            "The setting `chat.replication_key` names a field that is not declared. Declare it in"
            " `chat.fields`."
        )
    if replication_key and not is_bookmarkable(fields[replication_key]):
        raise config_error(
            "The setting `chat.replication_key` names a field that is neither a number nor a"
            " date-time, so that it is not known which values are later."
            " Declare it in `chat.fields` as integer, number, or string with the format date-time;"
            " if it is another text, read the full table."
        )
