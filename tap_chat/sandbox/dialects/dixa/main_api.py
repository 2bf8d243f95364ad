"""The dialect of Dixa's main API, v1."""

from __future__ import annotations

from base64 import b64decode, b64encode
from bisect import bisect_left, bisect_right
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

from tap_chat.sandbox.dialects.dixa import main_rows as rows
from tap_chat.sandbox.dialects.dixa.history import number_of
from tap_chat.sandbox.responses import bearer_token, json_response
from tap_chat.sandbox.samples import API_KEY, SECOND, epoch_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.dialect import Row
    from tap_chat.sandbox.dialects.dixa.account import DixaAccount
    from tap_chat.sandbox.dialects.dixa.settings import DixaOptions
    from tap_chat.sandbox.faults import Fault

#: The lists that have pages; the others come whole.
PAGED = ("agents", "endusers")
#: The size of a page if a request has none.
PAGE = 50
#: The filters of the log.
FILTERS = ("fromDatetime", "toDatetime")


def main_api(
    request: Request, account: DixaAccount, options: DixaOptions, fault: Fault | None
) -> Response:
    """Respond to a request to the main API."""
    token = options.dixa_main_token or API_KEY
    if bearer_token(request) != token and request.headers.get("authorization") != token:
        return json_response({"message": "Unauthorized"}, 401)
    _, _, path = request.scope["path"].partition("/v1/")
    query = dict(request.query_params)
    try:
        if path.startswith("conversations/") and path != "conversations/activitylog":
            return _details(path, account, fault)
        return _list(path, query, account, options, fault)
    except KeyError:
        return json_response({"message": "An entity in this request could not be found"}, 404)
    except ValueError as error:
        return json_response({"message": f"Invalid value for: query parameter {error}"}, 400)


def _details(path: str, account: DixaAccount, fault: Fault | None) -> Response:
    """Respond to a request for the ratings or the notes of a conversation."""
    _, key, kind = path.split("/")
    number = number_of(int(key))
    if number is None or number >= len(account.histories):
        raise KeyError(key)
    found = account.main.details[kind](account.histories[number])
    return json_response({"data": fault.spoil_records(found) if fault else found})


def _list(
    path: str,
    query: Mapping[str, str],
    account: DixaAccount,
    options: DixaOptions,
    fault: Fault | None,
) -> Response:
    """Respond to a request for a list, or for a page of one."""
    if path in rows.LISTS.values() and path not in PAGED:
        found = account.main.lists[path]
        if path == "tags" and query.get("includeDeactivated") != "true":
            found = [row for row in found if row["state"] == "Active"]
        return json_response({"data": fault.spoil_records(found) if fault else found})
    limit = min(int(query.get("pageLimit", PAGE)), options.max_page_size)
    is_refused = options.dixa_page_limit == "refused" and query.get("pageLimit", "0") != str(limit)
    if limit < 1 or ("pageLimit" in query and is_refused):
        raise ValueError("pageLimit")
    stored = read_key(query["pageKey"]) if "pageKey" in query else {}
    # Dixa: a page key is the query of the page. Whether it has the filters is not documented.
    filters = {name: query.get(name) or stored.get(name) for name in FILTERS}
    number = 0 if fault and fault.kind == "repeat" else int(stored.get("page", 0))
    place = slice(number * limit, (number + 1) * limit)
    if path == "conversations/activitylog":
        page, total = log_page(account, options, filters, place)
    else:
        listed = account.main.lists[path]
        if options.dixa_order == "newest":
            listed = listed[::-1]
        page, total = listed[place], len(listed)
    body: dict[str, Any] = {"data": fault.spoil_records(page) if fault else page}
    if (number + 1) * limit < total or options.dixa_links == "always":
        key: dict[str, object] = {"pageLimit": limit, "page": number + 1}
        if options.dixa_page_key == "filters":
            key |= {name: value for name, value in filters.items() if value}
        body["meta"] = {"next": next_link(path, key, options)}
    elif number:
        body["meta"] = {"previous": next_link(path, {"page": number - 1}, options)}
    if not page:
        body["data"] = None
    return json_response(body)


def log_page(
    account: DixaAccount,
    options: DixaOptions,
    filters: Mapping[str, str | None],
    place: slice,
) -> tuple[list[Row], int]:
    """Return a page of the entries of the log, and the number of all that the filters leave."""
    times, entries = account.main.log
    after, before = (read_time(filters[name], name) for name in FILTERS)
    lower = bisect_left if options.dixa_bounds[0] == "[" else bisect_right
    upper = bisect_right if options.dixa_bounds[1] == "]" else bisect_left
    start = 0 if after is None else lower(times, after)
    end = len(times) if before is None else upper(times, before)
    found: Sequence[Any] = range(start, max(start, end))
    if options.dixa_order == "newest":
        found = found[::-1]
    return [rows.entry(*entries[index]) for index in found[place]], len(found)


def read_time(text: str | None, name: str) -> int | None:
    """Return the time of a filter in ms; fractions of a second are ignored."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return epoch_ms(moment) // SECOND * SECOND
    except (ValueError, TypeError):
        raise ValueError(name) from None


def next_link(path: str, key: Mapping[str, object], options: DixaOptions) -> str:
    """Return a link as the documents show one: with a placeholder, and a colon after the key."""
    encoded = quote(b64encode(urlencode(key).encode()).decode(), safe="")
    if options.dixa_links == "placeholder":
        return f"/<api-version>/{path}/?pageKey={encoded}:"
    return f"/v1/{path}?pageKey={encoded}"


def read_key(key: str) -> dict[str, str]:
    """Return the query that a page key stands for."""
    try:
        return dict(parse_qsl(b64decode(key, validate=True).decode(), strict_parsing=True))
    except ValueError:
        raise ValueError("pageKey") from None
