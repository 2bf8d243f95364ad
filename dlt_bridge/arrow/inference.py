"""The type of a new column, where its first values are not of the type that its SCHEMA declares.

Taps declare ids and decimals as numbers, numbers of any size as decimals, and booleans as strings.
A column of the declared type would hold few of the values, with the others in its variants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt_bridge.arrow.json_schema import allows_strings
from dlt_bridge.arrow.numbers import LONGEST_NUMBER, NUMBER
from dlt_bridge.arrow.types import TYPES, ColumnType, common_type, type_of_text, wider_types
from dlt_bridge.arrow.variants import fit_column
from dlt_bridge.tap.placeholders import NON_FINITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dlt_bridge.arrow.columns import Column
    from dlt_bridge.arrow.limits import Limits

#: How many values must fail to fit the declared type: fewer may be exceptions.
MIN_VALUES = 10
_TIMES = frozenset({"timestamp", "date", "time"})


def infer_type(
    column: Column, declared: ColumnType | None, texts: Sequence[bytes], limits: Limits
) -> ColumnType | None:
    """Return a better type for a column than the declared one, if its first values ask for it.

    Args:
        column: The property.
        declared: The declared type of its column; None if it has none.
        texts: The JSON texts of its first values.
        limits: The values that the destination can't hold.
    """
    values = [text for text in texts if text != b"null" and text not in NON_FINITE]
    held = _held(column, declared, values, limits)
    if all(held):
        return None
    numbers = [text for text in values if not type_of_text(text) and len(text) <= LONGEST_NUMBER]
    if declared and TYPES[declared.data_type].json == "number":
        if TYPES[declared.data_type].strings == "if allowed" and allows_strings(column.schema):
            numbers += _numbers_in_strings(values)
        if not all(_held(column, declared, numbers, limits)):
            return _number_type(column, declared, numbers, limits)
    # A key has no variants, so each value must fit.
    if any(held) or len(values) < (1 if column.key else MIN_VALUES):
        return None
    return _other_type(column, declared, values, numbers, limits)


def _other_type(
    column: Column,
    declared: ColumnType | None,
    values: Sequence[bytes],
    numbers: Sequence[bytes],
    limits: Limits,
) -> ColumnType | None:
    """Return the type of values of which the declared type holds none."""
    types = {start for text in values if (start := type_of_text(text))}
    if numbers:
        types.add(_number_type(column, None, numbers, limits) or ColumnType("json"))
    if column.key and len(types) > 1:
        return None
    if declared and declared.data_type in _TIMES and ColumnType("text") in types:
        return None
    common = common_type(types)
    if common is None or common == declared:
        return None
    return _first_holding(column, [common], values, limits)


def _numbers_in_strings(values: Sequence[bytes]) -> list[bytes]:
    return [text for text in values if text[:1] == b'"' and NUMBER.fullmatch(text[1:-1])]


def _number_type(
    column: Column, declared: ColumnType | None, numbers: Sequence[bytes], limits: Limits
) -> ColumnType | None:
    """Return the first type that holds numbers which the declared type does not hold."""
    wider = wider_types(declared, numbers, key=column.key)
    return _first_holding(column, wider, numbers, limits)


def _first_holding(
    column: Column, types: Iterable[ColumnType], values: Sequence[bytes], limits: Limits
) -> ColumnType | None:
    """Return the first type that holds all values."""
    holding = (each for each in types if all(_held(column, each, values, limits)))
    return next(holding, None)


def _held(
    column: Column, column_type: ColumnType | None, values: Sequence[bytes], limits: Limits
) -> list[bool]:
    """Return whether a column of a type holds each value."""
    fitted = fit_column(column, column_type, values, {}, limits)
    return [value is not None for value in fitted.values]
