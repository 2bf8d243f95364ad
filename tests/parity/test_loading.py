"""The comparison of two loads finds what differs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from parity.loading import Both, Table, differences

MOMENT = "2026-01-31T10:00:00+01:00"


def table(**types: str) -> Table:
    return Table(types, [])


def of(*rows: dict[str, Any], **types: str) -> dict[str, Table]:
    return {"rooms": Table(types, list(rows))}


ROOMS = of({"id": 1, "at": MOMENT}, id="BIGINT", at="VARCHAR")


@pytest.mark.parametrize(
    ("by_tap", "expected"),
    [
        (ROOMS, []),
        (
            of(
                {"id": 1, "at": datetime(2026, 1, 31, 9, tzinfo=UTC), "new": None},
                id="BIGINT",
                at="TIMESTAMP WITH TIME ZONE",
                new="VARCHAR",
            ),
            [],
        ),
        ({}, ["rooms is not loaded by tap-chat"]),
        (ROOMS | {"users": table(id="BIGINT")}, []),
        (
            ROOMS | {"users": Table({"id": "BIGINT"}, [{"id": 1}])},
            ["users is not loaded by dlt"],
        ),
        (of({"id": 1}, id="BIGINT"), ["rooms.at has no column by tap-chat"]),
        (
            of({"id": 1, "at": MOMENT, "x": 1}, id="BIGINT", at="VARCHAR", x="BIGINT"),
            ["rooms.x has no column by dlt"],
        ),
        (
            of({"id": "1", "at": MOMENT}, {"id": "2", "at": None}, id="VARCHAR", at="VARCHAR"),
            ["rooms has by tap-chat alone: ('id: 2', 'at: null')"],
        ),
        (of(id="BIGINT", at="VARCHAR"), [f"rooms lacks by tap-chat: ('id: 1', 'at: {MOMENT}')"]),
    ],
)
def test_differences_are_found(by_tap: dict[str, Table], expected: list[str]) -> None:
    assert differences(ROOMS, by_tap) == expected


def test_columns_are_left_out_on_request() -> None:
    by_tap = of({"id": 1}, id="BIGINT")
    assert differences(ROOMS, by_tap, apart=["rooms.at"]) == []


def test_dlt_loads_a_declaration_again(both: Both) -> None:
    both.api.lists = {
        "rooms": [{"id": 1, "tags": ["a", "b"], "owner": {"name": "Ada"}}, {"id": 2}],
        "rooms/1/messages": [{"id": "m1", "updated_at": MOMENT}],
        "rooms/2/messages": [],
    }
    declaration = {
        "client": {"base_url": both.api.url},
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [
            {
                "name": "rooms",
                "endpoint": {"path": "offset/rooms", "paginator": {"type": "offset", "limit": 1}},
            },
            {
                "name": "messages",
                "include_from_parent": ["id"],
                "endpoint": {
                    "path": "cursor/rooms/{resources.rooms.id}/messages",
                    "paginator": {"type": "cursor", "cursor_param": "cursor"},
                },
            },
        ],
    }
    for count in (1, 2):
        both.load_by_dlt(declaration)
        found = {name: table.rows for name, table in both.by_dlt.items()}
        # dlt gives the rows of a table in no order.
        rooms = sorted(found["rooms"], key=lambda row: int(row["id"]))
        assert rooms == [{"id": 1, "owner__name": "Ada"}, {"id": 2, "owner__name": None}]
        assert sorted(row["value"] for row in found["rooms__tags"]) == ["a", "b"]
        assert len(found["messages"]) == count
        both.api.lists["rooms/2/messages"] = [{"id": "m2", "updated_at": MOMENT}]
