"""JSON Schemas that are inferred from records, and joined with others.

A property has one type, or it may have any. Loaders make a column of JSON for any type; for two
types that are unlike, some make a column of the one and refuse the values of the other.

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

#: A property that may have any value. Loaders need the names of all types.
ANY_TYPE = ("object", "array", "string", "number", "boolean", "null")
#: A property that was null in each record so far. It is left out of SCHEMA messages: a loader would
#: make a column of texts, and could not change it for the first other value.
ONLY_NULL = ("null",)
#: What a key may be. It is never null.
KEY_TYPES = ("string", "integer")

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


def inferred(seen: Seen, keys: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Return the properties of records.

    Args:
        seen: The types of the values of the records.
        keys: The properties that are never null.
    """
    return {name: property_of(types, is_key=name in keys) for name, types in seen.items()}


def property_of(types: Iterable[str], *, is_key: bool = False) -> dict[str, Any]:
    """Return the schema of a property whose values have these JSON types.

    Args:
        types: The types.
        is_key: Whether it is part of a key, which is a string or an integer and never null.
    """
    return {"type": list(_common(types, is_key=is_key))}


def widened(properties: Properties, seen: Seen, keys: Collection[str] = ()) -> Properties:
    """Return properties that hold their own values, and others.

    A property is described by its `columns` or its catalog until a value does not fit. Then only
    its description stays.

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


def joined(properties: Properties, others: Properties, keys: Collection[str] = ()) -> Properties:
    """Return properties that hold the values of both.

    Args:
        properties: Properties.
        others: Other properties.
        keys: The properties that are never null.

    Returns:
        The first object if it holds all.
    """
    changed: dict[str, Mapping[str, Any]] = {}
    for name, other in others.items():
        known = properties.get(name)
        both = other if known is None else _join(known, other, is_key=name in keys)
        if both != known:
            changed[name] = both
    return {**properties, **changed} if changed else properties


def fits(prop: Mapping[str, Any], types: Iterable[str]) -> bool:
    """Return whether values of these JSON types fit a property."""
    declared = {*declared_types(prop)}
    if "number" in declared:
        declared.add("integer")
    return not declared or declared.issuperset(types)


def is_only_null(prop: Mapping[str, Any]) -> bool:
    """Return whether a property was null in each record so far."""
    return declared_types(prop) == ONLY_NULL


def _join(one: Mapping[str, Any], other: Mapping[str, Any], *, is_key: bool) -> Mapping[str, Any]:
    for first, second in ((one, other), (other, one)):
        if first == second or is_only_null(second) or not declared_types(first):
            return first
    types = {*declared_types(one), *declared_types(other)}
    common = {name: value for name, value in one.items() if other.get(name) == value}
    if {*declared_types(one)} == types == {*declared_types(other)}:
        return {**common, "type": one["type"]}
    return {**common, "type": list(_common(types, is_key=is_key))}


def _wider(known: Mapping[str, Any], types: Iterable[str], *, is_key: bool) -> dict[str, Any]:
    declared = declared_types(known)
    common = _common({*declared, *types}, is_key=is_key)
    if {*common} == {*declared, "null"}:
        return {**known, "type": list(common)}  # only null was missing
    description = {key: known[key] for key in ("description",) if key in known}
    return {"type": list(common), **description}


def _common(types: Iterable[str], *, is_key: bool) -> tuple[str, ...]:
    """Return the narrowest types that hold the values of all these types."""
    several = {*types} - {"null"}
    if is_key:
        return tuple(name for name in KEY_TYPES if name in several) or KEY_TYPES
    if not several:
        return ONLY_NULL
    if several == {"integer", "number"}:
        return ("number", "null")
    return (*several, "null") if len(several) == 1 else ANY_TYPE
