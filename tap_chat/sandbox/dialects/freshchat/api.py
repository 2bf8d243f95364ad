"""The dialect of Freshchat's API, v2."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from tap_chat.sandbox.dialects.freshchat.reports import ReportFiles, post_job
from tap_chat.sandbox.dialects.freshchat.rows import LISTS
from tap_chat.sandbox.responses import RefusalError, bearer_token, json_response
from tap_chat.sandbox.samples import API_KEY, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.dialects.freshchat.account import FreshchatAccount
    from tap_chat.sandbox.dialects.freshchat.histories import Conversation, User
    from tap_chat.sandbox.dialects.freshchat.settings import FreshchatOptions
    from tap_chat.sandbox.faults import Fault

    Row = dict[str, Any]

#: Freshchat: 20 records a page, and 50 is the most that is known to be safe.
PAGE, LARGEST_PAGE = 20, 50
#: Freshchat: one of these is mandatory for a list of users.
FILTERS = ("created_from", "created_to", "updated_from", "updated_to")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def freshchat(
    request: Request, account: FreshchatAccount, options: FreshchatOptions, fault: Fault | None
) -> Response:
    """Respond to `/v2/...`, and to requests of the files of reports."""
    try:
        match request.url.path.removeprefix(request.scope["root_path"]).split("/"):
            case ["", "report-files", key, number]:
                return ReportFiles(account, options).file(key, number, request)
            case ["", "v2", "reports", "raw"] if request.method == "POST":
                authorise(request)
                return json_response(post_job(request.state.body, account, fault), 202)
        return json_response(RequestHandler(request, account, options, fault).body())
    except RefusalError as refusal:
        body = {"code": refusal.code, "status": refusal.status, "message": str(refusal)}
        return json_response(body, refusal.status)


def authorise(request: Request) -> None:
    """Check the token of a request; raises `RefusalError`."""
    if bearer_token(request) != API_KEY:
        raise RefusalError(401, "UNAUTHORIZED", "the token is not valid")


class RequestHandler:
    """Builds the body for one request.

    Args:
        request: The request.
        account: The account.
        options: How to behave.
        fault: What goes wrong this time.
    """

    def __init__(
        self,
        request: Request,
        account: FreshchatAccount,
        options: FreshchatOptions,
        fault: Fault | None,
    ) -> None:
        self.request = request
        self.account = account
        self.options = options
        self.fault = fault

    def body(self) -> Row | list[Row]:
        """Return the body of the response; raises `RefusalError`."""
        authorise(self.request)
        if self.request.method != "GET":
            raise RefusalError(405, "METHOD_NOT_ALLOWED", "only a report can be posted")
        # The path as it was sent: an id with an encoded slash is one part of it.
        sent: bytes = self.request.scope["raw_path"]
        match [unquote(part) for part in sent.decode("ascii").split("/")[2:]]:
            case ["accounts", "configuration"]:
                return self.spoil([self.account.account])[0]
            case ["conversations", "fields"]:
                return self.spoil(self.account.fields)
            case ["reports", "raw", key]:
                files = ReportFiles(self.account, self.options)
                return files.status(key, str(self.request.base_url))
            case ["users"]:
                found = select(self.account, self.options.users_order, read_filters(self.query))
                return self.listing("users", found, self.account.user)
            case [name] if name in LISTS:
                return self.listing(name, self.account.listing(name), lambda row: row)
            case ["users" | "conversations" as parent, key, *rest]:
                return self.child(parent, key, *rest)
        raise RefusalError(404, "NOT_FOUND", "there is no such path")

    def child(self, *path: str) -> Row:
        """Return what belongs to one user or conversation; raises `RefusalError`."""
        account = self.account
        match path:
            case ["users", key, "conversations"] if key in account.people_by_id:
                talks = account.talks_by_user.get(key, ())
                return {"conversations": self.spoil([{"id": talk.id} for talk in talks])}
            case ["conversations", key] if talk := account.talks_by_id.get(key):
                return self.spoil([account.conversation(talk)])[0]
            case ["conversations", key, "messages"] if talk := account.talks_by_id.get(key):
                return self.messages(talk)
        raise RefusalError(404, f"{path[0][:-1].upper()}_NOT_FOUND", "there is no such one")

    def messages(self, talk: Conversation) -> Row:
        """Return a page of the messages of a conversation."""
        after = read_moment(self.query, "from_time")
        start, stop = self.bounds()
        found = self.account.messages(talk, after, start, stop + 1)
        body: Row = {"messages": self.shown(found[: stop - start])}
        # Freshchat: there is nothing to tell the last page by but its length; but samples have a
        # link.
        if self.options.message_links and (len(found) > stop - start or self.endless):
            name = f"conversations/{quote(talk.id, safe='')}/messages"
            body["link"] = self.link(name, "next_page", self.page + 1) | {"rel": "next"}
        return body

    def listing(self, name: str, items: list[Any], row: Callable[[Any], Row]) -> Row:
        """Return a page of a list, with its numbers and links."""
        start, stop = self.bounds()
        page, size = self.page, self.page_size
        last = max(-(-len(items) // size), 1)
        if self.fault and self.fault.kind == "many_pages":
            last = self.fault.number
        body: Row = {
            name: self.shown([row(item) for item in items[start:stop]]),
            "pagination": {
                "total_items": len(items),
                "total_pages": last,
                "current_page": page,
                "items_per_page": size,
            },
        }
        if self.options.links != "absent":
            links = {"first_page": 1, "last_page": last}
            if page < last or self.endless:
                links["next_page"] = page + 1
            if self.fault and self.fault.kind == "self_link":
                links["next_page"] = page
            if self.fault and self.fault.kind == "link":
                links["next_page"] = page + 1
            body["links"] = {rel: self.link(name, rel, page) for rel, page in links.items()}
        return body

    def link(self, name: str, rel: str, page: int) -> Row:
        """Return a link to a page of a list, without the filters of this request."""
        spoilt = rel == "next_page" and self.fault
        if spoilt and spoilt.kind == "link":
            return {"href": spoilt.literal, "rel": rel, "method": "GET"}
        # Freshchat: the form of the links is not documented.
        base = {"path": "", "absolute": str(self.request.base_url).rstrip("/") + "/v2"}
        start = base.get(self.options.links, f"{self.request.scope['root_path']}/v2")
        if spoilt and spoilt.kind == "foreign_link":
            start = "https://elsewhere.invalid/v2"
        href = f"{start}/{name}?page={page}&items_per_page={self.page_size}"
        return {"href": href, "rel": rel, "method": "GET"}

    def bounds(self) -> tuple[int, int]:
        """Return where the requested page starts and ends in its list."""
        page = 1 if self.fault and self.fault.kind == "repeat" else self.page
        return (page - 1) * self.page_size, page * self.page_size

    @property
    def page(self) -> int:
        """The number of the requested page."""
        return read_number(self.query, "page", 1)

    @property
    def page_size(self) -> int:
        """The size of the pages."""
        asked = read_number(self.query, "items_per_page", PAGE)
        return min(asked, LARGEST_PAGE, self.options.max_page_size)

    @property
    def query(self) -> QueryParams:
        """The parameters of the request."""
        return self.request.query_params

    @property
    def endless(self) -> bool:
        """Whether every page has a next one, even if the list has ended."""
        return self.fault is not None and self.fault.kind == "empty_page"

    def shown(self, records: list[Row]) -> list[Row]:
        """Return the records of a page that are shown."""
        return self.spoil(self.account.shown(records))

    def spoil(self, records: list[Row]) -> list[Row]:
        """Return the records of a response, with the last one spoilt if a fault strikes."""
        return self.fault.spoil_records(records) if self.fault else records


def read_number(query: QueryParams, name: str, default: int) -> int:
    """Read a number from 1; raises `RefusalError`."""
    text = query.get(name, str(default))
    if not (text.isdecimal() and int(text)):
        raise RefusalError(400, "BAD_REQUEST", f"{name} must be a number from 1")
    return int(text)


def read_moment(query: QueryParams, name: str) -> str:
    """Read a time in the API's format, or "" if there is none; raises `RefusalError`."""
    text = query.get(name, "")
    if text and not MOMENT.fullmatch(text):
        raise RefusalError(400, "BAD_REQUEST", f"{name} must look like 2026-01-31T12:00:00.000Z")
    return text


def read_filters(query: QueryParams) -> tuple[str, ...]:
    """Read the filters of users; raises `RefusalError` if there is none."""
    filters = tuple(read_moment(query, name) for name in FILTERS)
    if not any(filters):
        raise RefusalError(400, "BAD_REQUEST", f"one of {', '.join(FILTERS)} is mandatory")
    return filters


@lru_cache(maxsize=8)
def select(account: FreshchatAccount, order: str, filters: tuple[str, ...]) -> list[User]:
    """Return the users that pass all filters, in order; an absent filter is empty.

    A user who never changed and has no `updated_time` is not updated at any time.
    """
    created_from, created_to, updated_from, updated_to = filters
    users = account.in_order(order)
    times = [(timestamp(user.created), user.updated_time or "") for user in users]
    return [
        user
        for user, (created, updated) in zip(users, times, strict=True)
        if created >= created_from
        and (not created_to or created <= created_to)
        and (not updated_from or updated >= updated_from)
        and (not updated_to or "" < updated <= updated_to)
    ]
