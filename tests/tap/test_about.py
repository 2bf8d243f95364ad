"""`--about` shows every setting as it can be set."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from running import BIN
from tables import flat, is_section

from tap_chat.config.environment import from_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A setting: its name and facts, its variable, and its description.
ENTRY = re.compile(
    r"(?m)^(?P<name>[a-z_.]+) \((?P<facts>.*)\)\n    (?P<variable>[A-Z_]+)\n    (?P<text>.*)"
)


def about(program: str, *options: str) -> str:
    command = [str(BIN / program), "--about", *options]
    return subprocess.check_output(command, env=os.environ | {"COLUMNS": "80"}, text=True)


def at(config: Mapping[str, Any], name: str) -> object:
    """Return a setting of a config by its name with the sections."""
    for part in name.split("."):
        config = config[part]
    return config


@pytest.mark.parametrize(
    ("program", "prefix"), [("tap-chat", "TAP_CHAT_"), ("target-dlt", "TARGET_DLT_")]
)
def test_every_setting_is_shown(program: str, prefix: str) -> None:
    schema = json.loads(about(program, "--format=json"))["settings"]
    shown = about(program)
    assert all(len(line) <= 80 for line in shown.splitlines() if line.startswith("    "))
    entries = {entry["name"]: entry for entry in ENTRY.finditer(shown)}
    plain = " ".join(shown.split())
    expected = {}
    for name, setting, required in flat(schema):
        assert " ".join(setting["description"].split()) in plain, name
        if is_section(setting):
            assert f"\n[{name}]\n" in shown
            continue
        expected[name] = setting
        assert ("required" in entries[name]["facts"]) is required, name
        if not required and setting.get("default") is not None:
            assert f"default {json.dumps(setting['default'])}" in entries[name]["facts"], name
    assert entries.keys() == expected.keys()
    for name, entry in entries.items():
        # The variable sets this setting.
        config = from_environment(schema, prefix, {entry["variable"]: "1"})
        assert at(config, name) in {"1", 1}, name
