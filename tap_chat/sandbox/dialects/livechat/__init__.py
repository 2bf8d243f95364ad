"""LiveChat's APIs: v2 with `GET /chats`, and v3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.livechat.api import ENTITY_ID, chats
from tap_chat.sandbox.dialects.livechat.api_v3 import respond_v3
from tap_chat.sandbox.dialects.livechat.both import THREADS, LiveChat
from tap_chat.sandbox.dialects.livechat.reports import REPORTS
from tap_chat.sandbox.dialects.livechat.settings import LiveChatData, LiveChatOptions
from tap_chat.sandbox.samples import API_KEY

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.faults import Fault

V2 = "/chats"


def livechat(
    request: Request, account: LiveChat, options: LiveChatOptions, fault: Fault | None
) -> Response:
    """Respond to a request to any version."""
    if "minor" in request.path_params:
        return respond_v3(request, account.archive, options, fault)
    return chats(request, account.chats, options, fault)


def version_config(data: LiveChatData) -> dict[str, Any]:
    """Return the settings of the tap that the version of a world needs."""
    if data.livechat_version == "2":
        return {"api_version": "2"}
    return {
        "extra_streams": ["livechat_active_chats", *(f"livechat_report_{name}" for name in REPORTS)]
    }


DIALECT = Dialect(
    name="livechat",
    title="LiveChat",
    paths=(
        V2,
        "/v3.{minor}/{api:path}/action/{action}",
        "/v3.{minor}/reports/{group}/{action}",
    ),
    methods=("GET", "POST"),
    respond=livechat,
    data=LiveChatData,
    options=LiveChatOptions,
    account=LiveChat,
    config=lambda url: {"api_url": url, "entity_id": ENTITY_ID, "access_token": API_KEY},
    world_config=version_config,
    events={
        "chats": frozenset({"delete", "insert"}),
        THREADS: frozenset({"delete", "insert"}),
    },
)
