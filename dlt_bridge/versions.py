"""The last version of each key in a package, for destinations that can't pick it themselves."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bridge.arrow import SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class LastVersions:
    """Holds the rows of a package back, on disk, until it is known which of them are the last.

    Only keys and sequence numbers are in memory. The file has no name, so nothing of it stays.

    Args:
        keys: The names of the key columns.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(keys)
        self._known: list[pa.Table] = []
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the object
        self._parts: list[tuple[int, int]] = []

    def add(self, table: pa.Table) -> None:
        """Hold the rows of a table back."""
        self._known.append(table.select([*self._keys, SEQUENCE]))
        start = self._file.tell()
        with pa.ipc.new_stream(self._file, table.schema) as writer:
            writer.write_table(table)
        self._parts.append((start, self._file.tell()))

    def tables(self) -> Iterator[pa.Table]:
        """Yield the rows that are the last of their key, in the order they came."""
        if not self._known:
            return
        known = pa.concat_tables(self._known, promote_options="default")
        last = known.group_by(self._keys).aggregate([(SEQUENCE, "max")])
        chosen = last[f"{SEQUENCE}_max"].combine_chunks()
        self._known = []
        for start, end in self._parts:
            part = os.pread(self._file.fileno(), end - start, start)
            table = pa.ipc.open_stream(part).read_all()
            yield table.filter(pc.is_in(table[SEQUENCE], value_set=chosen))
        self._file.close()
