"""`tap-chat init` writes a config that runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from running import BIN, Runner, full_config
from terminal import in_dialog

from tap_chat.sandbox import API_KEY, World

if TYPE_CHECKING:
    from tap_chat.sandbox import Sandbox

COMMAND = [str(BIN / "tap-chat"), "init"]


def test_dialog_makes_a_config_that_runs(tap: Runner, sandbox: Sandbox) -> None:
    dialog = [
        ("Platform (chat, freshchat, dixa", "chat"),
        ("chat.api_url: ", "no address"),
        ("chat.api_key (hidden): ", API_KEY),
        ("Enter them again? [Y/n]: ", "y"),
        ("chat.api_url: ", sandbox.url),
        ("chat.api_key (hidden): ", API_KEY),
        ("start_date: ", "yesterday"),
        ("start_date: ", "2024-01-01"),
    ]
    shown, code = in_dialog(COMMAND, dialog, cwd=tap.folder)
    assert code == 0, shown
    assert "The setting `chat.api_url` holds a space" in shown
    assert API_KEY not in shown
    assert "`start_date` is wrong: it is not an ISO 8601 date-time" in shown
    path = tap.folder / "config.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()).keys() == {"start_date", "chat"}
    assert (tap.folder / ".gitignore").read_text() == "config.json\n"
    for messages in (450, 700):
        sandbox.world = World(messages=messages)
        run = tap.run([str(BIN / "tap-chat"), "--config", "config.json"])
        assert run.code == 0, run.err
        assert len(run.records) == messages
        assert API_KEY not in run.err


def test_dialog_asks_for_what_many_accounts_need(tap: Runner, sandbox: Sandbox) -> None:
    livechat = full_config(sandbox, "livechat")["livechat"]
    dialog = [
        ("livechat.access_token (hidden): ", "of-another-account"),
        ("livechat.entity_id: ", ""),
        ("Enter them again? [Y/n]: ", "y"),
        ("livechat.access_token (hidden): ", livechat["access_token"]),
        ("livechat.entity_id: ", livechat["entity_id"]),
        ("start_date: ", ""),
    ]
    command = ["env", f"TAP_CHAT_LIVECHAT_API_URL={livechat['api_url']}", *COMMAND]
    shown, code = in_dialog([*command, "--platform", "livechat"], dialog, cwd=tap.folder)
    assert code == 0, shown
    chatwoot = full_config(sandbox, "chatwoot")["chatwoot"]
    dialog = [
        ("chatwoot.account_id: ", str(chatwoot["account_id"])),
        ("chatwoot.access_token (hidden): ", chatwoot["access_token"]),
        ("chatwoot.api_url [https://app.chatwoot.com]: ", chatwoot["api_url"]),
    ]
    shown, code = in_dialog([*COMMAND, "--platform", "chatwoot"], dialog, cwd=tap.folder)
    assert code == 0, shown
    dialog = [
        ("intercom.access_token (hidden): ", "t"),
        ("intercom.api_url [https://api.intercom.io]: ", ""),
    ]
    command = [*COMMAND, "--platform", "intercom", "--no-test"]
    shown, code = in_dialog(command, dialog, cwd=tap.folder)
    assert code == 0, shown
    written = json.loads((tap.folder / "config.json").read_text())
    assert written == {
        "livechat": {name: livechat[name] for name in ("api_url", "entity_id", "access_token")},
        "chatwoot": {name: chatwoot[name] for name in ("account_id", "access_token", "api_url")},
        "intercom": {"access_token": "t"},
    }


def test_refused_test_writes_nothing(tap: Runner, sandbox: Sandbox) -> None:
    dialog = [
        ("chat.api_url: ", sandbox.url),
        ("chat.api_key (hidden): ", "of-another-account"),
        ("Enter them again? [Y/n]: ", "n"),
    ]
    shown, code = in_dialog([*COMMAND, "--platform", "chat"], dialog, cwd=tap.folder)
    assert code == 1
    assert "Nothing was written, because the test failed." in shown
    assert "of-another-account" not in shown
    assert list(tap.folder.iterdir()) == []


def test_without_a_terminal_nothing_is_asked(tap: Runner, sandbox: Sandbox) -> None:
    command = [*COMMAND, "--platform", "chat"]
    url = {"TAP_CHAT_CHAT_API_URL": sandbox.url}
    run = tap.run([*command, "--config", "from.json"], url | {"TAP_CHAT_START_DATE": "2024-01-01"})
    assert run.code == 0, run.err
    assert "start_date: from TAP_CHAT_START_DATE" in run.err
    assert json.loads((tap.folder / "from.json").read_text())["start_date"] == "2024-01-01"
    run = tap.run(command, url)
    assert run.code == 0, run.err
    assert "Fill in chat.api_key, then test them" in run.err
    path = tap.folder / "config.json"
    assert json.loads(path.read_text()) == {"chat": {"api_url": sandbox.url, "api_key": "..."}}
    # A section is never overwritten, and others are kept.
    path.write_text(json.dumps({"start_date": "2025-01-01", "dixa": {"api_token": "t"}}))
    path.chmod(0o644)
    run = tap.run(command, url | {"TAP_CHAT_CHAT_API_KEY": API_KEY})
    assert run.code == 0, run.err
    written = path.read_text()
    assert json.loads(written).keys() == {"start_date", "dixa", "chat"}
    assert "start_date: as in config.json, for all platforms" in run.err
    # It is for all platforms, so another one does not set it.
    path.write_text(json.dumps({"dixa": {"api_token": "t"}}))
    variables = url | {"TAP_CHAT_CHAT_API_KEY": API_KEY, "TAP_CHAT_START_DATE": "2024-01-01"}
    run = tap.run(command, variables)
    assert run.code == 0, run.err
    assert "start_date: none, as in config.json, for all platforms" in run.err
    written = path.read_text()
    assert json.loads(written).keys() == {"dixa", "chat"}
    run = tap.run([*command, "--config", "x.json"], variables | {"TAP_CHAT_START_DATE": "soon"})
    assert (run.code, "`start_date` is wrong" in run.errors[0]) == (1, True)
    assert not (tap.folder / "x.json").exists()
    assert path.stat().st_mode & 0o777 == 0o600
    run = tap.run(command, url)
    assert run.code == 1
    assert "has a section `chat` already" in run.errors[0]
    assert path.read_text() == written


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ([], 2, "--platform is missing: one of chat, freshchat,"),
        (["--platform", "chatt"], 2, "'chatt' is not one of 'chat'"),
        (["--platform", "chat", "--config", "nowhere/x.json"], 1, "x.json can't be written: No"),
        (["--platform", "chat", "--config", "."], 1, "The config file . can't be read: Is a dir"),
    ],
)
def test_wrong_use_is_one_sentence(tap: Runner, words: list[str], code: int, error: str) -> None:
    run = tap.run([*COMMAND, *words])
    assert run.code == code
    assert error in run.err
    assert "Traceback" not in run.err
