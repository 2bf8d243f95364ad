"""Record texts to Arrow tables: decoded together, once, in the types of the stream's SCHEMA."""

from __future__ import annotations

import re
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from msgspec import Raw

from dlt_bridge.errors import MessageError
from dlt_bridge.values import MISFIT, array, arrow_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt_bridge.types import Column

#: The column that tells the order of records; the last version of a key has the greatest.
SEQUENCE = "_sdc_sequence"
#: How many properties beyond its SCHEMA are told apart.
MOST_UNKNOWN = 100

PYTHON_TYPES: dict[str, Any] = {
    "bigint": int,
    "double": int | float,
    "decimal": Decimal,
    "bool": bool,
    "json": Raw,
    "null": type(None),
}
NULL = Raw(b"null")

# The words of msgspec's errors.
UNKNOWN_FIELD = "Object contains unknown field"
FLOAT_FOR_INT = re.compile(r"Expected `int( \| null)?`, got `float`")

# What msgspec can't have in the name of a field.
_UNFIT_NAME = re.compile(r'["\\\x00-\x1f]|\A\Z')
_objects = msgspec.json.Decoder(list[dict[str, Raw]])


class RecordDecoder:
    """Decodes the records of one SCHEMA.

    Args:
        stream: The stream's name, for errors.
        columns: The stream's columns. One that can only be null is checked, and not in the table.

    Attributes:
        columns: The columns of every table.
        schema: The Arrow schema of every table, always the same.
        unknown: Properties that records had and the SCHEMA has not.

    Raises:
        MessageError: There is no column, or a property's name can't be one.
    """

    def __init__(self, stream: str, columns: Sequence[Column]) -> None:
        self.stream = stream
        self.columns = [column for column in columns if column.data_type != "null"]
        self._nulls = [column for column in columns if column.data_type == "null"]
        if not self.columns:
            raise MessageError(
                f"Stream {stream}: the SCHEMA has no property that can hold a value, so nothing of"
                " its records would be loaded."
            )
        for column in columns:
            if _UNFIT_NAME.search(column.name):
                raise MessageError(
                    f"Stream {stream}: the SCHEMA has a property {column.name!r}. A name that is"
                    " empty, or has quotes, backslashes or control characters, can't be loaded."
                )
        fields = [
            pa.field(column.name, arrow_type(column), nullable=column.nullable)
            for column in self.columns
        ]
        self.schema = pa.schema([*fields, pa.field(SEQUENCE, pa.int64(), nullable=False)])
        self.unknown: list[str] = []
        self._floats_for_ints = False
        self._decoder = self._compiled()

    def table(self, records: Sequence[Raw], lines: Sequence[int], sequence: int) -> pa.Table:
        """Return a table of records.

        Args:
            records: Their JSON texts.
            lines: The number of the line of each, for errors.
            sequence: The first value of the column `_sdc_sequence`; each row has one more.

        Raises:
            MessageError: A record does not fit the SCHEMA, or a value its column. The error names
                stream, line and column, and shows no value.
        """
        rows = self._rows(records, lines)
        arrays = [
            self._array(column, list(map(attrgetter(f"f{index}"), rows)), lines)
            for index, column in enumerate(self.columns)
        ]
        arrays.append(pa.array(range(sequence, sequence + len(rows)), pa.int64()))
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def _rows(self, records: Sequence[Raw], lines: Sequence[int]) -> list[Any]:
        text = b"[" + b",".join(records) + b"]"
        while True:
            try:
                return self._decoder.decode(text)
            except ValueError as error:
                if not self._widened(str(error), records):
                    raise self._misfit(records, lines) from None

    def _widened(self, problem: str, records: Sequence[Raw]) -> bool:
        """Make the decoder take what it need not refuse, and say whether there was such a thing."""
        if FLOAT_FOR_INT.match(problem) and not self._floats_for_ints:
            self._floats_for_ints = True
            self._decoder = self._compiled()
            return True
        if problem.startswith(UNKNOWN_FIELD):
            return self._learnt(records)
        return False

    def _learnt(self, records: Sequence[Raw]) -> bool:
        """Find the properties that the SCHEMA has not: fields of the decoder, but no columns."""
        known = {column.name for column in (*self.columns, *self._nulls)}.union(self.unknown)
        try:
            objects = _objects.decode(b"[" + b",".join(records) + b"]")
        except ValueError:
            return False
        new = sorted({name for names in objects for name in names} - known)
        self.unknown += new[: MOST_UNKNOWN - len(self.unknown)]
        self._decoder = self._compiled(forbid_unknown=self._names_all(new))
        return True

    def _names_all(self, new: Sequence[str]) -> bool:
        return set(new) <= set(self.unknown) and not any(map(_UNFIT_NAME.search, self.unknown))

    def _misfit(self, records: Sequence[Raw], lines: Sequence[int]) -> MessageError:
        """Return the error of the first record that can't be decoded."""
        lenient = self._compiled(forbid_unknown=False)
        for record, line in zip(records, lines, strict=True):
            text = b"[" + bytes(record) + b"]"
            try:
                lenient.decode(text)
                _objects.decode(text)
            except ValueError as error:
                problem = str(error).replace("$[0].", "").replace(" - at `$[0]`", "")
                return MessageError(
                    f"Stream {self.stream}: the record in line {line} does not fit its SCHEMA: "
                    f"{problem}."
                )
        raise AssertionError(f"stream {self.stream}: every record fits, all together do not")

    def _array(self, column: Column, values: list[Any], lines: Sequence[int]) -> pa.Array:
        try:
            return array(column, values)
        except MISFIT:
            line = next(
                line for value, line in zip(values, lines, strict=True) if _misfits(column, value)
            )
            never = "" if column.nullable else ", never null"
            raise MessageError(
                f"Stream {self.stream}: the value of `{column.name}` in line {line} does not fit"
                f" the type {column.data_type} ({arrow_type(column)}{never}) that its SCHEMA asks"
                " for."
            ) from None

    def _compiled(self, *, forbid_unknown: bool = True) -> msgspec.json.Decoder[list[Any]]:
        columns = [*self.columns, *self._nulls]
        names = [column.name for column in columns]
        fields = [self._field(f"f{index}", column) for index, column in enumerate(columns)]
        if forbid_unknown:
            names += self.unknown
            fields += [(f"f{len(columns) + n}", Raw, NULL) for n in range(len(self.unknown))]
        row = msgspec.defstruct(
            "Row",
            fields,
            rename={field[0]: name for field, name in zip(fields, names, strict=True)},
            forbid_unknown_fields=forbid_unknown,
            kw_only=True,
            gc=False,
        )
        return msgspec.json.Decoder(list[row])  # type: ignore[valid-type]

    def _field(self, name: str, column: Column) -> tuple[str, Any] | tuple[str, Any, Any]:
        kind = PYTHON_TYPES.get(column.data_type, str)
        if column.data_type == "bigint" and self._floats_for_ints:
            kind = Raw
        if kind is Raw:
            return name, Raw, NULL
        return (name, kind | None, None) if column.nullable else (name, kind)


def _misfits(column: Column, value: object) -> bool:
    try:
        array(column, [value])
    except MISFIT:
        return True
    return False
