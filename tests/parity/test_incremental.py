"""Incremental runs of a declaration end with the same rows as those of dlt's own `rest_api`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from parity.loading import Both

START = "2026-01-01T00:00:00Z"


def rows(first: int, last: int, **fields: Any) -> list[dict[str, Any]]:
    return [
        {"id": number, "updated_at": time(number), "text": f"text {number}"} | fields
        for number in range(first, last)
    ]


def time(number: int) -> str:
    return f"2026-01-01T{number // 60:02}:{number % 60:02}:00Z"


def declaration(url: str, incremental: dict[str, Any], **endpoint: Any) -> dict[str, Any]:
    """Return a declaration of `rows`, in pages by offset."""
    paginator = {"type": "offset", "limit": 10, "total_path": "total"}
    return {
        "client": {"base_url": f"{url}/offset/"},
        "resources": [
            {
                "name": "rows",
                "primary_key": "id",
                "write_disposition": "merge",
                "endpoint": {
                    "path": "rows",
                    "data_selector": "data",
                    "paginator": paginator,
                    "incremental": {"cursor_path": "updated_at", **incremental},
                    **endpoint,
                },
            }
        ],
    }


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "filter of the client": ({}, {}),
    "start_param": ({"start_param": "since"}, {}),
    "initial_value": ({"start_param": "since", "initial_value": time(7)}, {}),
    "lag": ({"start_param": "since", "lag": 180, "initial_value": START}, {}),
    "placeholder": (
        {"initial_value": START},
        {"params": {"since": "{incremental.start_value}"}},
    ),
    "end_value": (
        {
            "start_param": "since",
            "end_param": "until",
            "initial_value": time(5),
            "end_value": time(22),
        },
        {},
    ),
    "open start": ({"initial_value": time(5), "range_start": "open"}, {}),
    "newest first": ({"row_order": "desc"}, {}),
    "included": ({"on_cursor_value_missing": "include"}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_three_runs_end_with_the_same_rows(both: Both, case: str) -> None:
    incremental, endpoint = CASES[case]
    api, lists = both.api, both.api.lists
    loaded = []
    lists["rows"] = rows(0, 25)
    if case == "included":
        lists["rows"][3]["updated_at"] = None
    for change in ("none", "added and changed", "none"):
        if change != "none":
            lists["rows"][4] |= {"updated_at": time(30), "text": "changed"}
            lists["rows"] += rows(25, 29) + rows(31, 45)
        if case == "newest first":
            lists["rows"].sort(key=lambda row: str(row["updated_at"]), reverse=True)
        loaded.append(both.load(declaration(api.url, incremental, **endpoint))["rows"])
    assert loaded[0] <= loaded[1] == loaded[2]
    assert loaded[1] > loaded[0] or case == "end_value"


def test_parameter_of_the_type_incremental_ends_with_the_same_rows(both: Both) -> None:
    api = both.api
    since = {"type": "incremental", "cursor_path": "updated_at", "initial_value": START}
    for last in (25, 40, 40):
        api.lists["rows"] = rows(0, last)
        whole = declaration(api.url, {}, params={"since": since})
        del whole["resources"][0]["endpoint"]["incremental"]
        assert both.load(whole) == {"rows": last}


def test_numbers_end_with_the_same_rows(both: Both) -> None:
    api = both.api
    for last in (25, 40, 40):
        api.lists["rows"] = [{"id": number, "updated_at": 100 + number} for number in range(last)]
        incremental = {"start_param": "since", "initial_value": 0, "lag": 3}
        assert both.load(declaration(api.url, incremental)) == {"rows": last}


def test_rows_without_a_key_are_loaded_once_by_both(both: Both) -> None:
    api = both.api
    for last in (25, 25, 40):
        # The last two rows have the same time.
        api.lists["rows"] = rows(0, last) + rows(100, 101, updated_at=time(last - 1))
        if last == 40:
            api.lists["rows"] += rows(101, 102, updated_at=time(24))
        whole = declaration(api.url, {"start_param": "since"})
        resource = whole["resources"][0]
        resource["write_disposition"] = "append"
        del resource["primary_key"]
        found = both.load(whole)
    # A row that has another time in the third run is another one.
    assert found == {"rows": 43}


def children(url: str, incremental: dict[str, Any]) -> dict[str, Any]:
    """Return a declaration of rooms, and of the rows of each."""
    whole = declaration(url, incremental, path="rooms/{resources.rooms.id}/rows")
    rooms: dict[str, Any] = {
        "name": "rooms",
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": {**declaration(url, {})["resources"][0]["endpoint"], "path": "rooms"},
    }
    del rooms["endpoint"]["incremental"]
    whole["resources"].insert(0, rooms)
    return whole


def fill(both: Both, rooms: int, count: int, step: int) -> None:
    """Set the rows of each room, whose times differ by some minutes from room to room."""
    lists = both.api.lists
    lists["rooms"] = [{"id": room} for room in range(rooms)]
    for room in range(rooms):
        lists[f"rooms/{room}/rows"] = [
            {"id": 100 * room + number, "updated_at": time(100 * count + step * room + number)}
            for number in range(count)
        ]


def test_children_end_with_the_same_rows(both: Both) -> None:
    for count in (5, 8, 8):
        fill(both, 3, count, step=10)
        found = both.load(children(both.api.url, {"start_param": "since"}))
        assert found == {"rooms": 3, "rows": 3 * count}


def test_dlt_leaves_out_older_rows_of_parents_on_a_later_page(both: Both) -> None:
    """dlt moves its bookmark within a run; tap-chat at its end."""
    fill(both, 12, 5, step=-10)
    whole = children(both.api.url, {"start_param": "since"})
    both.load_by_dlt(whole)
    both.load_by_tap(whole)
    by_dlt, by_tap = both.tables
    assert len(by_tap["rows"].rows) == 12 * 5
    assert len(by_dlt["rows"].rows) < 12 * 5
