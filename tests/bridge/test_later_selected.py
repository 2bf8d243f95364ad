"""tap-chat's LiveChat through the bridge, which keeps the bookmark of a stream with its table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from running import full_config

from dlt_bridge import singer
from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from staging import Stage

CHATS, MESSAGES, EVENTS = "livechat_chats", "livechat_messages", "livechat_events"
DAY = datetime(2025, 11, 20, tzinfo=UTC)


def load(stage: Stage, sandbox: Sandbox, days: int, *streams: str) -> int:
    """Load these streams as the account is after so many days, and return the requests."""
    sandbox.world = replace(sandbox.world, now=DAY + timedelta(days=days))
    before = sandbox.requests
    config = full_config(sandbox, "livechat")
    stage.pipeline.run(singer("tap-chat", config, select=streams))
    return sandbox.requests - before


def ids(stage: Stage, table: str, key: str) -> set[str]:
    return {row[0] for row in stage.rows(f"select {key} from data.{table}")}


def test_parts_continue_without_chats_and_later_streams_miss_nothing(
    stage: Stage,
) -> None:
    with Sandbox(World(livechat_version="2", chats=100)) as sandbox:
        first = load(stage, sandbox, 0, MESSAGES)
        second = load(stage, sandbox, 20, MESSAGES)
        # Not everything from the start again, though the chats are not selected.
        assert second < first / 2
        load(stage, sandbox, 40, CHATS, MESSAGES, EVENTS)
        truth = sandbox.world.truth
        assert ids(stage, CHATS, "id") == {row["id"] for row in truth[CHATS]}
        for part in (MESSAGES, EVENTS):
            assert ids(stage, part, "event_id") == {row["event_id"] for row in truth[part]}


def test_removed_filter_or_new_account_is_read_from_the_start(stage: Stage) -> None:
    """What a STATE is true of comes back from dlt as it was."""
    with (
        Sandbox(World(livechat_version="2", chats=50)) as ours,
        Sandbox(World(livechat_version="2", seed=2, chats=50)) as theirs,
    ):
        half = sorted(row["id"] for row in ours.world.truth[CHATS])[25]
        maps = {"stream_maps": {CHATS: {"__filter__": f"id > '{half}'"}}}
        stage.pipeline.run(
            singer("tap-chat", full_config(ours, "livechat") | maps, select=[CHATS, MESSAGES])
        )
        for account in (ours, theirs):
            stage.pipeline.run(
                singer("tap-chat", full_config(account, "livechat"), select=[CHATS, MESSAGES])
            )
            for table, key in ((CHATS, "id"), (MESSAGES, "event_id")):
                rows = {row[key] for row in account.world.truth[table]}
                assert rows <= ids(stage, table, key)
