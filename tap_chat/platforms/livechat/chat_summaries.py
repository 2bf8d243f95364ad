"""The active chats of LiveChat: `list_chats` returns a summary of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.platforms.livechat import account_fields
from tap_chat.platforms.livechat.settings import ACTIVE_CHATS
from tap_chat.platforms.livechat.web_api import NEXT_PAGE, PAGE_SIZE, WebStream, decoded
from tap_chat.singer.timestamps import read_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


ACTION = "agent/action/list_chats"
PAYLOAD = {
    "filters": {"active": True, "include_chats_without_threads": False},
    "sort_order": "asc",
    "limit": PAGE_SIZE,
}

#: The names of the list of the chats, and of the last thread of each: those of 3.7 come last.
#: https://platform.text.com/docs/messaging/agent-chat-api/changelog
LISTS = ("chats_summary", "chats_info")
LAST_THREADS = ("last_thread_summary", "last_thread_info")


class LiveChatActiveChats(WebStream):
    """The chats that are active, each with its last thread."""

    name = ACTIVE_CHATS
    action = ACTION
    payload = PAYLOAD
    primary_keys = ("id",)
    records_path = LISTS[0]
    schema = account_fields.ACTIVE_CHATS

    @override
    def find_records(self, body: Any) -> Any:
        return chats_in(body)


def chats_in(body: Any) -> Any:  # noqa: ANN401 - the body may be anything
    """Return the list of the chats in a body, or another value if it has none."""
    found = next((body[name] for name in LISTS if isinstance(body, dict) and name in body), None)
    is_empty = found is None and responses.find(body, "found_chats") == 0
    return [] if is_empty else found


def active_since(stream: WebStream) -> Iterator[datetime]:
    """Yield when each active thread began, as far as the version of the API can say so.

    Args:
        stream: Sends the requests.

    Raises:
        RequestError: A page can't be read, or is repeated.
    """
    if not stream.settings.lists_active:
        return
    request = stream.post(ACTION, PAYLOAD)
    ids = set[str]()
    while True:
        body = stream.client.send(request, decoded)
        chats = chats_in(body)
        if not isinstance(chats, list):
            raise stream.no_records_error(request, body)
        for chat in chats:
            if time := _began(chat):
                yield time
        next_id = body.get(NEXT_PAGE)
        if not next_id:
            return
        if not isinstance(next_id, str) or next_id in ids:
            raise stream.client.request_error(request, "repeated a cursor", stream.paging_remedy)
        ids.add(next_id)
        request = stream.post(ACTION, {"page_id": next_id})


def _began(chat: Any) -> datetime | None:  # noqa: ANN401 - the body may hold anything
    threads = (responses.find(chat, f"{name}.created_at") for name in LAST_THREADS)
    return next((time for time in map(read_datetime, threads) if time), None)
