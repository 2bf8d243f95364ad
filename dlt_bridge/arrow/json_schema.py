"""Reads the properties of a JSON Schema. Invalid parts of it are ignored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The most levels and the most parts of a schema that are read. Further ones are ignored.
MAX_DEPTH = 60
MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class RecordPart:
    """A part of a stream's schema that describes its records.

    Attributes:
        properties: The schemas of properties, with references.
        required: The names of the properties that each record must have.
    """

    properties: Mapping[str, Any]
    required: frozenset[str]


def record_parts(resolver: Resolver, schema: Any, depth: int = 0) -> Iterator[RecordPart]:  # noqa: ANN401
    """Yield a schema of records, and the schemas that it combines (`allOf`, `anyOf`, `oneOf`)."""
    schema = resolver.target(schema)
    if not isinstance(schema, dict) or depth > MAX_DEPTH or not resolver.count_part():
        return
    properties, required = resolver.target(schema.get("properties")), schema.get("required")
    yield RecordPart(
        properties if isinstance(properties, dict) else {},
        frozenset(map(str, required) if isinstance(required, list) else ()),
    )
    for keyword in ("allOf", "anyOf", "oneOf"):
        options = schema.get(keyword)
        for option in options if isinstance(options, list) else ():
            for part in record_parts(resolver, option, depth + 1):
                # Only `allOf` holds for every record.
                yield part if keyword == "allOf" else replace(part, required=frozenset())


def type_names(prop: Any) -> frozenset[str]:  # noqa: ANN401
    """Return the values of `type`; empty if there are none."""
    names = prop.get("type") if isinstance(prop, dict) else None
    return frozenset(map(str, names if isinstance(names, list) else [names] if names else []))


def options_of(prop: Mapping[str, Any]) -> list[Any]:
    """Return the alternative schemas of a property; the schemas of `allOf` as a single one."""
    for keyword in ("anyOf", "oneOf", "allOf"):
        options = prop.get(keyword)
        if isinstance(options, list) and options:
            if keyword == "allOf" and all(isinstance(option, dict) for option in options):
                return [{name: value for option in options for name, value in option.items()}]
            return options
    return []


def allows_strings(prop: Any) -> bool:  # noqa: ANN401
    """Return whether the JSON Schema of a property allows strings."""
    if not isinstance(prop, dict):
        return True
    if prop.get("type"):
        return "string" in type_names(prop)
    return any(map(allows_strings, options_of(prop)))


def number_of(prop: Mapping[str, Any], keyword: str) -> Decimal:
    """Return the number that a keyword has; 0 if it has none."""
    value = prop.get(keyword)
    if type(value) is int:
        return Decimal(value)
    return Decimal(str(value)) if type(value) is float and isfinite(value) else Decimal(0)


class Resolver:
    """Replaces references (`#/...`) by what they point to, in the schema of one property.

    A reference that points to itself, or out of the schema, allows all values. So does a part
    beyond `MAX_DEPTH` or `MAX_PARTS`: with references to references, a few lines can describe more
    parts than fit into memory.

    Args:
        root: The whole schema.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = MAX_PARTS

    def count_part(self) -> bool:
        """Count one part, and return whether it is within the limit."""
        self._left -= 1
        return self._left >= 0

    def resolved(self, value: Any, within: tuple[str, ...] = (), depth: int = 0) -> Any:  # noqa: ANN401
        """Return a part of the schema without references."""
        if not isinstance(value, (list, dict)):
            return value
        self._left -= bool(within)
        if self._left < 0 or depth > MAX_DEPTH:
            return {}
        if isinstance(value, list):
            return [self.resolved(item, within, depth + 1) for item in value]
        pointer = value.get("$ref")
        if not isinstance(pointer, str):
            return {name: self.resolved(part, within, depth + 1) for name, part in value.items()}
        target = {} if pointer in within else self._follow(pointer)
        siblings = {name: part for name, part in value.items() if name != "$ref"}
        whole = {**target, **siblings} if isinstance(target, dict) else target
        return self.resolved(whole, (*within, pointer), depth + 1)

    def target(self, value: Any) -> Any:  # noqa: ANN401
        """Return the target of a reference, with the references in it; any other value itself."""
        seen: set[str] = set()
        while isinstance(value, dict) and isinstance(pointer := value.get("$ref"), str):
            if pointer in seen:
                return {}
            seen.add(pointer)
            target = self._follow(pointer)
            siblings = {name: part for name, part in value.items() if name != "$ref"}
            value = {**target, **siblings} if isinstance(target, dict) else target
        return value

    def _follow(self, pointer: str) -> Any:  # noqa: ANN401
        """Return the target of a JSON pointer (RFC 6901) within the schema, or `{}`."""
        target: Any = self._root
        start, *names = pointer.split("/")
        for name in names if start == "#" else [""]:
            key = name.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and key.isdecimal() and int(key) < len(target):
                target = target[int(key)]
            elif isinstance(target, dict) and key in target:
                target = target[key]
            else:
                return {}
        return target
