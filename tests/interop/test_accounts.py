"""Two accounts with equal ids share the tables of a target, run after run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from interop.targets import Dlt, DuckDB
from running import config_of

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from pathlib import Path

    from interop.targets import Target
    from running import Runner

ACCOUNTS = ("acme", 'O\'Neil "& Co" {} 🚚')
MESSAGES, SECTIONS = "chat_messages", ("chat", "freshchat")
SMALL = World(messages=40, users=4, conversations=6, dixa_conversations=20, chats=10)


@pytest.mark.parametrize("kind", [Dlt, DuckDB])
def test_accounts_with_equal_ids_share_tables(tap: Runner, tmp_path: Path, kind: type[Any]) -> None:
    target: Target = kind(tmp_path / "warehouse.duckdb")
    states: dict[str, Any] = {account: {} for account in ACCOUNTS}
    with Sandbox(SMALL) as sandbox:
        for account, month in zip((*ACCOUNTS, "acme"), (2, 2, 3), strict=True):
            now = datetime(2026, month, 1, 12, tzinfo=UTC)
            sandbox.set_world(account, replace(sandbox.world_of(account), now=now))
            config = config_of(sandbox, account, *SECTIONS) | {"account": account}
            run = tap(config, state=states[account])
            assert run.code == 0, run.err
            states[account] = target.load(run.out, tmp_path)[-1]
        truths = {account: sandbox.world_of(account).truth for account in ACCOUNTS}
        for stream in truths["acme"]:
            if stream.partition("_")[0] not in SECTIONS:
                continue
            held = target.held(stream)
            for account, truth in truths.items():
                own = [row for row in held if row["_account"] == account]
                assert len(own) == len(truth[stream]), (stream, account)
            assert len(held) == sum(len(truth[stream]) for truth in truths.values())
        texts = {(row["_account"], row["id"]): row["message"] for row in target.held(MESSAGES)}
        for account, truth in truths.items():
            for row in truth[MESSAGES]:
                assert texts[account, row["id"]] == row["message"]
