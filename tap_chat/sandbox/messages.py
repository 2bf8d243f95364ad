"""The dialect of the vendor-neutral messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from tap_chat.sandbox.world import API_KEY

if TYPE_CHECKING:
    from starlette.requests import Request

    from tap_chat.sandbox.faults import Fault
    from tap_chat.sandbox.options import Options
    from tap_chat.sandbox.world import World


def messages(request: Request, world: World, options: Options, fault: Fault | None) -> Response:
    """Answer `GET /v1/messages`: a slice of the list, newer than `since` if that is given."""
    query = request.query_params
    if (query.get("api_key") or request.headers.get("x-api-key")) != API_KEY:
        return _json({"error": "invalid api key"}, 401)
    try:
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
    except ValueError:
        return _json({"error": "offset and limit must be integers"}, 400)
    if fault and fault.kind == "repeat":
        offset = 0
    rows = world.chat_messages
    if since := query.get("since"):
        rows = [row for row in rows if row["timestamp"] >= since]
    page = rows[offset : offset + min(limit, options.max_page_size)]
    return _json({"data": fault.spoil_records(page) if fault else page})


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
