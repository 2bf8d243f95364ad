"""Dixa's exports API, v1: `GET /v1/conversation_export` and `/v1/message_export`."""

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.dixa.account import DixaAccount
from tap_chat.sandbox.dialects.dixa.api import exports
from tap_chat.sandbox.dialects.dixa.settings import PATHS, DixaData, DixaOptions
from tap_chat.sandbox.samples import API_KEY

DIALECT = Dialect(
    name="dixa",
    title="Dixa",
    paths=PATHS,
    respond=exports,
    data=DixaData,
    options=DixaOptions,
    account=DixaAccount.of,
    # The sandbox allows more than Dixa's 10 requests a minute, and writes nothing late.
    config=lambda url: {
        "api_url": f"{url}/v1",
        "api_token": API_KEY,
        "requests_per_minute": 100_000,
        "lag_minutes": 0,
    },
)
