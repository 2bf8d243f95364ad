"""The resources of a declaration are streams of the tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
