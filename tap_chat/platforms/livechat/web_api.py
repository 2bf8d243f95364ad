"""The base of the streams of LiveChat's v3 APIs, and how these APIs say what went wrong.

https://platform.text.com/docs/messaging/agent-chat-api/#errors
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.failures import describe_status
from tap_chat.http.request import Request
from tap_chat.http.responses import Problem, UnreadableError
from tap_chat.platforms.livechat.account_stream import LiveChatAPIStream
from tap_chat.streams.paginators import CursorPaginator

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.http.api_rules import ApiRules
    from tap_chat.http.responses import Response
    from tap_chat.streams.paginators import Paginator
    from tap_chat.streams.session import Session

#: The statuses that the types of errors mean, whatever the status of the response is.
STATUSES: Mapping[str, int] = {
    "authentication": HTTPStatus.UNAUTHORIZED,
    "authorization": HTTPStatus.FORBIDDEN,
    "missing_access": HTTPStatus.FORBIDDEN,
    "license_expired": HTTPStatus.PAYMENT_REQUIRED,
    "license_not_found": HTTPStatus.FORBIDDEN,
    "wrong_product_version": HTTPStatus.FORBIDDEN,
    "misdirected_request": HTTPStatus.MISDIRECTED_REQUEST,
    "too_many_requests": HTTPStatus.TOO_MANY_REQUESTS,
    "request_timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "service_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
}

#: What to do about some of these errors.
PROBLEM_REMEDIES: Mapping[str, str] = {
    "license_not_found": "The token in the setting livechat.access_token has no LiveChat account.",
    "wrong_product_version": (
        "The account can't be read by version 3 of the API: set livechat.api_version to 2."
    ),
    "unsupported_version": "Set livechat.api_version to another version, such as 3.6.",
}

#: The types of errors, and the names of regions: they are shown, or sent.
ERROR_TYPE = re.compile(r"[a-z_]{1,40}")
REGION = re.compile(r"[a-z0-9-]{1,20}")

#: The first bytes of the body of an error.
ERROR_START = re.compile(rb'\s*\{\s*"error"')

PAGE_SIZE = 100

#: Where a page has the id of the next one.
NEXT_PAGE = "next_page_id"


@dataclass(slots=True)
class Region:
    """The region of the account, if the API said that a request must name it.

    Attributes:
        name: Its name; empty if the API has found it itself so far.
    """

    name: str = ""

    def learn(self, name: object) -> None:
        """Take note of a region. Only the first counts, so that no request goes back and forth."""
        if not self.name and isinstance(name, str) and REGION.fullmatch(name):
            self.name = name


class NextPages(CursorPaginator):
    """Pages whose requests have the id of the page, and nothing else.

    LiveChat refuses a request with both a `page_id` and `filters`, `limit` or `sort_order`.
    """

    reads_headers = True

    def __init__(self) -> None:
        super().__init__(NEXT_PAGE, cursor_body_path="page_id")

    @override
    def page_request(self, request: Request) -> Request:
        is_first = self._cursor is None
        return request if is_first else super().page_request(replace(request, body={}))


class WebStream(LiveChatAPIStream):
    """A stream of one of LiveChat's v3 APIs, which are called by POST."""

    #: The path of its requests, without the version.
    action: ClassVar[str]
    #: The body of its requests.
    payload: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, tap: Tap, session: Session) -> None:
        self.region = session.shared_once("livechat region", Region)
        super().__init__(tap, session)
        self.path = self._path_of(self.action)

    @override
    def new_request(self, context: Context | None) -> Request:
        return self.post(self.action, self.payload)

    def post(self, action: str, payload: Mapping[str, Any]) -> Request:
        """Return a request.

        Args:
            action: The path without the version.
            payload: The body.
        """
        url = f"{self.url_base}{self._path_of(action)}"
        return Request(url, "POST", headers={"Accept": "application/json"}, body=dict(payload))

    def _path_of(self, action: str) -> str:
        return f"/v{self.settings.api_version}/{action}"

    @override
    def new_paginator(self) -> Paginator:
        return NextPages()

    @property
    @override
    def api_rules(self) -> ApiRules:
        return replace(
            super().api_rules,
            problem_of=self._problem_of,
            is_renewed_after=self._is_misdirected,
        )

    @override
    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        signed = super()._sign(request)
        if self.region.name:
            signed.headers["X-Region"] = self.region.name
        return signed

    def _is_misdirected(self, request: requests.PreparedRequest, status: int) -> bool:
        """Return whether a request shall be sent again, with the region of the account."""
        is_other = self.region.name != request.headers.get("X-Region", "")
        return status == HTTPStatus.MISDIRECTED_REQUEST and is_other

    def _problem_of(self, response: Response) -> Problem | None:
        """Return the error that a response states, or None."""
        if not ERROR_START.match(response.body[:100]):
            return None
        try:
            error = responses.find(responses.decode(response.body), "error")
        except (ValueError, UnreadableError, RecursionError):
            return None
        name = error.get("type") if isinstance(error, dict) else None
        if not isinstance(name, str) or not ERROR_TYPE.fullmatch(name):
            return None
        self.region.learn(responses.find(error, "data.region"))
        status = STATUSES.get(name, response.status)
        if status == HTTPStatus.OK:
            status = HTTPStatus.BAD_REQUEST
        return Problem(
            status,
            f"returned {describe_status(response.status)} with the error `{name}`",
            PROBLEM_REMEDIES.get(name, ""),
        )


def decoded(response: Response) -> Any:  # noqa: ANN401 - checked by use
    """Return the decoded body of a response."""
    return responses.decode(response.body)
