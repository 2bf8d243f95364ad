"""The files of docs/schedule-accounts.md, for accounts of the sandbox."""

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

EXAMPLES = ROOT / "examples" / "accounts"
PROGRAM = EXAMPLES / "load_accounts.py"
#: The accounts of accounts.toml, and the hosts of their APIs.
HOSTS = {"acme": "acme", "Umbrella & Co": "umbrella"}
NAMES = [*HOSTS]
SMALL = World(messages=20, users=3, conversations=4)


def write_accounts(folder: Path, sandbox: Sandbox) -> None:
    """Write accounts.toml with the accounts of the sandbox into a folder."""
    text = (EXAMPLES / "accounts.toml").read_text()
    for name, host in HOSTS.items():
        # One report a minute would take longer than the test.
        text = text.replace(
            f'"https://{host}.freshchat.com/v2"',
            f'"{sandbox.url_of(name)}/v2"\nreports_per_minute = 60_000',
        )
    (folder / "accounts.toml").write_text(text)


def environment(folder: Path, **own: str) -> dict[str, str]:
    """Return the environment of a recipe that loads into a DuckDB file of a folder."""
    return os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "ACME_KEY": API_KEY,
        "UMBRELLA_KEY": API_KEY,
        "DESTINATION": "duckdb",
        "DESTINATION__DUCKDB__CREDENTIALS": str(folder / "warehouse.duckdb"),
        "DLT_DATA_DIR": str(folder / "dlt"),
        **own,
    }


def loaded(folder: Path) -> dict[str, int]:
    """Return the number of users of each account in the destination."""
    with closing(duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True)) as database:
        found = database.execute(
            "select _account, count(*) from chats.freshchat_users group by all"
        ).fetchall()
    return dict(found)
