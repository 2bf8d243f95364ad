"""Chunks of records, and the check that records match the schema of their stream."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import compress
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Record = dict[str, Any]

#: The maximum number of undeclared properties that are reported: an API may send ever new names.
REPORTED_NAMES = 20

#: The number of remembered shapes. The shape of a record is its names and the types of its values.
REMEMBERED_SHAPES = 1000

#: Digits. No destination stores 1e999999 as an integer.
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
    """Records that are written together.

    Attributes:
        records: The records: all decoded (`Record`), or all raw JSON in one line (`msgspec.Raw`).
        bookmark_values: The value of the replication key in each record, as the API sent it;
            empty for a stream without a replication key.
        properties: The properties that hold the records of a stream whose schema is inferred; None
            for a stream with a schema of its own.
    """

    records: Sequence[Any]
    bookmark_values: Sequence[Any] = ()
    properties: Mapping[str, Mapping[str, Any]] | None = None

    def split(self, count: int) -> tuple[RecordChunk, RecordChunk]:
        """Split the chunk in two.

        Args:
            count: The number of records in the first part.

        Returns:
            The first records, and the rest.
        """
        return (
            RecordChunk(self.records[:count], self.bookmark_values[:count], self.properties),
            RecordChunk(self.records[count:], self.bookmark_values[count:], self.properties),
        )

    def only(self, chosen: Sequence[bool]) -> RecordChunk:
        """Return a chunk of some of the records.

        Args:
            chosen: For each record, whether to keep it.
        """
        return RecordChunk(
            list(compress(self.records, chosen)),
            list(compress(self.bookmark_values, chosen)),
            self.properties,
        )


class UndeclaredNames:
    """Reports each undeclared property once. It may be called from several threads.

    Args:
        report: Called with the name of each undeclared property, at most 20 in all.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._reported: set[str] = set()
        self._lock = Lock()

    def __call__(self, name: str) -> None:
        """Report a property, unless it is reported already.

        Args:
            name: The name of the property.
        """
        if name in self._reported:
            return
        with self._lock:
            if name not in self._reported and len(self._reported) < REPORTED_NAMES:
                self._reported.add(name)
                self._report(name)


class Conformer:
    """Checks the records of one stream against its schema.

    Properties that the schema does not declare are removed. Values stay as they are, except that
    5.0 becomes 5 where an integer is declared, because loaders refuse it. Nested values are not
    checked.

    Args:
        schema: The JSON Schema of the stream.
        primary_keys: The properties that no record may lack.
        report_undeclared: Called with the name of each undeclared property of a record.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        primary_keys: Sequence[str],
        report_undeclared: Callable[[str], None],
    ) -> None:
        self._properties = schema["properties"]
        self._types = {name: _python_types(schema) for name, schema in self._properties.items()}
        self._primary_keys = primary_keys
        self._report_undeclared = report_undeclared
        self._valid_shapes: set[tuple[type | str, ...]] = set()

    def conform(self, record: Record) -> str | None:
        """Make a record match the schema.

        Args:
            record: The record. It may be changed.

        Returns:
            The problem as a predicate, without values of the record; None if it matches.
        """
        # Most records have the shape of an earlier one.
        if (*record, *map(type, record.values())) in self._valid_shapes:
            return None
        problem = self._check(record)
        if not problem and len(self._valid_shapes) < REMEMBERED_SHAPES:
            self._valid_shapes.add((*record, *map(type, record.values())))
        return problem

    def _check(self, record: Record) -> str | None:
        for key in self._primary_keys:
            if record.get(key) is None:
                return f"has no `{key}`, which is its key"
        undeclared = []
        for name, value in record.items():
            types = self._types.get(name)
            if types is None:
                undeclared.append(name)
            elif types and type(value) not in types:
                if int in types and is_whole(value):
                    record[name] = int(value)
                    continue
                declared = " or ".join(declared_types(self._properties[name]))
                return f"has {json_type(value)} as `{name}`, which is declared {declared}"
        for name in undeclared:
            del record[name]
            self._report_undeclared(name)
        return None


def declared_types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the JSON types that the schema of a property allows; none if it has no `type`."""
    types = schema.get("type", ())
    return (types,) if isinstance(types, str) else tuple(types)


def json_type(value: object) -> str:
    """Return the JSON type of a value: `integer` for an `int`, `number` for other numbers."""
    return next(name for name, types in PYTHON_TYPES.items() if type(value) in types)


def is_whole(value: object) -> bool:
    """Return whether a value is a number like 5.0, which is an integer in JSON Schema."""
    if not isinstance(value, Decimal) or value.adjusted() >= LONGEST_INTEGER:
        return False
    return value == value.to_integral_value()


def _python_types(schema: Mapping[str, Any]) -> tuple[type, ...]:
    return tuple(kind for name in declared_types(schema) for kind in PYTHON_TYPES[name])
