"""Records that come as Arrow columns: each column converted as a whole, or value by value as JSON.

A column is converted as a whole only if each of its values becomes what its JSON text would become.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dlt_bridge.arrow.rows import has_undeclared_strings
from dlt_bridge.arrow.types import TYPES, arrow_type
from dlt_bridge.errors import MessageError
from dlt_bridge.tap.column_texts import UnfitColumnError, column_texts, plain

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dlt_bridge.arrow.columns import Column
    from dlt_bridge.arrow.record_schema import Observed, RecordSchema
    from dlt_bridge.arrow.types import ColumnType


class ColumnRows:
    """The records of a batch of columns.

    Args:
        batch: The columns.
        number: The number of the line of their message, for errors.
        version: Their version, if they have one.
        schema: How the records of the stream are decoded.
        types: The types of its columns in the destination; None for a column that is not there.

    Attributes:
        count: The number of records.
        raw: The indices of the columns that are converted value by value.
        numbers: The number of the line for each record.
        versions: The version of each record.
        extracted: The `time_extracted` of each record: a BATCH has none.

    Raises:
        MessageError: A column is missing that the SCHEMA requires.
    """

    def __init__(
        self,
        batch: pa.RecordBatch,
        number: int,
        version: int | None,
        schema: RecordSchema,
        types: Sequence[ColumnType | None],
    ) -> None:
        self._schema = schema
        self._number = number
        self._columns = dict(zip(batch.schema.names, map(plain, batch.columns), strict=True))
        self.count: int = batch.num_rows
        self.numbers = [number] * self.count
        self.versions = [version] * self.count
        self.extracted: list[Any] = [None] * self.count
        self.raw: set[int] = set()
        self.retype(types)
        for column in schema.columns:
            if column.required and column.json_name not in self._columns:
                where = f"Stream {schema.stream}: the record in line {number}"
                name = column.json_name
                raise MessageError(
                    f"{where} lacks the property `{name}`, which its SCHEMA requires."
                )

    def retype(self, types: Sequence[ColumnType | None]) -> None:
        """Take over other types of the columns in the destination."""
        self.raw |= {
            index
            for index, (column, column_type) in enumerate(
                zip(self._schema.columns, types, strict=True)
            )
            if column_type is None or has_undeclared_strings(column, column_type)
        }

    def note(self, observed: Observed) -> None:
        """Note properties that the SCHEMA does not have, and whether records have versions."""
        new = self._columns.keys() - {column.json_name for column in self._schema.columns}
        with_values = {name for name in new if self._columns[name].null_count < self.count}
        observed.note_unknown(new, with_values)
        observed.versioned |= self.versions[:1] != [None]

    def texts(self, _: int, column: Column) -> list[bytes]:
        """Return the JSON texts of the values of a property.

        Raises:
            MessageError: Its column can't be read.
        """
        name = column.json_name
        if name not in self._columns:
            return [b"null"] * self.count
        try:
            return column_texts(self._columns[name], name)
        except UnfitColumnError as error:
            problem = str(error)
        raise MessageError(
            f"Stream {self._schema.stream}: the BATCH in line {self._number} {problem}."
        )

    def key_values(self, index: int, column: Column) -> list[Any]:
        """Return the values of a key, for errors."""
        return list(self.texts(index, column))

    def array(self, _: int, column: Column, column_type: ColumnType) -> pa.Array:
        """Return the values of a property in the type of its column.

        Raises:
            CONVERSION_ERRORS: They must be converted value by value.
        """
        values = self._columns.get(column.json_name)
        arrow = arrow_type(column_type)
        if values is None or pa.types.is_null(values.type):
            return pa.nulls(self.count, arrow)
        return TYPES[column_type.data_type].column(values, arrow, self._schema.limits)

    def make_raw(self, indices: Collection[int]) -> bool:
        """Convert columns value by value; return whether that is new for one of them."""
        is_new = not self.raw.issuperset(indices)
        self.raw.update(indices)
        return is_new
