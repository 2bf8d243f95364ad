"""What is done with each record before it is written: selection, stream maps, flattening.

The fields of a record stay raw JSON where they are only moved. Only the values that an expression
uses are decoded. The SDK's stream map is the judge: it maps each record that this module can't.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw
from singer_sdk.contrib.msgspec import encoder
from singer_sdk.exceptions import MappingError
from singer_sdk.mapper import RemoveRecordTransform

from tap_chat.http.responses import UnreadableError, decode
from tap_chat.singer.expressions import Compiler, Scope
from tap_chat.singer.flattening import decoded, structure

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from singer_sdk.mapper import StreamMap

    from tap_chat.singer.expressions import Function
    from tap_chat.singer.flattening import Flattener
    from tap_chat.singer.records import Record

    # What is not selected: None for a field, or what is not selected of an object.
    Deselected = Mapping[str, "Deselected | None"]

_members = msgspec.json.Decoder(dict[str, Raw])


@dataclass(frozen=True, slots=True)
class MapDefinition:
    """A stream map as the SDK reads it.

    Attributes:
        scope: What its expressions may use.
        filter: The expression that records must fulfil, or None.
        properties: The name and the expression of each property; None removes the property.
        starts_with: The fields with which a mapped record starts; None for all.
    """

    scope: Scope
    filter: ast.expr | None
    properties: Sequence[tuple[str, ast.expr | None]]
    starts_with: Sequence[str] | None


class RecordMapper:
    """Selects the fields of records, maps and flattens them.

    Args:
        stream_map: The SDK's stream map, which does the same, except for the selection.
        deselected: The fields that are left out.
        transform: The compiled stream map; None if there is none, or only the SDK can map.
        flattener: Flattens mapped records; None to leave them as they are.
        is_compiled: Whether `transform` and `flattener` do what the stream map does.
    """

    def __init__(
        self,
        stream_map: StreamMap,
        deselected: Deselected,
        transform: Callable[[Record], Record | None] | None = None,
        flattener: Flattener | None = None,
        *,
        is_compiled: bool,
    ) -> None:
        self._stream_map = stream_map
        self._deselected = deselected
        self._transform = transform
        self._flattener = flattener
        self.is_compiled = is_compiled

    def map(self, records: Iterable[Record | Raw]) -> Iterator[Record | Raw]:
        """Map records.

        Args:
            records: The records: decoded, or raw JSON in one line.

        Yields:
            Each mapped record; nothing for one that is filtered out.

        Raises:
            MappingError: The stream map fails on a record, or the record can't be decoded.
        """
        if isinstance(self._stream_map, RemoveRecordTransform):
            return
        map_record = self._map_compiled if self.is_compiled else self._map_by_sdk
        for mapped in map(map_record, records):
            if mapped is not None:
                yield mapped

    def _map_compiled(self, record: Record | Raw) -> Record | Raw | None:
        try:
            members: Record = _members.decode(record) if isinstance(record, Raw) else record.copy()
            if self._deselected:
                members = select(members, self._deselected)
            mapped = self._transform(members) if self._transform else members
            if self._transform and not mapped:
                return None
            if self._flattener and mapped:
                mapped = self._flattener.flatten(mapped)
            return Raw(encoder.encode(mapped))
        except Exception:  # noqa: BLE001 - an expression may raise any error: the SDK judges it
            return self._map_by_sdk(record)

    def _map_by_sdk(self, record: Record | Raw) -> Record | None:
        try:
            values = decode(bytes(record)) if isinstance(record, Raw) else record
        except UnreadableError:
            raise MappingError(
                f"Stream {self._stream_map.stream_alias}: a record can't be mapped, flattened or"
                " selected in part: it is nested too deeply, or has a number that is too long. Ask"
                " the API's vendor."
            ) from None
        return self._stream_map.transform(select(values, self._deselected))


class CompiledTransform:
    """A compiled stream map.

    Args:
        definition: The stream map.

    Raises:
        NotCompiledError: Only the SDK can evaluate one of its expressions.
    """

    def __init__(self, definition: MapDefinition) -> None:
        used: set[str] = set()
        self._starts_with = definition.starts_with
        self._filter: Function | None = None
        if definition.filter is not None:
            compiler = Compiler(definition.scope, used=used)
            self._filter = compiler.compile(definition.filter)
        # Each property: its name, the field that is moved to it, or its function.
        self._properties: list[tuple[str, str | None, Function | None]] = []
        for name, expression in definition.properties:
            if expression is None:
                self._properties.append((name, None, None))
                continue
            compiler = Compiler(definition.scope, name, used)
            moved = compiler.moved_field(expression)
            function = None if moved is not None else compiler.compile(expression)
            self._properties.append((name, moved, function))
        self._used = sorted(used)

    def __call__(self, record: Record) -> Record | None:
        """Map a record.

        Args:
            record: The record. Its values are decoded, or raw JSON.

        Returns:
            The mapped record; None if it is filtered out.
        """
        values = {name: decoded(record[name]) for name in self._used if name in record}
        if self._filter and not self._filter(values):
            return None
        if self._starts_with is None:
            mapped = record.copy()
        else:
            mapped = {name: record[name] for name in self._starts_with if name in record}
        for name, moved, function in self._properties:
            if moved is not None:
                mapped[name] = record[moved]
            elif function:
                mapped[name] = function(values)
            else:
                mapped.pop(name, None)
        return mapped


def deselected_fields(mask: Mapping[tuple[str, ...], bool]) -> Deselected:
    """Return what a selection leaves out.

    Args:
        mask: For each breadcrumb, whether it is selected. A field without one is selected if its
            parent is.
    """
    tree: dict[str, Any] = {}
    for breadcrumb in sorted(mask, key=len, reverse=True):
        *parents, name = breadcrumb[1::2] or ("",)
        if not mask[breadcrumb] and breadcrumb and {*breadcrumb[::2]} == {"properties"}:
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[name] = None
    return tree


def select(record: Record, deselected: Deselected) -> Record:
    """Return a record without the fields that are not selected.

    Args:
        record: The record, or a nested object. Its values are decoded, or raw JSON.
        deselected: What is left out.
    """
    selected: Record = {}
    for name, raw in record.items():
        value = raw
        if name in deselected:
            of_value = deselected[name]
            if of_value is None:
                continue
            value = structure(value)
            if isinstance(value, dict):
                value = select(value, of_value)
        selected[name] = value
    return selected
