"""The dialect of the vendor-neutral messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_chat.sandbox.answers import json_answer
from tap_chat.sandbox.made_up import API_KEY

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.faults import Fault
    from tap_chat.sandbox.options import Options
    from tap_chat.sandbox.world import World


def messages(request: Request, world: World, options: Options, fault: Fault | None) -> Response:
    """Answer `GET /v1/messages`: a slice of the list, newer than `since` if that is given."""
    query = request.query_params
    if (query.get("api_key") or request.headers.get("x-api-key")) != API_KEY:
        return json_answer({"error": "invalid api key"}, 401)
    try:
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
    except ValueError:
        return json_answer({"error": "offset and limit must be integers"}, 400)
    if fault and fault.kind == "repeat":
        offset = 0
    rows = world.chat_messages
    if since := query.get("since"):
        rows = [row for row in rows if row["timestamp"] >= since]
    page = rows[offset : offset + min(limit, options.max_page_size)]
    return json_answer({"data": fault.spoil_records(page) if fault else page})
