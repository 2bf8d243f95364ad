"""The format of a declaration, as types: a key of the format is a field of the type.

It is the part of dlt's `rest_api` that is data:
https://dlthub.com/docs/dlt-ecosystem/verified-sources/rest_api/basic (dlt 1.31).
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType
from typing_extensions import override

#: A JSONPath, such as `data.items` or `$.links[?(@.rel=='next')].href`.
JSONPath = str


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a declaration."""


class ConfidentialPart(Part, frozen=True):
    """A part that may hold secrets: nothing shows its values."""

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


# --- Authentication -----------------------------------------------------------------------------


class BearerAuth(ConfidentialPart, frozen=True, tag="bearer", tag_field="type"):
    """A token in the header `Authorization`."""

    token: str


class ApiKeyAuth(ConfidentialPart, frozen=True, tag="api_key", tag_field="type"):
    """A key in a header, a query parameter or a cookie."""

    api_key: str
    name: str = "Authorization"
    location: Literal["header", "query", "param", "cookie"] = "header"


class HttpBasicAuth(ConfidentialPart, frozen=True, tag="http_basic", tag_field="type"):
    """A user name and a password."""

    username: str
    password: str


class OAuth2Auth(ConfidentialPart, frozen=True, tag="oauth2_client_credentials", tag_field="type"):
    """OAuth 2.0 with client credentials (RFC 6749, 4.4)."""

    access_token_url: str
    client_id: str
    client_secret: str
    access_token: str | None = None
    access_token_request_data: dict[str, Any] | None = None
    default_token_expiration: int = 3600


#: The fields of authentications that hold a secret.
SECRET_FIELDS = ("token", "api_key", "password", "client_secret", "access_token")

Auth = BearerAuth | ApiKeyAuth | HttpBasicAuth | OAuth2Auth


# --- Paginators ---------------------------------------------------------------------------------


class AutoPaginator(Part, frozen=True, tag="auto", tag_field="type"):
    """The first response tells."""


class SinglePagePaginator(Part, frozen=True, tag="single_page", tag_field="type"):
    """One response has all records."""


class OffsetPaginator(Part, frozen=True, tag="offset", tag_field="type"):
    """A number of records to skip, and a number of records to return."""

    limit: int
    offset: int = 0
    offset_param: str | None = None
    limit_param: str | None = None
    offset_body_path: str | None = None
    limit_body_path: str | None = None
    total_path: JSONPath | None = "total"
    maximum_offset: int | None = None
    stop_after_empty_page: bool = True
    has_more_path: JSONPath | None = None


class PageNumberPaginator(Part, frozen=True, tag="page_number", tag_field="type"):
    """The number of a page."""

    base_page: int = 0
    page: int | None = None
    page_param: str | None = None
    page_body_path: str | None = None
    total_path: JSONPath | None = "total"
    maximum_page: int | None = None
    stop_after_empty_page: bool = True
    has_more_path: JSONPath | None = None


class JSONLinkPaginator(Part, frozen=True, tag="json_link", tag_field="type"):
    """The URL of the next page, in the body."""

    next_url_path: JSONPath = "next"


class HeaderLinkPaginator(Part, frozen=True, tag="header_link", tag_field="type"):
    """The URL of the next page, in the header `Link` (RFC 8288)."""

    links_next_key: str = "next"


class CursorPaginator(Part, frozen=True, tag="cursor", tag_field="type"):
    """A cursor for the next page, in the body."""

    cursor_path: JSONPath = "cursors.next"
    cursor_param: str | None = None
    cursor_body_path: str | None = None
    stop_after_empty_page: bool = False
    has_more_path: JSONPath | None = None


class HeaderCursorPaginator(Part, frozen=True, tag="header_cursor", tag_field="type"):
    """A cursor for the next page, in a header."""

    cursor_key: str = "next"
    cursor_param: str = "cursor"


Paginator = (
    AutoPaginator
    | SinglePagePaginator
    | OffsetPaginator
    | PageNumberPaginator
    | JSONLinkPaginator
    | HeaderLinkPaginator
    | CursorPaginator
    | HeaderCursorPaginator
)
#: The keys of paginators that are JSONPaths into a body.
PAGINATOR_PATHS = ("total_path", "has_more_path", "next_url_path", "cursor_path")


# --- Resources ----------------------------------------------------------------------------------


class Incremental(Part, frozen=True):
    """How a run skips the records that an earlier one has read."""

    cursor_path: JSONPath
    initial_value: Any = None
    end_value: Any = None
    start_param: str | None = None
    end_param: str | None = None
    lag: float | None = None
    convert: Literal["iso", "date", "epoch_s", "epoch_ms"] | None = None
    last_value_func: Literal["min", "max"] = "max"
    row_order: Literal["asc", "desc"] | None = None
    on_cursor_value_missing: Literal["raise", "include", "exclude"] = "raise"
    range_start: Literal["open", "closed"] = "closed"
    range_end: Literal["open", "closed"] = "open"
    primary_key: str | list[str] | None = None
    allow_external_schedulers: bool | None = None


class ResponseAction(Part, frozen=True):
    """What to do with a response of this status, or with this text in its body."""

    action: Literal["ignore"]
    status_code: int | None = None
    content: str | None = None


class Endpoint(ConfidentialPart, frozen=True):
    """The requests of a resource.

    Attributes:
        path: The path, after the base URL; or a whole URL.
        auth: Its own authentication, or that of the client; None for none.
        paginator: Its own paginator, or that of the client, or `auto`.
    """

    path: str
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    json: dict[str, Any] | None = None
    data: Any = None
    data_selector: JSONPath | None = None
    paginator: Paginator = AutoPaginator()
    auth: Auth | None = None
    incremental: Incremental | None = None
    response_actions: list[ResponseAction] = []


WriteDisposition = Literal["append", "replace", "merge", "skip"]


class Resource(Part, frozen=True):
    """A list of records."""

    name: str
    endpoint: Endpoint
    primary_key: list[str] = []
    include_from_parent: list[str] = []
    write_disposition: WriteDisposition | None = None
    columns: dict[str, dict[str, Any]] | UnsetType = UNSET
    selected: bool = True


class Client(ConfidentialPart, frozen=True):
    """What the requests of all resources share."""

    base_url: str
    headers: dict[str, str] = {}
    auth: Auth | None = None
    paginator: Paginator | None = None
