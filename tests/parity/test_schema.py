"""Both loads have the same columns of the same types, also of fields that first show later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.loading import Both

RECORD = {
    "id": 1,
    "text": "x",
    "whole": 7,
    "share": 0.5,
    "on": True,
    "at": "2026-01-31T10:00:00+01:00",
    "day": "2026-01-31",
    "none": None,
    "tags": ["a", "b"],
    "author": {"name": "A", "bot": False},
    "lines": [{"n": 1}, {"n": 2, "more": {"deep": 1}}],
}


def declaration(both: Both, **resource: Any) -> dict[str, Any]:
    endpoint = {
        "path": "offset/rooms",
        "data_selector": "data",
        "paginator": {"type": "offset", "limit": 10},
    }
    key = {"primary_key": "id", "write_disposition": "merge"}
    return {
        "client": {"base_url": both.api.url},
        "resources": [{"name": "rooms", "endpoint": endpoint, **key, **resource}],
    }


def types(both: Both) -> list[dict[str, str]]:
    """Return the types of the columns of rooms by dlt and by tap-chat, without dlt's own."""
    return [
        {name: kind for name, kind in tables["rooms"].types.items() if not name.startswith("_dlt")}
        for tables in both.tables
    ]


def test_columns_are_the_same_and_later_fields_are_added(both: Both) -> None:
    rows = both.api.lists["rooms"] = [RECORD | {"id": number} for number in range(12)]
    rows[11] = {"id": 11, "late": "x", "none": 5}
    assert both.load(declaration(both))["rooms"] == 12
    by_dlt, by_tap = types(both)
    # dlt tells times by their text, and only the tap's `columns` declare them.
    assert by_tap == by_dlt | {"at": "VARCHAR"}
    rows.append({"id": 12, "later": 1.5, "author": {"name": "B", "age": 4}})
    assert both.load(declaration(both))["rooms"] == 13
    by_dlt, by_tap = types(both)
    assert by_tap == by_dlt | {"at": "VARCHAR"}


def test_declared_columns_have_the_same_types(both: Both) -> None:
    both.api.lists["rooms"] = [RECORD | {"price": 1.25, "clock": "10:00:00", "blob": "YWI="}]
    columns = {
        "at": {"data_type": "timestamp"},
        "day": {"data_type": "date"},
        "whole": {"data_type": "double"},
        "price": {"data_type": "decimal", "precision": 10, "scale": 2},
        "clock": {"data_type": "time"},
        "blob": {"data_type": "binary"},
        "absent": {"data_type": "bigint"},
    }
    assert both.load(declaration(both, columns=columns))["rooms"] == 1
    by_dlt, by_tap = types(both)
    # The bridge leaves room for more digits.
    assert by_tap == by_dlt | {"price": "DECIMAL(38,2)"}


def test_a_field_of_two_types_keeps_all_values(both: Both) -> None:
    both.api.lists["rooms"] = [{"id": number, "x": number} for number in range(11)]
    both.api.lists["rooms"].append({"id": 11, "x": "text"})
    assert both.load(declaration(both), apart=["rooms.x", "rooms.x__v_text"])["rooms"] == 12
    by_dlt, by_tap = both.tables
    values = [
        row["x"] if row["x"] is not None else row["x__v_text"] for row in by_dlt["rooms"].rows
    ]
    # A column of JSON for the tap, and two columns for dlt; the rows have no order.
    found = [json.loads(row["x"]) for row in by_tap["rooms"].rows]
    assert sorted(found, key=repr) == sorted(values, key=repr)


def test_keys_of_fractions_and_booleans_are_those_of_dlt(both: Both) -> None:
    key = {"primary_key": ["id", "at", "is_public"]}
    rows = both.api.lists["rooms"] = [
        {"id": float(number), "at": number + 0.25, "is_public": number % 2 == 0, "text": "x"}
        for number in range(12)
    ]
    assert both.load(declaration(both, **key))["rooms"] == 12
    rows[3] |= {"text": "edited"}
    rows.append({"id": 3.0, "at": 3.25, "is_public": True, "text": "another"})
    assert both.load(declaration(both, **key))["rooms"] == 13
    rows.append({"id": 12.5, "at": 3.0, "is_public": True, "text": "x"})
    assert both.load(declaration(both, **key))["rooms"] == 14
