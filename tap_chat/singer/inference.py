"""JSON Schemas that are inferred from records, and widened for further records.

Values of two types that are unlike are texts for most loaders: `anyOf` with the string first. From
a list of the types, some make a column of numbers, or of JSON, and refuse a text.

The properties of objects and the items of arrays are not described: a loader would refuse a value
that is not as the first page has shown it, and each nested value would have to be decoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw

from tap_chat.singer.records import PYTHON_TYPES, declared_types

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    #: The JSON Schema of each property of a stream, in the order in which they appeared.
    Properties = Mapping[str, Mapping[str, Any]]
    #: The JSON types of the values of each property, in the order in which they appeared.
    Seen = Mapping[str, set[str]]

#: The types of a property whose values have types that are unlike. An integer is a number, too.
TYPES = ("string", "object", "array", "number", "boolean", "null")
#: The types of a property that was null in each record so far. It is left out of SCHEMA messages: a
#: loader would make a column of texts, and could not change it for the first other value.
ONLY_NULL = ("null",)
#: The types of a key whose values are not known. It is never null.
KEY_TYPES = ("string", "integer")
#: The types that the values of a key may have.
SCALARS = (*KEY_TYPES, "number", "boolean")

# Both are JSON for all loaders.
_NESTED = {"object", "array"}
# An `int` is an integer, though it is a number, too.
_NAMES = {kind: name for name, types in reversed(PYTHON_TYPES.items()) for kind in types}
# The type of a JSON text by its first byte; others are numbers.
_BY_FIRST = {
    ord(first): name
    for name, starts in {
        "object": "{",
        "array": "[",
        "string": '"',
        "boolean": "tf",
        "null": "n",
    }.items()
    for first in starts
}
_FRACTION = (b".", b"e", b"E")


def types_of(records: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the JSON types of the values of records.

    Args:
        records: The records. Their values are decoded, or raw JSON (`msgspec.Raw`).
    """
    seen: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.items():
            kind = _type_of_text(value) if type(value) is Raw else _NAMES[type(value)]
            seen.setdefault(name, set()).add(kind)
    return seen


def _type_of_text(text: Raw) -> str:
    raw = bytes(text)
    if kind := _BY_FIRST.get(raw[0]):
        return kind
    return "number" if any(mark in raw for mark in _FRACTION) else "integer"


def property_of(types: Iterable[str], *, is_key: bool = False) -> dict[str, Any]:
    """Return the schema of a property whose values have these JSON types.

    Args:
        types: The types.
        is_key: Whether it is part of a key, which is a scalar and never null.
    """
    several = {*types} - {"null"}
    if "number" in several:
        several.discard("integer")
    if is_key:
        return {"type": [name for name in SCALARS if name in several] or list(KEY_TYPES)}
    if len(several) <= 1 or several == _NESTED:
        return {"type": [*sorted(several), "null"]}
    return {"anyOf": [{"type": name} for name in TYPES]}


def widened(properties: Properties, seen: Seen, keys: Collection[str] = ()) -> Properties:
    """Return properties that hold their own values, and others.

    A property stays as it is declared until a value does not fit. Then only its description stays.

    Args:
        properties: The properties.
        seen: The types of the other values.
        keys: The properties that are never null.

    Returns:
        The same object if all values fit.
    """
    changed: dict[str, Mapping[str, Any]] = {}
    for name, types in seen.items():
        known = properties.get(name)
        if known is None:
            changed[name] = property_of(types, is_key=name in keys)
        elif not fits(known, types):
            changed[name] = _wider(known, types, is_key=name in keys)
    return {**properties, **changed} if changed else properties


def fits(prop: Mapping[str, Any], types: Iterable[str]) -> bool:
    """Return whether values of these JSON types fit a property."""
    declared = {*declared_types(prop)}
    if "number" in declared:
        declared.add("integer")
    return not declared or declared.issuperset(types)


def is_only_null(prop: Mapping[str, Any]) -> bool:
    """Return whether a property was null in each record so far."""
    return tuple(declared_types(prop)) == ONLY_NULL


def _wider(known: Mapping[str, Any], types: Iterable[str], *, is_key: bool) -> dict[str, Any]:
    declared = declared_types(known)
    if fits({"type": [*declared, "null"]}, types):
        return {**known, "type": [*declared, "null"]}  # only null was missing
    described = {"description": known["description"]} if "description" in known else {}
    return property_of({*declared, *types}, is_key=is_key) | described
