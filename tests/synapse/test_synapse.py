"""A real chat server, read by a declaration: the rows of dlt's `rest_api`, and its real errors."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from interop.environments import program
from interop.pipe import piped
from parity.loading import NAME, Both, tables
from running import BIN, QUICK
from synapse.chat import USERS, Chat, fill
from synapse.forwarding import forwarding
from synapse.homeserver import synapse_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from running import Run, Runner

TOKEN = "${MATRIX_TOKEN}"
#: What differs in each response: the age of an event, the last request of a user.
APART = ["messages.age", "messages.*__age", "users.last_seen_ts"]
KEYS = {"users": "name", "rooms": "room_id", "messages": "event_id", "event_reports": "id"}
#: The times by which the lists are read incrementally.
CURSORS = {"users": "creation_ts", "messages": "origin_server_ts"}


@pytest.fixture(scope="module")
def chat() -> Iterator[Chat]:
    with synapse_server() as synapse:
        yield fill(synapse)


@pytest.fixture
def both(tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> Both:
    monkeypatch.setenv("MATRIX_TOKEN", chat.synapse.admin.token)
    return Both(tmp_path)


def loaded(tables: dict[str, Any]) -> dict[str, set[Any]]:
    """Return the keys of the loaded rows by list."""
    return {name: {row[key] for row in tables[name].rows} for name, key in KEYS.items()}


def load(both: Both, chat: Chat) -> dict[str, int]:
    """Load the declaration with both, and return the rows by table of both."""
    both.load_by_dlt(chat.declaration(chat.synapse.admin.token))
    both.load_by_tap(chat.declaration(TOKEN))
    return both.compare(apart=APART)


def test_server_is_read_whole_and_again(both: Both, chat: Chat) -> None:
    counts = load(both, chat)
    assert loaded(both.by_tap) == chat.keys()
    assert counts["messages"] > 10 * 10
    # Others write, edit, redact, join; a room is deleted.
    (room, user), *_, (deleted, _) = chat.rooms.items()
    event = user.send(room, "a new one")
    user.edit(room, event, "a new one, edited")
    user.redact(room, user.send(room, "a wrong one"))
    user.report(room, event)
    newcomer = chat.synapse.user("newcomer")
    added = newcomer.create_room("A new room", invited=[user])
    chat.rooms[added] = newcomer
    del chat.rooms[deleted]
    before = chat.keys()
    chat.synapse.delete_room(deleted)
    load(both, chat)
    # Both keep the rows of the deleted room, which were loaded before.
    assert loaded(both.by_tap) == before
    load(both, chat)
    assert loaded(both.by_tap) == before
    # The rows of the table of parity; `-rP` shows them.
    by_dlt, by_tap = both.tables
    for name in KEYS:
        rows = f"{len(by_dlt[name].rows)} | {len(by_tap[name].rows)}"
        print(f"| matrix: {name} | bearer | {rows} |")


def test_nothing_is_missing_while_others_write(both: Both, chat: Chat) -> None:
    declared = chat.declaration(TOKEN)
    with chat.used():
        first = chat.keys()
        both.load_by_tap(declared)
        assert all(rows >= first[name] for name, rows in loaded(both.by_tap).items())
        second = chat.keys()
        assert len(second["messages"]) > len(first["messages"]), "nobody wrote"
        both.load_by_tap(declared)
        assert all(rows >= second[name] for name, rows in loaded(both.by_tap).items())
    both.load_by_tap(declared)
    assert loaded(both.by_tap) == chat.keys()


def test_incremental_runs_lose_nothing_while_others_write(both: Both, chat: Chat) -> None:
    declared = chat.declaration(TOKEN)
    for resource in declared["resources"]:
        if resource["name"] in CURSORS:
            resource["endpoint"]["incremental"] = {
                "cursor_path": CURSORS[resource["name"]],
                "initial_value": 0,
            }
    with chat.used():
        for _ in range(2):
            expected = chat.keys()
            both.load_by_tap(declared)
            assert all(rows >= expected[name] for name, rows in loaded(both.by_tap).items())
    both.load_by_tap(declared)
    assert loaded(both.by_tap) == chat.keys()


@pytest.mark.parametrize("arguments", [(), ("--test",)], ids=["run", "test"])
def test_wrong_token_is_explained(tap: Runner, chat: Chat, arguments: tuple[str, ...]) -> None:
    run = run_of(tap, chat, "syt_wr0ng_token", "rooms", arguments)
    assert run.code != 0
    told = run.err + run.out.decode()
    assert "401" in told
    assert "The credential in `client.auth` of rest.matrix is wrong or expired" in told
    assert "syt_wr0ng_token" not in told


def test_token_of_a_normal_user_is_explained(tap: Runner, chat: Chat) -> None:
    user = next(iter(chat.rooms.values()))
    run = run_of(tap, chat, user.token, "rooms", ())
    assert run.code != 0
    assert "403" in run.err
    assert user.token not in run.err


@pytest.mark.parametrize("is_ignored", [False, True], ids=["not ignored", "ignored"])
def test_room_that_is_deleted_during_the_run_is_not_found(
    both: Both, chat: Chat, *, is_ignored: bool
) -> None:
    declared = chat.declaration(TOKEN, "rooms")
    states: dict[str, Any] = {
        "name": "states",
        "primary_key": "event_id",
        "endpoint": {
            "path": "v1/rooms/{resources.rooms.room_id}/state",
            "data_selector": "state",
            "paginator": "single_page",
        },
    }
    if is_ignored:
        states["endpoint"]["response_actions"] = [{"status_code": 404, "action": "ignore"}]
    declared["resources"].append(states)
    user = chat.users[0]
    doomed = user.create_room("To be deleted")

    deleted: list[str] = []

    def delete(path: str) -> None:
        # The request may come again: a room that is gone can't be deleted.
        if doomed in path and not deleted:
            deleted.append(doomed)
            chat.synapse.delete_room(doomed)

    with forwarding(chat.synapse.url, before=delete) as forwarder:
        declared["client"]["base_url"] = f"{forwarder.url}/_synapse/admin/"
        if is_ignored:
            both.load_by_tap(declared)
        else:
            with pytest.raises(Exception, match="404") as caught:
                both.load_by_tap(declared)
            assert "response_actions" in str(caught.value)
            return
    found = {row["room_id"] for row in both.by_tap["states"].rows}
    assert found == chat.keys()["rooms"]


def test_rate_limit_is_waited_for(both: Both, chat: Chat) -> None:
    """Synapse returns 429 with `retry_after_ms` in the body."""
    declared = chat.declaration(TOKEN, "users")
    users = declared["resources"][0]
    users["endpoint"]["path"] = f"_synapse/admin/{users['endpoint']['path']}"
    profiles = {
        "name": "profiles",
        "primary_key": "displayname",
        "endpoint": {
            "path": "_matrix/client/v3/profile/{resources.users.name}",
            "data_selector": "$",
            "paginator": "single_page",
        },
    }
    declared["resources"].append(profiles)
    with forwarding(chat.synapse.url) as forwarder:
        declared["client"]["base_url"] = forwarder.url
        both.load_by_tap(declared)
    names = {row["displayname"] for row in both.by_tap["profiles"].rows}
    assert names == {row["displayname"] for row in both.by_tap["users"].rows}
    # Twelve users, four at once: a tap that does not wait is refused again and again.
    assert 1 <= forwarder.statuses.count(HTTPStatus.TOO_MANY_REQUESTS) <= USERS


def test_streams_are_discovered_with_their_keys(tap: Runner, chat: Chat) -> None:
    run = run_of(tap, chat, chat.synapse.admin.token, "", ("--discover",))
    assert run.code == 0, run.err
    catalog = json.loads(run.out)
    keys = {stream["stream"]: stream["key_properties"] for stream in catalog["streams"]}
    assert keys == {f"matrix_{name}": [key] for name, key in KEYS.items()}
    assert chat.synapse.admin.token not in run.out.decode()


@pytest.mark.usefixtures("both")
def test_target_loads_every_row_through_a_pipe(chat: Chat, tmp_path: Path) -> None:
    section = {"declaration": chat.declaration(TOKEN), **QUICK}
    database = tmp_path / "by_target.duckdb"
    target = {"filepath": str(database), "default_target_schema": NAME}
    for name, config in (("config", {"rest": {NAME: section}}), ("target", target)):
        (tmp_path / f"{name}.json").write_text(json.dumps(config))
    programs = str(BIN / "tap-chat"), program("target-duckdb", "target-duckdb")
    room, user = next(iter(chat.rooms.items()))
    for number in range(2):
        user.send(room, f"before run {number} of the target")
        expected = chat.keys()
        done = piped(tmp_path, *programs)
        assert done.code == 0, done.said
    by_target = {name.removeprefix(f"{NAME}_"): table for name, table in tables(database).items()}
    assert all(rows >= expected[name] for name, rows in loaded(by_target).items())


def run_of(tap: Runner, chat: Chat, token: str, resource: str, arguments: tuple[str, ...]) -> Run:
    """Run the tap with a token, for one resource or all."""
    declared = chat.declaration(TOKEN, *filter(None, [resource]))
    section = {"declaration": declared, **QUICK}
    command = tap.command({"rest": {"matrix": section}})
    return tap.run([*command, *arguments], {"MATRIX_TOKEN": token})
