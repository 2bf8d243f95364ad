"""Decoded rows that wait to be handed to dlt, and the lines that they are from."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa


class RowBuffer:
    """Rows of one stream in the order of their lines.

    Attributes:
        count: How many rows wait.
    """

    def __init__(self) -> None:
        self._parts: deque[tuple[pa.Table, Sequence[range]]] = deque()
        self.count = 0

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, table: pa.Table, numbers: Sequence[range]) -> None:
        """Add rows.

        Args:
            table: The rows; or none, for its columns.
            numbers: The numbers of their lines.
        """
        self._parts.append((table, numbers))
        self.count += len(table)

    @property
    def size(self) -> int:
        """Bytes of the rows."""
        return sum(int(table.nbytes) for table, _ in self._parts)

    def before(self, number: int | None) -> int:
        """Return how many rows are of lines before a line; all, if none is given."""
        if number is None:
            return self.count
        found = 0
        for table, numbers in self._parts:
            if numbers and numbers[-1].stop > number:
                whole = bisect_left(numbers, number, key=lambda part: part.stop - 1)
                return found + _count(numbers[:whole])
            found += len(table)
        return found

    def take(self, rows: int) -> list[pa.Table]:
        """Take so many rows off, with the tables without rows between them."""
        taken: list[pa.Table] = []
        self.count -= rows
        while self._parts and (rows or not len(self._parts[0][0])):
            table, numbers = self._parts.popleft()
            if len(table) > rows:
                self._parts.appendleft((table.slice(rows), list(_without(numbers, rows))))
                table = table.slice(0, rows)
            taken.append(table)
            rows -= len(table)
        return taken


def _count(numbers: Iterable[range]) -> int:
    return sum(map(len, numbers))


def _without(numbers: Sequence[range], rows: int) -> Iterable[range]:
    """Yield ranges of numbers without the first so many numbers."""
    for part in numbers:
        if rows < len(part):
            yield part[rows:]
        rows = max(0, rows - len(part))
