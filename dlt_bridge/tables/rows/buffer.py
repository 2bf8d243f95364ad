"""Decoded rows that wait until dlt takes them, and the lines that they come from."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class RowBuffer:
    """Rows of one stream in the order of their lines. It is true if it holds a table.

    Attributes:
        count: The number of rows.
    """

    def __init__(self) -> None:
        self._parts: deque[tuple[pa.Table, Sequence[range]]] = deque()
        self.count = 0

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, table: pa.Table, numbers: Sequence[range]) -> None:
        """Add a table.

        Args:
            table: The rows; a table without rows adds its columns.
            numbers: The numbers of the lines of the rows.
        """
        self._parts.append((table, numbers))
        self.count += len(table)

    @property
    def size(self) -> int:
        """The size of the rows in bytes."""
        return sum(int(table.nbytes) for table, _ in self._parts)

    def before(self, number: int | None) -> int:
        """Return the number of rows whose lines come before a line; all, if it is None."""
        if number is None:
            return self.count
        count = 0
        for table, numbers in self._parts:
            if numbers and numbers[-1].stop > number:
                whole = bisect_left(numbers, number, key=lambda part: part.stop - 1)
                return count + _count(numbers[:whole])
            count += len(table)
        return count

    def take(self, rows: int) -> list[pa.Table]:
        """Remove the first rows, and return them with the tables without rows between them.

        Args:
            rows: The number of rows; no more than there are.
        """
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


def _without(numbers: Sequence[range], count: int) -> Iterable[range]:
    """Yield ranges of numbers without the first `count` numbers."""
    for part in numbers:
        if count < len(part):
            yield part[count:]
        count = max(0, count - len(part))


def joined(tables: Iterable[pa.Table]) -> list[pa.Table]:
    """Return tables with those that follow each other, and have the same columns, as one.

    dlt compares the columns of each table with its schema, which takes longer than writing a small
    one. No value is copied.
    """
    runs: list[list[pa.Table]] = []
    for table in tables:
        if runs and runs[-1][0].schema.equals(table.schema):
            runs[-1].append(table)
        else:
            runs.append([table])
    return [pa.concat_tables(run) for run in runs]
