"""Front's core API: `GET /events`, conversations, and the other lists."""

from urllib.parse import urlsplit

from tap_chat.sandbox.dialect import Dialect
from tap_chat.sandbox.dialects.front.account import FrontAccount
from tap_chat.sandbox.dialects.front.api import front
from tap_chat.sandbox.dialects.front.settings import PATH, FrontData, FrontOptions
from tap_chat.sandbox.samples import API_KEY

DIALECT = Dialect(
    name="front",
    title="Front",
    paths=(f"{PATH}/{{path:path}}",),
    respond=front,
    data=FrontData,
    options=FrontOptions,
    account=FrontAccount.of,
    # Links to a next page lead to the other name of this machine.
    config=lambda url: {
        "api_url": f"{url}{PATH}",
        "api_token": API_KEY,
        "link_host": f"localhost:{urlsplit(url).port}",
    },
    events={"events": frozenset({"insert"})},
)
