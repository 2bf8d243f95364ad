"""No output of the tap shows the value of a setting, whether it is valid or not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import SingerSDKError

from tap_chat.config.parsing import json_schema
from tap_chat.platforms.registry import PLATFORMS, SHIPPED, Config
from tap_chat.sandbox import API_KEY
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from running import Runner

CANARY = "MY-REAL-SECRET"
#: Wrong for texts, for all others, for what has a choice, and longer than anything should be.
VALUES: list[Any] = [
    [CANARY],
    {"inner": CANARY},
    CANARY,
    CANARY * 5000,
    f"\x1b[1m{CANARY}\n",
]
SECTIONS: dict[str, dict[str, Any]] = {
    "chat": {"api_url": "https://api.example.com", "api_key": API_KEY},
    "freshchat": {"api_url": "https://acme.example.com/v2", "api_key": API_KEY},
    "dixa": {"api_token": API_KEY},
    "livechat": {"entity_id": "e", "access_token": API_KEY},
}
SECTIONS |= {
    platform.name: {
        name: "https://api.example.com" if name == "api_url" else API_KEY
        for name in json_schema(platform.settings)["required"]
    }
    for platform in SHIPPED
}


def every_setting() -> dict[tuple[str, ...], Mapping[str, Any]]:
    """Return the settings, with those of the SDK, by section and name."""
    schema = json_schema(Config)
    TapChat.append_builtin_config(schema)
    found: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for name, setting in schema["properties"].items():
        found[name,] = setting
        if name in {platform.name for platform in PLATFORMS}:
            found |= {(name, inner): part for inner, part in setting["properties"].items()}
    return found


def said(caplog: pytest.LogCaptureFixture, config: dict[str, Any], *, env: bool = False) -> str:
    """Create a tap with a config, and return all its output."""
    caplog.clear()
    error = ""
    try:
        TapChat(config=config, parse_env_config=env)
    except SingerSDKError as refused:
        error = str(refused)
    return error + caplog.text


def canaries(way: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for path, setting in every_setting().items():
        for value in VALUES:
            yield path, value
        if "enum" in setting or "anyOf" in setting:
            yield path, {"type": CANARY}
        if way == "config":
            # A misspelled name.
            yield (*path[:-1], f"{path[-1]}x"), CANARY


@pytest.mark.parametrize("way", ["config", "environment", ".env"])
def test_no_value_is_in_the_output_of_an_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    caplog.set_level("INFO")
    monkeypatch.chdir(tmp_path)
    refused = set()
    for path, value in canaries(way):
        # One section is enough, and is quick to check.
        section = path[0] if len(path) > 1 else "chat"
        config: dict[str, Any] = {section: dict(SECTIONS[section])}
        if way == "config":
            (config[path[0]] if len(path) > 1 else config)[path[-1]] = value
            text = said(caplog, config)
        else:
            variable = "_".join(("TAP_CHAT", *path)).upper()
            content = value if isinstance(value, str) else json.dumps(value)
            with monkeypatch.context() as changed:
                if way == "environment":
                    changed.setenv(variable, content)
                else:
                    (tmp_path / ".env").write_text(f"{variable}='{content}'\n")
                text = said(caplog, config, env=True)
        assert CANARY not in text, (path, value)
        if re.search("The setting|There is no setting|The environment variable", text):
            refused.add(path)
            assert path[-1] in text.lower(), path
    # Of texts in the environment, nothing is wrong but what can't be sent.
    assert len(refused) >= (2 * len(every_setting()) if way == "config" else 25)


def test_no_value_is_in_the_output_of_the_command(tap: Runner) -> None:
    """The other test checks the same within this process."""
    config = SECTIONS | {"chat": {**SECTIONS["chat"], "api_key_in": CANARY}}
    run = tap(config, level="DEBUG")
    assert run.code == 1
    assert run.errors == ["The setting `chat.api_key_in` is wrong: it must be `header` or `query`."]
    assert CANARY not in run.err
