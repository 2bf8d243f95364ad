"""Dixa's messages: all of them, and again when they are edited or arrive late."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from running import assert_complete, assert_up_to_date, full_config

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from running import Runner

MESSAGES, CONVERSATIONS = "dixa_messages", "dixa_conversation_export"
LATER, LAST = datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
WORLD = World(dixa_conversations=300)


def config(sandbox: Sandbox, **settings: Any) -> dict[str, Any]:
    # A window does not include its end.
    end = (sandbox.world.now + timedelta(seconds=1)).isoformat()
    return full_config(sandbox, "dixa", dixa=settings) | {"end_date": end}


def test_edited_and_late_messages_arrive_with_the_next_runs(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        runs = [tap(config(sandbox))]
        assert_complete(runs[0], sandbox, MESSAGES, CONVERSATIONS)
        for now in (LATER, LAST):
            sandbox.world = replace(sandbox.world, now=now)
            runs.append(tap(config(sandbox), state=runs[-1].state))
            assert_up_to_date(runs, sandbox, [MESSAGES, CONVERSATIONS])
