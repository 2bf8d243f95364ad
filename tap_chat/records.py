"""Records against their schema: the key is there, and every value has a type the schema allows."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Record = dict[str, Any]
    Check = Callable[[Record], str | None]

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float, Decimal),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def compile_check(schema: Mapping[str, Any], primary_keys: Sequence[str]) -> Check:
    """Compile the check of one stream's records.

    Fields that the schema does not declare are none of its business, nor are nested values.

    Args:
        schema: The stream's JSON Schema.
        primary_keys: The fields every record must have, not null.

    Returns:
        A function from a record to what is wrong with it, in words that hold no value of the
        record, or None.
    """
    allowed = {
        name: types
        for name, field in schema["properties"].items()
        if (types := _python_types(field))
    }

    def check(record: Record) -> str | None:
        for key in primary_keys:
            if record.get(key) is None:
                return f"has no `{key}`, which is its key"
        for name, value in record.items():
            types = allowed.get(name)
            if types and type(value) not in types:
                return (
                    f"has {json_type(value)} as `{name}`, which is declared "
                    f"{' or '.join(declared_types(schema['properties'][name]))}"
                )
        return None

    return check


def declared_types(field: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the JSON types that a field's schema names; none where it says more than `type`."""
    declared = field.get("type", ())
    return (declared,) if isinstance(declared, str) else tuple(declared)


def json_type(value: object) -> str:
    """Return the JSON type of a value: `integer` rather than `number` where it is one."""
    return next(name for name, types in PYTHON_TYPES.items() if type(value) in types)


def _python_types(field: Mapping[str, Any]) -> tuple[type, ...]:
    return tuple(kind for name in declared_types(field) for kind in PYTHON_TYPES[name])
