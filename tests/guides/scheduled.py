"""The folder of docs/schedule.md: an account of the sandbox, loaded into a DuckDB file."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import duckdb
from dist import ROOT
from running import BIN

from tap_chat.sandbox import API_KEY, World

if TYPE_CHECKING:
    from pathlib import Path

    from tap_chat.sandbox import Sandbox

EXAMPLES = ROOT / "examples" / "schedule"
SMALL = World(messages=20, users=3, conversations=4)


def environment(folder: Path, **own: str) -> dict[str, str]:
    """Return the environment of a scheduler. Its destination `postgres` is a DuckDB file."""
    return os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "DESTINATION__POSTGRES__DESTINATION_TYPE": "duckdb",
        "DESTINATION__POSTGRES__CREDENTIALS": str(folder / "warehouse.duckdb"),
        "DLT_DATA_DIR": str(folder / "dlt"),
        **own,
    }


def write_settings(folder: Path, sandbox: Sandbox) -> None:
    """Write `.env` with the account of the sandbox into a folder."""
    settings = {
        "START_DATE": "2024-01-01",
        "FRESHCHAT_API_URL": f"{sandbox.url}/v2",
        "FRESHCHAT_API_KEY": API_KEY,
    }
    lines = [f"TAP_CHAT_{name}={value}\n" for name, value in settings.items()]
    (folder / ".env").write_text("".join(lines))


def users(folder: Path) -> int:
    """Return the number of users in the destination."""
    with closing(duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True)) as database:
        [(count,)] = database.execute("select count(*) from chats.freshchat_users").fetchall()
    return int(count)
