"""The properties of a stream as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlt_bridge.arrow.json_schema import Resolver, record_parts
from dlt_bridge.arrow.types import key_type, property_type

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dlt_bridge.arrow.types import ColumnType


@dataclass(frozen=True, slots=True)
class Column:
    """One property of a stream, as a column.

    Attributes:
        name: The name that dlt normalizes to the name of the column; mostly that of the property.
        type: Its type; None if the property can only be null, and so has no column.
        key: Whether it is part of the key, and never null.
        required: Whether each record must have it.
        schema: Its JSON Schema, with references resolved.
        original: The name of the property, if it differs from `name`.
        constant: The value of all rows, if the column is not of a property.
    """

    name: str
    type: ColumnType | None
    key: bool = False
    required: bool = False
    schema: Any = None
    original: str | None = None
    constant: str | None = None

    @property
    def json_name(self) -> str:
        """The name of the property in records."""
        return self.name if self.original is None else self.original


def columns(schema: Mapping[str, Any], keys: Collection[str]) -> tuple[Column, ...]:
    """Return the columns of a stream.

    Args:
        schema: The JSON Schema of its records.
        keys: The names of its key properties.
    """
    parts = list(record_parts(Resolver(schema), schema))
    schemas: dict[str, list[Any]] = {}
    for part in parts:
        for name, prop in part.properties.items():
            schemas.setdefault(name, []).append(Resolver(schema).resolved(prop))
    required = {*keys, *(name for part in parts for name in part.required)}
    return tuple(
        _column(name, several, is_key=name in keys, required=name in required)
        for name, several in schemas.items()
    )


def _column(name: str, schemas: list[Any], *, is_key: bool, required: bool) -> Column:
    same = all(schema == schemas[0] for schema in schemas)
    prop = schemas[0] if same else {"anyOf": schemas}
    declared = property_type(prop)
    return Column(name, key_type(declared) if is_key else declared, is_key, required, prop)
