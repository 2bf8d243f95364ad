"""Record lines to Arrow tables: decoded together, once, in the types of the stream's table."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dlt_bridge.arrow.inference import chosen
from dlt_bridge.arrow.missing_properties import LACKING
from dlt_bridge.arrow.nested import native as native_of
from dlt_bridge.arrow.nested import only_nested
from dlt_bridge.arrow.rows import Lines, Observations, RecordSchema, RowDecoder
from dlt_bridge.arrow.types import Column, ColumnType
from dlt_bridge.arrow.values import CONVERSION_ERRORS, NULL, array, arrow_type
from dlt_bridge.arrow.variants import built, fit_column
from dlt_bridge.errors import ANEW, MessageError
from dlt_bridge.tap.placeholders import NO_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt_bridge.arrow.nested import Native
    from dlt_bridge.arrow.rows import Rows

#: The column that tells the order of records; the last version of a key has the greatest.
SEQUENCE = "_sdc_sequence"
#: The column with the version of a record, in streams that have versions.
VERSION = "_sdc_table_version"
#: What to do about a key that does not fit its column.
OTHER_KEY = (
    f" If the key has another type now, read the stream anew, into a new table: {ANEW} If the table"
    " is of another tap, give each tap its own dataset, and its own pipeline_name."
)


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A value that went into a variant of its column, for the first time.

    Attributes:
        column: The property.
        kind: The type of its column.
        variant: The name of the variant.
        line: The number of its line.
    """

    column: str
    kind: ColumnType | None
    variant: str
    line: int


@dataclass(slots=True)
class Observed(Observations):
    """What records have shown, and what became of it.

    Attributes:
        misplaced: What went into variants.
        kinds: The types of the variants that each column has, by its name and their `data_type`.
        variants: The variants of this stream's tables, in order: each table has them all.
        chosen: The types of columns that the first records have shown to be better than those of
            the SCHEMA.
    """

    misplaced: list[Misplaced] = field(default_factory=list)
    kinds: dict[str, dict[str, ColumnType]] = field(default_factory=dict)
    variants: dict[str, ColumnType] = field(default_factory=dict)
    chosen: dict[str, ColumnType] = field(default_factory=dict)


