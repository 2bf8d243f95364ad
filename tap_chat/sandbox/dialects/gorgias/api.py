"""The dialect of Gorgias' REST API."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

import msgspec

from tap_chat.sandbox.responses import basic_pair, json_response
from tap_chat.sandbox.samples import API_KEY

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.dialect import Row
    from tap_chat.sandbox.dialects.gorgias.account import GorgiasAccount
    from tap_chat.sandbox.dialects.gorgias.settings import GorgiasOptions
    from tap_chat.sandbox.faults import Fault

#: The user of the credentials: the address of an agent.
EMAIL = "agent@example.com"

#: Gorgias: no list has a filter for times. What each can be ordered by:
ORDERS = {
    "tickets": ("created_datetime", "updated_datetime"),
    "customers": ("created_datetime", "updated_datetime"),
    "messages": ("created_datetime",),
    "satisfaction-surveys": ("created_datetime",),
}
#: The most rows of a page; more are refused.
LONGEST_PAGE = 100


def gorgias(
    request: Request, account: GorgiasAccount, options: GorgiasOptions, fault: Fault | None
) -> Response:
    """Respond to `GET /api/<list>`: a page of a list, after a cursor."""
    if basic_pair(request) != (EMAIL, API_KEY):
        return _refusal(401, "The email or the API key is wrong")
    name, query = request.path_params["name"], request.query_params
    if name not in ORDERS:
        return _refusal(404, "There is no such resource")
    by, _, direction = query.get("order_by", "created_datetime:desc").partition(":")
    if by not in ORDERS[name] or direction not in {"asc", "desc"}:
        return _refusal(400, f"order_by: {by}:{direction} is not possible")
    try:
        limit = int(query.get("limit", 30))
        after = read_cursor(query["cursor"]) if query.get("cursor") else None
    except ValueError as error:
        return _refusal(400, str(error))
    if not 1 <= limit <= LONGEST_PAGE:
        return _refusal(400, "limit: must be from 1 to 100")
    if fault and fault.kind == "repeat":
        after = None
    size, is_descending = min(limit, options.max_page_size), direction == "desc"
    rows = account.ordered(name.replace("-", "_"), by, reverse=is_descending)
    if after is not None:
        rows = [row for row in rows if (place(row, by) < after) == is_descending]
        rows = [row for row in rows if place(row, by) != after]
    page = rows[:size]
    # A full page has a cursor, even if nothing follows.
    last = write_cursor(page[-1], by) if len(page) == size else None
    return json_response(
        {
            "data": fault.spoil_records(page) if fault else page,
            "object": "list",
            "uri": f"/api/{name}",
            "meta": {"prev_cursor": None, "next_cursor": last},
        }
    )


def place(row: Row, by: str) -> tuple[str, int]:
    """Return the place of a row in the order of a time."""
    return row[by], row["id"]


def write_cursor(row: Row, by: str) -> str:
    """Return the cursor of the page after a row: rows that move to the front do not move it."""
    return urlsafe_b64encode(msgspec.json.encode(place(row, by))).decode()


def read_cursor(cursor: str) -> tuple[str, int]:
    """Return the place of the row that a page follows.

    Raises:
        ValueError: It is not a cursor of this API.
    """
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor), type=tuple[str, int])
    except (ValueError, msgspec.DecodeError):
        message = "cursor: is not valid"
        raise ValueError(message) from None


def _refusal(status: int, message: str) -> Response:
    return json_response({"error": {"msg": message}}, status)
