"""JSON Schema of a stream as a table: a name, a type, and what it is."""

from __future__ import annotations

from typing import Any

Field = dict[str, Any]


def record(keys: tuple[str, ...], /, **fields: Field) -> Field:
    """Return the schema of a stream's records.

    Args:
        keys: The fields that are never null.
        fields: The schemas of all fields.
    """
    properties = {
        name: field | {"type": field["type"][0]} if name in keys else field
        for name, field in fields.items()
    }
    return {"type": "object", "properties": properties, "required": list(keys)}


def text(description: str) -> Field:
    """Any text."""
    return {"type": ["string", "null"], "description": description}


def moment(description: str) -> Field:
    """A date-time as text."""
    return {"type": ["string", "null"], "format": "date-time", "description": description}


def integer(description: str) -> Field:
    """A whole number."""
    return {"type": ["integer", "null"], "description": description}


def number(description: str) -> Field:
    """A number."""
    return {"type": ["number", "null"], "description": description}


def boolean(description: str) -> Field:
    """True or false."""
    return {"type": ["boolean", "null"], "description": description}


def thing(description: str, **fields: Field) -> Field:
    """An object that may have more fields than these."""
    schema: Field = {
        "type": ["object", "null"],
        "description": description,
        "additionalProperties": True,
    }
    return schema | ({"properties": fields} if fields else {})


def several(description: str, items: Field | None = None) -> Field:
    """A list; of anything, unless the items are named."""
    named = {"items": items} if items else {}
    return {"type": ["array", "null"], "description": description} | named


def anything(description: str) -> Field:
    """A value of any type. All types are named: target-duckdb fails where there is none."""
    kinds = ["object", "array", "string", "number", "boolean", "null"]
    return {"type": kinds, "description": description}
