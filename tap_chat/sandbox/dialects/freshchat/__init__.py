"""Freshchat's API v2: `/v2/...`, and the files of its reports."""

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.freshchat.account import FreshchatAccount
from tap_chat.sandbox.dialects.freshchat.api import freshchat
from tap_chat.sandbox.dialects.freshchat.settings import FreshchatData, FreshchatOptions
from tap_chat.sandbox.samples import API_KEY, OPENED

DIALECT = Dialect(
    name="freshchat",
    title="Freshchat",
    paths=("/v2/{path:path}", "/report-files/{path:path}"),
    methods=("GET", "POST"),
    respond=freshchat,
    data=FreshchatData,
    options=FreshchatOptions,
    account=FreshchatAccount.of,
    config=lambda url: {
        "api_url": f"{url}/v2",
        "api_key": API_KEY,
        # The account has nothing before; a transcript of each day before would take long.
        "reports_start_date": OPENED.isoformat(),
        "reports_per_minute": 60_000,
        "reports_months": 1200,
        # Meltano takes no fraction from the environment.
        "report_poll_seconds": 1,
        "extra_streams": ["freshchat_csat_scores", "freshchat_conversation_events"],
    },
    events={
        "users": frozenset({"delete", "insert", "update"}),
        "conversations": frozenset({"delete"}),
    },
)
