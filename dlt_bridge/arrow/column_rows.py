"""Records that come as Arrow columns: each column converted as a whole, or value by value as JSON.

A column is converted as a whole only if each of its values becomes what its JSON text would become.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from dlt_bridge.arrow import numbers, times
from dlt_bridge.arrow.rows import MAX_UNKNOWN, has_undeclared_strings
from dlt_bridge.arrow.types import arrow_type
from dlt_bridge.errors import MessageError
from dlt_bridge.tap.column_texts import UnfitColumnError, column_texts, is_json, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from dlt_bridge.arrow.columns import Column
    from dlt_bridge.arrow.limits import Limits
    from dlt_bridge.arrow.record_schema import Observed, RecordSchema
    from dlt_bridge.arrow.types import ColumnType

_raws = msgspec.json.Decoder(list[Raw])


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
        known = {column.json_name for column in self._schema.columns}.union(observed.unknown)
        new = sorted(self._columns.keys() - known)
        observed.unknown += new[: MAX_UNKNOWN - len(observed.unknown)]
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
        return _CONVERTERS[column_type.data_type](values, arrow, self._schema.limits)

    def make_raw(self, indices: Collection[int]) -> bool:
        """Convert columns value by value; return whether that is new for one of them."""
        is_new = not self.raw.issuperset(indices)
        self.raw.update(indices)
        return is_new


def _cast_from(*predicates: Callable[[pa.DataType], bool]) -> Callable[..., pa.Array]:
    def cast(values: pa.Array, arrow: pa.DataType, _: Limits) -> pa.Array:
        if not any(belongs(values.type) for belongs in predicates):
            raise ValueError("another type")
        return values.cast(arrow)

    return cast


def _text(values: pa.Array, arrow: pa.DataType, limits: Limits) -> pa.Array:
    texts = _cast_from(pa.types.is_string)(values, arrow, limits)
    if not limits.nul and pc.any(pc.match_substring(texts, "\0")).as_py():
        raise ValueError("NUL")
    return texts


def _json(values: pa.Array, _: pa.DataType, limits: Limits) -> pa.Array:
    texts, joined = _json_texts(values)
    if not limits.nul and b"\\u0000" in joined:
        raise ValueError("NUL")
    return texts


def _double(values: pa.Array, arrow: pa.DataType, limits: Limits) -> pa.Array:
    if is_json(values.type):
        return numbers.doubles(*_json_texts(values), arrow)
    doubles = _cast_from(pa.types.is_floating, pa.types.is_integer)(values, arrow, limits)
    if not limits.non_finite and not pc.all(pc.is_finite(doubles)).as_py():
        raise ValueError("no number")
    return doubles


def _decimal(values: pa.Array, arrow: pa.DataType, limits: Limits) -> pa.Array:
    if is_json(values.type):
        return numbers.decimals(*_json_texts(values), arrow)
    return _cast_from(pa.types.is_decimal, pa.types.is_integer)(values, arrow, limits)


def _of_strings(
    belongs: Callable[[pa.DataType], bool], convert: Callable[[Any, pa.DataType], pa.Array]
) -> Callable[..., pa.Array]:
    """Return a converter of values of a type, or of the strings that taps write for it."""

    def converted(values: pa.Array, arrow: pa.DataType, limits: Limits) -> pa.Array:
        if pa.types.is_string(values.type):
            return convert(values, arrow)
        return _cast_from(belongs)(values, arrow, limits)

    return converted


def _json_texts(values: pa.Array) -> tuple[pa.Array, bytes]:
    """Return JSON texts as strings and joined, with nulls for the text `null`.

    Raises:
        ValueError: One is not JSON, has a line break or white space around it, or no column.
    """
    if not is_json(values.type):
        raise ValueError("another type")
    texts = values.storage.cast(pa.string())
    filled = pc.fill_null(texts, "null")
    joined = _joined(filled, "\n")
    # If the items of the list are the texts, each of them is JSON by itself.
    items = _raws.decode("[" + _joined(filled, ",").decode() + "]")
    if len(items) != len(texts) or b"\n".join(items) != joined:
        raise ValueError("not one value in each text")
    if joined.count(b"\n") >= max(1, len(texts)) or b"\r" in joined:
        raise ValueError("a line break")
    return pc.if_else(pc.equal(filled, "null"), pa.scalar(None, pa.string()), texts), joined


def _joined(texts: pa.Array, separator: str) -> bytes:
    one_list = pa.LargeListArray.from_arrays([0, len(texts)], texts)
    joined: str = pc.binary_join(one_list, separator)[0].as_py()
    return joined.encode()


_CONVERTERS: dict[str, Callable[[pa.Array, pa.DataType, Limits], pa.Array]] = {
    "bigint": _cast_from(pa.types.is_integer),
    "double": _double,
    "decimal": _decimal,
    "bool": _cast_from(pa.types.is_boolean),
    "text": _text,
    "timestamp": _of_strings(pa.types.is_timestamp, times.timestamps),
    "date": _of_strings(pa.types.is_date, times.dates),
    "time": _cast_from(pa.types.is_time),
    "binary": _cast_from(pa.types.is_binary),
    "json": _json,
}
