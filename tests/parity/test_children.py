"""Parents, children and write dispositions: the rows of dlt's `rest_api`, in three runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.loading import Both

CURSOR = {"type": "cursor", "cursor_param": "cursor"}
OFFSET = {"type": "offset", "limit": 2}
MERGE = {"primary_key": "id", "write_disposition": "merge"}
ROOM = "{resources.rooms.id}"
BY_ROOM = {"data_selector": "data", "paginator": CURSOR, "path": "cursor/messages"}
OF_ROOM = {"path": f"cursor/rooms/{ROOM}/messages", "data_selector": "data", "paginator": CURSOR}

#: Children by each place of a request that can name their parent.
CHILDREN: dict[str, dict[str, Any]] = {
    "by_path": OF_ROOM,
    "by_resolved_path": OF_ROOM
    | {
        "path": "cursor/rooms/{room}/messages",
        "params": {"room": {"type": "resolve", "resource": "rooms", "field": "id"}},
    },
    "by_parameter": BY_ROOM | {"params": {"where_room": ROOM, "limit": 2}},
    "by_body": BY_ROOM
    | {
        "method": "POST",
        "json": {"where_room": ROOM, "limit": 2},
        "paginator": {"type": "cursor", "cursor_body_path": "cursor"},
    },
    "by_nested_field": BY_ROOM | {"params": {"where_author": "{resources.rooms.owner.name}"}},
    "missing_ignored": OF_ROOM
    | {
        "path": f"cursor/rooms/{ROOM}/files",
        "response_actions": [{"status_code": 404, "action": "ignore"}],
    },
}


def declared(url: str) -> dict[str, Any]:
    """Return the declaration."""
    rooms = {"path": "offset/rooms", "data_selector": "data", "paginator": OFFSET}
    child = {
        "include_from_parent": ["id", "title"],
        # One message may be that of several rooms.
        "primary_key": ["_rooms_id", "id"],
        "write_disposition": "merge",
    }
    children = [{"name": name, "endpoint": found, **child} for name, found in CHILDREN.items()]
    reactions = {
        "path": "single/messages/{resources.by_path.id}/reactions",
        "data_selector": "data",
        "paginator": "single_page",
        "response_actions": [{"status_code": 404, "action": "ignore"}],
    }
    return {
        "client": {"base_url": url},
        "resource_defaults": {"endpoint": {"params": {"limit": 2}}},
        "resources": [
            {"name": "rooms", "endpoint": rooms, **MERGE},
            *children,
            {"name": "reactions", "include_from_parent": ["id"], "endpoint": reactions, **MERGE},
            {"name": "replaced", "write_disposition": "replace", "endpoint": rooms},
            {
                "name": "key_of_two",
                "primary_key": ["id", "title"],
                "write_disposition": "merge",
                "endpoint": rooms,
            },
            {
                "name": "one_room",
                "endpoint": {"path": "bare/room", "data_selector": "$", "paginator": "single_page"},
                **MERGE,
            },
        ],
    }


def room(number: int) -> dict[str, Any]:
    owner = {"name": "Ada" if number % 2 else "Grace", "age": number}
    return {"id": number, "title": f"Room {number}", "owner": owner, "tags": ["a", "b"][:number]}


def message(number: int, of: int) -> dict[str, Any]:
    author = "Ada" if of % 2 else "Grace"
    return {"id": f"m{number}", "room": of, "author": author, "text": f"text {number}"}


def serve(both: Both, rooms: int, messages: int) -> None:
    """Serve some rooms, with messages in all but the last one."""
    lists = both.api.lists
    lists["rooms"] = [room(number) for number in range(1, rooms + 1)]
    lists["room"] = [room(1)]
    lists["messages"] = [message(number, 1 + number % (rooms - 1)) for number in range(messages)]
    for number in range(1, rooms + 1):
        lists[f"rooms/{number}/messages"] = [
            row for row in lists["messages"] if row["room"] == number
        ]
    lists["rooms/1/files"] = [{"id": "f1", "size": 5}]
    lists["messages/m3/reactions"] = [{"id": "r1", "kind": "like"}]


def test_children_and_dispositions_are_those_of_dlt(both: Both) -> None:
    declaration = declared(both.api.url)
    for rooms, messages in ((4, 15), (5, 18), (4, 12)):
        serve(both, rooms, messages)
        counts = both.load(declaration)
        assert counts["replaced"] == rooms
    # The rows of lists that have become shorter are kept.
    assert counts["rooms"] == counts["key_of_two"] == 5
    for name in CHILDREN:
        assert {"_rooms_id", "_rooms_title"} <= both.by_tap[name].types.keys()
    assert counts["missing_ignored"] == 1
    assert len({counts[name] for name in ("by_path", "by_resolved_path", "by_parameter")}) == 1
    assert counts["by_body"] == counts["by_path"] >= 18
    assert counts["by_nested_field"] > counts["by_path"]
    assert counts["reactions"] == counts["one_room"] == 1


def test_replaced_list_without_a_key_has_the_rows_that_dlt_has_with_one(both: Both) -> None:
    """With a key, the bridge merges rows: the documentation says to leave it out."""
    endpoint = {"path": "single/rooms", "data_selector": "data", "paginator": "single_page"}
    rooms = {"name": "rooms", "write_disposition": "replace", "endpoint": endpoint}
    with_key = {"client": {"base_url": both.api.url}, "resources": [rooms | {"primary_key": "id"}]}
    without = {"client": {"base_url": both.api.url}, "resources": [rooms]}
    for rows in ([room(1), room(2)], [room(2)]):
        both.api.lists["rooms"] = rows
        both.load_by_dlt(with_key)
        both.load_by_tap(without)
        assert both.compare()["rooms"] == len(rows)
