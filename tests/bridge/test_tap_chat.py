"""tap-chat through the bridge: exact rows, and an incremental second run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from running import chat_config

from dlt_bridge import singer
from tap_chat.sandbox import World

if TYPE_CHECKING:
    from staging import Stage

    from tap_chat.sandbox import Sandbox

QUERY = """
    select id, message, strftime(timestamp at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ'), user_id
    from data.chat_messages order by id
"""


def expected(sandbox: Sandbox) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in sandbox.world.chat.messages]


def test_full_table_has_the_rows_of_the_api(stage: Stage, sandbox: Sandbox) -> None:
    stage.pipeline.run(singer("tap-chat", chat_config(sandbox)))
    assert stage.rows(QUERY) == expected(sandbox)
    sandbox.world = World(messages=500)
    stage.pipeline.run(singer("tap-chat", chat_config(sandbox)))
    assert stage.rows(QUERY) == expected(sandbox)


def test_second_run_reads_what_is_new(stage: Stage, sandbox: Sandbox) -> None:
    config = chat_config(sandbox, replication_key="timestamp", filter_param="since")
    stage.pipeline.run(singer("tap-chat", config))
    assert stage.rows(QUERY) == expected(sandbox)

    sandbox.world = World(messages=550)
    before = sandbox.requests
    stage.pipeline.run(singer("tap-chat", config))
    assert stage.rows(QUERY) == expected(sandbox)
    assert sandbox.requests - before == 4
