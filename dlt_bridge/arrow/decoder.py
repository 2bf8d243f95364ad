"""Record lines to Arrow tables: decoded together, once, in the types of the stream's table."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dlt_bridge.arrow.inference import infer_type
from dlt_bridge.arrow.metadata_columns import SEQUENCE, VERSION
from dlt_bridge.arrow.missing_properties import MISSING
from dlt_bridge.arrow.nested import is_nested
from dlt_bridge.arrow.nested import native as native_of
from dlt_bridge.arrow.record_schema import NewVariant, Observed
from dlt_bridge.arrow.rows import NumberedLines, RowDecoder
from dlt_bridge.arrow.types import Column, ColumnType
from dlt_bridge.arrow.values import CONVERSION_ERRORS, NULL, array, arrow_type
from dlt_bridge.arrow.variants import built, fit_column
from dlt_bridge.errors import ANEW, MessageError
from dlt_bridge.tap.placeholders import NON_FINITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt_bridge.arrow.nested import NativeType
    from dlt_bridge.arrow.record_schema import RecordSchema
    from dlt_bridge.arrow.rows import DecodedRows

#: What to do about a key that does not fit its column.
OTHER_KEY = (
    f" If the key has another type now, read the stream anew, into a new table: {ANEW} If the table"
    " is of another tap, give each tap its own dataset, and its own pipeline_name."
)


class RecordDecoder:
    """Decodes the records of one SCHEMA.

    Args:
        record_schema: What they become.
        observed: What records have shown already.

    Attributes:
        record_schema: Likewise.
        observed: What the records of all tables so far have shown. It is never changed, but another
            takes its place, so that any thread can read it.
    """

    def __init__(self, record_schema: RecordSchema, observed: Observed | None = None) -> None:
        self.record_schema = record_schema
        self.observed = observed or Observed(
            variant_types={
                name: dict(kinds) for name, kinds in record_schema.stored_variants.items()
            }
        )
        self._natives = {
            column.name: found
            for column in record_schema.columns
            if record_schema.native
            and not column.key
            and record_schema.stored_types.get(column.name, column.type) == ColumnType("json")
            and (found := native_of(column.schema))
        }
        self._reset()

    def observe(self, observed: Observed) -> None:
        """Take what records have shown that were decoded elsewhere."""
        if observed != self.observed:
            self.observed = observed
            self._reset()

    def _reset(self) -> None:
        self._working = deepcopy(self.observed)
        self._prepare()

    def _prepare(self) -> None:
        kinds = {**self._working.inferred, **self.record_schema.stored_types}
        self._columns = [
            (column, kinds.get(column.name, column.type)) for column in self.record_schema.columns
        ]
        self._rows = RowDecoder(
            self.record_schema, [kind for _, kind in self._columns], self._working
        )

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the tables; variants are added to its end."""
        fields = [
            pa.field(name, self._natives[name].type if name in self._natives else arrow_type(kind))
            for name, kind in self.types.items()
        ]
        fields += [
            pa.field(name, arrow_type(kind)) for name, kind in self.observed.variants.items()
        ]
        if self.observed.versioned:
            fields.append(pa.field(VERSION, pa.int64()))
        # It may be null: rows that another program wrote into the table have none.
        return pa.schema([*fields, pa.field(SEQUENCE, pa.int64())])

    @property
    def types(self) -> dict[str, ColumnType]:
        """The types of the columns, by name."""
        return {column.name: kind for column, kind in self._columns if kind}

    @property
    def hinted_types(self) -> dict[str, ColumnType]:
        """Those of `types` whose type in the destination is not what Arrow makes of it."""
        return {name: kind for name, kind in self.types.items() if name not in self._natives}

    @property
    def json_columns(self) -> list[str]:
        """The names of the columns that hold JSON texts."""
        every = {**self.hinted_types, **self.observed.variants}
        return [name for name, kind in every.items() if kind.data_type == "json"]

    @property
    def nested_columns(self) -> list[str]:
        """The names of the columns that hold nothing but objects or arrays."""
        texts = self.json_columns
        return [
            c.name for c in self.record_schema.columns if c.name in texts and is_nested(c.schema)
        ]

    def table(
        self, text: bytes, numbers: Sequence[range], sequence: int, *, first: bool = False
    ) -> pa.Table:
        """Return a table of records; with `MISSING`, if some lack what their rows are to keep.

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
        lines = NumberedLines(text, numbers)
        made: dict[str, pa.Array] | None = None
        while made is None:
            rows = self._rows.decoded(lines)
            made = None if first and self._infer(rows) else self._arrays(rows, lines)
        count = len(rows.records)
        if self._working != self.observed:
            self.observed = deepcopy(self._working)
        if self.observed.versioned:
            made[VERSION] = pa.array(rows.versions, pa.int64())
        made[SEQUENCE] = pa.arange(sequence, sequence + count)
        schema = self.schema
        table = pa.Table.from_arrays(
            [made[name] if name in made else pa.nulls(count, schema.field(name).type)
             for name in schema.names],
            schema=schema,
        )  # fmt: skip
        lacking = self._lacking(made, rows.text)
        return table if lacking is None else table.append_column(MISSING, lacking)

    def _lacking(self, made: dict[str, pa.Array], text: bytes) -> pa.Array | None:
        """Return what rows lack, if the stream is one whose rows keep the values of that."""
        if self.record_schema.keep is None:
            return None
        held = [c for c, kind in self._columns if kind or self._working.variant_types.get(c.name)]
        return self.record_schema.keep.column(held, made, text)

    def _infer(self, rows: DecodedRows) -> bool:
        """Choose types by the values of columns that are slow, and say whether there are new ones.

        A column whose values all fit is not slow, or will be looked at when it is.
        """
        found = {
            column.name: kind
            for index, (column, declared) in enumerate(self._columns)
            if index in self._rows.slow
            and column.name not in self._natives
            and column.name not in self._working.inferred
            and self.record_schema.is_new(column.name)
            and (
                kind := infer_type(
                    column, declared, self._texts(rows, index), self.record_schema.limits
                )
            )
        }
        self._working.inferred |= found
        if found:
            self._prepare()
        return bool(found)

    def _texts(self, rows: DecodedRows, index: int) -> list[bytes]:
        return rows.texts(rows.values(index, self._columns[index][0].json_name))

    def _arrays(self, rows: DecodedRows, lines: NumberedLines) -> dict[str, pa.Array] | None:
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
                    if not self.record_schema.limits.hold(kind, made[column.name]):
                        misfits.add(index)
            if column.key and column.name in made and made[column.name].null_count:
                if index in self._rows.slow:
                    values = self._texts(rows, index)
                self._refuse_key(column, kind, values, lines)
        return None if self._rows.slow_down(misfits) else made

    def _placed(
        self, column: Column, kind: ColumnType | None, texts: Sequence[bytes], lines: NumberedLines
    ) -> dict[str, pa.Array]:
        """Return the column, and the variants that some of its values need."""
        self._refuse_bytes(column, texts, lines)
        known = self._working.variant_types.setdefault(column.name, {})
        placed = fit_column(column, kind, texts, known, self.record_schema.limits)
        made = {} if kind is None else {column.name: built(kind, placed.values)}
        for data_type, those in placed.variants.items():
            name = f"{column.name}__v_{data_type}"
            if any(other.name == name for other in self.record_schema.columns):
                raise MessageError(
                    f"Stream {self.record_schema.stream}: a value of `{column.json_name}` does not"
                    f" fit its column, and can't go into `{name}`, which is another property."
                )
            found = known.setdefault(data_type, placed.kinds[data_type])
            if name not in self._working.variants:
                self._working.variants[name] = found
                line = lines.numbers[placed.moved[data_type]]
                self._working.new_variants.append(NewVariant(column.json_name, kind, name, line))
            made[name] = built(found, those)
        return made

    def _native(
        self, column: Column, texts: Sequence[bytes], lines: NumberedLines
    ) -> dict[str, pa.Array]:
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
    def _fits(found: NativeType, text: bytes) -> bool:
        try:
            found.array([text])
        except CONVERSION_ERRORS:
            return False
        return True

    def _refuse_bytes(self, column: Column, texts: Sequence[bytes], lines: NumberedLines) -> None:
        for text, line in zip(texts, lines.numbers, strict=True):
            try:
                text.decode()
            except ValueError:
                raise MessageError(
                    f"Stream {self.record_schema.stream}: `{column.json_name}` in line {line} is"
                    " not UTF-8."
                ) from None

    def _refuse_key(
        self, column: Column, kind: ColumnType | None, values: Sequence[Any], lines: NumberedLines
    ) -> None:
        for value, line in zip(values, lines.numbers, strict=True):
            problem = self._problem_of_key(column, kind, value)
            if problem:
                remedy = OTHER_KEY if problem.startswith("does not fit") else ""
                raise MessageError(
                    f"Stream {self.record_schema.stream}: `{column.json_name}` in line {line}"
                    f" {problem}. It is part of the key, so the record can't be loaded.{remedy}"
                )
        raise AssertionError(
            f"stream {self.record_schema.stream}: a key is null, but no value of it"
        )

    def _problem_of_key(self, column: Column, kind: ColumnType | None, value: object) -> str:
        if value is None or value == NULL:
            return "is null"
        if value in NON_FINITE:
            return f"is {value.decode()}"
        if isinstance(value, bytes):
            placed = fit_column(column, kind, [value], {}, self.record_schema.limits)
            if placed.variants:
                return f"does not fit its column ({kind.text if kind else 'null'})"
        return ""
