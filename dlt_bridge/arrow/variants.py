"""Where each value of a column goes: into the column, or unchanged into a variant.

A variant is a column of another type for the values that the column can't hold, named as dlt names
them: `price__v_text` for `price`. So no value is changed, and none stops a load.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dlt_bridge.arrow.json_schema import allows_strings
from dlt_bridge.arrow.numbers import NUMBER
from dlt_bridge.arrow.types import TYPES, ColumnType, variant_types
from dlt_bridge.arrow.values import CONVERSION_ERRORS, convert, converter
from dlt_bridge.tap.placeholders import has_non_finite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dlt_bridge.arrow.columns import Column
    from dlt_bridge.arrow.limits import Limits


@dataclass(slots=True)
class FittedColumn:
    """The values of one column and its variants, each of them as `convert` returns it.

    Attributes:
        values: The values of the column; None where a value is null, or in a variant.
        variants: The values of each variant, by its `data_type`.
        types: The types of the variants, by `data_type`.
        first: The index of the first value of each variant, by `data_type`.
    """

    values: list[Any]
    variants: dict[str, list[Any]] = field(default_factory=dict)
    types: dict[str, ColumnType] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)


def variant_name(column: str, data_type: str) -> str:
    """Return the name of the variant of a column, as dlt names it."""
    return f"{column}__v_{data_type}"


def fit_column(
    column: Column,
    column_type: ColumnType | None,
    texts: Sequence[bytes],
    existing: Mapping[str, ColumnType],
    limits: Limits,
) -> FittedColumn:
    """Put each value of a column into the column, or into a variant.

    Args:
        column: The property, with the type that its SCHEMA declares.
        column_type: The type of its column, which may differ; None if it has no column.
        texts: The JSON texts of the values.
        existing: The types of the variants that exist already, by `data_type`.
        limits: The values that the destination can't hold.
    """
    fitted = FittedColumn([None] * len(texts))
    existing = dict(existing)
    declared = column.type if column.type != column_type else None
    takes_strings = column_type is not None and _takes_strings(column, column_type)
    to_value = converter(column_type, limits) if column_type else None
    for index, text in enumerate(texts):
        if text == b"null":
            continue
        if to_value and (takes_strings or text[:1] != b'"'):
            try:
                fitted.values[index] = to_value(text)
            except CONVERSION_ERRORS:
                pass
            else:
                continue
        variant, value = _variant(column_type, declared, text, existing, limits)
        name = variant.data_type
        existing.setdefault(name, variant)
        fitted.types.setdefault(name, variant)
        fitted.first.setdefault(name, index)
        fitted.variants.setdefault(name, [None] * len(texts))[index] = value
    return fitted


def _takes_strings(column: Column, column_type: ColumnType) -> bool:
    """Return whether a JSON string may be a value of a column.

    A string that happens to look like a date or a number is none: the SCHEMA must declare it.
    """
    strings = TYPES[column_type.data_type].strings
    if strings in {"always", "never"}:
        return strings == "always"
    if column.type is None or column.type.data_type != column_type.data_type:
        return False
    return strings == "if declared" or allows_strings(column.schema)


def _variant(
    column_type: ColumnType | None,
    declared: ColumnType | None,
    text: bytes,
    existing: Mapping[str, ColumnType],
    limits: Limits,
) -> tuple[ColumnType, Any]:
    """Return the type of the variant that a value goes into, and the value."""
    candidates = [*([declared] if declared else []), *variant_types(column_type, text)]
    # An existing variant is better than a new one.
    candidates.sort(key=lambda each: each != declared and each.data_type not in existing)
    for candidate in candidates:
        variant = existing.get(candidate.data_type, candidate)
        try:
            return variant, convert(variant, text, limits)
        except CONVERSION_ERRORS:
            continue
    # A number beyond all types is kept as text; so is NaN. Any other text is one that the
    # destination can't hold as text, so it is kept as bytes.
    is_text = NUMBER.fullmatch(text) or has_non_finite(text)
    return (ColumnType("text"), text.decode()) if is_text else (ColumnType("binary"), text)
