"""A small REST API of the tests: lists by every way of paging, behind every kind of credentials.

    api.lists["rooms"] = [{"id": 1}, ...]            # GET /offset/rooms?offset=0&limit=10
    api.lists["rooms/1/messages"] = [...]            # GET /cursor/rooms/1/messages?cursor=...
    api.access = basic                               # all paths, except /token
    api.faults["rooms/1/messages"] = [Response(status_code=503)]   # the next responses of a list

The first part of a path names the way of paging (`WAYS`), the rest is the name of the list. Tests
change `lists`, `access` and `faults` at any time. Parameters are those of the query, and those of
a JSON body if the request has one. Each list is found in its page at `data` (but at the top level
for `link` and `bare`). `since` and `until` filter rows: `since <= row["updated_at"] < until`.
So does `where_<field>`, by equal values as text.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from serving import Server
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

Row = dict[str, Any]

TOKEN = "t0ken-of-the-tests"
USER, PASSWORD = "reader", "passw0rd-of-the-tests"
CLIENT_ID, CLIENT_SECRET = "client-of-the-tests", "s3cret-of-the-tests"
#: The number of rows of a page.
LIMIT = 10


@dataclass
class Api:
    """The API, within the context of `serving`.

    Attributes:
        lists: The rows of each list.
        faults: Responses of a list that come before its rows, in order.
        access: Returns whether a request has the right credentials.
        expires_in: The seconds that a token of OAuth is valid.
        delay: The seconds that each page takes.
        url: The URL of the API.
        paths: The path, with the query, of every request so far.
        tokens: The time at which each token of OAuth expires.
    """

    lists: dict[str, list[Row]] = field(default_factory=dict)
    faults: dict[str, list[Response]] = field(default_factory=dict)
    access: Callable[[Request], bool] | None = None
    expires_in: float = 3600
    delay: float = 0
    url: str = ""
    paths: list[str] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)

    def serving(self) -> Server:
        """Return the server, whose URL is set."""
        self._server = Server(self._respond)
        self.url = self._server.url
        return self._server

    def _respond(self, request: Request) -> Response:
        path, body = request.url.path.strip("/"), self._server.bodies[-1]
        self.paths.append(f"{request.method} {request.url.path}?{request.url.query}")
        time.sleep(self.delay)
        if path == "token":
            return self._token({name: value for name, (value,) in parse_qs(body.decode()).items()})
        if self.access and not self.access(request):
            return JSONResponse({"error": "unauthorized"}, HTTPStatus.UNAUTHORIZED)
        way, _, name = path.partition("/")
        if self.faults.get(name):
            return self.faults[name].pop(0)
        if way not in WAYS or name not in self.lists:
            return JSONResponse({"error": "not found"}, HTTPStatus.NOT_FOUND)
        given = dict(request.query_params) | (json.loads(body) if body else {})
        rows = [row for row in self.lists[name] if _is_wanted(row, given)]
        return WAYS[way](Asked(f"{self.url}/{path}", given, rows))

    def _token(self, form: dict[str, str]) -> Response:
        """Return a token of OAuth 2.0 with client credentials (RFC 6749, 4.4)."""
        expected = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        if not expected.items() <= form.items():
            return JSONResponse({"error": "invalid_client"}, HTTPStatus.UNAUTHORIZED)
        token = f"{TOKEN}-{len(self.tokens)}"
        self.tokens[token] = time.monotonic() + self.expires_in
        return JSONResponse(
            {"access_token": token, "token_type": "Bearer", "expires_in": int(self.expires_in)}
        )

    def oauth(self, request: Request) -> bool:
        """Return whether the token of a request is valid. A token lives half a second longer."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self.tokens.get(token, 0) + 0.5 > time.monotonic()


def bearer(request: Request) -> bool:
    return request.headers.get("authorization") == f"Bearer {TOKEN}"


def basic(request: Request) -> bool:
    encoded = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return request.headers.get("authorization") == f"Basic {encoded}"


