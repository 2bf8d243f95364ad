"""The dialect of Dixa's exports API, v1."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from tap_chat.sandbox.dialects.dixa.history import number_of
from tap_chat.sandbox.dialects.dixa.main_api import main_api
from tap_chat.sandbox.dialects.dixa.messages import messages_of
from tap_chat.sandbox.dialects.dixa.settings import PATHS
from tap_chat.sandbox.responses import (
    BrokenResponse,
    RefusalError,
    basic_pair,
    bearer_token,
    json_response,
)
from tap_chat.sandbox.samples import API_KEY, DAY, OPENED, epoch_ms

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.dialects.dixa.account import DixaAccount
    from tap_chat.sandbox.dialects.dixa.history import History
    from tap_chat.sandbox.dialects.dixa.messages import Message
    from tap_chat.sandbox.dialects.dixa.settings import DixaOptions
    from tap_chat.sandbox.faults import Fault

T = TypeVar("T")

#: Dixa: a request may span 31 days at most.
LONGEST = 31 * DAY


def dixa(
    request: Request, account: DixaAccount, options: DixaOptions, fault: Fault | None
) -> Response:
    """Respond to a request to one of the two APIs."""
    respond = exports if request.scope["path"].endswith(PATHS) else main_api
    return respond(request, account, options, fault)


def exports(
    request: Request, account: DixaAccount, options: DixaOptions, fault: Fault | None
) -> Response:
    """Respond to `GET /v1/conversation_export` or `/v1/message_export`: rows in no order."""
    if bearer_token(request) != API_KEY and basic_pair(request) != ("bearer", API_KEY):
        return json_response({"message": "Unauthorized"}, 401)
    of_messages = request.url.path.endswith("/message_export")
    try:
        csids = read_csids(request.query_params, options.dixa_most_csids)
        windows = {
            field: window
            for field in (("created",) if of_messages else ("updated", "created"))
            if (window := read_window(request.query_params, field))
        }
    except RefusalError as error:
        return json_response({"message": str(error)}, error.status)
    if not windows and csids is None:
        return json_response({"message": "a filter with _after and _before is mandatory"}, 400)
    if any(before - after > LONGEST for after, before in windows.values()):
        return json_response({"message": "the interval is longer than 31 days"}, 422)
    if fault and fault.kind == "repeat":
        windows = {
            field: (epoch_ms(OPENED), epoch_ms(OPENED) + before - after)
            for field, (after, before) in windows.items()
        }
    if of_messages:
        messages = selected_messages(account, windows, csids, options)
        rows = [account.message_row(message) for message in messages]
    else:
        histories = selected_conversations(account, windows, csids, options)
        rows = [account.row(history) for history in histories]
    # Dixa: no order is promised.
    random.Random(f"{account.seed} {windows} {csids}").shuffle(rows)
    response = json_response(fault.spoil_records(rows) if fault else rows)
    if options.dixa_max_rows is not None and len(rows) > options.dixa_max_rows:
        # Dixa cuts off large responses in the middle.
        return BrokenResponse(response, request, whole=0.5)
    return response


def read_csids(query: QueryParams, most: int) -> list[int] | None:
    """Return the ids of conversations that a request names, or None without them."""
    if (text := query.get("csids")) is None:
        return None
    if not all(part.isdecimal() for part in text.split(",")):
        raise RefusalError(400, "csids", "csids must be integers with commas between them")
    csids = [int(part) for part in text.split(",")]
    if len(csids) > most:
        raise RefusalError(422, "csids", f"csids may name {most} conversations")
    return csids


def read_window(query: QueryParams, field: str) -> tuple[int, int] | None:
    """Return the pair of bounds of one field in ms, or None if it has no filter."""
    after, before = query.get(f"{field}_after"), query.get(f"{field}_before")
    if after is None and before is None:
        return None
    if after is None or before is None:
        message = f"{field}_after and {field}_before must be given together"
        raise RefusalError(400, field, message)
    try:
        return read_moment(after), read_moment(before)
    except ValueError as error:
        raise RefusalError(400, field, str(error)) from None


def read_moment(text: str) -> int:
    """Read Unix milliseconds, or yyyy-mm-dd."""
    return int(text) if text.isdecimal() else epoch_ms(read_day(text))


def read_day(text: str) -> datetime:
    """Read a day of UTC; Dixa does not document the time zone of days."""
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)


def selected_conversations(
    account: DixaAccount,
    windows: dict[str, tuple[int, int]],
    csids: list[int] | None,
    options: DixaOptions,
) -> list[History]:
    """Return the conversations inside all windows and among the named ones."""
    found = [
        inside(account.by_update if field == "updated" else account.by_creation, window, options)
        for field, window in windows.items()
    ]
    if csids is not None:
        found.append(named(account, csids))
    numbers = [{history.number for history in others} for others in found[1:]]
    return [history for history in found[0] if all(history.number in known for known in numbers)]


def selected_messages(
    account: DixaAccount,
    windows: dict[str, tuple[int, int]],
    csids: list[int] | None,
    options: DixaOptions,
) -> list[Message]:
    """Return the messages inside the window and of the named conversations."""
    if windows and options.dixa_created_of == "message":
        found = inside(account.messages_by_creation, windows["created"], options)
        return [message for message in found if csids is None or message.history.csid in set(csids)]
    histories = selected_conversations(account, windows, csids, options)
    return [message for history in histories for message in messages_of(history)]


def named(account: DixaAccount, csids: list[int]) -> list[History]:
    """Return the conversations with these ids, as far as they exist."""
    numbers = {number for csid in csids if (number := number_of(csid)) is not None}
    return [account.histories[number] for number in numbers if number < len(account.histories)]


def inside(
    listed: tuple[list[int], list[T]], window: tuple[int, int], options: DixaOptions
) -> list[T]:
    """Return what is inside a window, with bounds of the kind in the options.

    Args:
        listed: The times, ascending, and what belongs to each.
        window: The bounds, in ms since 1970.
        options: The options.
    """
    lower = bisect_left if options.dixa_bounds[0] == "[" else bisect_right
    upper = bisect_right if options.dixa_bounds[1] == "]" else bisect_left
    moments, items = listed
    return items[lower(moments, window[0]) : upper(moments, window[1])]
