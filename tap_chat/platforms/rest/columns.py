"""The columns of a resource, as JSON Schema.

https://dlthub.com/docs/general-usage/schema#tables-and-columns
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_chat.singer.inference import ONLY_NULL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Property = dict[str, Any]

# dlt's own defaults.
_DECIMAL = {"precision": 38, "scale": 9}
# The values of an unsigned integer of 256 bits.
_LARGEST_WEI = 2**256 - 1

_TYPES: dict[str, Property] = {
    "text": {"type": ["string"]},
    "bigint": {"type": ["integer"]},
    "double": {"type": ["number"]},
    "decimal": {"type": ["number"], "format": "singer.decimal", **_DECIMAL},
    "wei": {"type": ["integer"], "maximum": _LARGEST_WEI},
    "bool": {"type": ["boolean"]},
    "timestamp": {"type": ["string"], "format": "date-time"},
    "date": {"type": ["string"], "format": "date"},
    "time": {"type": ["string"], "format": "time"},
    "binary": {"type": ["string"], "contentEncoding": "base64"},
    "json": {"type": ["object", "array", "string", "number", "boolean"]},
}


def declared_properties(
    columns: Mapping[str, Mapping[str, Any]], keys: Sequence[str]
) -> dict[str, Property]:
    """Return the properties that columns declare.

    Args:
        columns: The hints of each column, by its name.
        keys: The properties that are never null.

    Returns:
        The JSON Schema of each, except those of keys without a type. A column without a type has
        that of its values.
    """
    return {
        name: _property(hints, is_key=name in keys)
        for name, hints in columns.items()
        # The type of a key is that of its values, which are never null.
        if name not in keys or hints.get("data_type")
    }


def _property(hints: Mapping[str, Any], *, is_key: bool) -> Property:
    described = {"description": hints["description"]} if hints.get("description") else {}
    data_type = hints.get("data_type")
    if data_type is None:
        return {"type": list(ONLY_NULL), **described}
    declared = _TYPES[data_type]
    is_nullable = hints.get("nullable", True) and not is_key
    types = [*declared["type"], *(["null"] if is_nullable else [])]
    digits = {hint: hints[hint] for hint in _DECIMAL if hint in declared and hint in hints}
    return {**declared, **digits, "type": types, **described}
