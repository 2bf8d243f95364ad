"""A catalog can select streams and properties, but can't spoil or lose records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from running import ALL, chat_config, full_config

from tap_chat.platforms.livechat import EXTRA, STREAMS
from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from running import Runner

INCREMENTAL = {"replication_method": "INCREMENTAL", "replication_key": "timestamp"}


def discovered(tap: Runner, **settings: Any) -> dict[str, Any]:
    """Return the catalog of the platform `chat`."""
    run = tap.run([*tap.command({"chat": settings}), "--discover"])
    catalog: dict[str, Any] = json.loads(run.out)
    return catalog


def test_discovered_catalog_is_accepted(tap: Runner) -> None:
    # Runners discover first, and give the tap the catalog.
    world = World(messages=5, users=2, conversations=3, dixa_conversations=5, chats=5)
    with Sandbox(world) as sandbox:
        extra = [stream.name for stream in EXTRA]
        config = full_config(sandbox, *ALL, livechat={"api_version": "3.6", "extra_streams": extra})
        catalog = json.loads(tap.run([*tap.command(config), "--discover"]).out)
        run = tap(config, catalog=catalog)
        assert run.code == 0, run.err
        found = {message["stream"] for message in run.of_type("SCHEMA")}
        assert found >= {stream.name for stream in (*STREAMS, *EXTRA)}


def deselect(stream: dict[str, Any], field: str, **metadata: Any) -> None:
    for item in stream["metadata"]:
        if item["breadcrumb"] == ["properties", field]:
            item["metadata"] |= {"selected": False} | metadata


def without_keys(stream: dict[str, Any]) -> None:
    stream["key_properties"] = []
    for item in stream["metadata"]:
        item["metadata"].pop("table-key-properties", None)


def incremental_without_its_key(stream: dict[str, Any]) -> None:
    stream.update(INCREMENTAL)
    deselect(stream, "timestamp")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_keys, "gives chat_messages the key properties none instead of id."),
        (
            lambda stream: stream.update(key_properties=["user_id"]),
            "gives chat_messages the key properties user_id instead of id.",
        ),
        (
            lambda stream: deselect(stream, "id", inclusion="available"),
            "deselects `id` of chat_messages",
        ),
        (incremental_without_its_key, "deselects `timestamp` of chat_messages"),
        (
            lambda stream: stream["schema"]["properties"].pop("id"),
            "schema of chat_messages has no `id`",
        ),
        (
            lambda stream: stream.update(INCREMENTAL, replication_key="changed"),
            "schema of chat_messages has no `changed`",
        ),
        (
            lambda stream: stream.update(INCREMENTAL, replication_key="user_id"),
            "`user_id`, which is neither a number nor a date-time",
        ),
        (
            lambda stream: stream.update(replication_method="INCREMENTAL"),
            "reads chat_messages as INCREMENTAL, but without a replication key",
        ),
        (
            lambda stream: stream.update(replication_method="LOG_BASED"),
            "reads chat_messages as LOG_BASED",
        ),
        (lambda stream: stream.update(schema={"type": "object"}), "no schema with `properties`"),
        (lambda stream: stream.pop("schema"), "no schema with `properties`"),
        (lambda stream: stream.pop("tap_stream_id"), "without `tap_stream_id`"),
    ],
)
def test_catalog_that_spoils_a_stream_is_refused(
    tap: Runner, sandbox: Sandbox, change: Any, words: str
) -> None:
    catalog = discovered(tap)
    change(catalog["streams"][0])
    run = tap(chat_config(sandbox), catalog=catalog)
    assert run.code == 1
    assert words in run.errors[0]
    assert "Discover it again" in run.errors[0]
    assert sandbox.requests == 0
    assert run.out == b""


def test_catalog_of_a_deselected_stream_is_not_checked(tap: Runner, sandbox: Sandbox) -> None:
    catalog = discovered(tap)
    catalog["streams"][0]["replication_method"] = "LOG_BASED"
    deselected = {"breadcrumb": [], "metadata": {"selected": False}}
    catalog["streams"][0]["metadata"] = [deselected]
    assert tap(chat_config(sandbox), catalog=catalog).code == 0


def test_deselected_key_with_automatic_inclusion_is_written(tap: Runner, sandbox: Sandbox) -> None:
    catalog = discovered(tap)
    deselect(catalog["streams"][0], "id")
    run = tap(chat_config(sandbox), catalog=catalog)
    assert run.code == 0
    assert run.records == sandbox.world.chat.messages


def test_catalog_overrides_the_config_with_a_warning(tap: Runner, sandbox: Sandbox) -> None:
    settings: dict[str, Any] = {
        "replication_key": "timestamp",
        "fields": {"channel": {"type": "string"}, "user_id": {"type": ["string", "integer"]}},
    }
    run = tap(chat_config(sandbox, **settings), catalog=discovered(tap))
    assert run.code == 0
    assert run.records == sandbox.world.chat.messages
    assert "replication key of chat_messages is none, the config says timestamp" in run.err
    assert "these fields of chat_messages differently: channel, user_id." in run.err

    same = tap(chat_config(sandbox, **settings), catalog=discovered(tap, **settings))
    assert same.code == 0
    assert "The catalog" not in same.err
