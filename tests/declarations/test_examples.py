"""The declarations in `examples/` load what the built-in platforms load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from running import QUICK, by_stream, full_config

from tap_chat.declarations.files import load_file
from tap_chat.sandbox import API_KEY, ENTITY_ID, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from running import Runner

EXAMPLES = Path(__file__).parents[2] / "examples" / "declarations"
SECRETS = {
    "MESSAGES_API_KEY": API_KEY,
    "FRESHCHAT_API_KEY": API_KEY,
    "DIXA_API_TOKEN": API_KEY,
    "LIVECHAT_ENTITY_ID": ENTITY_ID,
    "LIVECHAT_ACCESS_TOKEN": API_KEY,
}
#: The properties that are called otherwise by the built-in platforms.
RENAMED = {
    "acme_users_conversations": {"_users_id": "user_id"},
    "acme_conversations_messages": {"_users_conversations_id": "conversation_id"},
}
#: The properties that the built-in platforms make: there is a row for each agent of a chat.
MADE = {"agent_email"}
#: 2026-01-01 in milliseconds.
JANUARY = 1_767_225_600_000


def is_of_january(conversation: dict[str, Any]) -> bool:
    return int(conversation["updated_at"]) >= JANUARY


def everything(_: dict[str, Any]) -> bool:
    return True


def texts(rows: list[dict[str, Any]], names: set[str]) -> set[str]:
    """Return the properties of these names of each row, as text."""
    return {json.dumps({name: row.get(name) for name in names}, sort_keys=True) for row in rows}


def properties(rows: list[dict[str, Any]]) -> set[str]:
    return {name for row in rows for name in row}


@pytest.mark.parametrize(
    ("example", "section", "streams", "is_meant"),
    [
        ("messages", "chat", {"acme_chat_messages": "chat_messages"}, everything),
        ("freshchat", "freshchat", None, everything),
        (
            "dixa",
            "dixa",
            {"acme_conversation_export": "dixa_conversation_export"},
            is_of_january,
        ),
        ("livechat", "livechat", {"acme_chats": "livechat_chats"}, everything),
    ],
)
def test_example_loads_the_rows_of_the_built_in_platform(
    tap: Runner,
    monkeypatch: pytest.MonkeyPatch,
    example: str,
    section: str,
    streams: dict[str, str] | None,
    is_meant: Callable[[dict[str, Any]], bool],
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with Sandbox(World(messages=250, livechat_version="2")) as sandbox:
        config = full_config(sandbox, section)
        config[section].pop("extra_streams", None)
        built_in = tap(config)
        declaration = dict(load_file(EXAMPLES / f"{example}.yaml"))
        declaration["client"] |= {"base_url": config[section]["api_url"]}
        declared = tap({"rest": {"acme": {"declaration": declaration, **QUICK}}})
    assert (built_in.code, declared.code) == (0, 0), declared.err
    expected, found = by_stream(built_in), by_stream(declared)
    same = {stream.replace(section, "acme", 1): stream for stream in expected}
    for stream, other in (streams or same).items():
        new_names = RENAMED.get(stream, {})
        # Freshchat's messages have a `conversation_id` of their own, which the key replaces.
        rows = [row | {new: row[name] for name, new in new_names.items()} for row in found[stream]]
        meant = [row for row in expected[other] if is_meant(row)]
        shared = properties(rows) & properties(meant)
        assert properties(meant) - shared <= MADE
        assert properties(rows) - shared <= set(new_names)
        assert texts(rows, shared) == texts(meant, shared), stream
        # What only the built-in platform has, it has made.
