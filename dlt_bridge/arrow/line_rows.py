"""Records that come as lines, with the interface of `ColumnRows`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt_bridge.arrow.values import to_array

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from dlt_bridge.arrow.columns import Column
    from dlt_bridge.arrow.lines import DecodedRows
    from dlt_bridge.arrow.rows import RowDecoder
    from dlt_bridge.arrow.types import ColumnType


class LineRows:
    """The records of a batch of lines.

    Args:
        decoded: The lines.
        decoder: What has decoded them.

    Attributes:
        decoded: The lines.
        count: The number of records.
        raw: The indices of the columns that are decoded as JSON texts.
        numbers: The number of the line of each record.
        versions: The version of each record.
        extracted: The `time_extracted` of each record; empty if it is not wanted.
    """

    def __init__(self, decoded: DecodedRows, decoder: RowDecoder) -> None:
        self.decoded = decoded
        self._decoder = decoder
        self.count = len(decoded.records)
        self.raw = decoder.raw
        self.numbers, self.versions = decoded.numbers, decoded.versions
        self.extracted = decoded.extracted

    def texts(self, index: int, column: Column) -> list[bytes]:
        """Return the JSON texts of the values of a property that is decoded as JSON texts."""
        return self.decoded.texts(self.decoded.values(index, column.json_name))

    def key_values(self, index: int, column: Column) -> list[Any]:
        """Return the values of a key, for errors."""
        if index in self.raw:
            return list(self.texts(index, column))
        return self.decoded.values(index, column.json_name)

    def array(self, index: int, column: Column, column_type: ColumnType) -> pa.Array:
        """Return the values of a property in the type of its column.

        Raises:
            CONVERSION_ERRORS: They must be decoded as JSON texts.
        """
        return to_array(column_type, self.decoded.values(index, column.json_name))

    def make_raw(self, indices: Collection[int]) -> bool:
        """Decode columns as JSON texts from now on; return whether that is new for one of them."""
        return self._decoder.decode_raw(indices)
