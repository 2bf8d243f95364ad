"""The setting `account`: `_account` is in each record, and is the first part of each key."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from running import ALL, BUILT_IN, by_stream, chat_config, config_of, merged
from serving import Server

from tap_chat.sandbox import Sandbox, World
from tap_chat.singer.accounts import ACCOUNT, AccountProperty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Run, Runner

NAME = "Ümlaut \"& Co\" \\ '{}' 🚚"
SMALL = World(messages=60, users=4, conversations=6, dixa_conversations=20, chats=10)
MESSAGES, TREE = "chat_messages", "freshchat_users_conversations"
AGAIN = "belongs to another account than the settings: the stream is read from its start again"


@pytest.fixture(scope="module")
def accounts() -> Iterator[Sandbox]:
    with Sandbox(SMALL) as running:
        yield running


def written(run: Run) -> list[dict[str, Any]]:
    """Return the records of a run, those in files as well."""
    found = run.records
    for message in run.of_type("BATCH"):
        for url in message["manifest"]:
            content = Path(unquote(urlsplit(url).path)).read_bytes()
            if message["encoding"]["format"] == "arrow":
                found += pa.ipc.open_file(content).read_all().to_pylist()
            else:
                found += map(json.loads, content.splitlines())
    return found


def batches(kind: str, folder: Path) -> dict[str, Any]:
    encoding = {"format": kind, "compression": "none"}
    return {"batch_config": {"encoding": encoding, "storage": {"root": str(folder)}}}


WAYS: dict[str, dict[str, Any]] = {
    "raw": {},
    "compiled map": {"stream_maps": {MESSAGES: {"more": "1"}}},
    "map that keeps nothing else": {"stream_maps": {MESSAGES: {"id": "id", "__else__": None}}},
    "map with another key": {
        "stream_maps": {MESSAGES: {"__key_properties__": ["user_id"], "__alias__": "said"}}
    },
    "map of the SDK": {"stream_maps": {MESSAGES: {"of_sdk": "[x for x in [1]][0]"}}},
    "copies": {"stream_maps": {"copy": {"__source__": MESSAGES, "x": "1"}, MESSAGES: {}}},
    "flat": {"flattening_enabled": True, "flattening_max_depth": 2},
    "jsonl": {},
    "arrow": {},
}


@pytest.mark.parametrize("way", WAYS)
def test_account_is_added_whichever_way_records_are_written(
    tap: Runner, tmp_path: Path, accounts: Sandbox, way: str
) -> None:
    sections = ALL if way == "raw" else ("chat", "freshchat")
    config = config_of(accounts, "acme", *sections) | WAYS[way]
    if way in {"jsonl", "arrow"}:
        config |= batches(way, tmp_path)
    plain, named = tap(config), tap(config | {"account": NAME})
    assert (plain.code, named.code) == (0, 0), plain.err + named.err
    expected = [{ACCOUNT: NAME, **record} for record in written(plain)]
    assert expected == written(named)
    assert [*expected[0]] == [*written(named)[0]]
    for before, after in zip(plain.of_type("SCHEMA"), named.of_type("SCHEMA"), strict=True):
        properties = after["schema"]["properties"]
        assert [*properties] == [ACCOUNT, *before["schema"]["properties"]]
        assert (properties[ACCOUNT]["type"], properties[ACCOUNT]["const"]) == ("string", NAME)
        assert after["key_properties"] == [ACCOUNT, *before["key_properties"]]
        assert after["schema"].get("required", [ACCOUNT])[0] == ACCOUNT


def test_account_of_a_section_wins(tap: Runner, accounts: Sandbox) -> None:
    config = config_of(accounts, "acme", "chat", "dixa", "gorgias") | {"account": "top"}
    config["dixa"] |= {"account": "own"}
    config["gorgias"] |= {"account": "other"}
    named = {
        stream: {record[ACCOUNT] for record in records}
        for stream, records in by_stream(tap(config)).items()
    }
    assert named[MESSAGES] == {"top"}
    assert named["dixa_conversation_export"] == {"own"}
    assert named["gorgias_tickets"] == {"other"}
    run = tap(config_of(accounts, "acme", "chat", "dixa", dixa={"account": "own"}))
    assert not any(ACCOUNT in record for record in run.rows(MESSAGES))


@pytest.mark.parametrize(
    ("account", "problem"),
    [
        ("", "must be a text that is not empty"),
        (7, "must be a text that is not empty"),
        ("a\0b", "holds a NUL character, which many databases can't store"),
        ("\ud83d", "holds half of a character (a lone surrogate), which no table can store"),
    ],
)
@pytest.mark.parametrize("at", ["", "chat."])
def test_text_that_names_no_account_is_refused(
    tap: Runner, accounts: Sandbox, account: object, problem: str, at: str
) -> None:
    config = config_of(accounts, "acme", "chat")
    (config["chat"] if at else config)["account"] = account
    run = tap(config)
    assert run.code == 1
    [error] = run.errors
    assert error.startswith(f"The setting `{at}account` ")
    assert problem in error


@pytest.mark.parametrize("account", ["x" * 500, " ", "null", "🚚"])
def test_any_other_text_is_an_account(tap: Runner, accounts: Sandbox, account: str) -> None:
    run = tap(chat_config(accounts) | {"account": account})
    assert {record[ACCOUNT] for record in run.records} == {account}


def test_next_runs_of_an_account_bring_the_changes(tap: Runner) -> None:
    with Sandbox(SMALL) as sandbox:
        state: dict[str, Any] = {}
        runs = []
        for month in (2, 3, 4):
            world = sandbox.world_of("acme")
            now = datetime(2026, month, 1, 12, tzinfo=UTC)
            sandbox.set_world("acme", replace(world, now=now, messages=50 * month))
            config = config_of(
                sandbox, "acme", *BUILT_IN, "gorgias", chat={"replication_key": "timestamp"}
            )
            run = tap(config | {"account": NAME}, state=state)
            assert run.code == 0, run.err
            assert AGAIN not in run.err
            runs.append(run)
            state = run.state
        truth = sandbox.world_of("acme").truth
        for stream, rows in merged(runs).items():
            assert all(key[0] == NAME for key in rows), stream
            assert len(rows) == len(truth[stream]), stream
        assert len(runs[2].records) < len(runs[0].records)


def test_state_belongs_to_the_account(tap: Runner, accounts: Sandbox) -> None:
    config = config_of(
        accounts, "acme", "chat", "freshchat", "dixa", "livechat", "gorgias", "intercom",
        chat={"replication_key": "timestamp"},
    )  # fmt: skip

    def told(run: Run) -> list[str]:
        return [line for line in run.err.splitlines() if AGAIN in line]

    first = tap(config)
    named = tap(config | {"account": NAME}, state=first.state)
    assert len(told(named)) > 5
    assert len(named.records) == len(first.records)
    same = tap(config | {"account": NAME}, state=named.state)
    assert told(same) == []
    assert len(same.rows(MESSAGES)) == 1
    other = tap(config | {"account": "another"}, state=same.state)
    assert len(told(other)) == len(told(named))
    assert len(other.records) == len(first.records)
    # An account that goes is another account, too.
    assert len(told(tap(config, state=other.state))) == len(told(named))
    assert NAME not in json.dumps(same.state)


def test_state_of_an_older_version_belongs_to_no_account(tap: Runner, accounts: Sandbox) -> None:
    config = chat_config(accounts, replication_key="timestamp")
    state = tap(config).state
    del state["bookmarks"][MESSAGES]["true_of"]
    assert len(tap(config, state=state).records) == 1
    run = tap(config | {"account": NAME}, state=state)
    assert len(run.records) == len(accounts.world.chat.messages)
    assert AGAIN in run.err


def test_catalog_shows_the_account(tap: Runner, accounts: Sandbox) -> None:
    config = config_of(accounts, "acme", "chat", "freshchat", "gorgias")

    def discovered(config: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(tap.run([*tap.command(config), "--discover"]).out)
        return found

    plain, named = discovered(config), discovered(config | {"account": NAME})
    for before, after in zip(plain["streams"], named["streams"], strict=True):
        assert after["key_properties"] == [ACCOUNT, *before["key_properties"]]
        assert [*after["schema"]["properties"]] == [ACCOUNT, *before["schema"]["properties"]]
    assert NAME not in json.dumps(named, ensure_ascii=False)
    # A catalog serves all accounts, whether it has the property or not.
    for catalog in (plain, named):
        for entry in catalog["streams"]:
            for item in entry["metadata"]:
                if item["breadcrumb"] in (["properties", "message"], ["properties", ACCOUNT]):
                    item["metadata"] |= {"selected": False, "inclusion": "available"}
        run = tap(config | {"account": NAME}, catalog=catalog)
        assert run.code == 0, run.err
        assert [*run.rows(MESSAGES)[0]] == [ACCOUNT, "id", "timestamp", "user_id"]
        assert "differently" not in run.err
    wrong = tap(config, catalog=named)
    assert wrong.code == 1
    assert "the key properties _account, id instead of id" in wrong.err


ROWS = [{"id": 1, "at": "2026-01-01T00:00:00Z"}, {"id": 2, "at": "2026-01-02T00:00:00Z"}]


def declared(server: Server, **resource: Any) -> dict[str, Any]:
    declaration = {
        "client": {"base_url": server.url},
        "resources": [{"name": "rows", "endpoint": {"path": "rows"}, **resource}],
    }
    return {"rest": {"own": {"declaration": declaration, "account": NAME}}}


def test_stream_without_a_key_stays_without_one(tap: Runner) -> None:
    with Server(lambda _: [*ROWS, {}]) as server:
        run = tap(declared(server))
    assert run.code == 0, run.err
    assert run.records == [{ACCOUNT: NAME, **row} for row in [*ROWS, {}]]
    assert all(schema["key_properties"] == [] for schema in run.of_type("SCHEMA"))


@pytest.mark.parametrize("is_null", [False, True])
def test_types_of_columns_outlast_bookmarks(tap: Runner, *, is_null: bool) -> None:
    pages = [[ROWS[0] | {"x": 1}], [ROWS[1] | {"x": "a"}], []]
    with Server(lambda request: pages[int(request.query_params["page"])]) as server:
        config = declared(server, primary_key="id")
        declaration = config["rest"]["own"]["declaration"]
        declaration["client"]["paginator"] = {"type": "page_number", "total_path": None}
        declaration["resources"][0]["endpoint"]["incremental"] = {"cursor_path": "at"}
        state = tap(config).state
        if is_null:  # a runner has reset it
            state["bookmarks"]["own_rows"]["types"] = None
        config["rest"]["own"]["account"] = "another"
        run = tap(config, state=state)
    assert (run.code, len(run.records)) == (0, 2), run.err
    assert run.state["bookmarks"]["own_rows"]["types"] == {"x": ["integer", "string"]}
    assert len(run.of_type("SCHEMA")) == 1 + is_null


@pytest.mark.parametrize("value", ["theirs", None])
def test_property_of_the_api_with_this_name_is_refused(tap: Runner, value: str | None) -> None:
    with Server(lambda _: [*ROWS, {"id": 3, ACCOUNT: value}]) as server:
        run = tap(declared(server, primary_key="id"))
    assert run.code == 1
    [error] = run.errors
    assert error == (
        "Stream own_rows: its records have a property `_account` of their own, so the setting"
        " `account` can't add it. Remove the setting."
    )
    assert run.records == []


VALUES = st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=3)


@given(
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES | st.just({})),
    st.sampled_from([None, 1]),
)
def test_account_is_added_to_any_object(
    name: str, record: dict[str, Any], indent: int | None
) -> None:
    account = AccountProperty("stream", name)
    text = json.dumps(record, indent=indent).replace("\n", " ")
    [raw, decoded] = account.add_to_all([Raw(text.encode()), record])
    expected = [(ACCOUNT, name), *record.items()]
    assert json.loads(bytes(cast("Raw", raw)), object_pairs_hook=list)[: len(expected)] == [
        (key, [] if value == {} else value) for key, value in expected
    ]
    assert [*cast("dict[str, Any]", decoded).items()] == expected
