"""The dialect of Front's core API."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tap_chat.sandbox.dialects.front.rows import HOST
from tap_chat.sandbox.dialects.front.settings import PATH
from tap_chat.sandbox.responses import bearer_token, json_response
from tap_chat.sandbox.samples import API_KEY

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.dialect import Row
    from tap_chat.sandbox.dialects.front.account import FrontAccount
    from tap_chat.sandbox.dialects.front.settings import FrontOptions
    from tap_chat.sandbox.faults import Fault

#: The most rows of a page; Front returns no more, whatever a request asks for.
LONGEST_PAGE = {"events": 15}
#: Links lead to the host of the company, not to the one that a client asks at first.
LINK_HOST = "localhost"


@dataclass(frozen=True)
class ListQuery:
    """What a request asks of a list. A page token holds all of it.

    Attributes:
        limit: The rows on a page.
        start: The place of the first row.
        after: The least time of events, in seconds; None for all.
        ascending: Whether the oldest come first.
    """

    limit: int = 50
    start: int = 0
    after: float | None = None
    ascending: bool = False


def front(
    request: Request, account: FrontAccount, options: FrontOptions, fault: Fault | None
) -> Response:
    """Respond to `GET /...`: a list or a conversation."""
    if bearer_token(request) != API_KEY:
        return _refusal(401, "The token is not valid")
    name, _, rest = request.path_params["path"].partition("/")
    try:
        query = read_query(request.query_params, LONGEST_PAGE.get(name, 100))
    except ValueError as error:
        return _refusal(400, str(error))
    if name == "conversations" and rest:
        return conversation(request, account, query, rest, fault)
    if name == "events" and not rest:
        rows = select(account, query, options.front_after)
    elif name in account.lists and not rest:
        rows = account.lists[name]
    else:
        return _refusal(404, "There is no such resource")
    return page(request, rows, query, fault)


def conversation(
    request: Request, account: FrontAccount, query: ListQuery, rest: str, fault: Fault | None
) -> Response:
    """Respond to `GET /conversations/{id}`, and to that of its messages or comments."""
    key, _, part = rest.partition("/")
    found = account.by_id.get(key)
    if found is None or part not in {"", "messages", "comments"}:
        return _refusal(404, "There is no such resource")
    if not part:
        row = account.conversation(found)
        return json_response(fault.spoil_records([row])[0] if fault else row)
    if part == "comments":
        # Front: the comments of a conversation have no pages.
        comments = account.comments(found)
        return json_response({"_results": fault.spoil_records(comments) if fault else comments})
    messages = account.messages(found)
    return page(request, messages[::-1] if query.ascending else messages, query, fault)


def page(request: Request, rows: list[Row], query: ListQuery, fault: Fault | None) -> Response:
    """Return a page of a list, with the link to the next one, which leads to another host."""
    start = 0 if fault and fault.kind == "repeat" else query.start
    found, end = rows[start : start + query.limit], query.start + query.limit
    link = None
    if end < len(rows):
        token = write_token(ListQuery(query.limit, end, query.after, query.ascending))
        path = request.scope["root_path"] + request.url.path
        link = f"http://{LINK_HOST}:{request.url.port}{path}?page_token={token}"
    return json_response(
        {
            "_pagination": {"next": link},
            "_links": {"self": f"{HOST}{request.url.path.removeprefix(PATH)}"},
            "_results": fault.spoil_records(found) if fault else found,
        }
    )


def select(account: FrontAccount, query: ListQuery, bound: str) -> list[Row]:
    """Return the events of a query."""
    rows, after = account.events, query.after
    if after is not None:
        rows = [
            row
            for row in rows
            if row["emitted_at"] > after or (bound == "[" and row["emitted_at"] == after)
        ]
    # Front: newest first, unless a request asks for another order.
    return rows if query.ascending else rows[::-1]


def read_query(params: QueryParams, longest: int) -> ListQuery:
    """Return what a request asks for.

    Raises:
        ValueError: A parameter is not as Front wants it.
    """
    if token := params.get("page_token"):
        return read_token(token)
    limit = int(params.get("limit", longest))
    if params.get("sort_by", "created_at") != "created_at" or limit < 1:
        message = "sort_by must be created_at, and limit at least 1"
        raise ValueError(message)
    after = params.get("q[after]")
    return ListQuery(
        min(limit, longest),
        0,
        None if after is None else float(after),
        params.get("sort_order", "desc") == "asc",
    )


def write_token(query: ListQuery) -> str:
    """Return the token of a page."""
    return urlsafe_b64encode(msgspec.json.encode(query)).decode()


def read_token(token: str) -> ListQuery:
    """Return what the token of a page asks for.

    Raises:
        ValueError: It is not a token of this API.
    """
    try:
        return msgspec.json.decode(urlsafe_b64decode(token), type=ListQuery)
    except (ValueError, msgspec.DecodeError):
        message = "page_token: is not valid"
        raise ValueError(message) from None


def _refusal(status: int, message: str) -> Response:
    return json_response(
        {"_error": {"status": status, "title": "Error", "message": message}}, status
    )
