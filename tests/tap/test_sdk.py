"""The private parts of the SDK are as `sdk.py`, `sdk_maps.py` and `sdk_tap.py` expect them."""

from __future__ import annotations

import ast
import inspect
import logging
import re
from pathlib import Path

import simpleeval  # type: ignore[import-untyped]
from singer_sdk import Stream, Tap
from singer_sdk.helpers._state import get_starting_replication_value
from singer_sdk.mapper import CustomStreamMap, PluginMapper
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.streams import RESTStream
from singer_sdk.streams._state import StreamStateManager

import tap_chat
from tap_chat.singer.bookmarks import Bookmarks
from tap_chat.singer.expressions import LONGEST_TEXT
from tap_chat.singer.sdk import (
    ChunkedStream,
    write_starting_replication_value,
)
from tap_chat.singer.sdk_maps import map_definition
from tap_chat.singer.sdk_tap import HookedTap
from tap_chat.tap import TapChat

PACKAGE = Path(tap_chat.__file__).parent


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_state_manager_has_the_methods_that_bookmarks_override() -> None:
    for name in ("write_starting_replication_value", "increment_state", "finalize_state"):
        assert parameters(getattr(Bookmarks, name)) == parameters(getattr(StreamStateManager, name))


def test_sdk_reads_the_starting_value_that_the_tap_writes() -> None:
    state: dict[str, object] = {}
    write_starting_replication_value(state, 7)
    assert get_starting_replication_value(state) == 7


def test_sdk_calls_the_overridden_termination_handler() -> None:
    assert parameters(Tap._handle_termination) == ["self", "signum", "frame"]
    assert "_handle_termination" in inspect.getsource(Tap._setup_signal_handlers)


def test_sdk_calls_the_overridden_method_before_the_first_stream() -> None:
    name = "_set_compatible_replication_methods"
    assert parameters(getattr(Tap, name)) == parameters(getattr(TapChat, name)) == ["self"]
    loop = inspect.getsource(Tap.sync_all)
    assert loop.index(name) < loop.index("write_state") < loop.index("stream.sync()")


def test_sdk_parses_the_config_option_before_the_test_option() -> None:
    assert parameters(Tap.cb_test) == parameters(HookedTap.cb_test)
    given = _ConfigInput.from_cli_args("ENV")
    assert (given.config, given.parse_env) == ({}, True)
    # It is read before the callback of --test, wherever it stands.
    eager = {option.name for option in TapChat.get_singer_command().params if option.is_eager}
    assert "config" in eager
    assert "test" not in eager


def test_sdk_has_the_methods_that_chunked_streams_use() -> None:
    for name in ("_write_record_message", "_sync_records"):
        assert parameters(getattr(ChunkedStream, name)) == parameters(getattr(RESTStream, name))
    loop = inspect.getsource(RESTStream._sync_records)
    for name in (
        "_write_starting_replication_value",
        "_write_record_message",
        "_write_state_message",
        "_finalize_state",
        "STATE_MSG_FREQUENCY",
    ):
        assert f"self.{name}" in loop
    assert "version=self._stream_version" in inspect.getsource(RESTStream._generate_record_messages)
    assert "_sync_records(context=context)" in inspect.getsource(RESTStream.sync)


def test_sdk_holds_a_stream_map_as_the_tap_reads_it() -> None:
    mapper = PluginMapper(
        {"stream_maps": {"a": {"x": "1", "y": None, "__filter__": "z", "__else__": None}}},
        logging.getLogger("test"),
    )
    mapper.register_raw_stream_schema("a", {"properties": {"x": {}, "y": {}, "z": {}}}, ["x"])
    [stream_map] = mapper.stream_maps["a"]
    assert isinstance(stream_map, CustomStreamMap)
    definition = map_definition(stream_map, frozenset("xyz"))
    assert isinstance(definition.filter, ast.Name)
    [(x, one), (y, none)] = definition.properties
    assert (x, y, none) == ("x", "y", None)
    assert isinstance(one, ast.Constant)
    assert definition.starts_with == ["x"]
    assert {"md5", "sha256", "bool"} <= definition.scope.functions.keys()
    assert LONGEST_TEXT == simpleeval.MAX_STRING_LENGTH


def test_private_modules_of_the_sdk_are_imported_in_two_files() -> None:
    private = re.compile(r"singer_sdk\S*\._|from singer_sdk\S* import _")
    users = {path.name for path in PACKAGE.rglob("*.py") if private.search(path.read_text())}
    assert users == {"sdk.py", "sdk_maps.py"}


def test_sdk_calls_the_overridden_schema_method() -> None:
    assert parameters(Stream._write_schema_message) == ["self"]
    assert "self._write_schema_message()" in inspect.getsource(Stream.sync)


def test_sdk_makes_all_messages_of_records_and_schemas_where_the_account_is_added() -> None:
    for name, caller in (
        ("_generate_schema_messages", Stream._write_schema_message),
        ("_generate_record_messages", Stream._write_record_message),
    ):
        assert parameters(getattr(ChunkedStream, name)) == parameters(getattr(Stream, name))
        assert f"self.{name}(" in inspect.getsource(caller)
