"""Tables that wait on disk, in an unnamed temporary file in Arrow's stream format."""

from __future__ import annotations

import os
import tempfile
from typing import IO, TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator


class Spool:
    """Holds tables on disk. Nothing of them stays when the process ends."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._parts: list[tuple[int, int]] = []

    @property
    def count(self) -> int:
        """The number of tables."""
        return len(self._parts)

    def add(self, table: pa.Table) -> None:
        """Write a table."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - see `close`
        start = self._file.tell()
        with pa.ipc.new_stream(self._file, table.schema) as writer:
            writer.write_table(table)
        # `read` does not see what is still in the buffer of the file.
        self._file.flush()
        self._parts.append((start, self._file.tell()))

    def tables(self) -> Iterator[pa.Table]:
        """Yield the tables in the order in which they were added, and close the file."""
        yield from map(self.read, range(self.count))
        self.close()

    def read(self, index: int) -> pa.Table:
        """Return one of the tables, by its index."""
        if self._file is None:
            raise IndexError(index)
        start, end = self._parts[index]
        return pa.ipc.open_stream(os.pread(self._file.fileno(), end - start, start)).read_all()

    def close(self) -> None:
        """Delete the file."""
        self._parts = []
        if self._file is not None:
            self._file.close()
            self._file = None
