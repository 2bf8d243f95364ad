"""The dialect of Dixa's exports API, v1."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_chat.sandbox.responses import BrokenResponse, basic_pair, bearer_token, json_response
from tap_chat.sandbox.samples import API_KEY, DAY, OPENED, epoch_ms

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.dialects.dixa.account import DixaAccount, History
    from tap_chat.sandbox.dialects.dixa.settings import DixaOptions
    from tap_chat.sandbox.faults import Fault

#: Dixa: a request may span 31 days at most.
LONGEST = 31 * DAY


def conversation_export(
    request: Request, account: DixaAccount, options: DixaOptions, fault: Fault | None
) -> Response:
    """Respond to `GET /v1/conversation_export`: all conversations of a window, in no order."""
    if bearer_token(request) != API_KEY and basic_pair(request) != ("bearer", API_KEY):
        return json_response({"message": "Unauthorized"}, 401)
    try:
        windows = {
            field: window
            for field in ("updated", "created")
            if (window := read_window(request.query_params, field))
        }
    except ValueError as error:
        return json_response({"message": str(error)}, 400)
    if not windows:
        return json_response({"message": "a filter with _after and _before is mandatory"}, 400)
    if any(before - after > LONGEST for after, before in windows.values()):
        return json_response({"message": "the interval is longer than 31 days"}, 422)
    if fault and fault.kind == "repeat":
        windows = {
            field: (epoch_ms(OPENED), epoch_ms(OPENED) + before - after)
            for field, (after, before) in windows.items()
        }
    found = select(account, windows, options.dixa_bounds)
    rows = [account.row(history) for history in found]
    # Dixa: no order is promised.
    random.Random(f"{account.seed} {windows}").shuffle(rows)
    response = json_response(fault.spoil_records(rows) if fault else rows)
    if options.dixa_max_rows is not None and len(rows) > options.dixa_max_rows:
        # Dixa cuts off large responses in the middle.
        return BrokenResponse(response, request, whole=0.5)
    return response


def read_window(query: QueryParams, field: str) -> tuple[int, int] | None:
    """Return the pair of bounds of one field in ms, or None if it has no filter."""
    after, before = query.get(f"{field}_after"), query.get(f"{field}_before")
    if after is None and before is None:
        return None
    if after is None or before is None:
        message = f"{field}_after and {field}_before must be given together"
        raise ValueError(message)
    return read_moment(after), read_moment(before)


def read_moment(text: str) -> int:
    """Read Unix milliseconds, or yyyy-mm-dd."""
    return int(text) if text.isdecimal() else epoch_ms(read_day(text))


def read_day(text: str) -> datetime:
    """Read a day of UTC; Dixa does not document the time zone of days."""
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)


def select(account: DixaAccount, windows: dict[str, tuple[int, int]], bounds: str) -> list[History]:
    """Return the conversations inside all windows, with bounds of this kind."""
    lower = bisect_left if bounds[0] == "[" else bisect_right
    upper = bisect_right if bounds[1] == "]" else bisect_left
    found = []
    for field, (after, before) in windows.items():
        moments, histories = account.by_update if field == "updated" else account.by_creation
        found.append(histories[lower(moments, after) : upper(moments, before)])
    if len(found) == 1:
        return found[0]
    inside = {history.number for history in found[1]}
    return [history for history in found[0] if history.number in inside]
