"""Records against their schema: key and types as declared, nothing that is not declared."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import compress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Record = dict[str, Any]

# Fields that are named in warnings; an API could make up names without end.
REPORTED_NAMES = 20

# A record's shape is its names and the types of their values.
REMEMBERED_SHAPES = 1000

# Digits; 1e999999 is no integer that anybody could store.
LONGEST_INTEGER = 100

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float, Decimal),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class RecordChunk:
    """Records that are written at once.

    Attributes:
        records: Each decoded, or as JSON in one line, but then all.
        bookmark_values: The replication key's value in each record, as it came; empty where
            there is no such key.
    """

    records: Sequence[Any]
    bookmark_values: Sequence[Any] = ()

    def split(self, count: int) -> tuple[RecordChunk, RecordChunk]:
        """Return a chunk of the first records, and one of the others.

        Args:
            count: The number of records in the first.
        """
        return (
            RecordChunk(self.records[:count], self.bookmark_values[:count]),
            RecordChunk(self.records[count:], self.bookmark_values[count:]),
        )

    def only(self, chosen: Sequence[bool]) -> RecordChunk:
        """Return a chunk of some of the records.

        Args:
            chosen: For each record whether it is one of them.
        """
        return RecordChunk(
            list(compress(self.records, chosen)), list(compress(self.bookmark_values, chosen))
        )


class Conformer:
    """The check of one stream's records.

    Values are never changed, but for 5.0, which becomes 5 where an integer is declared: loaders
    would refuse it. Nested ones are not looked at.

    Args:
        schema: The stream's JSON Schema.
        primary_keys: The fields every record must have, not null.
        undeclared: Called with the name of a field that the schema does not declare, once for
            each name and for the first 20. Such fields are taken out of the record.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        primary_keys: Sequence[str],
        undeclared: Callable[[str], None],
    ) -> None:
        self._properties = schema["properties"]
        self._types = {name: _python_types(field) for name, field in self._properties.items()}
        self._keys = primary_keys
        self._undeclared = undeclared
        self._reported: set[str] = set()
        self._fitting: set[tuple[type | str, ...]] = set()

    def conform(self, record: Record) -> str | None:
        """Conform a record.

        Args:
            record: The record, which may be changed.

        Returns:
            What is wrong with it, in words that hold no value of the record, or None.
        """
        # Most records look like one before, and are done with here.
        if (*record, *map(type, record.values())) in self._fitting:
            return None
        problem = self._look_at(record)
        if not problem and len(self._fitting) < REMEMBERED_SHAPES:
            self._fitting.add((*record, *map(type, record.values())))
        return problem

    def _look_at(self, record: Record) -> str | None:
        for key in self._keys:
            if record.get(key) is None:
                return f"has no `{key}`, which is its key"
        extra = []
        for name, value in record.items():
            types = self._types.get(name)
            if types is None:
                extra.append(name)
            elif types and type(value) not in types:
                if int in types and is_whole(value):
                    record[name] = int(value)
                    continue
                declared = " or ".join(declared_types(self._properties[name]))
                return f"has {json_type(value)} as `{name}`, which is declared {declared}"
        for name in extra:
            del record[name]
            if name not in self._reported and len(self._reported) < REPORTED_NAMES:
                self._reported.add(name)
                self._undeclared(name)
        return None


def declared_types(field: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the JSON types that a field's schema names; none where it says more than `type`."""
    declared = field.get("type", ())
    return (declared,) if isinstance(declared, str) else tuple(declared)


def json_type(value: object) -> str:
    """Return the JSON type of a value: `integer` rather than `number` where it is one."""
    return next(name for name, types in PYTHON_TYPES.items() if type(value) in types)


def is_whole(value: object) -> bool:
    """Say whether a value is a number like 5.0, which JSON Schema counts as an integer."""
    if not isinstance(value, Decimal) or value.adjusted() >= LONGEST_INTEGER:
        return False
    return value == value.to_integral_value()


def _python_types(field: Mapping[str, Any]) -> tuple[type, ...]:
    return tuple(kind for name in declared_types(field) for kind in PYTHON_TYPES[name])
