"""Columns whose values are looked at one by one, and the variants of those that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt_bridge.arrow.record_schema import NewVariant
from dlt_bridge.arrow.refusals import refuse_invalid_utf8
from dlt_bridge.arrow.values import CONVERSION_ERRORS, converted_array
from dlt_bridge.arrow.variants import fit_column, variant_name
from dlt_bridge.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from dlt_bridge.arrow.columns import Column
    from dlt_bridge.arrow.nested import NativeType
    from dlt_bridge.arrow.record_schema import Observed, RecordSchema
    from dlt_bridge.arrow.types import ColumnType


class ColumnFitter:
    """Fits values to the columns of a stream.

    Args:
        schema: How its records are decoded.
        observed: What they have shown; new variants are added.
    """

    def __init__(self, schema: RecordSchema, observed: Observed) -> None:
        self._schema = schema
        self._observed = observed

    def fit(
        self,
        column: Column,
        column_type: ColumnType | None,
        texts: Sequence[bytes],
        numbers: Sequence[int],
    ) -> dict[str, pa.Array]:
        """Return a column, and the variants that some of its values need, by name.

        Args:
            column: The property.
            column_type: The type of its column; None if it has no column.
            texts: The JSON texts of the values.
            numbers: The number of the line of each value.

        Raises:
            MessageError: A text is not UTF-8, or a variant has the name of a property.
        """
        refuse_invalid_utf8(self._schema.stream, column, texts, numbers)
        existing = self._observed.variant_types.setdefault(column.name, {})
        fitted = fit_column(column, column_type, texts, existing, self._schema.limits)
        arrays = {}
        if column_type:
            arrays[column.name] = converted_array(column_type, fitted.values)
        for data_type, values in fitted.variants.items():
            name = variant_name(column.name, data_type)
            self._refuse_property(column, name)
            variant = existing.setdefault(data_type, fitted.types[data_type])
            if name not in self._observed.variants:
                self._observed.variants[name] = variant
                line = numbers[fitted.first[data_type]]
                self._observed.new_variants.append(
                    NewVariant(column.json_name, column_type, name, line)
                )
            arrays[name] = converted_array(variant, values)
        return arrays

    def fit_native(
        self, native: NativeType, column: Column, texts: Sequence[bytes], numbers: Sequence[int]
    ) -> dict[str, pa.Array]:
        """Return a column of structs or lists, and a variant of the values that do not fit it.

        Args:
            native: The type of the structs or lists.
            column: As for `fit`.
            texts: As for `fit`.
            numbers: As for `fit`.

        Raises:
            MessageError: As for `fit`.
        """
        try:
            return {column.name: native.array(texts)}
        except CONVERSION_ERRORS:
            fitting = [native.holds(text) for text in texts]
        in_column = [text if fits else b"null" for text, fits in zip(texts, fitting, strict=True)]
        in_variant = [b"null" if fits else text for text, fits in zip(texts, fitting, strict=True)]
        return {
            column.name: native.array(in_column),
            **self.fit(column, None, in_variant, numbers),
        }

    def _refuse_property(self, column: Column, variant: str) -> None:
        """Refuse a variant that has the name of a property."""
        if any(other.name == variant for other in self._schema.columns):
            raise MessageError(
                f"Stream {self._schema.stream}: a value of `{column.json_name}` does not fit"
                f" its column, and can't go into `{variant}`, which is another property."
            )
