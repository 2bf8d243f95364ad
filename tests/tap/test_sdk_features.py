"""Features of the SDK: selection, stream maps, replication methods."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from running import chat_config
from serving import Server, rows

if TYPE_CHECKING:
    from running import Runner

    from tap_chat.sandbox import Sandbox


def discovered(tap: Runner) -> dict[str, Any]:
    catalog: dict[str, Any] = json.loads(tap.run([*tap.command({"chat": {}}), "--discover"]).out)
    return catalog


def test_deselected_property_is_neither_declared_nor_written(tap: Runner, sandbox: Sandbox) -> None:
    catalog = discovered(tap)
    for item in catalog["streams"][0]["metadata"]:
        item["metadata"]["selected"] = item["breadcrumb"] != ["properties", "message"]
    run = tap(chat_config(sandbox), catalog=catalog)
    assert run.code == 0
    assert run.records == [
        {name: value for name, value in row.items() if name != "message"}
        for row in sandbox.world.chat.messages
    ]


def test_deselected_stream_is_not_read(tap: Runner, sandbox: Sandbox) -> None:
    catalog = discovered(tap)
    for item in catalog["streams"][0]["metadata"]:
        item["metadata"]["selected"] = False
    run = tap(chat_config(sandbox), catalog=catalog)
    assert run.code == 0
    assert run.records == []
    assert sandbox.requests == 0


def test_catalog_can_force_a_full_table(tap: Runner, sandbox: Sandbox) -> None:
    config = chat_config(sandbox, replication_key="timestamp")
    first = tap(config)
    catalog = discovered(tap)
    catalog["streams"][0]["replication_method"] = "FULL_TABLE"
    second = tap(config, catalog=catalog, state=first.state)
    assert second.records == sandbox.world.chat.messages


def test_stream_map_renames_and_computes(tap: Runner, sandbox: Sandbox) -> None:
    maps = {"chat_messages": {"__alias__": "notes", "who": "user_id", "message": None}}
    run = tap(chat_config(sandbox) | {"stream_maps": maps})
    assert run.code == 0, run.err
    assert {message["stream"] for message in run.of_type("RECORD")} == {"notes"}
    assert [record["who"] for record in run.records] == [
        row["user_id"] for row in sandbox.world.chat.messages
    ]
    assert "message" not in run.records[0]
    assert len(run.of_type("SCHEMA")) == 1


@pytest.mark.parametrize(
    "stream_map",
    [
        {"number": "int(message)"},
        {"__filter__": "float(message) > 0"},
        {"word": "message.split()[100]"},
        {"word": "unknown(message)"},
    ],
)
def test_error_of_a_stream_map_names_the_stream_and_hides_values(
    tap: Runner, stream_map: dict[str, str]
) -> None:
    config = {"stream_maps": {"chat_messages": stream_map}}
    with Server(lambda _: {"data": rows(3, message="hunter2")}) as api:
        run = tap(chat_config(api) | config, level="DEBUG")
    assert run.code == 1
    [error] = run.errors
    assert error.startswith("Stream chat_messages: its stream map failed on a record")
    assert "stream_maps" in error
    assert "hunter2" not in run.err


def test_records_before_the_one_that_a_stream_map_fails_on_are_written(tap: Runner) -> None:
    config = {"stream_maps": {"chat_messages": {"word": "message.lower()"}}}
    messages = [{"id": "1", "message": "A"}, {"id": "2", "message": "B"}, {"id": "3"}]
    with Server(lambda _: {"data": messages}) as api:
        run = tap(chat_config(api) | config)
    assert run.code == 1
    assert [record["word"] for record in run.records] == ["a", "b"]
    assert not run.of_type("STATE")


@pytest.mark.parametrize(
    "setting",
    [
        {"flattening_enabled": True, "flattening_max_depth": 1},
        {"stream_maps": {"chat_messages": {"new": "len(thing)"}}},
    ],
)
def test_record_that_cannot_be_decoded_to_be_mapped_is_an_error(
    tap: Runner, setting: dict[str, Any]
) -> None:
    body = b'{"data": [{"id": "1", "thing": {"n": %b}}]}' % (b"9" * 5000)
    fields = {"thing": {"type": ["object", "null"]}}
    with Server(lambda _: body) as api:
        run = tap(chat_config(api, fields=fields) | setting)
    assert run.code == 1
    [error] = run.errors
    assert error.startswith("Stream chat_messages: a record can't be mapped, flattened or")


@pytest.mark.parametrize(
    "stream_maps",
    [
        {"chat_messages": {"word": "((("}},
        {"chat_messages": {"id": None}},
        {"__else__": "keep"},
    ],
)
def test_invalid_stream_map_is_one_error(
    tap: Runner, config: dict[str, Any], stream_maps: dict[str, Any]
) -> None:
    run = tap(config | {"stream_maps": stream_maps})
    assert run.code == 1
    assert run.out == b""
    assert len(run.errors) == 1
    assert "Traceback" not in run.err
