"""The resources of a declaration are streams of the tap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from rest.rooms import Rooms, rooms_declaration
from serving import Server

if TYPE_CHECKING:
    from running import Run, Runner


def read(tap: Runner, server: Rooms, declaration: Any = None, **settings: Any) -> Run:
    """Run the tap on a declaration, by default that of the rooms."""
    with Server(server) as api:
        section = {"declaration": declaration or rooms_declaration(api.url), **settings}
        return tap({"rest": {"matrix": section}})


def expected_messages(server: Rooms) -> list[dict[str, Any]]:
    return [
        {"_rooms_room_id": room, **message}
        for room, messages in server.messages.items()
        for message in messages
    ]


def test_parents_and_children_are_read_in_each_run(tap: Runner) -> None:
    server = Rooms()
    for added in (7, 2, 0):
        server.add(added)
        run = read(tap, server)
        assert run.code == 0, run.err
        assert run.rows("matrix_rooms") == server.rooms
        assert run.rows("matrix_messages") == expected_messages(server)
    schemas = {message["stream"]: message for message in run.of_type("SCHEMA")}
    assert schemas["matrix_messages"]["key_properties"] == ["event_id"]
    assert schemas["matrix_messages"]["schema"]["properties"].keys() == {
        "event_id",
        "ts",
        "_rooms_room_id",
    }
    assert {headers["authorization"] for headers in server.headers} == {"Bearer t0ken"}


def test_one_worker_sends_the_same_requests(tap: Runner) -> None:
    server = Rooms()
    server.add(5)
    with Server(server) as api:
        run = tap({"max_workers": 1, "rest": {"matrix": rooms_declaration(api.url)}})
    assert run.rows("matrix_messages") == expected_messages(server)
    assert all(query["dir"] == "f" for path, query in server.asked if path.endswith("messages"))


def changed(declaration: Any, *changes: tuple[str, str]) -> Any:
    """Return a declaration in which texts are replaced."""
    text = json.dumps(declaration)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return json.loads(text)


def test_placeholders_are_filled_in_params_headers_and_json(tap: Runner) -> None:
    server = Rooms()
    server.add(2)
    with Server(server) as api:
        declaration = rooms_declaration(api.url)
        endpoint = declaration["resources"][1]["endpoint"]
        endpoint["params"]["room"] = "{resources.rooms.name}!"
        endpoint["headers"] = {"X-Room": "{resources.rooms.name}"}
        run = tap({"rest": {"matrix": declaration}})
    assert run.rows("matrix_messages") == expected_messages(server)
    asked = {query["room"] for path, query in server.asked if path.endswith("messages")}
    assert asked == {"Room 0!", "Room 1!"}
    assert {headers.get("x-room") for headers in server.headers} == {None, "Room 0", "Room 1"}


def test_grandchildren_are_read(tap: Runner) -> None:
    server = Rooms()
    server.add(3, messages=2)
    with Server(server) as api:
        declaration = rooms_declaration(api.url)
        declaration["resources"].insert(
            0,
            {
                "name": "relations",
                "primary_key": ["id", "_messages_event_id"],
                "include_from_parent": ["event_id", "ts"],
                "endpoint": {
                    "path": "v1/events/{resources.messages.event_id}/relations",
                    "paginator": "single_page",
                    "data_selector": "chunk",
                },
            },
        )
        for _ in range(2):
            run = tap({"rest": {"matrix": declaration}})
            assert run.code == 0, run.err
            assert run.rows("matrix_relations") == [
                {"_messages_event_id": message["event_id"], "_messages_ts": message["ts"], **row}
                for message in expected_messages(server)
                for row in [{"id": 1, "of": message["event_id"]}]
            ]
            server.add(1)


def test_parent_that_is_not_selected_is_read_for_its_children(tap: Runner) -> None:
    server = Rooms()
    server.add(2)
    with Server(server) as api:
        declaration = rooms_declaration(api.url)
        declaration["resources"][0]["selected"] = False
        config = {"rest": {"matrix": declaration}}
        found = json.loads(tap.run([*tap.command(config), "--discover"]).out)
        run = tap(config)
        with_catalog = tap(config, catalog=found)
    assert run.rows("matrix_rooms") == []
    assert run.rows("matrix_messages") == expected_messages(server)
    defaults = {
        entry["tap_stream_id"]: item["metadata"]["selected-by-default"]
        for entry in found["streams"]
        for item in entry["metadata"]
        if not item["breadcrumb"]
    }
    assert defaults == {"matrix_rooms": False, "matrix_messages": True}
    assert with_catalog.code == 0, with_catalog.err
    assert with_catalog.rows("matrix_messages") == expected_messages(server)


@pytest.mark.parametrize("value", [None, "", ".", ".."])
def test_records_that_name_no_children_are_reported(tap: Runner, value: str | None) -> None:
    server = Rooms()
    server.add(3)
    server.rooms[1]["alias"] = value
    for number in (0, 2):
        server.rooms[number]["alias"] = server.rooms[number]["room_id"]
    with Server(server) as api:
        declaration = changed(
            rooms_declaration(api.url), ("{resources.rooms.room_id}", "{resources.rooms.alias}")
        )
        run = tap({"rest": {"matrix": declaration}})
    assert run.code == 0, run.err
    rows = [row["_rooms_room_id"] for row in run.rows("matrix_messages")]
    assert rows == [server.rooms[number]["room_id"] for number in (0, 0, 0, 2, 2, 2)]
    assert "Records of `rooms` without a value for the requests of matrix_messages" in run.err
    assert "to another address (empty, or dots): 1. What belongs to them is not read." in run.err


def test_record_without_what_children_take_is_an_error(tap: Runner) -> None:
    server = Rooms()
    server.add(3)
    del server.rooms[2]["name"]
    with Server(server) as api:
        declaration = rooms_declaration(api.url)
        declaration["resources"][1]["include_from_parent"] = ["name"]
        run = tap({"rest": {"matrix": declaration}})
    assert run.code == 1
    [error] = run.errors
    assert error == (
        "Stream matrix_rooms: a record has no `name`, which is needed to read what belongs to it."
        " It has `room_id`: correct what messages takes of `rooms` in the declaration of"
        " rest.matrix."
    )


def test_record_without_its_key_names_its_properties(tap: Runner) -> None:
    server = Rooms()
    server.add(1)
    with Server(server) as api:
        declaration = rooms_declaration(api.url)
        declaration["resources"][0]["primary_key"] = "id"
        run = tap({"rest": {"matrix": declaration}})
    assert run.code == 1
    [error] = run.errors
    assert error.endswith(
        "returned a record (number 0 of the page) that has no `id`, which is its key. It has"
        " `room_id`, `name`: correct `primary_key` or `data_selector` of `rooms` in the declaration"
        " of rest.matrix."
    )


@pytest.mark.parametrize("values", [[7, 2**63, "x"], [True, False, None], [1.5, {"a": [1]}, []]])
def test_included_values_are_those_of_the_parent(tap: Runner, values: list[Any]) -> None:
    server = Rooms()
    server.add(3)
    for room, value in zip(server.rooms, values, strict=True):
        room["value"] = value
    with Server(server) as api:
        declaration = rooms_declaration(api.url)
        declaration["resources"][1]["include_from_parent"] = ["value"]
        run = tap({"rest": {"matrix": declaration}})
    assert run.code == 0, run.err
    rows = run.rows("matrix_messages")
    assert [row["_rooms_value"] for row in rows[::3]] == values


def test_values_of_any_type_name_children(tap: Runner) -> None:
    server = Rooms()
    values: list[Any] = [7, 2**63, True, 1.5, "ü/?#%&", "a b"]
    server.rooms = [{"room_id": f"r{n}", "alias": value} for n, value in enumerate(values)]
    server.messages = {str(value): [{"event_id": f"e-{value}"}] for value in values}
    with Server(server) as api:
        declaration = changed(
            rooms_declaration(api.url), ("{resources.rooms.room_id}", "{resources.rooms.alias}")
        )
        run = tap({"rest": {"matrix": declaration}})
    assert run.code == 0, run.err
    rows = run.rows("matrix_messages")
    assert [row["event_id"] for row in rows] == [f"e-{value}" for value in values]
