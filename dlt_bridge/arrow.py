"""Record lines to Arrow tables: decoded together, once, in the types of the stream's table."""

from __future__ import annotations

import re
from array import array as machine_array
from collections import deque
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pyarrow as pa
from msgspec import Meta, Raw, Struct

from dlt_bridge.errors import MessageError
from dlt_bridge.nested import native as native_of
from dlt_bridge.nested import only_nested
from dlt_bridge.places import Limits, built, place
from dlt_bridge.surrogates import Guarded, guarded
from dlt_bridge.types import Column, Kind
from dlt_bridge.values import MISFIT, NULL, TEXTUAL, array, arrow_type, decoded_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dlt_bridge.nested import Native

#: The column that tells the order of records; the last version of a key has the greatest.
SEQUENCE = "_sdc_sequence"
#: The column with the version of a record, in streams that have versions.
VERSION = "_sdc_table_version"
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
class Lines:
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


class Misplaced(Struct, frozen=True):
    """A value that went into a variant of its column, for the first time.

    Attributes:
        column: The property.
        kind: The type of its column.
        variant: The name of the variant.
        line: The number of its line.
    """

    column: str
    kind: Kind | None
    variant: str
    line: int


class RecordDecoder:
    """Decodes the records of one SCHEMA.

    Args:
        stream: The stream's name, for errors.
        columns: The stream's columns.
        kinds: The types of their columns in the destination, where not those of the SCHEMA.
        variants: The types of the variants that a column has already, by name and `data_type`.
        limits: What the destination can't hold.
        native: Objects and arrays become structs and lists where their schema tells all.

    Attributes:
        unknown: Properties that records had and the SCHEMA has not.
        misplaced: What went into variants.
        versioned: Records have had versions.

    Raises:
        MessageError: There is no column.
    """

    def __init__(  # noqa: PLR0913 - what is known of a table
        self,
        stream: str,
        columns: Sequence[Column],
        *,
        kinds: Mapping[str, Kind] | None = None,
        variants: Mapping[str, Mapping[str, Kind]] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - it can't be changed
        native: bool = False,
    ) -> None:
        if not any(column.kind for column in columns):
            raise MessageError(
                f"Stream {stream}: the SCHEMA has no property that can hold a value, so nothing of"
                " its records would be loaded."
            )
        self.stream = stream
        self.columns = tuple(columns)
        self.kinds = [(kinds or {}).get(column.name, column.kind) for column in columns]
        self.unknown: list[str] = []
        self.misplaced: deque[Misplaced] = deque()
        self.versioned = False
        self._limits = limits
        self._natives = {
            column.name: found
            for column, kind in zip(self.columns, self.kinds, strict=True)
            if native
            and not column.key
            and kind == Kind("json")
            and (found := native_of(column.schema))
        }
        self._known = {name: dict(kind) for name, kind in (variants or {}).items()}
        # The variants of this stream's tables, in order: each table has them all.
        self._variants: dict[str, Kind] = {}
        # Columns that are decoded from their texts, value by value.
        self._slow = {index for index, kind in enumerate(self.kinds) if kind is None}
        # A name that no field can have: then records are decoded as objects.
        self._by_name = any(_UNFIT_NAME.search(column.name) for column in columns)
        if self._by_name:
            self._slow = set(range(len(self.columns)))
        # A text is a date or a number only where the SCHEMA says so: each is looked at.
        self._slow |= {
            index
            for index, (column, kind) in enumerate(zip(self.columns, self.kinds, strict=True))
            if kind and kind.data_type in WRITTEN_AS_TEXT and column.kind != kind
        }
        self._forbid_unknown = True
        # What stands in for halves of surrogate pairs in the text at hand.
        self._guarded: Guarded | None = None
        self._decoder = self._compiled()

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the tables; variants are added to its end."""
        fields = [
            pa.field(name, self._natives[name].type if name in self._natives else arrow_type(kind))
            for name, kind in self.types.items()
        ]
        fields += [pa.field(name, arrow_type(kind)) for name, kind in self._variants.items()]
        if self.versioned:
            fields.append(pa.field(VERSION, pa.int64()))
        return pa.schema([*fields, pa.field(SEQUENCE, pa.int64(), nullable=False)])

    @property
    def types(self) -> dict[str, Kind]:
        """The types of the columns, by name."""
        pairs = zip(self.columns, self.kinds, strict=True)
        return {column.name: kind for column, kind in pairs if kind}

    @property
    def told_columns(self) -> dict[str, Kind]:
        """Those of `types` whose type in the destination is not what Arrow makes of it."""
        return {name: kind for name, kind in self.types.items() if name not in self._natives}

    @property
    def json_columns(self) -> list[str]:
        """The names of the columns that hold JSON texts."""
        every = {**self.told_columns, **self._variants}
        return [name for name, kind in every.items() if kind.data_type == "json"]

    @property
    def nested_columns(self) -> list[str]:
        """The names of the columns that hold nothing but objects or arrays."""
        texts = self.json_columns
        return [c.name for c in self.columns if c.name in texts and only_nested(c.schema)]

    @property
    def variants(self) -> dict[str, Kind]:
        """The variants of the tables so far, by the names of their columns."""
        return dict(self._variants)

    def table(self, text: bytes, numbers: Sequence[range], sequence: int) -> pa.Table:
        """Return a table of records.

        Args:
            text: The lines of the RECORD messages, with newlines between them.
            numbers: Their numbers, for errors.
            sequence: The first value of the column `_sdc_sequence`; each row has one more.

        Raises:
            MessageError: A record does not fit the SCHEMA in a way that no variant can hold. The
                error names stream, line and property, and shows no value.
        """
        made: dict[str, pa.Array] | None = None
        while made is None:
            rows = self._rows(Lines(text, numbers))
            made = self._arrays(rows, Lines(text, numbers))
        count = len(rows)
        if self.versioned:
            made[VERSION] = pa.array(list(map(_version, rows)), pa.int64())
        made[SEQUENCE] = pa.array(machine_array("q", range(sequence, sequence + count)))
        schema = self.schema
        return pa.Table.from_arrays(
            [made[name] if name in made else pa.nulls(count, schema.field(name).type)
             for name in schema.names],
            schema=schema,
        )  # fmt: skip

    def _rows(self, lines: Lines) -> list[Any]:
        text = lines.text
        self._guarded = None
        self._expect_refused(text)
        while True:
            try:
                rows: list[Any] = self._decoder.decode_lines(text)
            except RecursionError:
                raise self._misfit(lines) from None
            except ValueError:
                text = self._adapted(text, lines)
                continue
            if len(rows) != lines.count or (self._by_name and not self._whole(rows)):
                raise self._misfit(lines)
            if not self.versioned and set(map(_version, rows)) != {None}:
                self.versioned = True
            return rows

    def _whole(self, rows: Sequence[_Envelope]) -> bool:
        """Say whether objects have what is required, and learn what is unknown."""
        required = {column.name for column in self.columns if column.required}
        self._learnt([row.record for row in rows])
        return all(required <= row.record.keys() for row in rows)

    def _arrays(self, rows: Sequence[Any], lines: Lines) -> dict[str, pa.Array] | None:
        """Return the columns; or None if one must be decoded in another way first."""
        made: dict[str, pa.Array] = {}
        slow: set[int] = set()
        records = list(map(_record, rows))
        for index, (column, kind) in enumerate(zip(self.columns, self.kinds, strict=True)):
            values = self._values(index, records)
            if column.name in self._natives:
                made |= self._native(column, values, lines)
                continue
            if kind and index not in self._slow:
                try:
                    made[column.name] = array(kind, values)
                except MISFIT:
                    slow.add(index)
            if kind is None or index in self._slow:
                made |= self._placed(column, kind, values, lines)
            if column.key and column.name in made and made[column.name].null_count:
                self._refuse_key(column, kind, values, lines)
        if slow:
            self._slow |= slow
            self._decoder = self._compiled()
            return None
        return made

    def _values(self, index: int, records: list[Any]) -> list[Any]:
        if self._by_name:
            name = self.columns[index].name
            return [record.get(name, NULL) for record in records]
        return list(map(attrgetter(f"f{index}"), records))

    def _placed(
        self, column: Column, kind: Kind | None, values: Sequence[Raw], lines: Lines
    ) -> dict[str, pa.Array]:
        """Return the column, and the variants that some of its values need."""
        texts = self._texts(values)
        self._refuse_bytes(column, texts, lines)
        known = self._known.setdefault(column.name, {})
        placed = place(column, kind, texts, known, self._limits)
        made = {} if kind is None else {column.name: built(kind, placed.values)}
        for data_type, those in placed.variants.items():
            name = f"{column.name}__v_{data_type}"
            if any(other.name == name for other in self.columns):
                raise MessageError(
                    f"Stream {self.stream}: a value of `{column.name}` does not fit its column, and"
                    f" can't go into `{name}`, which is another property."
                )
            found = known.setdefault(data_type, placed.kinds[data_type])
            if name not in self._variants:
                self._variants[name] = found
                line = lines.numbers[placed.moved[data_type]]
                self.misplaced.append(Misplaced(column.name, kind, name, line))
            made[name] = built(found, those)
        return made

    def _native(self, column: Column, values: Sequence[Raw], lines: Lines) -> dict[str, pa.Array]:
        """Return a native column; what its type has no place for goes into a variant."""
        found = self._natives[column.name]
        texts = self._texts(values)
        try:
            return {column.name: found.array(texts)}
        except MISFIT:
            fit = [self._fits(found, text) for text in texts]
        kept = [text if fits else b"null" for text, fits in zip(texts, fit, strict=True)]
        others = [NULL if fits else value for value, fits in zip(values, fit, strict=True)]
        return {
            column.name: found.array(kept),
            **self._placed(column, None, others, lines),
        }

    def _texts(self, values: Sequence[Raw]) -> list[bytes]:
        """Return JSON texts as the tap wrote them."""
        texts = list(map(bytes, values))
        return list(map(self._guarded.restored, texts)) if self._guarded else texts

    @staticmethod
    def _fits(found: Native, text: bytes) -> bool:
        try:
            found.array([text])
        except MISFIT:
            return False
        return True

    def _refuse_bytes(self, column: Column, texts: Sequence[bytes], lines: Lines) -> None:
        for text, line in zip(texts, lines.numbers, strict=True):
            try:
                text.decode()
            except ValueError:
                raise MessageError(
                    f"Stream {self.stream}: `{column.name}` in line {line} is not UTF-8."
                ) from None

    def _refuse_key(
        self, column: Column, kind: Kind | None, values: Sequence[Any], lines: Lines
    ) -> None:
        for value, line in zip(values, lines.numbers, strict=True):
            problem = self._problem_of_key(column, kind, value)
            if problem:
                raise MessageError(
                    f"Stream {self.stream}: `{column.name}` in line {line} {problem}. It is part of"
                    " the key, so the record can't be loaded."
                )
        raise AssertionError(f"stream {self.stream}: a key is null, but no value of it")

    def _problem_of_key(self, column: Column, kind: Kind | None, value: object) -> str:
        if value is None or value == NULL:
            return "is null"
        if isinstance(value, Raw):
            placed = place(column, kind, [bytes(value)], {}, self._limits)
            if placed.variants:
                return f"does not fit its column ({kind.text if kind else 'null'})"
        return ""

    def _expect_refused(self, text: bytes) -> None:
        """Decode texts value by value where the destination would refuse some of them."""
        if not self._limits.nul and b"\\u0000" in text:
            self._slow_down({"text", "json"})

    def _slow_down(self, data_types: set[str]) -> bool:
        """Decode the columns of these types value by value; say whether that is new."""
        found = {i for i, kind in enumerate(self.kinds) if kind and kind.data_type in data_types}
        if found <= self._slow:
            return False
        self._slow |= found
        self._decoder = self._compiled()
        return True

    def _adapted(self, text: bytes, lines: Lines) -> bytes:
        """Make the decoder take what it need not refuse, and return the text to decode.

        Raises:
            MessageError: It can't.
        """
        try:
            envelopes = _envelope.decode_lines(text)
        except ValueError:
            self._guarded = guarded(text)
            if self._guarded is None:
                raise self._misfit(lines) from None
            # Only value by value can the stand-ins be told.
            every: set[str] = {kind.data_type for kind in self.kinds if kind}
            self._slow_down(every - {"bigint", "double"})
            return self._guarded.text
        records = [envelope.record for envelope in envelopes]
        slow = {i for i in self._typed() if not self._decodable(i, records)}
        new = self._learnt(records)
        if not slow and not new:
            # A property that comes twice in a record: the last one counts.
            slow = set(self._typed())
            if not slow:
                raise self._misfit(lines)
        self._slow |= slow
        self._decoder = self._compiled()
        return text

    def _typed(self) -> Iterator[int]:
        """Yield the columns that are decoded in a type of their own."""
        for index, kind in enumerate(self.kinds):
            if kind and index not in self._slow and kind.data_type not in TEXTUAL:
                yield index

    def _decodable(self, index: int, records: Sequence[dict[str, Raw]]) -> bool:
        name, kind = self.columns[index].name, self.kinds[index]
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
        known = {column.name for column in self.columns}.union(self.unknown)
        new = sorted({name for record in records for name in record} - known)
        self.unknown += new[: MOST_UNKNOWN - len(self.unknown)]
        if any(map(_UNFIT_NAME.search, new)):
            self._by_name, self._slow = True, set(range(len(self.columns)))
        if not set(new) <= set(self.unknown):
            self._forbid_unknown = False
        return bool(new)

    def _misfit(self, lines: Lines) -> MessageError:
        """Return the error of the first line that can't be decoded."""
        required = [column.name for column in self.columns if column.required]
        for line, number in zip(lines.text.split(b"\n"), lines.numbers, strict=True):
            where = f"Stream {self.stream}: the record in line {number}"
            try:
                other = guarded(line)
                envelope = _envelope.decode(other.text if other else line)
            except (ValueError, RecursionError) as error:
                problem = re.sub(r" - at `.*", "", str(error), flags=re.DOTALL)
                return MessageError(f"{where} can't be decoded: {problem}.")
            for name in required:
                if name not in envelope.record:
                    return MessageError(
                        f"{where} lacks the property `{name}`, which its SCHEMA requires."
                    )
        raise AssertionError(f"stream {self.stream}: every record fits, all together do not")

    def _compiled(self) -> msgspec.json.Decoder[Any]:
        if self._by_name:
            return _envelope
        names = [column.name for column in self.columns]
        fields: list[Any] = [
            self._field(index, column) for index, column in enumerate(self.columns)
        ]
        if self._forbid_unknown:
            fields += [(f"f{len(names) + index}", Raw, NULL) for index in range(len(self.unknown))]
            names += self.unknown
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
        kind = self.kinds[index]
        textual = kind is None or index in self._slow or kind.data_type in TEXTUAL
        python = Raw if textual else decoded_type(kind) | None  # type: ignore[arg-type]
        if column.required:
            return f"f{index}", python
        return f"f{index}", python, NULL if textual else None
