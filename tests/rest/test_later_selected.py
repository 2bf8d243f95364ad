"""A resource that is selected later, or was deselected for some runs, misses nothing.

Its parent is read incrementally: what was read for the parent's old records must be read, too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from rest.rooms import Rooms, rooms_declaration
from serving import Server

if TYPE_CHECKING:
    from running import Run, Runner

ROOMS, MESSAGES, RELATIONS = STREAMS = ("matrix_rooms", "matrix_messages", "matrix_relations")
AGAIN = "the stream is read from its start again"


def declaration(url: str) -> dict[str, Any]:
    """Return a declaration whose parent is read incrementally."""
    made = rooms_declaration(url)
    made["resources"][0]["endpoint"]["incremental"] = {"cursor_path": "number"}
    made["resources"].append(
        {
            "name": "relations",
            "primary_key": "of",
            "endpoint": {
                "path": "v1/events/{resources.messages.event_id}/relations",
                "data_selector": "chunk",
                "paginator": "single_page",
            },
        }
    )
    return made


def add(server: Rooms) -> None:
    server.add(2, messages=2)
    for number, room in enumerate(server.rooms):
        room["number"] = number


def run(tap: Runner, url: str, streams: set[str], state: dict[str, Any]) -> Run:
    config = {"rest": {"matrix": declaration(url)}}
    catalog: dict[str, Any] = json.loads(tap.run([*tap.command(config), "--discover"]).out)
    for entry in catalog["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["tap_stream_id"] in streams
    files: dict[str, Any] = {"catalog": catalog} | ({"state": state} if state else {})
    done = tap(config, **files)
    assert done.code == 0, done.err
    return done


def truth(server: Rooms) -> dict[str, set[str]]:
    messages = [message["event_id"] for rows in server.messages.values() for message in rows]
    return {
        ROOMS: {room["room_id"] for room in server.rooms},
        MESSAGES: set(messages),
        RELATIONS: set(messages),
    }


KEYS = {ROOMS: "room_id", MESSAGES: "event_id", RELATIONS: "of"}


@pytest.mark.parametrize("kept", ["all", "of the selected streams"])
@pytest.mark.parametrize(
    "selected",
    [
        [{ROOMS}, {ROOMS, MESSAGES}, {*STREAMS}, {*STREAMS}],
        [{ROOMS, MESSAGES}, {ROOMS}, {ROOMS, MESSAGES}],
        [{MESSAGES}, {RELATIONS}, {ROOMS}, {*STREAMS}],
        [{*STREAMS}, {MESSAGES}, {*STREAMS}],
    ],
    ids=["later", "again", "others", "in between"],
)
def test_no_stream_misses_what_others_read(
    tap: Runner, selected: list[set[str]], kept: str
) -> None:
    """`kept`: the bridge stores the bookmark of each stream with its table."""
    server = Rooms()
    found: dict[str, set[str]] = {stream: set() for stream in STREAMS}
    bookmarks: dict[str, Any] = {}
    state: dict[str, Any] = {}
    with Server(server) as api:
        for streams in selected:
            add(server)
            done = run(tap, api.url, streams, state)
            for stream in streams:
                found[stream] |= {row[KEYS[stream]] for row in done.rows(stream)}
                assert found[stream] == truth(server)[stream], stream
            state = done.state
            if kept != "all":
                own = state["bookmarks"]
                bookmarks |= {name: own[name] for name in own.keys() & streams}
                state = {"bookmarks": dict(bookmarks)}


def test_same_selection_reads_only_what_is_new(tap: Runner) -> None:
    server = Rooms()
    state: dict[str, Any] = {}
    with Server(server) as api:
        for number in range(4):
            add(server)
            done = run(tap, api.url, {*STREAMS}, state)
            # The last room of the run before comes again: others may have the same cursor.
            rooms = server.rooms[-3:] if number else server.rooms
            assert [row["room_id"] for row in done.rows(ROOMS)] == [r["room_id"] for r in rooms]
            assert len(done.rows(RELATIONS)) == 2 * len(rooms)
            assert AGAIN not in done.err
            state = done.state


def test_table_that_was_dropped_is_read_again(tap: Runner) -> None:
    """A loader that keeps STATE with the tables has none for a dropped one."""
    server = Rooms()
    add(server)
    with Server(server) as api:
        state = run(tap, api.url, {*STREAMS}, {}).state
        del state["bookmarks"][RELATIONS]
        done = run(tap, api.url, {*STREAMS}, state)
    assert {row["of"] for row in done.rows(RELATIONS)} == truth(server)[RELATIONS]
