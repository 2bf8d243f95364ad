"""Freshchat: users lead to conversations, and these to messages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from running import assert_complete, full_config, in_order, missing

from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Runner

LATER = datetime(2026, 3, 15, tzinfo=UTC)
STREAMS = [
    "freshchat_account",
    "freshchat_roles",
    "freshchat_agents",
    "freshchat_groups",
    "freshchat_channels",
    "freshchat_users",
    "freshchat_users_conversations",
    "freshchat_conversations",
    "freshchat_conversations_messages",
    "freshchat_conversations_properties",
    "freshchat_csat_scores",
    "freshchat_conversation_events",
]


@pytest.mark.parametrize("seed", [1, 7, 2025])
def test_every_row_of_every_stream_arrives_once(tap: Runner, seed: int) -> None:
    with Sandbox(World(seed=seed, users=60, conversations=150)) as sandbox:
        run = tap(full_config(sandbox, "freshchat"))
        assert_complete(run, sandbox, *STREAMS)


@pytest.mark.parametrize("links", ["relative", "path", "absolute", "absent"])
def test_next_link_may_be_relative_or_absolute(tap: Runner, links: Any) -> None:
    with Sandbox(World(users=60), Options(links=links)) as sandbox:
        run = tap(full_config(sandbox, "freshchat", freshchat={"items_per_page": 7}))
        assert_complete(run, sandbox, *STREAMS)


def test_server_with_smaller_pages_loses_nothing(tap: Runner) -> None:
    with Sandbox(World(users=60)) as sandbox:
        # The API gives 50 at most.
        run = tap(full_config(sandbox, "freshchat", freshchat={"items_per_page": 500}))
        assert_complete(run, sandbox, *STREAMS)


@pytest.mark.parametrize("conversations", [20, 50])
def test_list_of_exactly_one_page_is_read(tap: Runner, conversations: int) -> None:
    """The conversations of a user have no pages: the second page repeats the first."""
    with Sandbox(World(users=1, conversations=conversations)) as sandbox:
        talks = sandbox.world.truth["freshchat_users_conversations"]
        assert len({talk["user_id"] for talk in talks}) == 1
        run = tap(full_config(sandbox, "freshchat"))
        assert_complete(run, sandbox, *STREAMS)


def test_deleted_parents_are_skipped_and_counted(tap: Runner) -> None:
    with Sandbox(World(users=60, conversations=150, deleted=0.1)) as sandbox:
        run = tap(full_config(sandbox, "freshchat"))
        assert_complete(run, sandbox, *STREAMS)
    gone = [line for line in run.err.splitlines() if "WARNING" in line and "404 Not Found" in line]
    assert [re.sub(r": \d+\.", ": 1.", line.rpartition("| ")[2]) for line in gone] == [
        f"Requests for {path} that returned 404 Not Found: 1. What they ask for is deleted, and was"
        " skipped."
        for path in (
            "/users/{user_id}/conversations",
            "/conversations/{conversation_id}",
            "/conversations/{conversation_id}/messages",
        )
    ]


def test_second_run_brings_changed_users(tap: Runner, sandbox: Sandbox) -> None:
    first = tap(full_config(sandbox, "freshchat"))
    before = in_order(sandbox.world.truth["freshchat_users"])
    sandbox.world = replace(sandbox.world, now=LATER)
    second = tap(full_config(sandbox, "freshchat"), state=first.state)
    changed = [row for row in sandbox.world.truth["freshchat_users"] if row not in before]
    assert changed
    found = second.rows("freshchat_users")
    assert missing(changed, found) == []
    assert len(found) < len(sandbox.world.truth["freshchat_users"])
    assert len({row["id"] for row in found}) == len(found)
    old, new = (
        run.state["bookmarks"]["freshchat_users"]["replication_key_value"]
        for run in (first, second)
    )
    assert old < new


def test_mode_all_brings_every_new_message_and_few_old_ones(tap: Runner) -> None:
    with Sandbox(World(users=40, conversations=150)) as sandbox:
        stream = "freshchat_conversations_messages"
        first = tap(full_config(sandbox, "freshchat"))
        old = in_order(sandbox.world.truth[stream])
        sandbox.world = replace(sandbox.world, now=LATER)
        second = tap(full_config(sandbox, "freshchat"), state=first.state)
        assert second.code == 0
        assert_complete(second, sandbox, "freshchat_users_conversations", "freshchat_conversations")
        new = [row for row in sandbox.world.truth[stream] if row not in old]
        assert new
        found = second.rows(stream)
        assert missing(new, found) == []
        # Besides the new ones, those of the day of lookback.
        assert len(found) < len(new) + 0.1 * len(old)


def test_mode_updated_brings_all_conversations_of_updated_users_alone(
    tap: Runner,
) -> None:
    with Sandbox(World(users=40, conversations=150)) as sandbox:
        config = full_config(sandbox, "freshchat", freshchat={"mode": "updated"})
        first = tap(config)
        assert_complete(first, sandbox, *STREAMS)
        sandbox.world = replace(sandbox.world, now=LATER)
        config = full_config(sandbox, "freshchat", freshchat={"mode": "updated"})
        before = sandbox.requests
        second = tap(config, state=first.state)
        fast = sandbox.requests - before
        changed = {
            row["id"]
            for row in sandbox.world.truth["freshchat_users"]
            if max(row["created_time"], row.get("updated_time") or "") >= "2026-01-31T12:00:00.000Z"
        }
        truth = sandbox.world.truth["freshchat_users_conversations"]
        expected = [row for row in truth if row["user_id"] in changed]
        found = second.rows("freshchat_users_conversations")
        assert missing(expected, found) == []
        assert len(found) < len(truth)
        before = sandbox.requests
        tap(full_config(sandbox, "freshchat"), state=first.state)
        assert fast < 0.8 * (sandbox.requests - before)


@pytest.mark.parametrize("mode", ["all", "updated"])
def test_stream_that_is_selected_later_is_read_from_the_beginning(
    tap: Runner, sandbox: Sandbox, mode: str
) -> None:
    catalog = json.loads(tap.run([tap.command({})[0], "--discover"]).out)
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == "freshchat_conversations_messages":
            for item in entry["metadata"]:
                item["metadata"]["selected"] = False
        if not entry["tap_stream_id"].startswith("freshchat"):
            entry["metadata"] = [
                {"breadcrumb": [], "metadata": {"inclusion": "available", "selected": False}}
            ]
    config = full_config(sandbox, "freshchat", freshchat={"mode": mode})
    first = tap(config, catalog=catalog)
    assert first.rows("freshchat_conversations_messages") == []
    second = tap(config, state=first.state)
    assert_complete(second, sandbox, "freshchat_conversations_messages")


def test_failed_fan_out_does_not_move_the_bookmark(tap: Runner, sandbox: Sandbox) -> None:
    path = "/messages"
    sandbox.options.faults = [Fault(kind="status", status=400, path=path, after=20)]
    failed = tap(full_config(sandbox, "freshchat"))
    assert failed.code == 1
    resumed = tap(full_config(sandbox, "freshchat"), state=failed.state)
    assert_complete(resumed, sandbox, "freshchat_conversations_messages")


def test_state_does_not_grow_with_the_account(tap: Runner) -> None:
    sizes = []
    for users in (50, 100):
        with Sandbox(World(users=users, conversations=2 * users)) as sandbox:
            run = tap(full_config(sandbox, "freshchat"))
            sizes.append(max(len(str(state)) for state in run.of_type("STATE")))
    assert sizes[0] == sizes[1]
    assert sizes[0] < 4096


def test_stream_has_one_schema_and_no_log_line_for_each_parent(tap: Runner) -> None:
    with Sandbox(World(users=60, conversations=150)) as sandbox:
        run = tap(full_config(sandbox, "freshchat"))
    schemas = [message["stream"] for message in run.of_type("SCHEMA")]
    assert sorted(schemas) == sorted(STREAMS)
    assert len(run.err.splitlines()) < 80


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(kind="status", status=401, path="/v2/users"), ["401", "freshchat.api_key"]),
        (Fault(kind="status", status=403, path="/v2/users"), ["403", "freshchat.api_key"]),
        (Fault(kind="status", status=404, path="/v2/roles"), ["404", "freshchat.api_url"]),
        (Fault(kind="html", path="/v2/groups"), ["a web page", "freshchat.api_url"]),
        (Fault(kind="null", path="/v2/agents"), ["no list of records at `agents`"]),
        (Fault(kind="null", path="/messages"), ["no list of records at `messages`"]),
        (Fault(kind="truncate", path="/v2/users", times=None), ["not complete JSON"]),
        (Fault(kind="drop", path="/v2/channels"), ["has no `id`, which is its key"]),
        (Fault(kind="drop", path="/messages"), ["has no `id`, which is its key"]),
        (Fault(kind="self_link", path="/v2/agents"), ["does not lead to the next page"]),
        (Fault(kind="foreign_link", path="/v2/agents"), ["a next link to another host"]),
        (Fault(kind="repeat", path="/v2/agents", after=1), ["page"]),
    ],
    ids=lambda value: f"{value.kind}-{value.path}" if isinstance(value, Fault) else "",
)
def test_bad_input_is_one_error(
    tap: Runner, sandbox: Sandbox, fault: Fault, words: list[str]
) -> None:
    sandbox.options.faults = [fault]
    run = tap(full_config(sandbox, "freshchat", freshchat={"items_per_page": 20}), level="DEBUG")
    assert run.code == 1
    [error] = run.errors
    assert error.startswith("Stream freshchat_")
    assert f"GET {sandbox.url}/v2" in error
    for word in words:
        assert word in error
    assert API_KEY not in run.err


def test_user_without_the_replication_key_is_written_and_reported(
    tap: Runner, sandbox: Sandbox
) -> None:
    run = tap(full_config(sandbox, "freshchat"))
    count = [row.get("updated_time") for row in sandbox.world.truth["freshchat_users"]].count(None)
    assert count > 0
    assert f"Records of freshchat_users without a usable `updated_time`: {count}." in run.err
    assert_complete(run, sandbox, "freshchat_users")
