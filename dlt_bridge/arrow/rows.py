"""Lines of RECORDs to rows: decoded together, each value in the type of its column or as its text.

What the quick way refuses is looked at anew: a value of another type makes its column slow, which
is decoded from its texts then; an unknown property is learnt; an error names its line.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from dlt_bridge.arrow.values import NULL, TEXTUAL, decoded_type
from dlt_bridge.errors import MessageError
from dlt_bridge.tap.placeholders import PlaceholderText, add_placeholders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from dlt_bridge.arrow.record_schema import Observed, RecordSchema
    from dlt_bridge.arrow.types import Column, ColumnType

#: Types whose values are JSON strings of a certain form.
WRITTEN_AS_TEXT = frozenset({"timestamp", "date", "time", "binary", "decimal"})
#: How many properties beyond its SCHEMA are told apart.
MOST_UNKNOWN = 100

# What msgspec can't have in the name of a field.
_UNFIT_NAME = re.compile(r'["\\\x00-\x1f]|\A\Z')

#: An integer that a column can hold.
Version = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None


class _Envelope(Struct, gc=False):
    record: dict[str, Raw]
    version: Version = None


_envelope: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Envelope)
_record = attrgetter("record")
_version = attrgetter("version")


@dataclass(frozen=True, slots=True)
class NumberedLines:
    """The lines of a batch.

    Attributes:
        text: All of them, with newlines between them.
        ranges: Their numbers, in ranges.
    """

    text: bytes
    ranges: Sequence[range]

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self.ranges))

    @property
    def numbers(self) -> list[int]:
        """The number of each."""
        return list(chain.from_iterable(self.ranges))


@dataclass(slots=True)
class DecodedRows:
    """Decoded lines.

    Attributes:
        records: What was decoded of each record.
        versions: Their versions.
        guarded: What stands in for halves of surrogate pairs, NaN and infinities, if there are any.
        by_name: The records are objects, whose names are those of properties.
        text: The lines as they were decoded.
    """

    records: list[Any]
    versions: list[int | None]
    placeholders: PlaceholderText | None
    by_name: bool
    text: bytes

    def values(self, index: int, name: str) -> list[Any]:
        """Return the values of a column.

        Args:
            index: Where the column is among those of the stream.
            name: The name of its property.
        """
        if self.by_name:
            return [record.get(name, NULL) for record in self.records]
        return list(map(attrgetter(f"f{index}"), self.records))

    def texts(self, values: Iterable[Raw]) -> list[bytes]:
        """Return JSON texts as the tap wrote them."""
        texts = list(map(bytes, values))
        return list(map(self.placeholders.restored, texts)) if self.placeholders else texts


class RowDecoder:
    """Decodes lines of one stream.

    Args:
        form: What its records become.
        kinds: The types of its columns in the destination.
        known: What its records have shown; it is kept up to date.

    Attributes:
        slow: The columns that are decoded from their texts, value by value.
    """

    def __init__(
        self, form: RecordSchema, kinds: Sequence[ColumnType | None], known: Observed
    ) -> None:
        self._stream, self._columns, self._limits = form.stream, form.columns, form.limits
        self._kinds = kinds
        self._known = known
        # A name that no field can have: then records are decoded as objects.
        self._by_name = any(_UNFIT_NAME.search(column.json_name) for column in self._columns)
        # A text is a date or a number only where the SCHEMA says so: else each is looked at.
        self.slow = {
            index
            for index, (column, kind) in enumerate(zip(self._columns, kinds, strict=True))
            if kind is None
            or self._by_name
            or (kind.data_type in WRITTEN_AS_TEXT and column.type != kind)
        }
        self._forbid_unknown = True
        self._decoder = self._compiled()

    def decoded(self, lines: NumberedLines) -> DecodedRows:
        """Decode lines.

        Raises:
            MessageError: A line is no RECORD, or lacks what its SCHEMA requires.
        """
        text, stand_in = lines.text, None
        if not self._limits.nul and b"\\u0000" in text:
            self._slow_down({"text", "json"})
        while True:
            try:
                decoded: list[Any] = self._decoder.decode_lines(text)
            except RecursionError:
                raise self._misfit(lines) from None
            except ValueError:
                if not self._adapted(text):
                    stand_in = None if stand_in else add_placeholders(text)
                    if stand_in is None:
                        raise self._misfit(lines) from None
                    text = stand_in.text
                    self._slow_down_where(text, stand_in.stand_in)
                continue
            records = list(map(_record, decoded))
            if len(records) != lines.count or (self._by_name and not self._whole(records)):
                raise self._misfit(lines)
            versions = list(map(_version, decoded))
            self._known.versioned |= versions.count(None) != len(versions)
            return DecodedRows(records, versions, stand_in, self._by_name, text)

    def slow_down(self, indices: Collection[int]) -> bool:
        """Decode columns from their texts from now on; say whether that is new."""
        if self.slow.issuperset(indices):
            return False
        self.slow.update(indices)
        self._decoder = self._compiled()
        return True

    def _slow_down(self, data_types: Collection[str]) -> bool:
        return self.slow_down(
            {i for i, kind in enumerate(self._kinds) if kind and kind.data_type in data_types}
        )

    def _slow_down_where(self, text: bytes, stand_in: bytes) -> None:
        """Slow down columns that have stand-ins, which can be told only value by value."""
        with suppress(ValueError, RecursionError):
            records = [envelope.record for envelope in _envelope.decode_lines(text)]
            self.slow_down(
                {
                    index
                    for index, column in enumerate(self._columns)
                    if any(
                        stand_in in bytes(record.get(column.json_name, NULL)) for record in records
                    )
                }
            )

    def _whole(self, records: Sequence[dict[str, Raw]]) -> bool:
        """Say whether objects have what is required, and learn what is unknown."""
        required = {column.json_name for column in self._columns if column.required}
        self._learnt(records)
        return all(required <= record.keys() for record in records)

    def _adapted(self, text: bytes) -> bool:
        """Make the decoder take what it need not refuse; say whether that did something."""
        try:
            records = [envelope.record for envelope in _envelope.decode_lines(text)]
        except (ValueError, RecursionError):
            return False
        slow = {i for i in self._typed() if not self._decodable(i, records)}
        new = self._learnt(records)
        if not slow and not new:
            # A property that comes twice in a record: the last one counts.
            slow = set(self._typed())
        self.slow |= slow
        self._decoder = self._compiled()
        return bool(slow) or new

    def _typed(self) -> Iterator[int]:
        """Yield the columns that are decoded in a type of their own."""
        for index, kind in enumerate(self._kinds):
            if kind and index not in self.slow and kind.data_type not in TEXTUAL:
                yield index

    def _decodable(self, index: int, records: Sequence[dict[str, Raw]]) -> bool:
        name, kind = self._columns[index].json_name, self._kinds[index]
        texts = [record[name] for record in records if name in record]
        try:
            msgspec.json.decode(
                b"[" + b",".join(texts) + b"]",
                type=list[decoded_type(kind) | None],  # type: ignore[arg-type, misc]
            )
        except ValueError:
            return False
        return True

    def _learnt(self, records: Sequence[dict[str, Raw]]) -> bool:
        """Learn properties that the SCHEMA has not; say whether there are new ones."""
        unknown = self._known.unknown
        known = {column.json_name for column in self._columns}.union(unknown)
        new = sorted({name for record in records for name in record} - known)
        unknown += new[: MOST_UNKNOWN - len(unknown)]
        if any(map(_UNFIT_NAME.search, new)):
            self._by_name, self.slow = True, set(range(len(self._columns)))
        if not set(new) <= set(unknown):
            self._forbid_unknown = False
        return bool(new)

    def _misfit(self, lines: NumberedLines) -> MessageError:
        """Return the error of the first line that can't be decoded."""
        required = [column.json_name for column in self._columns if column.required]
        for line, number in zip(lines.text.split(b"\n"), lines.numbers, strict=True):
            where = f"Stream {self._stream}: the record in line {number}"
            try:
                other = add_placeholders(line)
                envelope = _envelope.decode(other.text if other else line)
            except (ValueError, RecursionError) as error:
                problem = re.sub(r" - at `.*", "", str(error), flags=re.DOTALL)
                return MessageError(f"{where} can't be decoded: {problem}.")
            for name in required:
                if name not in envelope.record:
                    return MessageError(
                        f"{where} lacks the property `{name}`, which its SCHEMA requires."
                    )
        raise AssertionError(f"stream {self._stream}: every record fits, all together do not")

    def _compiled(self) -> msgspec.json.Decoder[Any]:
        if self._by_name:
            return _envelope
        names = [column.json_name for column in self._columns]
        fields: list[Any] = [
            self._field(index, column) for index, column in enumerate(self._columns)
        ]
        if self._forbid_unknown:
            unknown = self._known.unknown
            fields += [(f"f{len(names) + index}", Raw, NULL) for index in range(len(unknown))]
            names += unknown
        row = msgspec.defstruct(
            "Row",
            fields,
            rename={field[0]: name for field, name in zip(fields, names, strict=True)},
            forbid_unknown_fields=self._forbid_unknown,
            kw_only=True,
            gc=False,
        )
        line = msgspec.defstruct("Line", [("record", row), ("version", Version, None)], gc=False)
        return msgspec.json.Decoder(line)

    def _field(self, index: int, column: Column) -> tuple[str, Any] | tuple[str, Any, Any]:
        kind = self._kinds[index]
        textual = kind is None or index in self.slow or kind.data_type in TEXTUAL
        python = Raw if textual else decoded_type(kind) | None  # type: ignore[arg-type]
        if column.required:
            return f"f{index}", python
        return f"f{index}", python, NULL if textual else None
