"""Chatwoot's application API."""

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.chatwoot.account import CONVERSATIONS, ChatwootAccount
from tap_chat.sandbox.dialects.chatwoot.api import ACCOUNT_ID, PATH, chatwoot
from tap_chat.sandbox.dialects.chatwoot.settings import ChatwootData, ChatwootOptions
from tap_chat.sandbox.samples import API_KEY

DIALECT = Dialect(
    name="chatwoot",
    title="Chatwoot",
    paths=(f"{PATH}/api/v1/accounts/{{account}}/{{path:path}}",),
    respond=chatwoot,
    data=ChatwootData,
    options=ChatwootOptions,
    account=ChatwootAccount.of,
    config=lambda url: {
        "api_url": f"{url}{PATH}",
        "account_id": str(ACCOUNT_ID),
        "access_token": API_KEY,
    },
    events={CONVERSATIONS: frozenset({"update"})},
)
