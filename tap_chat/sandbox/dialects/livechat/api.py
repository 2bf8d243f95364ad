"""The dialect of LiveChat's REST API, v2."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tap_chat.sandbox.responses import basic_pair, json_response
from tap_chat.sandbox.samples import API_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.dialects.livechat.account import LiveChatAccount
    from tap_chat.sandbox.dialects.livechat.rows import Chat
    from tap_chat.sandbox.dialects.livechat.settings import LiveChatOptions
    from tap_chat.sandbox.faults import Fault

#: The user of the credentials; LiveChat's pair is any such id and the access token.
ENTITY_ID = "sandbox-entity"


def chats(
    request: Request, account: LiveChatAccount, options: LiveChatOptions, fault: Fault | None
) -> Response:
    """Respond to `GET /chats`: a page of the chats of some days, newest first."""
    if request.method != "GET":
        return _refusal(405, "Method Not Allowed")
    entity, token = basic_pair(request) or ("", "")
    if not entity or token != API_KEY:
        return _refusal(401, "Invalid login or API key")
    if request.headers.get("x-api-version") != "2":
        return _refusal(400, "The header X-API-Version must be 2")
    try:
        page = int(request.query_params.get("page", 1))
        since, until, pending = read_query(request.query_params, account.timezone)
    except (ValueError, ZoneInfoNotFoundError) as error:
        return _refusal(400, str(error))
    size = options.livechat_page_size
    # LiveChat: only the newest 25,000 chats of a query can be reached.
    beyond = page > max(options.livechat_cap // size, 1)
    if page < 1 or (beyond and options.livechat_beyond == "refused"):
        return _refusal(400, "The page is out of range")
    found = select(account, since, until, options.livechat_date)
    if pending:
        waiting = [chat for chat in account.open if since <= chat.started < until]
        found = [*waiting, *found]
    if every := options.livechat_twice:
        # Whether it comes twice does not depend on the query.
        found = [chat for chat in found for _ in range(1 + (chat.number % every == 0))]
    reached = min(len(found), options.livechat_cap)
    total = reached if options.livechat_count == "capped" else len(found)
    total += options.livechat_excess if found else 0
    start = 0 if fault and fault.kind == "repeat" else (page - 1) * size
    rows = [account.chat(chat) for chat in found[start : min(start + size, reached)]]
    body = {
        "chats": fault.spoil_records(rows) if fault else rows,
        "total": total,
        "pages": fault.number if fault and fault.kind == "many_pages" else -(-total // size),
    }
    response = json_response(body)
    # This version of LiveChat's API is deprecated, and its responses say so.
    response.headers["Deprecation"] = "true"
    return response


def read_query(query: QueryParams, timezone: str) -> tuple[int, int, bool]:
    """Return the first second of the query, the one after its last, and whether it has open chats.

    Raises:
        ValueError: If a parameter is not as LiveChat wants it.
    """
    zone = ZoneInfo(query.get("timezone", timezone))
    since = read_day(query.get("date_from", "1970-01-02"), zone)
    # Both days belong to the window.
    until = read_day(query.get("date_to", "9998-12-30"), zone, days=1)
    return since, until, query.get("include_pending", "0") == "1"


def read_day(text: str, zone: ZoneInfo, days: int = 0) -> int:
    """Return the start of a day in a zone, or of the day this many days later, in seconds."""
    day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone)
    return int((day + timedelta(days=days)).timestamp())


@lru_cache(maxsize=16)
def select(account: LiveChatAccount, since: int, until: int, by: str) -> Sequence[Chat]:
    """Return the chats that ended (or started) in this interval and have ended by now."""
    if by == "started":
        return [chat for chat in reversed(account.kept) if since <= chat.started < until]
    first, last = bisect_left(account.ends, since), bisect_left(account.ends, until)
    return account.but_removed(account.by_end[first : min(last, account.ended)][::-1])


def _refusal(status: int, message: str) -> Response:
    return json_response({"error": message}, status)
