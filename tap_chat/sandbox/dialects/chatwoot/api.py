"""The dialect of Chatwoot's application API."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tap_chat.sandbox.dialects.chatwoot import rows
from tap_chat.sandbox.responses import json_response
from tap_chat.sandbox.samples import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.dialects.chatwoot.account import ChatwootAccount
    from tap_chat.sandbox.dialects.chatwoot.rows import Conversation, Row
    from tap_chat.sandbox.dialects.chatwoot.settings import ChatwootOptions
    from tap_chat.sandbox.faults import Fault

T = TypeVar("T")

PATH = "/chatwoot"
ACCOUNT_ID = rows.ACCOUNT
#: Chatwoot: contacts on a page, messages in a response after an id, and without one.
CONTACTS, MESSAGES, NEWEST = 15, 100, 20
#: Chatwoot: some lists are in `payload`, and others are the whole body.
LISTS: dict[str, Callable[[int], list[Row]]] = {"inboxes": rows.inboxes, "labels": rows.labels}
BARE_LISTS: dict[str, Callable[[int], list[Row]]] = {"agents": rows.agents, "teams": rows.teams}


def chatwoot(
    request: Request, account: ChatwootAccount, options: ChatwootOptions, fault: Fault | None
) -> Response:
    """Respond to `GET /api/v1/accounts/{id}/...`."""
    if request.headers.get("api_access_token") != API_KEY:
        return json_response({"error": "Invalid Access Token"}, 401)
    if request.path_params["account"] != str(ACCOUNT_ID):
        return json_response({"error": "Resource could not be found"}, 404)
    query = dict(request.query_params)
    if fault and fault.kind == "repeat":
        query |= {"page": "1", "after": "0"}
    try:
        found = _found(request.path_params["path"].split("/"), query, account, options)
    except ValueError as error:
        return json_response({"error": str(error)}, 422)
    if found is None:
        return json_response({"error": "Resource could not be found"}, 404)
    records, body = found
    return json_response(body(fault.spoil_records(records) if fault else records))


def _found(
    path: list[str], query: Mapping[str, str], account: ChatwootAccount, options: ChatwootOptions
) -> tuple[list[Row], Callable[[list[Row]], object]] | None:
    """Return the records of a page, and what puts them into a body; None for no such path."""
    match path:
        case ["conversations"]:
            talks = select(account, query.get("status", "open"))
            page = page_of(talks, query, options.chatwoot_page_size)
            records = [account.conversation(talk) for talk in page]
            meta = {"mine_count": 0, "all_count": len(talks)}
            return records, lambda found: {"data": {"meta": meta, "payload": found}}
        case ["conversations", key, "messages"] if talk := account.talks_by_id.get(key):
            return messages_after(account.messages_of(talk), query), in_payload
        case ["contacts"]:
            return page_of(account.people, query, CONTACTS), in_payload
        case [name] if name in LISTS:
            return LISTS[name](account.seed), in_payload
        case [name] if name in BARE_LISTS:
            return BARE_LISTS[name](account.seed), lambda found: found
    return None


def in_payload(records: list[Row]) -> Row:
    """Return a body with records in `payload`."""
    return {"meta": {}, "payload": records}


def select(account: ChatwootAccount, status: str) -> list[Conversation]:
    """Return the conversations of a status, those with the latest activity first."""
    return [talk for talk in account.by_activity if status in {"all", talk.status}]


def page_of(found: list[T], query: Mapping[str, str], size: int) -> list[T]:
    """Return a page of a list.

    Raises:
        ValueError: If the number of the page is none.
    """
    page = max(int(query.get("page", 1)), 1)
    return found[(page - 1) * size : page * size]


def messages_after(messages: list[Row], query: Mapping[str, str]) -> list[Row]:
    """Return the messages after an id, oldest first; without one, the newest ones.

    Raises:
        ValueError: If the id is not a number.
    """
    if "after" not in query:
        return messages[-NEWEST:]
    return [row for row in messages if row["id"] > int(query["after"])][:MESSAGES]
