"""Bad input ends the run with exit code 1 and one helpful sentence without secrets."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from running import NO_PLATFORM, chat_config
from serving import Server

from tap_chat.sandbox import API_KEY, Fault, Sandbox

if TYPE_CHECKING:
    from running import Runner


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(kind="status", status=401), ["401 Unauthorized", "chat.api_key"]),
        (Fault(kind="status", status=403), ["403 Forbidden", "chat.api_key"]),
        (Fault(kind="status", status=404), ["404 Not Found", "chat.api_url"]),
        (Fault(kind="status", status=503), ["503 Service Unavailable", "max_retries"]),
        (
            Fault(kind="status", status=302, headers={"Location": "//x/y?key=z"}),
            ["302 Found towards //x,", "chat.api_url"],
        ),
        (Fault(kind="html"), ["a web page instead of JSON", "chat.api_url"]),
        (Fault(kind="null"), ["no list of records at `data`", "records_path"]),
        (Fault(kind="empty"), ["not complete JSON", "max_retries"]),
        (Fault(kind="truncate"), ["not complete JSON", "max_retries"]),
        (Fault(kind="cut"), ["cut off", "max_retries"]),
        (Fault(kind="reset"), ["the connection broke", "max_retries"]),
        (Fault(kind="drop"), ["has no `id`, which is its key"]),
        (Fault(kind="replace", literal="null"), ["has no `id`, which is its key"]),
        (
            Fault(kind="replace", field="timestamp", literal="12"),
            ["has integer as `timestamp`, which is declared string or null", "chat.fields"],
        ),
        (Fault(kind="repeat"), ["repeated a page"]),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_fault_is_one_sentence_with_stream_and_request(
    tap: Runner, sandbox: Sandbox, fault: Fault, words: list[str]
) -> None:
    pages = 1 if fault.kind == "repeat" else 2
    sandbox.options.faults = [replace(fault, after=pages, times=None)]
    run = tap(chat_config(sandbox), level="DEBUG")
    assert run.code == 1
    [error] = run.errors
    assert error.startswith(f"Stream chat_messages: GET {sandbox.url}/v1/messages?limit=100&offset")
    for word in words:
        assert word in error
    assert_nothing_given_away(run.err, sandbox)
    # What came before the fault was written, and only that.
    # The second page begins with the last row of the first.
    assert run.records == sandbox.world.chat.messages[: {1: 100, 2: 199}[pages]]

    sandbox.options.faults = []
    again = tap(chat_config(sandbox), state=run.state)
    assert again.records == sandbox.world.chat.messages


@pytest.mark.parametrize("kind", ["status", "cut", "reset", "truncate", "empty"])
def test_transient_fault_costs_only_time(tap: Runner, sandbox: Sandbox, kind: Any) -> None:
    sandbox.options.faults = [Fault(kind=kind, after=1, times=2), Fault(kind=kind, after=2)]
    run = tap(chat_config(sandbox) | {"max_workers": 1}, level="DEBUG")
    assert run.code == 0
    assert run.records == sandbox.world.chat.messages
    # Nothing at all may be the end, which is looked at more closely.
    assert sandbox.requests - (6 + 3) in {1, 6}
    assert_nothing_given_away(run.err, sandbox)


def test_number_of_retries_is_a_setting(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="status", times=None)]
    run = tap(chat_config(sandbox, max_retries=1))
    assert run.code == 1
    assert sandbox.requests == 2
    assert "after 2 tries" in run.errors[0]


def test_retry_after_is_respected(tap: Runner, sandbox: Sandbox) -> None:
    asked = {"Retry-After": "0.7"}
    sandbox.options.faults = [Fault(kind="status", status=429, headers=asked)]
    run = tap(chat_config(sandbox))
    assert run.code == 0
    assert run.records == sandbox.world.chat.messages
    assert sandbox.app.busy >= 0.7


def test_error_of_a_wrong_key_names_the_setting_without_its_value(
    tap: Runner, sandbox: Sandbox
) -> None:
    run = tap(chat_config(sandbox, api_key="wrong-but-secret"), level="DEBUG")
    assert run.code == 1
    assert "401 Unauthorized" in run.errors[0]
    assert "chat.api_key" in run.errors[0]
    assert "wrong-but-secret" not in run.err


def test_error_of_an_unreachable_host_hides_the_key(tap: Runner) -> None:
    gone = Sandbox()
    config = chat_config(gone)
    gone.close()
    run = tap(config, level="DEBUG")
    assert run.code == 1
    assert "could not be sent" in run.errors[0]
    assert API_KEY not in run.err


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("api_url", ""),
        ("api_url", "hunter2.example.com"),
        ("api_url", "ftp://hunter2.example.com"),
        ("api_url", "http://"),
        ("api_url", "http://[hunter2"),
        ("api_url", "http://hunter2:99999"),
        ("api_url", "http://hunter2:port"),
        ("api_url", "http://hunter2.example.com "),
        ("api_url", "http://someone:hunter2@example.com"),
        ("api_url", "http://example.com/v1?token=hunter2"),
        ("api_url", "http://example.com/v1#hunter2"),
        ("path", "/v1/messages?token=hunter2"),
        ("path", "/v1/messages#hunter2"),
        ("path", "/v1/{hunter2}/messages"),
        ("path", "/v1/messages}hunter2"),
        ("api_url", "http://example.com/{hunter2}"),
        ("api_key", "hunter2\n"),
        ("api_key", "hunter2…"),
        ("api_key_name", "X hunter2: Key"),
    ],
)
def test_error_of_a_setting_that_cannot_be_sent_hides_its_value(
    tap: Runner, sandbox: Sandbox, setting: str, value: str
) -> None:
    config = chat_config(sandbox, **{"api_key_in": "header", setting: value})
    run = tap(config, level="DEBUG")
    assert run.code == 1
    assert f"The setting `chat.{setting}` " in run.errors[0]
    assert "hunter2" not in run.err
    assert sandbox.requests == 0


@pytest.mark.parametrize("user_agent", ["hunter2\n", "“hunter2”"])
def test_user_agent_that_cannot_be_sent_is_named(
    tap: Runner, config: dict[str, Any], user_agent: str
) -> None:
    run = tap(config | {"user_agent": user_agent})
    assert run.code == 1
    assert "The setting `user_agent` " in run.errors[0]
    assert "hunter2" not in run.err


@pytest.mark.parametrize(
    ("section", "credential"), [("freshchat", "api_key"), ("dixa", "api_token")]
)
def test_token_that_cannot_be_sent_is_named(tap: Runner, section: str, credential: str) -> None:
    run = tap({section: {"api_url": "https://example.com", credential: "hunter2\n"}})
    assert run.code == 1
    assert f"The setting `{section}.{credential}` " in run.errors[0]
    assert "hunter2" not in run.err


def test_error_of_an_invalid_request_hides_the_key(tap: Runner) -> None:
    """A label of a host name has at most 63 characters."""
    config = {"chat": {"api_url": f"http://{'a' * 64}.example", "api_key": API_KEY}}
    run = tap(config, level="DEBUG")
    assert run.code == 1
    [error] = run.errors
    assert error.startswith("Stream chat_messages: GET http://aaa")
    assert "can't be sent" in error
    assert API_KEY not in run.err


def test_braces_in_the_path_are_not_filled_with_settings(tap: Runner, sandbox: Sandbox) -> None:
    run = tap(chat_config(sandbox, path="/v1/{chat}/{user_agent}") | {"user_agent": "me"})
    assert run.code == 1
    assert "`chat.path` holds a brace" in run.errors[0]
    assert API_KEY not in run.err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_keyy": "s3cret"}, ["`chat.api_keyy`", "`chat.api_key`"]),
        ({"api_key": 735353}, ["`chat.api_key`", "it must be a text."]),
        (
            {"page_size": "s3cret"},
            ["`chat.page_size`", "it must be a whole number from 1 to 1000000."],
        ),
        ({"page_size": 0}, ["`chat.page_size`", "from 1 to"]),
        ({"api_key_in": "s3cret"}, ["`chat.api_key_in`", "it must be `header` or `query`."]),
        ({"path": "/s3cret\r\n"}, ["`chat.path` holds a space or a character"]),
        ({"path": "/s 3cret"}, ["`chat.path` holds a space or a character"]),
        ({"requests_per_minute": 1e300}, ["not above 1000000"]),
        ({"fields": {"x": {"type": "strin"}}}, ["`chat.fields.x.type` is not a JSON Schema"]),
    ],
)
def test_error_of_a_wrong_setting_hides_its_value(
    tap: Runner, config: dict[str, Any], settings: dict[str, Any], words: list[str]
) -> None:
    config["chat"] |= settings
    run = tap(config)
    assert run.code == 1
    assert run.out == b""
    for word in words:
        assert word in run.errors[0]
    assert "s3cret" not in run.err
    assert "735353" not in run.err
    assert "Traceback" not in run.err


def test_setting_names_cannot_forge_a_log_line(tap: Runner, config: dict[str, Any]) -> None:
    name = "\x1b[2Jx\r\n2026-01-01 | ERROR | tap-chat | forged"
    shown = r"\x1b[2Jx\r\n2026-01-01 | ERROR | tap-chat | forged"
    config["chat"][name] = 1
    run = tap(config)
    assert run.code == 1
    assert "\x1b" not in run.err
    assert len([line for line in run.err.splitlines() if "| ERROR" in line]) == 1
    assert f"There is no setting `chat.{shown}`." in run.err


LOG_CONFIG = """
version: 1
disable_existing_loggers: false
formatters: {short: {format: "%(levelname)s | %(message)s"}}
handlers: {own: {class: logging.StreamHandler, formatter: short, stream: ext://sys.stderr}}
loggers: {tap-chat: {level: INFO, handlers: [own], propagate: false}}
"""


@pytest.mark.parametrize("test", [[], ["--test"]], ids=["run", "test"])
def test_property_names_cannot_forge_a_log_line(tap: Runner, test: list[str]) -> None:
    """This holds for a log that the user has set up, and for standard output."""
    name = "\x1b[2Jx\r\nERROR | forged"
    log = tap.folder / "log.yaml"
    log.write_text(LOG_CONFIG)
    with Server(lambda _: {name: 1}) as api:
        command = [*tap.command(chat_config(api, paging="none")), *test]
        run = tap.run(command, {"SINGER_SDK_LOG_CONFIG": str(log)})
    said = run.err + run.out.decode() * bool(test)
    assert run.code == 1
    assert r"`\x1b[2Jx\r\nERROR | forged`" in said
    assert "\x1b" not in said
    assert not [line for line in said.splitlines() if line.startswith("ERROR | forged")]


@pytest.mark.parametrize(
    ("variable", "value"),
    [("TAP_CHAT_LOGLEVEL", "hunter2"), ("SINGER_SDK_LOG_CONFIG", "log.yaml")],
)
def test_log_that_cannot_be_set_up_is_an_error(
    tap: Runner, config: dict[str, Any], variable: str, value: str
) -> None:
    (tap.folder / "log.yaml").write_text("hunter2: [")
    run = tap.run(tap.command(config), {variable: value})
    assert run.code == 1
    assert "The log can't be set up (" in run.err
    assert variable in run.err
    assert "hunter2" not in run.err
    assert "Traceback" not in run.err


def test_missing_settings_are_all_named(tap: Runner) -> None:
    run = tap({"chat": {}, "chatt": {}})
    assert run.code == 1
    assert "`chatt`" in run.errors[0]
    # One sentence for a section.
    assert "The settings `chat.api_url` and `chat.api_key` are missing." in run.errors


def test_run_without_a_platform_names_the_sections_to_add(tap: Runner) -> None:
    run = tap({})
    assert run.code == 1
    assert run.errors[0] == NO_PLATFORM


def test_selected_stream_of_an_unconfigured_platform_is_an_error(tap: Runner) -> None:
    catalog = json.loads(tap.run([tap.command({})[0], "--discover"]).out)
    run = tap({"dixa": {"api_token": API_KEY}}, catalog=catalog)
    assert run.code == 1
    # One for each platform, not for each stream.
    chat, freshchat, livechat, *_ = run.errors
    assert chat == "The catalog selects chat_messages, but the setting `chat` is missing."
    assert freshchat.count("freshchat_") == 10
    assert livechat.endswith("livechat_bots, but the setting `livechat` is missing.")


@pytest.mark.parametrize("name", ["config", "state", "catalog"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ('{"chat":\n {"api_key": "hunter2", }', "is not valid JSON: line 2, column"),
        ('{"chat": "\xff', "is not valid JSON: line 1, column"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "is a list, not an object"),
        ('"hunter2"', "is a text, not an object"),
        (None, "No such file"),
    ],
)
def test_file_that_is_not_a_json_object_is_an_error(
    tap: Runner, config: dict[str, Any], name: str, text: str | None, words: str
) -> None:
    command = tap.command(config, **({} if name == "config" else {name: {}}))
    file = tap.folder / f"{name}.json"
    file.unlink() if text is None else file.write_text(text)
    run = tap.run(command)
    assert run.code != 0
    assert run.out == b""
    assert words in run.err
    assert name in run.err
    assert "hunter2" not in run.err
    assert "Traceback" not in run.err


BOOKMARK = {"replication_key": "timestamp", "replication_key_value": "2025-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "state",
    [
        {"type": "STATE", "value": None},
        {"type": "STATE", "value": {"chat_messages": BOOKMARK}},
        {"singer_state": {"bookmarks": {"chat_messages": BOOKMARK}}},
        {"bookmarks": None},
        {"bookmarks": {"chat_messages": None}},
    ],
)
def test_state_with_a_wrong_structure_is_refused(
    tap: Runner, config: dict[str, Any], state: dict[str, Any]
) -> None:
    run = tap(config, state=state)
    assert run.code == 1
    assert run.out == b""
    assert "The state" in run.errors[0]
    assert "Traceback" not in run.err


@pytest.mark.parametrize("signpost", [7, "2024-01-01T00:00:00Z"])
def test_signpost_of_an_older_run_is_ignored(
    tap: Runner, sandbox: Sandbox, signpost: object
) -> None:
    """Interrupted runs of earlier versions left one."""
    state = {"bookmarks": {"chat_messages": {"replication_key_signpost": signpost}}}
    config = chat_config(sandbox, replication_key="timestamp")
    states = [tap(config).state, tap(config, state=state).state]
    assert states[0] == states[1]
    assert states[0]["bookmarks"]["chat_messages"]["replication_key_value"]


def test_empty_state_is_a_first_run(tap: Runner, sandbox: Sandbox) -> None:
    run = tap(chat_config(sandbox), state={})
    assert run.code == 0
    assert run.records == sandbox.world.chat.messages


def test_unknown_stream_in_the_catalog_is_an_error(tap: Runner, config: dict[str, Any]) -> None:
    catalog = json.loads(tap.run([tap.command({})[0], "--discover"]).out)
    catalog["streams"].append(catalog["streams"][0] | {"tap_stream_id": "chat_masseges"})
    run = tap(config, catalog=catalog)
    assert run.code == 1
    assert "chat_masseges" in run.errors[0]


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_unexpected_error_shows_its_place_and_hides_its_text(
    tap: Runner, config: dict[str, Any], level: str
) -> None:
    program = """
from tap_chat.__main__ import main
from tap_chat.tap import TapChat

def breaking(self):
    # The traceback shows this line, from Python 3.13 on.
    raise LookupError(f"hunter{1 + 1}")

TapChat.setup_mapper = breaking
main()
"""
    _, *arguments = tap.command(config)
    run = tap.run([sys.executable, "-c", program, *arguments], {"TAP_CHAT_LOGLEVEL": level})
    assert run.code == 1
    [error] = run.errors
    assert error.startswith("Unexpected LookupError.")
    assert ("in breaking" in run.err) == (level == "DEBUG")
    assert "hunter2" not in run.err


def assert_nothing_given_away(text: str, sandbox: Sandbox) -> None:
    assert API_KEY not in text
    assert not [
        row["message"]
        for row in sandbox.world.chat.messages
        if len(row["message"] or "") > 20 and row["message"] in text
    ]
