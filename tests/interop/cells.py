"""Compare the rows of a source and a loader cell by cell, across their types."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
#: Columns that loaders add.
ADDED = ("_sdc_", "_dlt_")


def differences(keys: Sequence[str], truth: list[Row], held: list[Row]) -> list[str]:
    """Return the differences between the rows of a source and of a loader.

    Args:
        keys: The columns that identify rows.
        truth: The rows of the source.
        held: The rows of the loader.
    """
    expected, found = by_key(keys, truth), by_key(keys, held)
    assert len(expected) == len(truth), "the keys of the source are not unique"
    told = [f"{len(held)} rows, not {len(truth)}"] if len(held) != len(truth) else []
    told += [f"{key} is missing" for key in expected.keys() - found.keys()]
    told += [f"{key} is too many" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        row, other = expected[key], found[key]
        told += [
            f"{key} has {name}"
            for name, value in other.items()
            if name not in row and value is not None and not name.startswith(ADDED)
        ]
        told += [
            f"{key}: {name} is {other.get(name)!r}, not {value!r}"
            for name, value in row.items()
            if not same(value, other.get(name))
        ]
    return told


def by_key(keys: Sequence[str], rows: list[Row]) -> dict[tuple[Any, ...], Row]:
    """Return the last row of each key."""
    return {tuple(_plain(row.get(key)) for key in keys): row for row in rows}


def same(expected: Any, found: Any) -> bool:
    """Return whether a cell has the value of the source: the same time, number, text or object."""
    if isinstance(found, str) and isinstance(expected, (dict, list, int, Decimal)):
        # Compare objects and text columns as JSON.
        found = json.loads(found, parse_float=Decimal)
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(
            same(value, found[name]) for name, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(same, expected, found))
    if isinstance(expected, str) and isinstance(found, str):
        return expected == found
    if isinstance(expected, datetime) or isinstance(found, datetime):
        return _moment(expected) == _moment(found)
    if isinstance(expected, Decimal) and isinstance(found, float) and expected == found:
        # All digits of a double, not only those that distinguish it from others.
        return True
    return bool(_plain(expected) == _plain(found))


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _plain(value: Any) -> Any:
    """Return a value in a canonical form."""
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        number = Decimal(str(value))
        return number if number.is_finite() else str(number)
    return value