class RecordDecoder:
    """Decodes the records of one SCHEMA.

    Args:
        form: What they become.
        learnt: What records have shown already.

    Attributes:
        form: Likewise.
        learnt: What the records of all tables so far have shown. It is never changed, but another
            takes its place, so that any thread can read it.
    """

    def __init__(self, form: RecordSchema, learnt: Observed | None = None) -> None:
        self.form = form
        self.learnt = learnt or Observed(
            kinds={name: dict(kinds) for name, kinds in form.variants.items()}
        )
        self._natives = {
            column.name: found
            for column in form.columns
            if form.native
            and not column.key
            and form.kinds.get(column.name, column.kind) == ColumnType("json")
            and (found := native_of(column.schema))
        }
        self._learn()

    def learn(self, learnt: Observed) -> None:
        """Take what records have shown that were decoded elsewhere."""
        if learnt != self.learnt:
            self.learnt = learnt
            self._learn()

    def _learn(self) -> None:
        self._working = deepcopy(self.learnt)
        self._prepare()

    def _prepare(self) -> None:
        kinds = {**self._working.chosen, **self.form.kinds}
        self._columns = [
            (column, kinds.get(column.name, column.kind)) for column in self.form.columns
        ]
        self._rows = RowDecoder(self.form, [kind for _, kind in self._columns], self._working)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the tables; variants are added to its end."""
        fields = [
            pa.field(name, self._natives[name].type if name in self._natives else arrow_type(kind))
            for name, kind in self.types.items()
        ]
        fields += [pa.field(name, arrow_type(kind)) for name, kind in self.learnt.variants.items()]
        if self.learnt.versioned:
            fields.append(pa.field(VERSION, pa.int64()))
        # It may be null: rows that another program wrote into the table have none.
        return pa.schema([*fields, pa.field(SEQUENCE, pa.int64())])

    @property
    def types(self) -> dict[str, ColumnType]:
        """The types of the columns, by name."""
        return {column.name: kind for column, kind in self._columns if kind}

    @property
    def told_columns(self) -> dict[str, ColumnType]:
        """Those of `types` whose type in the destination is not what Arrow makes of it."""
        return {name: kind for name, kind in self.types.items() if name not in self._natives}

    @property
    def json_columns(self) -> list[str]:
        """The names of the columns that hold JSON texts."""
        every = {**self.told_columns, **self.learnt.variants}
        return [name for name, kind in every.items() if kind.data_type == "json"]

    @property
    def nested_columns(self) -> list[str]:
        """The names of the columns that hold nothing but objects or arrays."""
        texts = self.json_columns
        return [c.name for c in self.form.columns if c.name in texts and only_nested(c.schema)]

    def table(
        self, text: bytes, numbers: Sequence[range], sequence: int, *, first: bool = False
    ) -> pa.Table:
        """Return a table of records; with `LACKING`, if some lack what their rows are to keep.

        Args:
            text: The lines of the RECORD messages, with newlines between them.
            numbers: Their numbers, for errors.
            sequence: The first value of the column `_sdc_sequence`; each row has one more.
            first: These are the first records, so columns that are new may be of other types than
                the SCHEMA says, if their values are.

        Raises:
            MessageError: A record does not fit the SCHEMA in a way that no variant can hold. The
                error names stream, line and property, and shows no value.
        """
        lines = Lines(text, numbers)
        made: dict[str, pa.Array] | None = None
        while made is None:
            rows = self._rows.decoded(lines)
            made = None if first and self._chosen(rows) else self._arrays(rows, lines)
        count = len(rows.records)
        if self._working != self.learnt:
            self.learnt = deepcopy(self._working)
        if self.learnt.versioned:
            made[VERSION] = pa.array(rows.versions, pa.int64())
        made[SEQUENCE] = pa.arange(sequence, sequence + count)
        schema = self.schema
        table = pa.Table.from_arrays(
            [made[name] if name in made else pa.nulls(count, schema.field(name).type)
             for name in schema.names],
            schema=schema,
        )  # fmt: skip
        lacking = self._lacking(made, rows.text)
        return table if lacking is None else table.append_column(LACKING, lacking)

    def _lacking(self, made: dict[str, pa.Array], text: bytes) -> pa.Array | None:
        """Return what rows lack, if the stream is one whose rows keep the values of that."""
        if self.form.lacking is None:
            return None
        held = [c for c, kind in self._columns if kind or self._working.kinds.get(c.name)]
        return self.form.lacking.column(held, made, text)

    def _chosen(self, rows: Rows) -> bool:
        """Choose types by the values of columns that are slow, and say whether there are new ones.

        A column whose values all fit is not slow, or will be looked at when it is.
        """
        found = {
            column.name: kind
            for index, (column, declared) in enumerate(self._columns)
            if index in self._rows.slow
            and column.name not in self._natives
            and column.name not in self._working.chosen
            and self.form.may_choose(column.name)
            and (kind := chosen(column, declared, self._texts(rows, index), self.form.limits))
        }
        self._working.chosen |= found
        if found:
            self._prepare()
        return bool(found)

    def _texts(self, rows: Rows, index: int) -> list[bytes]:
        return rows.texts(rows.values(index, self._columns[index][0].json_name))

    def _arrays(self, rows: Rows, lines: Lines) -> dict[str, pa.Array] | None:
        """Return the columns; or None if one must be decoded in another way first."""
        made: dict[str, pa.Array] = {}
        misfits: set[int] = set()
        for index, (column, kind) in enumerate(self._columns):
            values = rows.values(index, column.json_name)
            if column.name in self._natives:
                made |= self._native(column, rows.texts(values), lines)
                continue
            if index in self._rows.slow or kind is None:
                made |= self._placed(column, kind, rows.texts(values), lines)
            else:
                try:
                    made[column.name] = array(kind, values)
                except CONVERSION_ERRORS:
                    misfits.add(index)
                else:
                    if not self.form.limits.hold(kind, made[column.name]):
                        misfits.add(index)
            if column.key and column.name in made and made[column.name].null_count:
                if index in self._rows.slow:
                    values = self._texts(rows, index)
                self._refuse_key(column, kind, values, lines)
        return None if self._rows.slow_down(misfits) else made

    def _placed(
        self, column: Column, kind: ColumnType | None, texts: Sequence[bytes], lines: Lines
    ) -> dict[str, pa.Array]:
        """Return the column, and the variants that some of its values need."""
        self._refuse_bytes(column, texts, lines)
        known = self._working.kinds.setdefault(column.name, {})
        placed = fit_column(column, kind, texts, known, self.form.limits)
        made = {} if kind is None else {column.name: built(kind, placed.values)}
        for data_type, those in placed.variants.items():
            name = f"{column.name}__v_{data_type}"
            if any(other.name == name for other in self.form.columns):
                raise MessageError(
                    f"Stream {self.form.stream}: a value of `{column.json_name}` does not fit its"
                    f" column, and can't go into `{name}`, which is another property."
                )
            found = known.setdefault(data_type, placed.kinds[data_type])
            if name not in self._working.variants:
                self._working.variants[name] = found
                line = lines.numbers[placed.moved[data_type]]
                self._working.misplaced.append(Misplaced(column.json_name, kind, name, line))
            made[name] = built(found, those)
        return made

    def _native(self, column: Column, texts: Sequence[bytes], lines: Lines) -> dict[str, pa.Array]:
        """Return a native column; what its type has no place for goes into a variant."""
        found = self._natives[column.name]
        try:
            return {column.name: found.array(texts)}
        except CONVERSION_ERRORS:
            fit = [self._fits(found, text) for text in texts]
        kept = [text if fits else b"null" for text, fits in zip(texts, fit, strict=True)]
        others = [b"null" if fits else text for text, fits in zip(texts, fit, strict=True)]
        return {
            column.name: found.array(kept),
            **self._placed(column, None, others, lines),
        }

    @staticmethod
    def _fits(found: Native, text: bytes) -> bool:
        try:
            found.array([text])
        except CONVERSION_ERRORS:
            return False
        return True

    def _refuse_bytes(self, column: Column, texts: Sequence[bytes], lines: Lines) -> None:
        for text, line in zip(texts, lines.numbers, strict=True):
            try:
                text.decode()
            except ValueError:
                raise MessageError(
                    f"Stream {self.form.stream}: `{column.json_name}` in line {line} is not UTF-8."
                ) from None

    def _refuse_key(
        self, column: Column, kind: ColumnType | None, values: Sequence[Any], lines: Lines
    ) -> None:
        for value, line in zip(values, lines.numbers, strict=True):
            problem = self._problem_of_key(column, kind, value)
            if problem:
                remedy = OTHER_KEY if problem.startswith("does not fit") else ""
                raise MessageError(
                    f"Stream {self.form.stream}: `{column.json_name}` in line {line} {problem}. It"
                    f" is part of the key, so the record can't be loaded.{remedy}"
                )
        raise AssertionError(f"stream {self.form.stream}: a key is null, but no value of it")

    def _problem_of_key(self, column: Column, kind: ColumnType | None, value: object) -> str:
        if value is None or value == NULL:
            return "is null"
        if value in NO_NUMBERS:
            return f"is {value.decode()}"
        if isinstance(value, bytes):
            placed = fit_column(column, kind, [value], {}, self.form.limits)
            if placed.variants:
                return f"does not fit its column ({kind.text if kind else 'null'})"
        return ""
