"""The JSON Schema of a stream as a table: name, type and description of each property."""

from __future__ import annotations

from typing import Any

Field = dict[str, Any]


def record_schema(keys: tuple[str, ...], /, **fields: Field) -> Field:
    """Return the schema of a stream's records.

    Args:
        keys: The properties that are never null.
        fields: The schemas of all properties.
    """
    properties = {
        name: field | {"type": field["type"][0]} if name in keys else field
        for name, field in fields.items()
    }
    return {"type": "object", "properties": properties, "required": list(keys)}


def text(description: str) -> Field:
    """A string."""
    return {"type": ["string", "null"], "description": description}


def timestamp(description: str) -> Field:
    """A timestamp: a string with the format `date-time`."""
    return {"type": ["string", "null"], "format": "date-time", "description": description}


def integer(description: str) -> Field:
    """An integer."""
    return {"type": ["integer", "null"], "description": description}


def number(description: str) -> Field:
    """A number."""
    return {"type": ["number", "null"], "description": description}


def boolean(description: str) -> Field:
    """A boolean."""
    return {"type": ["boolean", "null"], "description": description}


def json_object(description: str, **fields: Field) -> Field:
    """An object that may have more properties than these."""
    schema: Field = {
        "type": ["object", "null"],
        "description": description,
        "additionalProperties": True,
    }
    return schema | ({"properties": fields} if fields else {})


def json_array(description: str, items: Field | None = None) -> Field:
    """An array: of anything, unless `items` describes its items."""
    items_schema = {"items": items} if items else {}
    return {"type": ["array", "null"], "description": description} | items_schema


def any_value(description: str) -> Field:
    """A value of any type. It names all of them, as target-duckdb fails without a type."""
    types = ["object", "array", "string", "number", "boolean", "null"]
    return {"type": types, "description": description}
