"""LiveChat's REST API, v2: `GET /chats`."""

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.livechat.account import LiveChatAccount
from tap_chat.sandbox.dialects.livechat.api import ENTITY_ID, chats
from tap_chat.sandbox.dialects.livechat.settings import LiveChatData, LiveChatOptions
from tap_chat.sandbox.samples import API_KEY

DIALECT = Dialect(
    name="livechat",
    title="LiveChat",
    paths=("/chats",),
    respond=chats,
    data=LiveChatData,
    options=LiveChatOptions,
    account=LiveChatAccount.of,
    config=lambda url: {"api_url": url, "entity_id": ENTITY_ID, "access_token": API_KEY},
    events={"chats": frozenset({"delete", "insert"})},
)
