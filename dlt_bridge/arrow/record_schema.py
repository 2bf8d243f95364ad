"""How the records of a stream are decoded, and what was observed in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlt_bridge.arrow.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dlt_bridge.arrow.columns import Column
    from dlt_bridge.arrow.missing_properties import KeepPolicy
    from dlt_bridge.arrow.types import ColumnType

#: The most properties beyond its SCHEMA that are noted of a stream.
MAX_UNKNOWN = 100


@dataclass(frozen=True, slots=True)
class RecordSchema:
    """How the records of one SCHEMA are decoded.

    Attributes:
        stream: The name of the stream, for errors.
        columns: Its properties.
        stored_types: The types of columns that the table has already, by column name.
        stored_variants: The types of variants that the table has already, by column name and
            `data_type`.
        limits: The values that the destination can't hold.
        native: Whether objects and arrays become structs and lists where their JSON Schema
            describes them completely.
        keep: Which records keep the stored values of properties that they lack; None for none.
        constants: The values of the text columns that have one value, by name.
        times: The types of the columns with the times of records, by name.
    """

    stream: str
    columns: Sequence[Column]
    stored_types: Mapping[str, ColumnType] = field(default_factory=dict)
    stored_variants: Mapping[str, Mapping[str, ColumnType]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    native: bool = False
    keep: KeepPolicy | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    times: Mapping[str, ColumnType] = field(default_factory=dict)

    def is_new(self, column: str) -> bool:
        """Return whether the table has no such column yet, and no hint asks for its type."""
        return column not in self.stored_types and not self.stored_variants.get(column)


@dataclass(frozen=True, slots=True)
class NewVariant:
    """The first value that went into a variant.

    Attributes:
        json_name: The name of the property.
        column_type: The type of its column; None if it has no column.
        name: The name of the variant.
        line: The number of the line.
    """

    json_name: str
    column_type: ColumnType | None
    name: str
    line: int


@dataclass(slots=True)
class Observed:
    """What records have shown that their SCHEMA does not say.

    Attributes:
        unknown: Properties that the SCHEMA does not have, and that had a value.
        nulls: Properties that the SCHEMA does not have, and that were always null.
        versioned: Whether records have versions.
        new_variants: The first value of each new variant.
        variant_types: The types of the variants of each column, by column name and `data_type`.
        variants: The types of the variants of all columns, by their names, in the order of the
            tables' columns.
        inferred: The types of columns that the first records have shown to be better than the
            declared ones.
        untimed: The line of the first RECORD whose `time_extracted` is not a date-time.
    """

    unknown: list[str] = field(default_factory=list)
    nulls: set[str] = field(default_factory=set)
    versioned: bool = False
    new_variants: list[NewVariant] = field(default_factory=list)
    variant_types: dict[str, dict[str, ColumnType]] = field(default_factory=dict)
    variants: dict[str, ColumnType] = field(default_factory=dict)
    inferred: dict[str, ColumnType] = field(default_factory=dict)
    untimed: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether no more properties are noted."""
        return len(self.unknown) >= MAX_UNKNOWN

    def note_unknown(self, names: Collection[str], with_values: Collection[str]) -> bool:
        """Note properties that the SCHEMA does not have; return whether there is news of one.

        Args:
            names: All such properties that some records have.
            with_values: Those that are not null in all of the records.
        """
        if self.is_full:
            return False
        before = len(self.unknown), self.nulls
        self.unknown += sorted(set(with_values).difference(self.unknown))
        self.nulls = self.nulls.union(names).difference(self.unknown)
        if len(self.unknown) + len(self.nulls) > MAX_UNKNOWN:
            self.end_nulls()
            del self.unknown[MAX_UNKNOWN:]
        return before != (len(self.unknown), self.nulls)

    def end_nulls(self) -> bool:
        """Note what was always null as if it had a value; return whether there was anything."""
        found = sorted(self.nulls)
        self.unknown += found
        self.nulls = set()
        return bool(found)
