"""Freshchat's API v2: `GET /v2/...`."""

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.freshchat.account import FreshchatAccount
from tap_chat.sandbox.dialects.freshchat.api import freshchat
from tap_chat.sandbox.dialects.freshchat.settings import FreshchatData, FreshchatOptions
from tap_chat.sandbox.samples import API_KEY

DIALECT = Dialect(
    name="freshchat",
    title="Freshchat",
    paths=("/v2/{path:path}",),
    respond=freshchat,
    data=FreshchatData,
    options=FreshchatOptions,
    account=FreshchatAccount.of,
    config=lambda url: {"api_url": f"{url}/v2", "api_key": API_KEY},
    events={
        "users": frozenset({"delete", "insert", "update"}),
        "conversations": frozenset({"delete"}),
    },
)
