"""The dialect of the vendor-neutral messages API."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response

from tap_chat.sandbox.responses import JSON, json_response
from tap_chat.sandbox.samples import API_KEY, is_shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from tap_chat.sandbox.dialects.messages.account import MessagesAccount
    from tap_chat.sandbox.dialects.messages.settings import MessagesOptions
    from tap_chat.sandbox.faults import Fault


def messages(
    request: Request, account: MessagesAccount, options: MessagesOptions, fault: Fault | None
) -> Response:
    """Respond to `GET /v1/messages`: a slice of the list, of messages since `since` if given."""
    query = request.query_params
    if (query.get("api_key") or request.headers.get("x-api-key")) != API_KEY:
        return json_response({"error": "invalid api key"}, 401)
    try:
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
    except ValueError:
        return json_response({"error": "offset and limit must be integers"}, 400)
    if fault and fault.kind == "repeat":
        offset = 0
    rows = account.messages
    if since := query.get("since"):
        rows = [row for row in rows if row["timestamp"] >= since]
    size = max(min(limit, options.max_page_size), 1)
    if offset >= len(rows) and options.messages_end == "last":
        offset = max(len(rows) - 1, 0) // size * size
    elif offset >= len(rows) and options.messages_end != "empty":
        return END[options.messages_end]()
    # Hidden rows take their place in a page, too.
    page = [row for row in rows[offset : offset + size] if is_shown(row["id"], account.hidden)]
    total = {"total": len(rows)} if options.messages_total else {}
    return json_response({"data": fault.spoil_records(page) if fault else page, **total})


#: Other responses beyond the end of the list than an empty one.
END: dict[str, Callable[[], Response]] = {
    "null": lambda: json_response({"data": None}),
    "object": lambda: json_response({"data": {}}),
    **{
        str(status): partial(json_response, {"error": "there is no such page"}, status)
        for status in (400, 404, 416, 422)
    },
    "204": lambda: Response(status_code=204),
    "nothing": lambda: Response(b"", media_type=JSON),
    "message": lambda: json_response({"message": "There are no more messages."}),
}
