"""The messages platform: every row once, exactly as the API sends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from running import chat_config
from serving import Server, rows, self_signed
from starlette.responses import Response

from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Runner


@pytest.mark.parametrize("seed", [1, 7, 2025])
def test_every_row_arrives_once_and_unchanged(tap: Runner, seed: int) -> None:
    with Sandbox(World(seed=seed, messages=1234)) as sandbox:
        run = tap(chat_config(sandbox))
        assert run.code == 0
        assert run.records == sandbox.world.chat.messages
    assert len({record["id"] for record in run.records}) == 1234


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 200])
def test_paging_ends_at_every_remainder(tap: Runner, rows: int) -> None:
    with Sandbox(World(messages=rows)) as sandbox:
        run = tap(chat_config(sandbox))
        assert run.code == 0
        assert run.records == sandbox.world.chat.messages


def test_server_with_smaller_pages_loses_nothing(tap: Runner) -> None:
    with Sandbox(World(messages=450), Options(max_page_size=30)) as sandbox:
        run = tap(chat_config(sandbox))
        assert run.code == 0
        assert run.records == sandbox.world.chat.messages


def test_api_without_paging_is_read_in_one_page_by_a_setting(tap: Runner) -> None:
    with Server(lambda _: {"data": rows(40)}) as server:
        run = tap(chat_config(server, paging="none"))
    assert run.code == 0
    assert run.records == rows(40)
    assert [list(request.query_params) for request in server.requests] == [["api_key"]]


def test_repeated_short_page_is_an_error(tap: Runner) -> None:
    """A server that ignores the parameters returns its first page each time."""
    always_the_first_page = Options(faults=[Fault(kind="repeat", times=None)], max_page_size=20)
    with Sandbox(World(messages=1000), always_the_first_page) as sandbox:
        run = tap(chat_config(sandbox))
    assert run.code == 1
    assert "repeated a page" in run.errors[0]
    assert "chat.offset_param" in run.errors[0]
    assert "chat.paging" in run.errors[0]


BEYOND = [{"data": None}, Response(status_code=404)]


@pytest.mark.parametrize("beyond", BEYOND)
def test_empty_page_after_a_short_page_is_the_end(tap: Runner, beyond: Any) -> None:
    with Server(lambda r: {"data": rows(40)} if r.query_params["offset"] == "0" else beyond) as api:
        run = tap(chat_config(api))
    assert run.code == 0, run.err
    assert run.records == rows(40)


@pytest.mark.parametrize("beyond", BEYOND)
def test_empty_page_in_place_of_an_earlier_page_is_an_error(tap: Runner, beyond: Any) -> None:
    pages = [{"data": rows(40)}]
    with Server(lambda _: pages.pop() if pages else beyond) as api:
        run = tap(chat_config(api, page_size=40))
    assert run.code == 1
    assert len(run.records) == 40


def test_one_schema_with_the_key_precedes_the_records(tap: Runner, config: dict[str, Any]) -> None:
    run = tap(config)
    kinds = [message["type"] for message in run.messages]
    assert kinds.count("SCHEMA") == 1
    assert kinds.index("SCHEMA") < kinds.index("RECORD")
    schema = run.of_type("SCHEMA")[0]
    assert schema["stream"] == "chat_messages"
    assert schema["key_properties"] == ["id"]
    assert list(schema["schema"]["properties"]) == ["id", "message", "timestamp", "user_id"]


def test_key_can_be_sent_in_a_header(tap: Runner, sandbox: Sandbox) -> None:
    run = tap(chat_config(sandbox, api_key_in="header", api_key_name="X-API-Key"))
    assert run.code == 0
    assert run.records == sandbox.world.chat.messages


def test_page_size_is_sent(tap: Runner, sandbox: Sandbox) -> None:
    run = tap(chat_config(sandbox, page_size=45) | {"max_workers": 1})
    assert run.records == sandbox.world.chat.messages
    # Each page but the first has a row of the one before; two requests find no more.
    assert sandbox.requests == 1 + -(-(450 - 45) // 44) + 2


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "number"}, "0.1000000000000000055511151231257827"),
        ({"type": "number"}, "12345678901234567.89"),
        ({"type": "number"}, "1e400"),
        ({"type": "integer"}, "9007199254740993"),
        ({"type": "integer"}, "123456789012345678901234567890"),
        ({"type": "string"}, r'"\ud83d"'),
        ({"type": "string"}, r'"a\u0000b"'),
        ({"type": "string"}, '""'),
        ({"type": "object"}, '{"deep":{"x":[1.10,null,{}]},"1":[]}'),
        ({"type": ["boolean", "integer"]}, "1"),
    ],
)
def test_declared_field_arrives_exactly(tap: Runner, schema: dict[str, Any], value: str) -> None:
    """The RECORD line has the digits and escapes of the API."""
    with Sandbox(World(messages=1)) as sandbox:
        sandbox.options.faults = [Fault(kind="replace", field="extra", literal=value)]
        run = tap(chat_config(sandbox, fields={"extra": schema}))
    assert run.code == 0, run.err
    record = next(line for line in run.out.decode().splitlines() if '"RECORD"' in line)
    expected = value.replace("1e400", "1E+400")
    assert f'"extra":{expected}' in record or f'"extra": {expected}' in record


@pytest.mark.parametrize(("value", "expected"), [("5.0", 5), ("1.70e12", 1700000000000)])
def test_whole_number_is_an_integer_in_any_notation(tap: Runner, value: str, expected: int) -> None:
    with Sandbox(World(messages=1)) as sandbox:
        sandbox.options.faults = [Fault(kind="replace", field="extra", literal=value)]
        run = tap(chat_config(sandbox, fields={"extra": {"type": "integer"}}))
    assert run.code == 0, run.err
    assert f'"extra":{expected}'.encode() in run.out


@pytest.mark.parametrize("value", ["5.5", "1e400"])
def test_fraction_is_not_an_integer(tap: Runner, sandbox: Sandbox, value: str) -> None:
    sandbox.options.faults = [Fault(kind="replace", field="extra", literal=value)]
    run = tap(chat_config(sandbox, fields={"extra": {"type": "integer"}}))
    assert run.code == 1
    assert "has number as `extra`, which is declared integer" in run.errors[0]


def test_undeclared_properties_are_left_out_with_a_warning(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="replace", field="extra", literal="1")]
    run = tap(chat_config(sandbox))
    assert run.code == 0
    assert run.records == sandbox.world.chat.messages
    assert "'extra'" in run.err


def test_records_path_can_be_deeper_or_the_root(tap: Runner, config: dict[str, Any]) -> None:
    config["chat"]["records_path"] = "result.items"
    run = tap(config)
    assert run.code == 1
    [error] = run.errors
    assert "`result.items`" in error
    assert "chat.records_path" in error


def test_discovery_needs_no_config_and_logs_no_warning(tap: Runner) -> None:
    run = tap.run([tap.command({})[0], "--discover"])
    assert run.code == 0
    assert "WARNING" not in run.err
    streams = {stream["tap_stream_id"]: stream for stream in json.loads(run.out)["streams"]}
    stream = streams["chat_messages"]
    assert stream["key_properties"] == ["id"]
    assert stream["replication_method"] == "FULL_TABLE"


def test_discovery_shows_the_replication_key_of_the_config(tap: Runner) -> None:
    run = tap.run([*tap.command({"chat": {"replication_key": "timestamp"}}), "--discover"])
    [stream] = json.loads(run.out)["streams"]
    root = next(item["metadata"] for item in stream["metadata"] if not item["breadcrumb"])
    assert stream["replication_method"] == "INCREMENTAL"
    assert root["valid-replication-keys"] == ["timestamp"]


def test_about_describes_every_setting(tap: Runner) -> None:
    run = tap.run([tap.command({})[0], "--about", "--format=json"])
    about = json.loads(run.out)
    assert about["description"]

    def check(properties: dict[str, Any]) -> int:
        for name, setting in properties.items():
            assert setting["title"], name
            assert setting["description"], name
        return len(properties)

    assert check(about["settings"]["properties"]) > 3
    assert check(about["settings"]["properties"]["chat"]["properties"]) > 10
    assert about["settings"]["properties"]["chat"]["properties"]["api_key"]["secret"] is True


def test_environment_variables_are_a_config(tap: Runner, sandbox: Sandbox) -> None:
    (tap.folder / ".env").write_text(f"TAP_CHAT_CHAT_API_KEY={API_KEY}\n")
    env = {"TAP_CHAT_CHAT_API_URL": sandbox.url, "TAP_CHAT_CHAT_PAGE_SIZE": "45"}
    env["TAP_CHAT_MAX_WORKERS"] = "1"
    run = tap.run([tap.command({})[0], "--config=ENV"], env)
    assert run.code == 0, run.err
    assert run.records == sandbox.world.chat.messages
    assert sandbox.requests == 13


def test_certificates_named_by_the_environment_are_trusted(tap: Runner) -> None:
    files = self_signed(tap.folder)
    with Server(lambda _: {"data": []}, **files) as api:
        command = tap.command(chat_config(api, max_retries=0))
        trusted = tap.run(command, {"REQUESTS_CA_BUNDLE": files["ssl_certfile"]})
        refused = tap.run(command)
    assert trusted.code == 0, trusted.err
    assert refused.code == 1
    assert "certificate could not be verified" in refused.errors[0]
