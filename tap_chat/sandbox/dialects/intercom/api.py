"""The dialect of Intercom's REST API."""

from __future__ import annotations

import operator
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Literal
from zlib import crc32

import msgspec

from tap_chat.sandbox.dialects.intercom import rows
from tap_chat.sandbox.responses import RefusalError, bearer_token, json_response
from tap_chat.sandbox.samples import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.dialects.intercom.account import IntercomAccount
    from tap_chat.sandbox.dialects.intercom.rows import Row
    from tap_chat.sandbox.dialects.intercom.settings import IntercomOptions
    from tap_chat.sandbox.faults import Fault

PATH = "/intercom"
#: Intercom: the most records on a page, and how many without `per_page`.
LARGEST_PAGE, PAGE = 150, 20
DAY = 86400
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


#: The name of the list in what a search returns.
LISTS = {"conversation": "conversations", "contact": "data"}


class Filter(msgspec.Struct):
    """A condition of a search."""

    field: Literal["updated_at", "created_at"]
    operator: Literal[">", "<", "="]
    value: int | str

    def finds(self, row: Row, unit: int) -> bool:
        """Return whether a record meets the condition, for times in units of some seconds."""
        compare = OPERATORS[self.operator]
        return compare(row[self.field] // unit, int(self.value) // unit)


class Filters(msgspec.Struct):
    """Conditions that all must be met."""

    operator: Literal["AND"]
    value: list[Filter]


class Sort(msgspec.Struct):
    """The order of a search."""

    field: Literal["updated_at", "created_at"]
    order: Literal["ascending", "descending"] = "descending"


class Paging(msgspec.Struct):
    """The page of a search."""

    per_page: int = PAGE
    starting_after: str | None = None


class Search(msgspec.Struct):
    """The body of a search."""

    query: dict[str, Any]
    sort: Sort | None = None
    pagination: Paging = msgspec.field(default_factory=Paging)


def intercom(
    request: Request, account: IntercomAccount, options: IntercomOptions, fault: Fault | None
) -> Response:
    """Respond to a request."""
    try:
        return json_response(_body(request, account, options, fault))
    except RefusalError as refusal:
        error = {"code": refusal.code, "message": str(refusal)}
        body = {"type": "error.list", "request_id": "sandbox", "errors": [error]}
        return json_response(body, refusal.status)


def unspoilt(records: list[Row]) -> list[Row]:
    """Return records as they are."""
    return records


def _body(
    request: Request, account: IntercomAccount, options: IntercomOptions, fault: Fault | None
) -> Row:
    """Return the body of a response; raises `RefusalError`."""
    if bearer_token(request) != API_KEY:
        raise RefusalError(401, "unauthorized", "Access Token Invalid")
    if not request.headers.get("intercom-version", "").startswith("2."):
        raise RefusalError(
            400, "intercom_version_invalid", "The requested version could not be found"
        )
    spoil = fault.spoil_records if fault else unspoilt
    match request.method, *request.path_params["path"].split("/"):
        case "POST", "conversations", "search":
            return _found(request, account.found, "conversation", options, fault)
        case "POST", "contacts", "search":
            return _found(request, account.people, "contact", options, fault)
        case "GET", "conversations", key if talk := account.talks_by_id.get(key):
            parts = account.parts_of(talk)
            listed = {
                "type": "conversation_part.list",
                "conversation_parts": spoil(parts),
                "total_count": len(talk.parts),
            }
            whole = rows.conversation(account.seed, talk, account.contacts)
            return whole | {"conversation_parts": listed}
        case "GET", "admins":
            return {"type": "admin.list", "admins": spoil(rows.admins(account.seed))}
        case "GET", "teams":
            return {"type": "team.list", "teams": spoil(rows.teams(account.seed))}
        case "GET", "tags":
            return {"type": "list", "data": spoil(rows.tags(account.seed))}
    raise RefusalError(404, "not_found", "Resource Not Found")


def _found(
    request: Request, found: list[Row], kind: str, options: IntercomOptions, fault: Fault | None
) -> Row:
    """Return a page of what a search finds."""
    search, filters = _read(request.state.body)
    paging = search.pagination
    # Intercom: contacts are found by the day of a time, and conversations by its second.
    unit = DAY if kind == "contact" else 1
    rows_found = [row for row in found if all(one.finds(row, unit) for one in filters)]
    ordered = sorted(rows_found, key=lambda row: _place(row, search.sort))
    start = 0
    if paging.starting_after and not (fault and fault.kind == "repeat"):
        last = _decoded(paging.starting_after)
        start = sum(_place(row, search.sort) <= last for row in ordered)
    size = min(paging.per_page, options.max_page_size)
    page = ordered[start : start + size]
    pages: Row = {
        "type": "pages",
        "page": start // size + 1,
        "per_page": size,
        "total_pages": -(-len(ordered) // size),
    }
    if start + size < len(ordered):
        cursor = _encoded(_place(page[-1], search.sort))
        pages["next"] = {"page": pages["page"] + 1, "starting_after": cursor}
    return {
        "type": f"{kind}.list",
        LISTS[kind]: fault.spoil_records(page) if fault else page,
        "total_count": len(ordered),
        "pages": pages,
    }


def _read(body: bytes) -> tuple[Search, list[Filter]]:
    """Return a search and its conditions; raises `RefusalError`."""
    try:
        search = msgspec.json.decode(body, type=Search)
        if "field" in search.query:
            filters = [msgspec.convert(search.query, Filter)]
        else:
            filters = msgspec.convert(search.query, Filters).value
        for one in filters:
            int(one.value)
    except (msgspec.DecodeError, ValueError) as error:
        raise RefusalError(400, "parameter_invalid", str(error)) from None
    if not 1 <= search.pagination.per_page <= LARGEST_PAGE:
        raise RefusalError(400, "parameter_invalid", f"per_page must be from 1 to {LARGEST_PAGE}")
    return search, filters


def _place(row: Row, sort: Sort | None) -> tuple[int, str]:
    """Return the place of a record in an order."""
    if sort is None:
        # Intercom: without an order, by relevance.
        return crc32(row["id"].encode()), row["id"]
    value = row[sort.field]
    return (value if sort.order == "ascending" else -value), row["id"]


def _encoded(place: tuple[int, str]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _decoded(cursor: str) -> tuple[int, str]:
    """Return the place that a cursor leads to; raises `RefusalError`."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor), type=tuple[int, str])
    except (ValueError, msgspec.DecodeError) as error:
        raise RefusalError(400, "parameter_invalid", str(error)) from None
