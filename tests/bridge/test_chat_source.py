"""`chat`: tap-chat, with its settings from arguments and from dlt's configuration."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from running import full_config

from dlt_bridge import BridgeError, chat
from dlt_bridge.chat_source import config_of
from tap_chat.sandbox import API_KEY
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from staging import Project, Stage

    from tap_chat.sandbox import Sandbox

URL = "https://acme.freshchat.com/v2"


pytestmark = pytest.mark.usefixtures("project")


def count(stage: Stage, table: str) -> int:
    return int(stage.rows(f"select count(*) from data.{table}")[0][0])


def test_platforms_of_the_sandbox_arrive(
    stage: Stage, sandbox: Sandbox, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every place that a setting can come from: arguments, secrets.toml, config.toml, variables."""
    config = full_config(sandbox, "chat", "freshchat")
    project.write(
        secrets=f'[sources.chat.freshchat]\napi_key = "{API_KEY}"',
        config=f'[sources.chat]\nstart_date = 2025-01-01\nend_date = "{config["end_date"]}"\n'
        f'[sources.chat.freshchat]\napi_url = "{sandbox.url}/v2"\nitems_per_page = 20\n'
        f"extra_streams = {config['freshchat']['extra_streams']!r}\nreports_per_minute = 60000",
    )
    monkeypatch.setenv("SOURCES__CHAT__CHAT__API_KEY", API_KEY)
    source = chat(["chat", "freshchat"], chat={"api_url": sandbox.url})
    assert source.name == "tap_chat"
    stage.pipeline.run(source)
    world = sandbox.world
    for stream, rows in world.truth.items():
        if stream.startswith(("chat_", "freshchat_")):
            assert count(stage, stream) == len(rows), stream


def test_one_platform_takes_its_settings_as_arguments(stage: Stage, sandbox: Sandbox) -> None:
    source = chat("chat", api_url=sandbox.url, api_key=API_KEY, page_size=500)
    assert set(source.selected_resources) == {"chat_messages"}
    stage.pipeline.run(source)
    assert count(stage, "chat_messages") == len(sandbox.world.chat.messages)


def test_settings_are_those_of_tap_chat_whatever_the_sdk_adds_to_its_class() -> None:
    settings = {"api_url": URL, "api_key": "x"}
    TapChat(config={"freshchat": settings, "start_date": "2025-01-01"}, parse_env_config=True)
    assert config_of(["freshchat"], settings) == {"freshchat": settings}


def test_arguments_override_the_environment_and_it_overrides_files(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = f'api_url = "{URL}"\napi_key = "of the file"\nmode = "updated"'
    project.write(secrets=f"[sources.chat.freshchat]\n{settings}")
    assert config_of(["freshchat"], {}) == {
        "freshchat": {"api_url": URL, "api_key": "of the file", "mode": "updated"}
    }
    monkeypatch.setenv("SOURCES__CHAT__FRESHCHAT__API_KEY", "12345")
    monkeypatch.setenv("SOURCES__CHAT__FRESHCHAT__ITEMS_PER_PAGE", "20")
    monkeypatch.setenv("SOURCES__CHAT__FRESHCHAT__MODE", "all")
    assert config_of(["freshchat"], {"mode": "updated", "start_date": "2025-01-01"}) == {
        "start_date": "2025-01-01",
        "freshchat": {"api_url": URL, "api_key": "12345", "mode": "updated", "items_per_page": 20},
    }


@pytest.mark.parametrize("platform", ["freshdesk", [], ["chat", "nope"]])
def test_error_of_an_unknown_platform_lists_all_platforms(platform: Any) -> None:
    with pytest.raises(BridgeError, match="chat, freshchat, dixa, livechat"):
        chat(platform)


@pytest.mark.parametrize(
    ("platforms", "settings", "words"),
    [
        ("freshchat", {"api_kye": "x"}, "no setting `freshchat.api_kye`. Did you mean"),
        (["chat", "dixa"], {"page_size": 5}, r'give it to one of them: chat={"page_size": ...}'),
        (["chat", "dixa"], {"dixa": "x"}, r"dixa is a platform: .* dixa={...}"),
        ("freshchat", {"api_url": URL, "api_key": "x", "items_per_page": "many"}, "items_per_page"),
    ],
)
def test_setting_that_is_wrong_is_named(platforms: Any, settings: Any, words: str) -> None:
    with pytest.raises(BridgeError, match=f"(?i){words}"):
        chat(platforms, **settings)


def test_misspelled_setting_of_a_file_is_named(project: Project) -> None:
    project.write(secrets='[sources.chat.freshchat]\napi_kye = "s3cret"')
    with pytest.raises(BridgeError, match=r"no setting `freshchat\.api_kye`") as refused:
        chat("freshchat")
    assert "s3cret" not in str(refused.value)


def test_text_that_is_not_a_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CHAT__FRESHCHAT__ITEMS_PER_PAGE", "s3cret")
    with pytest.raises(BridgeError, match="SOURCES__CHAT__FRESHCHAT__ITEMS_PER_PAGE") as refused:
        chat("freshchat", api_url=URL, api_key="x")
    assert "s3cret" not in str(refused.value)


def test_missing_credential_is_named_with_where_dlt_looks() -> None:
    with pytest.raises(BridgeError) as refused:
        chat("freshchat", api_url=URL)
    sentence = str(refused.value)
    assert sentence.startswith("The setting `freshchat.api_key` is missing.")
    assert "secrets.toml and config.toml as `sources.chat.freshchat.api_key`" in sentence
    assert "SOURCES__CHAT__FRESHCHAT__API_KEY" in sentence


def test_bridge_reads_other_taps_without_tap_chat() -> None:
    program = "import sys, dlt_bridge; sys.exit(any(m.startswith('tap_chat') for m in sys.modules))"
    subprocess.run([sys.executable, "-c", program], check=True)
