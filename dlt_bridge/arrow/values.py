"""The values of one column as an Arrow array, exactly: a value that would change is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from msgspec import Raw

from dlt_bridge.arrow.texts import parse_string
from dlt_bridge.arrow.types import TYPES, arrow_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dlt_bridge.arrow.limits import Limits
    from dlt_bridge.arrow.types import ColumnType

#: The errors that mean that a value does not fit a type.
CONVERSION_ERRORS = (pa.ArrowException, ArithmeticError, ValueError)
NULL = Raw(b"null")


def to_array(column_type: ColumnType, values: Sequence[Any]) -> pa.Array:
    """Return the values of a column.

    Args:
        column_type: The type of the column.
        values: What msgspec decodes for the type; None, or the text `null`, for a null.

    Raises:
        CONVERSION_ERRORS: A value can't be stored as it is.
    """
    return TYPES[column_type.data_type].array(values, arrow_type(column_type))


def convert(column_type: ColumnType, text: bytes, limits: Limits) -> Any:  # noqa: ANN401
    """Return one value for `converted_array`.

    Args:
        column_type: The type.
        text: The JSON text of a value that is not null.
        limits: The values that the destination can't hold.

    Raises:
        CONVERSION_ERRORS: The type, or the destination, does not hold the value exactly.
    """
    return converter(column_type, limits)(text)


def converter(column_type: ColumnType, limits: Limits) -> Callable[[bytes], Any]:
    """Return `convert` for one type, to call it with many texts."""
    row, arrow = TYPES[column_type.data_type], arrow_type(column_type)
    if to_value := row.convert:
        return lambda text: to_value(text, arrow, limits)

    def checked_string(text: bytes) -> str:
        value = parse_string(text)
        if not limits.holds(row.array([value], arrow)):
            raise ValueError("a timestamp that the destination can't hold")
        return value

    return checked_string


def converted_array(column_type: ColumnType, values: Sequence[Any]) -> pa.Array:
    """Return values that `convert` returned, and None for nulls, as an array."""
    if TYPES[column_type.data_type].convert:
        return pa.array(values, arrow_type(column_type))
    try:
        return to_array(column_type, values)
    except CONVERSION_ERRORS:
        # Each fits alone, but Arrow can't read them together: they are written in different ways.
        return pa.concat_arrays([to_array(column_type, [value]) for value in values])
