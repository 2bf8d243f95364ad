"""The vendor-neutral messages API: `GET /v1/messages`."""

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.messages.account import MessagesAccount
from tap_chat.sandbox.dialects.messages.api import messages
from tap_chat.sandbox.dialects.messages.settings import MessagesData, MessagesOptions
from tap_chat.sandbox.samples import API_KEY

DIALECT = Dialect(
    name="chat",
    title="Messages API",
    paths=("/v1/messages",),
    respond=messages,
    data=MessagesData,
    options=MessagesOptions,
    account=MessagesAccount.of,
    config=lambda url: {"api_url": url, "api_key": API_KEY},
    events={"messages": frozenset({"delete", "insert"})},
)
