"""Records of one stream that are decoded together: lines, or columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlt_bridge.errors import MessageError

if TYPE_CHECKING:
    import pyarrow as pa

    from dlt_bridge.arrow.decoder import RecordDecoder


@dataclass(frozen=True, slots=True)
class LineBatch:
    """Lines with RECORDs of one stream that are decoded together.

    Attributes:
        decoder: The decoder of the stream.
        lines: Blocks of one or more lines, without the newline at their end.
        numbers: The numbers of the lines, a range for each block.
        received: When the blocks were received, in microseconds since 1970.
        rows: The number of lines.
        size: Their size in bytes.
        is_first: Whether they are the first of the stream, by which types of columns are chosen.
    """

    decoder: RecordDecoder
    lines: list[bytes]
    numbers: list[range]
    received: list[int]
    rows: int
    size: int
    is_first: bool = False

    def table(self, sequence: int) -> pa.Table:
        """Decode the lines in this thread.

        Args:
            sequence: The value of `_sdc_sequence` of the first row.

        Raises:
            MessageError: A record does not fit.
        """
        text = b"\n".join(self.lines)
        return self.decoder.table(text, self.numbers, sequence, self.received, first=self.is_first)

    def can_be_decoded(self, sequence: int, before: int) -> bool:
        """Return whether the lines before another line can be decoded.

        Args:
            sequence: The value of `_sdc_sequence` of the first row.
            before: The number of the other line.
        """
        part = self.before(before)
        try:
            _ = part and part.table(sequence)
        except MessageError:
            return False
        return True

    @property
    def first(self) -> int:
        """The number of the first line."""
        return self.numbers[0].start

    def before(self, number: int) -> LineBatch | None:
        """Return the lines before another line; None if there are none.

        Args:
            number: The number of a line that is no RECORD, and so lies within no block.
        """
        blocks = [
            block
            for block in zip(self.lines, self.numbers, self.received, strict=True)
            if block[1].stop <= number
        ]
        if not blocks:
            return None
        lines, numbers, received = map(list, zip(*blocks, strict=True))
        rows, size = sum(map(len, numbers)), sum(map(len, lines))
        return LineBatch(self.decoder, lines, numbers, received, rows, size, self.is_first)


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """Columns that are decoded together.

    Attributes:
        decoder: The decoder of the stream.
        columns: The columns.
        first: The number of the line of their message.
        received: When they were received, in microseconds since 1970.
        version: Their version, if they have one.
        is_first: Whether they are the first of the stream, by which types of columns are chosen.
    """

    decoder: RecordDecoder
    columns: pa.RecordBatch
    first: int
    received: int
    version: int | None
    is_first: bool = False

    @property
    def rows(self) -> int:
        """The number of records."""
        return int(self.columns.num_rows)

    @property
    def size(self) -> int:
        """Their size in bytes."""
        return int(self.columns.nbytes)

    @property
    def numbers(self) -> list[range]:
        """The number of the line for each record."""
        return [range(self.first, self.first + 1)] * self.rows

    def table(self, sequence: int) -> pa.Table:
        """Decode the columns.

        Args:
            sequence: The value of `_sdc_sequence` of the first row.

        Raises:
            MessageError: A record does not fit.
        """
        return self.decoder.table_of(
            self.columns, self.first, self.version, sequence, self.received, first=self.is_first
        )

    def can_be_decoded(self, sequence: int, before: int) -> bool:
        """Return whether the columns can be decoded, if they come before a line.

        Args:
            sequence: The value of `_sdc_sequence` of the first row.
            before: The number of the line.
        """
        try:
            _ = self.first < before and self.table(sequence)
        except MessageError:
            return False
        return True

    def before(self, number: int) -> ColumnBatch | None:
        """Return the columns if they come before a line, else None.

        Args:
            number: The number of the line.
        """
        return self if self.first < number else None


Batch = LineBatch | ColumnBatch
