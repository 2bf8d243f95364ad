"""Lists of parents with `incremental`: one bookmark for all, which moves at the end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from rest.feed import list_of, rooms_and_rows, rows_of, same

if TYPE_CHECKING:
    from rest.feed import Reader, Row

SINCE = {"cursor_path": "at", "start_param": "since"}


def every(rooms: dict[str, list[Row]]) -> list[Row]:
    return [row for rows in rooms.values() for row in rows]


def test_records_of_one_parent_do_not_hide_older_ones_of_another(reader: Reader) -> None:
    feed = reader.feed
    feed.rooms = {"new": rows_of([500, 600, 700]), "old": rows_of([5, 6, 7], 10)}
    config = reader.config_of(rooms_and_rows(SINCE))
    assert same(reader.run_config(config).rows("feed_rows"), every(feed.rooms))
    assert reader.bookmark == 700
    feed.rooms["old"] += rows_of([701], 20)
    feed.rooms["new"] += rows_of([900], 30)
    assert [row["at"] for row in reader.run_config(config).rows("feed_rows")] == [700, 900, 701]
    assert reader.bookmark == 900


def test_children_without_a_key_are_written_once(reader: Reader) -> None:
    feed = reader.feed
    feed.rooms = {"a": rows_of([1, 2, 7, 7]), "b": rows_of([5, 7], 10)}
    config = reader.config_of(rooms_and_rows(SINCE, key=None))
    found = reader.run_config(config).rows("feed_rows")
    for room, at in (("b", 7), ("a", 7), ("a", 8), ("b", 8), ("a", 9)):
        feed.rooms[room] += rows_of([at], 100 + len(every(feed.rooms)))
        found += reader.run_config(config).rows("feed_rows")
        assert same(found, every(feed.rooms))


def test_bookmark_stays_if_a_list_fails(reader: Reader) -> None:
    feed = reader.feed
    feed.rooms = {"a": rows_of([1, 2]), "b": rows_of([3], 10), "c": rows_of([9], 20)}
    config = reader.config_of(rooms_and_rows(SINCE))
    first = reader.run_config(config)
    feed.rooms = {
        room: [*rows, {"id": f"{room} new", "at": 50}] for room, rows in feed.rooms.items()
    }
    feed.broken = "b"
    failed = reader.run_config(config)
    assert failed.code == 1
    assert reader.bookmark == 9
    feed.broken = None
    last = reader.run_config(config)
    rows = {row["id"]: row for run in (first, failed, last) for row in run.rows("feed_rows")}
    assert same(list(rows.values()), every(feed.rooms))


def test_state_and_log_are_small_with_many_parents(reader: Reader) -> None:
    reader.feed.rooms = {f"room{room}": rows_of([room], room) for room in range(200)}
    run = reader.run_config(reader.config_of(rooms_and_rows(SINCE)))
    assert len(run.rows("feed_rows")) == 200
    assert len(json.dumps(run.state)) < 1500
    assert run.err.count("Reading feed_rows from") == 1
    assert len(run.err.splitlines()) < 50


def scoped(reader: Reader, **changes: Any) -> Row:
    """Return a config of rooms and rows, with changes of the lists."""
    rooms, rows = rooms_and_rows(SINCE | changes.get("incremental", {}))
    rooms["endpoint"]["params"] = changes.get("rooms", {})
    rows["endpoint"]["params"] = changes.get("rows", {})
    if path := changes.get("path"):
        rows["endpoint"] |= list_of(path, SINCE)
    return reader.config_of([rooms, rows])


@pytest.mark.parametrize(
    ("changes", "is_read_again"),
    [
        ({"rows": {"kind": "all"}}, True),
        ({"rooms": {"kind": "all"}}, True),
        ({"path": "rooms/{resources.rooms.id}/rows?x=1"}, True),
        ({"incremental": {"initial_value": 3}}, True),
        ({"incremental": {"cursor_path": "$.at"}}, True),
        ({"incremental": {"initial_value": 6}}, False),
        ({"incremental": {"on_cursor_value_missing": "include"}}, False),
        ({}, False),
    ],
)
def test_changed_declaration_reads_the_stream_from_its_start(
    reader: Reader,
    changes: dict[str, Any],
    is_read_again: bool,  # noqa: FBT001
) -> None:
    reader.feed.rooms = {"a": rows_of(list(range(10))), "b": rows_of([5], 20)}
    reader.run_config(scoped(reader, incremental={"initial_value": 4}))
    assert reader.bookmark == 9
    merged = {"initial_value": 4} | changes.get("incremental", {})
    run = reader.run_config(scoped(reader, **changes | {"incremental": merged}))
    assert run.code == 0, run.err
    assert (len(run.rows("feed_rows")) > 1) is is_read_again
    assert ("the stream is read from its start again" in run.err) is is_read_again
