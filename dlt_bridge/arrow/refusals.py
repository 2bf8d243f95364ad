"""The errors of values that no column and no variant can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw

from dlt_bridge.arrow.variants import fit_column
from dlt_bridge.errors import RELOAD, MessageError
from dlt_bridge.tap.placeholders import NON_FINITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt_bridge.arrow.columns import Column
    from dlt_bridge.arrow.limits import Limits
    from dlt_bridge.arrow.record_schema import RecordSchema
    from dlt_bridge.arrow.types import ColumnType

#: What to do about a key that does not fit its column.
OTHER_KEY = (
    f" If the key has another type now, read the stream from its start, into a new table: {RELOAD}"
    " If the table"
    " is of another tap, give each tap its own dataset, and its own pipeline_name."
)


def refuse_invalid_utf8(
    stream: str, column: Column, texts: Sequence[bytes], numbers: Sequence[int]
) -> None:
    """Refuse the first value that is not UTF-8.

    Args:
        stream: The name of the stream.
        column: The property.
        texts: The JSON texts of its values.
        numbers: The numbers of their lines.

    Raises:
        MessageError: There is one.
    """
    for text, line in zip(texts, numbers, strict=True):
        try:
            text.decode()
        except ValueError:
            raise MessageError(
                f"Stream {stream}: `{column.json_name}` in line {line} is not UTF-8."
            ) from None


def invalid_key(
    record_schema: RecordSchema,
    column: Column,
    column_type: ColumnType | None,
    values: Sequence[Any],
    numbers: Sequence[int],
) -> MessageError:
    """Return the error of the first value of a key column that is null there.

    Args:
        record_schema: How the records are decoded.
        column: The property.
        column_type: The type of its column.
        values: Its decoded values, or their JSON texts.
        numbers: The numbers of their lines.
    """
    stream, limits = record_schema.stream, record_schema.limits
    for value, line in zip(values, numbers, strict=True):
        if problem := _key_problem(column, column_type, value, limits):
            remedy = OTHER_KEY if problem.startswith("does not fit") else ""
            return MessageError(
                f"Stream {stream}: `{column.json_name}` in line {line} {problem}. It is part of the"
                f" key, so the record can't be loaded.{remedy}"
            )
    raise AssertionError(f"stream {stream}: a key is null, but no value of it")


def _key_problem(
    column: Column, column_type: ColumnType | None, value: object, limits: Limits
) -> str:
    # Raw JSON is neither equal to bytes, nor hashable.
    value = bytes(value) if isinstance(value, Raw) else value
    if value is None or value == b"null":
        return "is null"
    if value in NON_FINITE:
        return f"is {value.decode()}"
    if isinstance(value, bytes) and fit_column(column, column_type, [value], {}, limits).variants:
        return f"does not fit its column ({column_type.text if column_type else 'null'})"
    return ""
