"""The declarations in `examples/` load the same tables with dlt and with tap-chat."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import pytest
from running import full_config

from tap_chat.declarations.files import load_file
from tap_chat.sandbox import API_KEY, ENTITY_ID, Sandbox, World

if TYPE_CHECKING:
    from parity.loading import Both

EXAMPLES = Path(__file__).parents[2] / "examples" / "declarations"
#: dlt does not fill them in.
SECRETS = {
    "MESSAGES_API_KEY": API_KEY,
    "FRESHCHAT_API_KEY": API_KEY,
    "DIXA_API_TOKEN": API_KEY,
    "LIVECHAT_ENTITY_ID": ENTITY_ID,
    "LIVECHAT_ACCESS_TOKEN": API_KEY,
}
SECTIONS = {"messages": "chat"}


def load(both: Both, example: str) -> None:
    """Load an example from the sandbox with both."""
    text = json.dumps(load_file(EXAMPLES / f"{example}.yaml"))
    declaration = json.loads(Template(text).safe_substitute(SECRETS))
    with Sandbox(World(messages=250, livechat_version="2")) as sandbox:
        section = SECTIONS.get(example, example)
        declaration["client"]["base_url"] = full_config(sandbox)[section]["api_url"]
        both.load_by_dlt(declaration)
        both.load_by_tap(declaration)


@pytest.mark.parametrize("example", ["messages", "dixa", "livechat"])
def test_example_is_loaded_as_by_dlt(both: Both, example: str) -> None:
    load(both, example)
    assert min(both.compare().values()) > 0


def test_children_that_dlt_asks_for_at_another_address_are_read(both: Both) -> None:
    """Some ids of the sandbox have characters that dlt does not quote: those return 404."""
    load(both, "freshchat")
    by_dlt, by_tap = both.tables
    for name in ("users", "roles", "agents", "groups", "channels", "account"):
        assert len(by_tap[name].rows) == len(by_dlt[name].rows) > 0
    users_of = [
        {row["_users_id"] for row in tables["users_conversations"].rows}
        for tables in (by_tap, by_dlt)
    ]
    lost = users_of[0] - users_of[1]
    assert lost
    assert all(set(user) & set("#?/") for user in lost)
    for name in ("users_conversations", "conversations", "conversations_messages"):
        assert len(by_tap[name].rows) > len(by_dlt[name].rows) > 0
