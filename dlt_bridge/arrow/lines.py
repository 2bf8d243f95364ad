"""Lines with RECORDs: their numbers, and what they are decoded to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from dlt_bridge.arrow.values import NULL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dlt_bridge.tap.placeholders import PlaceholderText

#: A version that a column can hold.
Version = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None


class RawLine(Struct, gc=False):
    """A line with a RECORD whose values are not decoded."""

    record: dict[str, Raw]
    version: Version = None
    time_extracted: Raw = Raw()


raw_lines: msgspec.json.Decoder[Any] = msgspec.json.Decoder(RawLine)


@dataclass(frozen=True, slots=True)
class NumberedLines:
    """The lines of a batch.

    Attributes:
        text: The lines, with newlines between them.
        ranges: Their numbers.
    """

    text: bytes
    ranges: Sequence[range]

    @property
    def count(self) -> int:
        """The number of lines."""
        return sum(map(len, self.ranges))

    @property
    def numbers(self) -> list[int]:
        """The number of each line."""
        return list(chain.from_iterable(self.ranges))


@dataclass(slots=True)
class DecodedRows:
    """Decoded lines.

    Attributes:
        records: The records: objects with the values `f0`, `f1` ... of the columns, or dicts.
        versions: Their versions.
        extracted: Their `time_extracted`, as texts or JSON texts; empty if it is not wanted.
        placeholders: The text with placeholders that was decoded; None if it needed none.
        by_name: Whether the records are dicts.
        text: The lines as they were decoded.
        numbers: The number of each line.
    """

    records: list[Any]
    versions: list[int | None]
    extracted: list[Any]
    placeholders: PlaceholderText | None
    by_name: bool
    text: bytes
    numbers: list[int]

    def values(self, index: int, name: str) -> list[Any]:
        """Return the values of a column.

        Args:
            index: The index of the column among those of the stream.
            name: The name of its property.
        """
        if self.by_name:
            return [record.get(name, NULL) for record in self.records]
        return list(map(attrgetter(f"f{index}"), self.records))

    def texts(self, values: Iterable[Raw]) -> list[bytes]:
        """Return JSON texts as the tap wrote them."""
        texts = list(map(bytes, values))
        return list(map(self.placeholders.restored, texts)) if self.placeholders else texts
