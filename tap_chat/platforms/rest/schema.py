"""The schema of a declared stream, as its first records show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_chat.singer.records import json_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_chat.singer.records import Record


def schema_of(records: Iterable[Record], primary_keys: Sequence[str]) -> dict[str, Any]:
    """Return the JSON Schema of records.

    Args:
        records: The first records of a stream.
        primary_keys: The properties that every record has.
    """
    types: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.items():
            types.setdefault(name, {"null"}).add(json_type(value))
    properties = {name: {"type": sorted(found)} for name, found in types.items()}
    for key in primary_keys:
        properties.setdefault(key, {"type": ["string", "null"]})
    return {"type": "object", "properties": properties}
