"""Decodes lines with RECORDs to Arrow tables, all lines of a batch together."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pyarrow as pa

from dlt_bridge.arrow.column_rows import ColumnRows
from dlt_bridge.arrow.fitting import ColumnFitter
from dlt_bridge.arrow.inference import infer_type
from dlt_bridge.arrow.line_rows import LineRows
from dlt_bridge.arrow.lines import NumberedLines
from dlt_bridge.arrow.metadata_columns import SEQUENCE, VERSION
from dlt_bridge.arrow.missing_properties import MISSING, missing_column
from dlt_bridge.arrow.nested import is_nested, native_type
from dlt_bridge.arrow.record_schema import Observed
from dlt_bridge.arrow.record_times import extracted_array, time_arrays
from dlt_bridge.arrow.refusals import invalid_key
from dlt_bridge.arrow.rows import RowDecoder
from dlt_bridge.arrow.types import ColumnType, arrow_type
from dlt_bridge.arrow.values import CONVERSION_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dlt_bridge.arrow.nested import NativeType
    from dlt_bridge.arrow.record_schema import RecordSchema


class RecordDecoder:
    """Decodes the records of one SCHEMA.

    Args:
        record_schema: How the records are decoded.
        observed: What records have shown already.

    Attributes:
        record_schema: How the records are decoded.
        observed: What the records of all tables so far have shown. It is replaced and never
            changed, so that any thread can read it.
    """

    def __init__(self, record_schema: RecordSchema, observed: Observed | None = None) -> None:
        self.record_schema = record_schema
        stored = {name: dict(types) for name, types in record_schema.stored_variants.items()}
        self.observed = observed or Observed(variant_types=stored)
        self._natives = _native_types(record_schema) if record_schema.native else {}
        self._reset()

    def observe(self, observed: Observed) -> None:
        """Take over what records have shown that were decoded elsewhere."""
        if observed != self.observed:
            self.observed = observed
            self._reset()

    def _reset(self) -> None:
        self._working = deepcopy(self.observed)
        self._fitter = ColumnFitter(self.record_schema, self._working)
        self._prepare()

    def _prepare(self) -> None:
        types = {**self._working.inferred, **self.record_schema.stored_types}
        self._columns = [
            (column, types.get(column.name, column.type)) for column in self.record_schema.columns
        ]
        column_types = [column_type for _, column_type in self._columns]
        self._rows = RowDecoder(self.record_schema, column_types, self._working)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the tables; new variants are added at its end."""
        fields = {name: arrow_type(column_type) for name, column_type in self.types.items()}
        fields |= {name: native.type for name, native in self._natives.items()}
        for name, column_type in self.observed.variants.items():
            fields[name] = arrow_type(column_type)
        if self.observed.versioned:
            fields[VERSION] = pa.int64()
        fields |= {name: arrow_type(kind) for name, kind in self.record_schema.times.items()}
        # It may be null: rows that another program wrote into the table have none.
        return pa.schema([*fields.items(), (SEQUENCE, pa.int64())])

    @property
    def types(self) -> dict[str, ColumnType]:
        """The types of the columns, by name."""
        types = dict.fromkeys(self.record_schema.constants, ColumnType("text"))
        return types | {
            column.name: column_type for column, column_type in self._columns if column_type
        }

    @property
    def hinted_types(self) -> dict[str, ColumnType]:
        """The types of the columns without those that are structs and lists."""
        types = {**self.types, **self.record_schema.times}.items()
        return {name: column_type for name, column_type in types if name not in self._natives}

    @property
    def json_columns(self) -> list[str]:
        """The names of the columns with JSON texts."""
        types = {**self.hinted_types, **self.observed.variants}
        return [name for name, column_type in types.items() if column_type.data_type == "json"]

    @property
    def nested_columns(self) -> list[str]:
        """The names of the columns with JSON texts that are all objects, arrays or null."""
        schemas = {column.name: column.schema for column in self.record_schema.columns}
        return [name for name in self.json_columns if name in schemas and is_nested(schemas[name])]

    def table(
        self,
        text: bytes,
        numbers: Sequence[range],
        sequence: int,
        received: Sequence[int] = (),
        *,
        first: bool = False,
    ) -> pa.Table:
        """Return a table of records; with the column `MISSING`, if some lack what is to be kept.

        Args:
            text: The lines of the RECORD messages, with newlines between them.
            numbers: Their numbers, for errors.
            sequence: The value of `_sdc_sequence` of the first row; each row has one more.
            received: When the blocks of lines were received, in microseconds since 1970.
            first: Whether these are the first records of the stream, by which the types of new
                columns are chosen.

        Raises:
            MessageError: A record does not fit the SCHEMA in a way that no variant can hold. The
                error names stream, line and property, and shows no value.
        """
        lines = NumberedLines(text, numbers)
        arrays: dict[str, pa.Array] | None = None
        while arrays is None:
            rows = LineRows(self._rows.decode(lines), self._rows)
            arrays = None if first and self._infer_types(rows) else self._arrays(rows)
        self._add_times(arrays, rows, received, list(map(len, numbers)))
        table = self._table(arrays, rows, sequence)
        missing = self._missing(arrays, rows.decoded.text)
        return table if missing is None else table.append_column(MISSING, missing)

    def table_of(  # noqa: PLR0913 - a batch and where it comes from
        self,
        batch: pa.RecordBatch,
        number: int,
        version: int | None,
        sequence: int,
        received: int = 0,
        *,
        first: bool = False,
    ) -> pa.Table:
        """Return a table of records that come as columns.

        Args:
            batch: The columns.
            number: The number of the line of their message, for errors.
            version: Their version, if they have one.
            sequence: As for `table`.
            received: When they were received, in microseconds since 1970.
            first: As for `table`.

        Raises:
            MessageError: As for `table`.
        """
        types = [column_type for _, column_type in self._columns]
        rows = ColumnRows(batch, number, version, self.record_schema, types)
        rows.note(self._working)
        arrays: dict[str, pa.Array] | None = None
        while arrays is None:
            if first and self._infer_types(rows):
                rows.retype([column_type for _, column_type in self._columns])
            arrays = self._arrays(rows)
        self._add_times(arrays, rows, [received], [rows.count])
        return self._table(arrays, rows, sequence)

    def _add_times(
        self,
        arrays: dict[str, pa.Array],
        rows: LineRows | ColumnRows,
        received: Sequence[int],
        counts: Sequence[int],
    ) -> None:
        """Add the columns with the times of records."""
        schema = self.record_schema
        if not schema.times:
            return
        extracted, invalid = extracted_array(rows.extracted, schema.limits)
        if invalid is not None and self._working.untimed is None:
            self._working.untimed = rows.numbers[invalid]
        arrays |= time_arrays(schema.times, received, counts, extracted)

    def _table(
        self, arrays: dict[str, pa.Array], rows: LineRows | ColumnRows, sequence: int
    ) -> pa.Table:
        if self._working != self.observed:
            self.observed = deepcopy(self._working)
        if self.observed.versioned:
            arrays[VERSION] = pa.array(rows.versions, pa.int64())
        arrays[SEQUENCE] = pa.arange(sequence, sequence + rows.count)
        for name, value in self.record_schema.constants.items():
            arrays[name] = pa.repeat(value, rows.count)
        schema = self.schema
        columns = [
            arrays[field.name] if field.name in arrays else pa.nulls(rows.count, field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    def _missing(self, arrays: Mapping[str, pa.Array], text: bytes) -> pa.Array | None:
        """Return the names of the properties that records lack, if their values are to be kept."""
        policy = self.record_schema.keep
        if policy is None:
            return None
        columns = [
            column
            for column, column_type in self._columns
            if column_type or self._working.variant_types.get(column.name)
        ]
        return missing_column(policy, columns, arrays, text)

    def _infer_types(self, rows: LineRows | ColumnRows) -> bool:
        """Choose types of new columns by their values; return whether any is not the declared one.

        A column that is not decoded as texts holds all its values.
        """
        limits = self.record_schema.limits
        inferred = {
            column.name: better
            for index, (column, declared) in enumerate(self._columns)
            if index in rows.raw
            and column.name not in self._natives
            and column.name not in self._working.inferred
            and self.record_schema.is_new(column.name)
            and (better := infer_type(column, declared, rows.texts(index, column), limits))
        }
        self._working.inferred |= inferred
        if inferred:
            self._prepare()
        return bool(inferred)

    def _arrays(self, rows: LineRows | ColumnRows) -> dict[str, pa.Array] | None:
        """Return the columns; None if one must be decoded as JSON texts first."""
        arrays: dict[str, pa.Array] = {}
        misfits: set[int] = set()
        for index, (column, column_type) in enumerate(self._columns):
            if column.name in self._natives:
                native, texts = self._natives[column.name], rows.texts(index, column)
                arrays |= self._fitter.fit_native(native, column, texts, rows.numbers)
                continue
            if index in rows.raw or column_type is None:
                texts = rows.texts(index, column)
                arrays |= self._fitter.fit(column, column_type, texts, rows.numbers)
            elif (array := self._array(rows, index, column_type)) is not None:
                arrays[column.name] = array
            else:
                misfits.add(index)
            if column.key and column.name in arrays and arrays[column.name].null_count:
                values = rows.key_values(index, column)
                raise invalid_key(self.record_schema, column, column_type, values, rows.numbers)
        return None if rows.make_raw(misfits) else arrays

    def _array(
        self, rows: LineRows | ColumnRows, index: int, column_type: ColumnType
    ) -> pa.Array | None:
        """Return the values of a column; None if one does not fit."""
        try:
            array = rows.array(index, self._columns[index][0], column_type)
        except CONVERSION_ERRORS:
            return None
        return array if self.record_schema.limits.holds(array) else None


def _native_types(record_schema: RecordSchema) -> dict[str, NativeType]:
    """Return the types of the columns that become structs or lists, by name."""
    return {
        column.name: native
        for column in record_schema.columns
        if not column.key
        and record_schema.stored_types.get(column.name, column.type) == ColumnType("json")
        and (native := native_type(column.schema))
    }
