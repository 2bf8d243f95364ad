"""Record texts to Arrow tables, exactly: no value passes through a type that can't hold it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, time
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from msgspec import Raw

from dlt_bridge.errors import MessageError
from dlt_bridge.types import DECIMAL_PRECISION, Column

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The column that tells the order of records; the last version of a key has the greatest.
SEQUENCE = "_sdc_sequence"

PYTHON_TYPES: dict[str, Any] = {
    "bigint": int,
    "double": float,
    "decimal": Decimal,
    "bool": bool,
    "json": Raw,
}
ARROW_TYPES: dict[str, pa.DataType] = {
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "binary": pa.binary(),
    "json": pa.string(),
}
NULL = Raw(b"null")


def arrow_type(column: Column) -> pa.DataType:
    """Return the Arrow type of a column."""
    if column.data_type == "decimal":
        return pa.decimal128(DECIMAL_PRECISION, column.scale or 0)
    return ARROW_TYPES[column.data_type]


class RecordDecoder:
    """Decodes the records of one SCHEMA.

    Args:
        stream: The stream's name, for errors.
        columns: The stream's columns.

    Attributes:
        schema: The Arrow schema of every table, always the same.
        unknown: Properties that records had and the SCHEMA has not, as the first error named them.
    """

    def __init__(self, stream: str, columns: Sequence[Column]) -> None:
        self.stream = stream
        self.columns = columns
        fields = [
            pa.field(column.name, arrow_type(column), nullable=column.nullable)
            for column in columns
        ]
        self.schema = pa.schema([*fields, pa.field(SEQUENCE, pa.int64(), nullable=False)])
        self._strict = _decoder(columns, forbid_unknown=True)
        self._lenient = _decoder(columns, forbid_unknown=False)
        self.unknown: str | None = None

    def table(self, records: Sequence[Raw], lines: Sequence[int], sequence: int) -> pa.Table:
        """Return a table of records.

        Args:
            records: Their JSON texts.
            lines: The number of the line of each, for errors.
            sequence: The first value of the column `_sdc_sequence`; each row has one more.

        Raises:
            MessageError: A record does not fit the SCHEMA, or a value its column. The error names
                stream, line or column, and shows no value.
        """
        rows = self._rows(records, lines)
        arrays = [
            self._array(column, list(map(attrgetter(f"f{index}"), rows)))
            for index, column in enumerate(self.columns)
        ]
        arrays.append(pa.array(range(sequence, sequence + len(rows)), pa.int64()))
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def _rows(self, records: Sequence[Raw], lines: Sequence[int]) -> list[Any]:
        text = b"[" + b",".join(records) + b"]"
        try:
            decoder = self._strict if self.unknown is None else self._lenient
            return list(decoder.decode(text))
        except msgspec.ValidationError as error:
            if "unknown field" in str(error):
                self.unknown = str(error).partition("`")[2].partition("`")[0]
                return self._rows(records, lines)
        except msgspec.DecodeError:
            pass
        raise self._misfit(records, lines)

    def _misfit(self, records: Sequence[Raw], lines: Sequence[int]) -> MessageError:
        """Return the error of the first record that can't be decoded."""
        for record, line in zip(records, lines, strict=True):
            try:
                self._lenient.decode(b"[" + bytes(record) + b"]")
            except msgspec.DecodeError as error:
                problem = str(error)
                for index, column in enumerate(self.columns):
                    problem = problem.replace(f"$[0].f{index}`", f"{column.name}`")
                problem = problem.replace("$[0].", "").replace(" - at `$[0]`", "")
                return MessageError(
                    f"Stream {self.stream}: the record in line {line} does not fit its SCHEMA: "
                    f"{problem}."
                )
        raise AssertionError(f"stream {self.stream}: every record fits, all together do not")

    def _array(self, column: Column, values: list[Any]) -> pa.Array:
        kind = arrow_type(column)
        try:
            match column.data_type:
                case "timestamp":
                    return _instants(values)
                case "date":
                    return pa.array(values, pa.string()).cast(kind)
                case "time":
                    values = [value and time.fromisoformat(value) for value in values]
                case "binary":
                    values = [
                        None if value is None else base64.b64decode(value, validate=True)
                        for value in values
                    ]
                case "json":
                    texts = map(bytes, values)
                    values = [None if text == b"null" else text.decode() for text in texts]
            return pa.array(values, kind)
        except (pa.ArrowException, ValueError, OverflowError):
            raise MessageError(
                f"Stream {self.stream}: a value of `{column.name}` does not fit the type "
                f"{column.data_type} ({kind}) that its SCHEMA asks for."
            ) from None


def _decoder(columns: Sequence[Column], *, forbid_unknown: bool) -> msgspec.json.Decoder[list[Any]]:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for index, column in enumerate(columns):
        kind = PYTHON_TYPES.get(column.data_type, str)
        if column.data_type == "json":
            fields.append((f"f{index}", Raw, NULL))
        elif column.nullable:
            fields.append((f"f{index}", kind | None, None))
        else:
            fields.append((f"f{index}", kind))
    row = msgspec.defstruct(
        "Row",
        fields,
        rename={f"f{index}": column.name for index, column in enumerate(columns)},
        forbid_unknown_fields=forbid_unknown,
        kw_only=True,
        gc=False,
    )
    return msgspec.json.Decoder(list[row])  # type: ignore[valid-type]


def _instants(values: list[str | None]) -> pa.Array:
    kind = ARROW_TYPES["timestamp"]
    try:
        return pa.array(values, pa.string()).cast(kind)
    except pa.ArrowInvalid:
        # A date-time without an offset (taken for UTC), or with more than six digits.
        return pa.array([value and _instant(value) for value in values], kind)


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
