"""Settings from files and the environment."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from running import (
    NO_PLATFORM,
    Runner,
    assert_complete,
    chat_config,
    full_config,
    is_by_option,
)

from tap_chat.sandbox import API_KEY, ENTITY_ID

if TYPE_CHECKING:
    from tap_chat.sandbox import Sandbox

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_example_of_the_environment_works_line_by_line(tap: Runner, sandbox: Sandbox) -> None:
    filled = EXAMPLE.read_text().replace("# TAP_CHAT_", "TAP_CHAT_")
    declared = full_config(sandbox, "chatwoot", "front", "gorgias", "intercom")
    for setting, value in {
        "FRESHCHAT_API_URL": f"{sandbox.url}/v2",
        "FRESHCHAT_API_KEY": API_KEY,
        "DIXA_API_TOKEN": API_KEY,
        "DIXA_MAIN_API_TOKEN": API_KEY,
        "LIVECHAT_ENTITY_ID": ENTITY_ID,
        "LIVECHAT_ACCESS_TOKEN": API_KEY,
        "CHAT_API_URL": sandbox.url,
        "CHAT_API_KEY": API_KEY,
        "CHATWOOT_API_URL": declared["chatwoot"]["api_url"],
        "CHATWOOT_ACCOUNT_ID": declared["chatwoot"]["account_id"],
        "CHATWOOT_ACCESS_TOKEN": API_KEY,
        "FRONT_API_TOKEN": API_KEY,
        "GORGIAS_API_URL": declared["gorgias"]["api_url"],
        "GORGIAS_EMAIL": declared["gorgias"]["email"],
        "GORGIAS_API_KEY": API_KEY,
        "INTERCOM_ACCESS_TOKEN": API_KEY,
    }.items():
        line = re.compile(f"^TAP_CHAT_{setting}=.*$", re.MULTILINE)
        filled, count = line.subn(f"TAP_CHAT_{setting}={value}", filled)
        assert count == 1, setting
    (tap.folder / ".env").write_text(filled)
    nearby = {
        "TAP_CHAT_END_DATE": sandbox.world.now.isoformat(),
        "TAP_CHAT_DIXA_API_URL": f"{sandbox.url}/v1",
        "TAP_CHAT_DIXA_REQUESTS_PER_MINUTE": "60000",
        "TAP_CHAT_DIXA_MAIN_API_URL": f"{sandbox.url}/v1",
        "TAP_CHAT_DIXA_MAIN_REQUESTS_PER_MINUTE": "60000",
        "TAP_CHAT_LIVECHAT_API_URL": sandbox.url,
        "TAP_CHAT_FRONT_API_URL": declared["front"]["api_url"],
        "TAP_CHAT_FRONT_LINK_HOST": declared["front"]["link_host"],
        "TAP_CHAT_GORGIAS_REQUESTS_PER_MINUTE": "60000",
        "TAP_CHAT_INTERCOM_API_URL": declared["intercom"]["api_url"],
    }
    command = [tap.command({})[0], "--config=ENV"]
    # As it is copied, no platform is filled in.
    copied = tap.folder / "copied"
    copied.mkdir()
    (copied / ".env").write_bytes(EXAMPLE.read_bytes())
    assert Runner(copied).run(command).errors == [NO_PLATFORM]
    run = tap.run(command, nearby)
    assert_complete(run, sandbox, *(n for n in sandbox.world.truth if not is_by_option(n)))
    assert run.state["bookmarks"]["chat_messages"]["replication_key"] == "timestamp"


def test_each_variable_overrides_its_setting_in_the_file(tap: Runner, sandbox: Sandbox) -> None:
    config = chat_config(sandbox, api_key="of-the-file", page_size=45, replication_key="timestamp")
    config["chat"]["fields"] = {"of_the_file": {"type": "string"}}
    command = [*tap.command(config), "--config=ENV"]
    # With several workers, a busy machine may request pages beyond the end.
    variables = {"TAP_CHAT_CHAT_FIELDS": "{}", "TAP_CHAT_MAX_WORKERS": "1"}
    run = tap.run(command, variables | {"TAP_CHAT_CHAT_API_KEY": API_KEY})
    assert run.code == 0, run.err
    assert run.records == sandbox.world.chat.messages
    assert sandbox.requests == 13
    assert "of_the_file" not in run.of_type("SCHEMA")[0]["schema"]["properties"]
    assert run.state["bookmarks"]["chat_messages"]["replication_key"] == "timestamp"


def test_variables_have_the_types_of_their_settings(tap: Runner, sandbox: Sandbox) -> None:
    variables = {
        "CHAT_REQUESTS_PER_MINUTE": "6000.5",
        "CHAT_FIELDS": '{"extra": {"type": "integer"}}',
        "CHAT_API_KEY_IN": "header",
        "CHAT_API_KEY_NAME": "X-API-Key",
        "FLATTENING_ENABLED": "True",
        "FLATTENING_MAX_DEPTH": "1",
        # Variables that are empty are unset.
        "CHAT_PAGE_SIZE": "",
        "CHAT_RECORDS_PATH": "",
        "START_DATE": "",
        "LIVECHAT_ENTITY_ID": "",
    }
    command = [*tap.command(chat_config(sandbox)), "--config=ENV"]
    run = tap.run(command, {f"TAP_CHAT_{name}": value for name, value in variables.items()})
    assert run.code == 0, run.err
    assert run.records == sandbox.world.chat.messages
    assert "extra" in run.of_type("SCHEMA")[0]["schema"]["properties"]


def test_numeric_choice_is_a_number_in_the_environment(tap: Runner, sandbox: Sandbox) -> None:
    account = {"api_url": sandbox.url, "entity_id": "e", "access_token": "t"}
    livechat = account | {"api_version": "2"}
    command = [*tap.command({"livechat": livechat}), "--config=ENV"]
    run = tap.run(command, {"TAP_CHAT_LIVECHAT_INCLUDE_PENDING": "1"})
    assert "include_pending=1" in run.errors[0]


def test_dotenv_file_is_read_from_the_working_folder_alone(tap: Runner, sandbox: Sandbox) -> None:
    """Another user could put one there, and receive the key."""
    (tap.folder / ".env").write_text(f"TAP_CHAT_CHAT_API_URL={sandbox.url}\n")
    (tap.folder / "within").mkdir()
    key = {"TAP_CHAT_CHAT_API_KEY": API_KEY}
    command = [tap.command({})[0], "--config=ENV"]
    assert tap.run(command, key).code == 0
    run = Runner(tap.folder / "within").run(command, key)
    assert run.errors == ["The setting `chat.api_url` is missing."]
    (tap.folder / ".env").write_bytes(b"TAP_CHAT_CHAT_API_URL=\xff")
    assert tap.run(command, key).errors == ["The file .env is not UTF-8 text."]


def test_example_file_configures_no_platform(tap: Runner) -> None:
    (tap.folder / ".env").write_text(EXAMPLE.read_text())
    run = tap.run([tap.command({})[0], "--config=ENV"])
    assert run.errors == [NO_PLATFORM]
    # Nor if a catalog, as of a discovery, selects all streams.
    found = json.loads(tap.run([tap.command({})[0], "--discover"]).out)
    run = tap({}, catalog=found)
    assert run.errors == [NO_PLATFORM]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"start_date": "0001-01-01"}, "`start_date` is wrong: it is before the year 1900."),
        ({"livechat": {"lookback_days": 1e9}}, "it must be a number from 0 to 36500."),
        ({"freshchat": {"lookback_days": 1e9}}, "it must be a number from 0 to 36500."),
        ({"dixa": {"lag_minutes": 1e300}}, "it must be a number from 0 to 527040."),
        ({"livechat": {"batch_size": 10**30}}, "it must be a whole number from 1 to 3660."),
        ({"max_workers": 1e300}, "it must be a whole number from 1 to 1024."),
    ],
)
def test_invalid_value_is_refused_before_the_first_request(
    tap: Runner, sandbox: Sandbox, settings: dict[str, Any], sentence: str
) -> None:
    config = full_config(sandbox)
    for name, value in settings.items():
        config[name] = config[name] | value if isinstance(value, dict) else value
    [error] = tap(config).errors
    assert error.endswith(sentence)
    assert sandbox.requests == 0


@pytest.mark.parametrize("section", ['"s3cret"', "[]", "5"])
def test_section_that_is_not_an_object_is_an_error(
    tap: Runner, config: dict[str, Any], section: str
) -> None:
    run = tap.run([*tap.command(config), "--config=ENV"], {"TAP_CHAT_CHAT": section})
    assert run.code == 1
    assert "The setting `chat` is wrong" in run.errors[0]
    assert "s3cret" not in run.err


def test_null_is_unset_everywhere(tap: Runner, sandbox: Sandbox) -> None:
    unset = ["page_size", "filter_param", "api_key_in", "fields", "path", "request_timeout"]
    config = chat_config(sandbox, **dict.fromkeys(unset))
    top = ["start_date", "user_agent", "livechat", "stream_maps", "flattening_enabled"]
    run = tap(config | dict.fromkeys(top))
    assert run.code == 0, run.err
    assert run.records == sandbox.world.chat.messages
    missing = tap(chat_config(sandbox, api_key=None))
    assert "`chat.api_key` is missing" in missing.errors[0]
