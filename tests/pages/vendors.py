"""Servers that replace the vendors and warehouses of the pages: the sandbox and others.

The text of a page runs unchanged, except for the replacements here.
"""

from __future__ import annotations

import json
import random
import socket
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from demo import as_environment
from postgres import postgres_server
from serving import Server

from tap_chat.platforms.registry import SHIPPED
from tap_chat.sandbox import API_KEY, Sandbox, World
from tap_chat.sandbox.registry import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

#: A small world, so that the pages run in seconds.
WORLD = World(messages=300, users=6, conversations=12, dixa_conversations=40, chats=30)

SHIPPED_NAMES = {platform.name for platform in SHIPPED}


@dataclass(frozen=True)
class Vendors:
    """The servers that the blocks of the pages use.

    Attributes:
        replaced: Texts on the pages, and their replacements.
        settings: Settings of the tap, by section, that the pages leave out because they have
            defaults, and faster rates than ten requests and one report a minute.
    """

    replaced: dict[str, str]
    settings: dict[str, dict[str, Any]]

    def served(self, text: str) -> str:
        """Return a block with these servers instead of those in its text."""
        for there, here in self.replaced.items():
            text = text.replace(there, here)
        return text

    def file(self, name: str, text: str) -> str:
        """Return the text of a file as `served`; a tap's config also gets the `settings`."""
        text = self.served(text)
        if name.endswith(".json"):
            content = json.loads(text)
            for section in self.settings.keys() & content.keys():
                content[section] |= self.settings[section]
            return json.dumps(content)
        if name == ".env":
            there = {name: of for name, of in self.settings.items() if f"_{name.upper()}_" in text}
            return text + "".join(f"{name}={of}\n" for name, of in as_environment(there).items())
        return text

    @property
    def environment(self) -> dict[str, str]:
        """The settings as variables of dlt's configuration, for `chat()`."""
        return {
            f"SOURCES__CHAT__{section}__{name}".upper(): str(value)
            for section, settings in self.settings.items()
            for name, value in settings.items()
        }


@contextmanager
def vendors() -> Iterator[Vendors]:
    """Start all servers."""
    with (
        Sandbox(WORLD) as sandbox,
        Server(example) as other,
        postgres_server() as postgres,
        postgres.database() as warehouse,
    ):
        port = _free_port()
        yield Vendors(
            replaced={
                "https://acme.freshchat.com/v2": f"{sandbox.url}/v2",
                "https://umlaut.freshchat.com/v2": f"{sandbox.url_of('umlaut')}/v2",
                "https://exports.dixa.io/v1": f"{sandbox.url}/v1",
                "https://dev.dixa.io/v1": f"{sandbox.url}/v1",
                "https://api.livechatinc.com": sandbox.url,
                "https://api.example.com": other.url,
                "postgresql://loader:...@warehouse.example.com:5432/chats": warehouse,
                # Keys that the user fills in.
                '"..."': f'"{API_KEY}"',
                "=...": f"={API_KEY}",
                # The port of the sandbox in the pages.
                "--port 8000": f"--port {port}",
                "127.0.0.1:8000": f"127.0.0.1:{port}",
            },
            settings={
                "freshchat": {"reports_per_minute": 60_000},
                "dixa": {
                    "api_url": f"{sandbox.url}/v1",
                    "main_api_url": f"{sandbox.url}/v1",
                    "requests_per_minute": 6000,
                },
                "livechat": {"api_url": sandbox.url},
                **{
                    dialect.name: addresses(dialect.config(sandbox.url))
                    for dialect in DIALECTS
                    if dialect.name in SHIPPED_NAMES
                },
            },
        )


def addresses(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that replace the servers of a platform."""
    return {name: settings[name] for name in ("api_url", "link_host") if name in settings}


def example(request: Request) -> Any:
    """Respond as the messages API of the pages, in its usual shape or in the other one."""
    usual = request.url.path == "/v1/messages"
    offset, limit = (int(request.query_params[name]) for name in ("offset", "limit"))
    since = int(request.query_params.get("since", 0))
    rows = WORLD.chat.messages if usual else [row for row in unusual() if row["timestamp"] >= since]
    given = request.query_params if usual else request.headers
    assert given["api_key" if usual else "x-api-key"] == API_KEY
    page = rows[offset : offset + limit]
    return {"data": page} if usual else {"result": {"messages": page}}


def unusual() -> list[dict[str, Any]]:
    """Return messages with the fields of the other shape."""
    return [
        row
        | {
            "timestamp": int(datetime.fromisoformat(row["timestamp"]).timestamp()),
            "channel": "web",
            "author": {"id": row["user_id"]},
        }
        for row in WORLD.chat.messages
    ]


def _free_port() -> int:
    """Return a free port. No connection gets it later: those of Linux begin at 32768."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), closing(socket.create_server(("127.0.0.1", port))):
            return port