def key_in_header(request: Request) -> bool:
    return request.headers.get("x-api-key") == TOKEN


def key_in_query(request: Request) -> bool:
    return request.query_params.get("api_key") == TOKEN


def key_in_cookie(request: Request) -> bool:
    return request.cookies.get("session") == TOKEN


@dataclass(frozen=True)
class Asked:
    """A request for a page.

    Attributes:
        url: The URL without its query.
        given: The parameters.
        rows: All rows of the list.
    """

    url: str
    given: dict[str, Any]
    rows: list[Row]

    @property
    def limit(self) -> int:
        return int(self.given.get("limit", LIMIT))

    def page(self, offset: int) -> list[Row]:
        return self.rows[offset : offset + self.limit]

    def next_offset(self, offset: int) -> str | None:
        """The offset of the next page as a cursor, or None on the last page."""
        following = offset + self.limit
        return f"after:{following}" if following < len(self.rows) else None

    def next_url(self, offset: int) -> str | None:
        cursor = self.next_offset(offset)
        return cursor and f"{self.url}?{urlencode({**self.given, 'cursor': cursor})}"

    @property
    def cursor(self) -> int:
        """The offset that the cursor of the request names."""
        return int(str(self.given.get("cursor") or "after:0").removeprefix("after:"))


def _offset(asked: Asked) -> Response:
    offset = int(asked.given.get("offset", 0))
    more = offset + asked.limit < len(asked.rows)
    return JSONResponse({"data": asked.page(offset), "total": len(asked.rows), "has_more": more})


def _page(asked: Asked) -> Response:
    """A page by its number, from 1; `total` is the number of pages."""
    number, count = int(asked.given.get("page", 1)), -(-len(asked.rows) // asked.limit)
    rows = asked.page((number - 1) * asked.limit)
    return JSONResponse({"data": rows, "total": count, "has_more": number < count})


def _cursor(asked: Asked) -> Response:
    following = asked.next_offset(asked.cursor)
    page = {"data": asked.page(asked.cursor), "has_more": bool(following)}
    return JSONResponse(page | {"cursors": {"next": following}})


def _header_cursor(asked: Asked) -> Response:
    following = asked.next_offset(asked.cursor)
    headers = {"next": following} if following else {}
    return JSONResponse({"data": asked.page(asked.cursor)}, headers=headers)


def _json_link(asked: Asked) -> Response:
    return JSONResponse({"data": asked.page(asked.cursor), "next": asked.next_url(asked.cursor)})


def _link(asked: Asked) -> Response:
    following = asked.next_url(asked.cursor)
    headers = {"link": f'<{asked.url}>; rel="first", <{following}>; rel="next"'}
    return JSONResponse(asked.page(asked.cursor), headers=headers if following else {})


WAYS: dict[str, Callable[[Asked], Response]] = {
    "offset": _offset,
    "page": _page,
    "cursor": _cursor,
    "header_cursor": _header_cursor,
    "json_link": _json_link,
    "link": _link,
    "single": lambda asked: JSONResponse({"data": asked.rows}),
    "bare": lambda asked: JSONResponse(asked.rows),
}


def _is_wanted(row: Row, given: dict[str, Any]) -> bool:
    """Return whether a row is in the window, and has the values that are asked for."""
    wanted = {
        name.removeprefix("where_"): str(value)
        for name, value in given.items()
        if name.startswith("where_")
    }
    has_values = all(str(row.get(name)) == value for name, value in wanted.items())
    return has_values and _in_window(row, given)


def _in_window(row: Row, given: dict[str, Any]) -> bool:
    """Return whether a row is between `since`, included, and `until`, which is not."""
    since, until = given.get("since"), given.get("until")
    moment = row.get("updated_at")
    return (since is None or _like(moment, since) <= moment) and (
        until is None or moment < _like(moment, until)
    )


def _like(moment: Any, parameter: Any) -> Any:
    """Return a parameter as a number if the rows have numbers."""
    return float(parameter) if isinstance(moment, (int, float)) else parameter
