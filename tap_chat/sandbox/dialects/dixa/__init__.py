"""Dixa's exports (`GET /v1/conversation_export`, `/v1/message_export`), and its main API."""

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.dixa.account import DixaAccount
from tap_chat.sandbox.dialects.dixa.api import dixa
from tap_chat.sandbox.dialects.dixa.settings import MAIN_PATHS, PATHS, DixaData, DixaOptions
from tap_chat.sandbox.samples import API_KEY

DIALECT = Dialect(
    name="dixa",
    title="Dixa",
    paths=(*PATHS, *MAIN_PATHS),
    respond=dixa,
    data=DixaData,
    options=DixaOptions,
    account=DixaAccount.of,
    # The sandbox allows more than Dixa's 10 requests a minute, and writes nothing late.
    config=lambda url: {
        "api_url": f"{url}/v1",
        "api_token": API_KEY,
        "requests_per_minute": 100_000,
        "main_api_url": f"{url}/v1",
        "main_requests_per_minute": 100_000,
        "extra_streams": ["dixa_ratings", "dixa_notes"],
        "lag_minutes": 0,
    },
)
