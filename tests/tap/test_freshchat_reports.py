"""Freshchat's raw reports: jobs, files on another host, and their CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from running import assert_complete, by_stream, full_config, in_order

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from running import Runner

SCORES, EVENTS = "freshchat_csat_scores", "freshchat_conversation_events"
TRANSCRIPTS = "freshchat_chat_transcripts"
WORLD = World(users=20, conversations=60)


def config_of(sandbox: Sandbox, *streams: str, **settings: Any) -> dict[str, Any]:
    """Return a config that reads some streams of reports, and few others."""
    return full_config(
        sandbox, "freshchat", freshchat={"extra_streams": [*streams], "mode": "updated", **settings}
    )


def test_every_row_of_every_report_arrives_once(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        run = tap(config_of(sandbox, EVENTS, TRANSCRIPTS))
        assert_complete(run, sandbox, SCORES, EVENTS)
        assert in_order(by_stream(run)[TRANSCRIPTS]) == in_order(
            sandbox.world.freshchat.transcripts
        )
