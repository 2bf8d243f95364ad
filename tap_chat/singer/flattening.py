"""Flattening of nested objects, with the names that the SDK gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Raw
from singer_sdk.singerlib.json import serialize_json

from tap_chat.http.responses import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_chat.singer.records import Record

#: Names that are remembered: an API may send ever new ones.
REMEMBERED_NAMES = 10_000


@dataclass(slots=True)
class Flattener:
    """Flattens records as the SDK does, but builds each name once.

    Attributes:
        max_level: How many levels of objects are flattened.
        properties: The properties of the flattened schema. An object that is one is not flattened.
        flat_name: Returns the name of a nested field, from its own name and those of its parents.
        is_text: Returns whether any value of a field is written as a text, by its own name.
    """

    max_level: int
    properties: Mapping[str, Any]
    flat_name: Callable[[str, list[str]], str]
    is_text: Callable[[str], bool]
    _names: dict[tuple[tuple[str, ...], str], tuple[str, bool]] = field(default_factory=dict)

    def flatten(self, record: Record) -> Record:
        """Flatten a record.

        Args:
            record: The record. Its values are decoded, or raw JSON.

        Returns:
            A new record. Objects and arrays that are left are texts of JSON.
        """
        flat: Record = {}
        self._add(record, (), flat)
        return flat

    def _add(self, values: Record, parents: tuple[str, ...], flat: Record) -> None:
        for name, raw in values.items():
            flat_name, is_text = self._name(parents, name)
            value = structure(raw)
            if (
                isinstance(value, dict)
                and flat_name not in self.properties
                and len(parents) < self.max_level
            ):
                self._add(value, (*parents, name), flat)
            elif isinstance(value, dict | list):
                flat[flat_name] = serialize_json(value)
            elif is_text:
                flat[flat_name] = serialize_json(decoded(value))
            else:
                flat[flat_name] = value

    def _name(self, parents: tuple[str, ...], name: str) -> tuple[str, bool]:
        known = self._names.get((parents, name))
        if known is None:
            if len(self._names) >= REMEMBERED_NAMES:
                self._names.clear()
            known = self.flat_name(name, [*parents]), self.is_text(name)
            self._names[parents, name] = known
        return known


def decoded(value: Any) -> Any:  # noqa: ANN401
    """Return a value, decoded if it is raw JSON."""
    return decode(bytes(value)) if type(value) is Raw else value


def structure(value: Any) -> Any:  # noqa: ANN401
    """Return a value, decoded if it is the raw JSON of an object or an array."""
    if type(value) is Raw and bytes(memoryview(value)[:1]) in b"{[":
        return decode(bytes(value))
    return value
