"""The dialect of LiveChat's v3 APIs: Agent Chat, Configuration and Reports."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tap_chat.sandbox.dialects.livechat import people
from tap_chat.sandbox.dialects.livechat.pages import Pager
from tap_chat.sandbox.dialects.livechat.reports import DISTRIBUTIONS, REPORTS, report
from tap_chat.sandbox.responses import RefusalError, basic_pair, bearer_token, json_response
from tap_chat.sandbox.samples import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.dialects.livechat.archive import Archive
    from tap_chat.sandbox.dialects.livechat.people import Row
    from tap_chat.sandbox.dialects.livechat.settings import LiveChatOptions
    from tap_chat.sandbox.faults import Fault

#: The versions that are served.
VERSIONS = ("5", "6", "7")
#: What has another name from v3.7 on.
RENAMED = {"last_thread_summary": "last_thread_info"}
#: The time that a report spans without filters.
WEEK = timedelta(days=7)

T = TypeVar("T")


class ListQuery(msgspec.Struct):
    """The body of a request for a list of the Configuration API."""

    fields: list[str] = []
    filters: dict[str, Any] = {}
    all: bool = False


class ReportFilters(msgspec.Struct, rename={"since": "from", "until": "to"}):
    """The interval of a report; both ends belong to it."""

    since: datetime
    until: datetime


class ReportQuery(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request for a report."""

    filters: ReportFilters | None = None
    distribution: str = "day"
    timezone: str | None = None


def respond_v3(
    request: Request, archive: Archive, options: LiveChatOptions, fault: Fault | None
) -> Response:
    """Respond to a request to a v3 API."""
    try:
        response = json_response(_body(request, archive, options, fault))
    except RefusalError as refusal:
        error: Row = {"type": refusal.code, "message": str(refusal)}
        if refusal.code == "misdirected_request":
            error["data"] = {"region": options.livechat_region}
        response = json_response({"error": error}, refusal.status)
    for header in ("Legacy", "Deprecation"):
        if date := getattr(options, f"livechat_{header.lower()}"):
            response.headers[header] = date
    return response


def _body(request: Request, archive: Archive, options: LiveChatOptions, fault: Fault | None) -> Any:  # noqa: ANN401
    """Return the body of a response; raises `RefusalError`."""
    user, token = basic_pair(request) or ("", "")
    if bearer_token(request) != API_KEY and not (user and token == API_KEY):
        raise RefusalError(401, "authentication", "Invalid access token")
    if request.path_params["minor"] not in VERSIONS:
        raise RefusalError(400, "unsupported_version", "Unsupported API version")
    if request.method != "POST":
        raise RefusalError(405, "validation", "Only POST is served")
    region = options.livechat_region
    if region and request.headers.get("x-region") != region:
        raise RefusalError(421, "misdirected_request", "Wrong region")
    spoil = fault.spoil_records if fault else _unspoilt
    match list(request.path_params.values())[1:]:
        case "agent", "list_archives" | "list_chats":
            return _page(request, archive, options, fault)
        case "configuration", str(action) if action in LISTS:
            return spoil(LISTS[action](archive, _decoded(request, ListQuery)))
        case "chats", str(name) if name in REPORTS:
            return _report(_decoded(request, ReportQuery), archive, name)
    raise RefusalError(404, "not_found", "Requested resource doesn't exist")


def _page(request: Request, archive: Archive, options: LiveChatOptions, fault: Fault | None) -> Row:
    """Return a page of the threads, each in its chat, or of the summaries of the chats."""
    action = request.path_params["action"]
    pager = Pager(action, _owner(request), archive, options)
    position = pager.read(request.state.body)
    minor = request.path_params["minor"]
    if minor == "5" and position.query.filters.active is not None:
        raise RefusalError(400, "validation", "Unknown filter active")
    is_archive = action == "list_archives"
    name, threads, write = (
        ("chats", archive.archived, archive.chat)
        if is_archive
        else ("chats_summary", archive.last_threads, archive.summary)
    )
    is_first = fault is not None and fault.kind == "repeat"
    page = pager.page(position, threads, is_first=is_first)
    rows = [write(thread) for thread in page.threads]
    if minor == "7" and not is_archive:
        # LiveChat: v3.7 gives both other names.
        name = "chats_info"
        rows = [{RENAMED.get(key, key): value for key, value in row.items()} for row in rows]
    return page.body(name, fault.spoil_records(rows) if fault else rows)


def _owner(request: Request) -> str:
    """Return whose token a request has."""
    return (basic_pair(request) or ("",))[0]


def _agents(archive: Archive, query: ListQuery) -> list[Row]:
    rows = people.agents(archive.data.seed)
    return people.with_fields(rows, query.fields, people.ASKED_OF_AGENT)


def _bots(archive: Archive, query: ListQuery) -> list[Row]:
    # LiveChat: without `all`, only the bots of the requester.
    rows = people.bots(archive.data.seed)[: None if query.all else 1]
    return people.with_fields(rows, query.fields, people.ASKED_OF_BOT)


def _groups(_: Archive, query: ListQuery) -> list[Row]:
    return people.with_fields(people.groups(), query.fields, people.ASKED_OF_GROUP)


def _tags(_: Archive, query: ListQuery) -> list[Row]:
    rows, groups = people.tags(), query.filters.get("group_ids")
    return [row for row in rows if groups is None or {*groups} & {*row["group_ids"]}]


#: The lists of the Configuration API, which have no pages.
LISTS: dict[str, Callable[[Archive, ListQuery], list[Row]]] = {
    "list_agents": _agents,
    "list_bots": _bots,
    "list_groups": _groups,
    "list_tags": _tags,
}


def _report(query: ReportQuery, archive: Archive, name: str) -> Row:
    """Return a report; raises `RefusalError`."""
    if query.distribution not in DISTRIBUTIONS:
        raise RefusalError(400, "validation", "Unknown distribution")
    until = archive.data.now
    filters = query.filters or ReportFilters(until - WEEK, until)
    if None in {filters.since.tzinfo, filters.until.tzinfo}:
        raise RefusalError(400, "validation", "from and to need an offset")
    try:
        zone: tzinfo | None = ZoneInfo(query.timezone) if query.timezone else None
    except ZoneInfoNotFoundError:
        raise RefusalError(400, "validation", "Unknown timezone") from None
    # LiveChat: without a time zone, that of the agent.
    zone = zone or ZoneInfo(archive.data.livechat_timezone)
    body = report(archive.threads, name, (filters.since, filters.until), zone, query.distribution)
    return body | {"request": msgspec.to_builtins(query)}


def _decoded(request: Request, kind: type[T]) -> T:
    """Return the body of a request; raises `RefusalError`."""
    try:
        return msgspec.json.decode(request.state.body, type=kind)
    except msgspec.DecodeError as error:
        raise RefusalError(400, "validation", str(error)) from None


def _unspoilt(records: list[Row]) -> list[Row]:
    return records
