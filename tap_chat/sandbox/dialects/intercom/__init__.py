"""Intercom's REST API."""

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.intercom.account import CONVERSATIONS, IntercomAccount
from tap_chat.sandbox.dialects.intercom.api import PATH, intercom
from tap_chat.sandbox.dialects.intercom.settings import IntercomData, IntercomOptions
from tap_chat.sandbox.samples import API_KEY

DIALECT = Dialect(
    name="intercom",
    title="Intercom",
    paths=(f"{PATH}/{{path:path}}",),
    methods=("GET", "POST"),
    respond=intercom,
    data=IntercomData,
    options=IntercomOptions,
    account=IntercomAccount.of,
    config=lambda url: {"api_url": f"{url}{PATH}", "access_token": API_KEY},
    events={CONVERSATIONS: frozenset({"update"})},
)
