"""Gorgias' REST API: `GET /api/tickets` and the other lists."""

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.gorgias.account import GorgiasAccount
from tap_chat.sandbox.dialects.gorgias.api import EMAIL, gorgias
from tap_chat.sandbox.dialects.gorgias.settings import PATH, GorgiasData, GorgiasOptions
from tap_chat.sandbox.samples import API_KEY

DIALECT = Dialect(
    name="gorgias",
    title="Gorgias",
    paths=(f"{PATH}/{{name}}",),
    respond=gorgias,
    data=GorgiasData,
    options=GorgiasOptions,
    account=GorgiasAccount.of,
    # The sandbox allows more than Gorgias' 40 requests in 20 seconds.
    config=lambda url: {
        "api_url": f"{url}{PATH}",
        "email": EMAIL,
        "api_key": API_KEY,
        "requests_per_minute": 100_000,
    },
    events={"tickets": frozenset({"delete", "update"})},
)
