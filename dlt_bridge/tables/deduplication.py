"""The last version of each key in a package, for destinations that can't pick it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bridge.arrow.metadata_columns import SEQUENCE
from dlt_bridge.tables.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Deduplicator:
    """Holds the rows of a package back, on disk, until it is known which of them are the last.

    Only keys and sequence numbers are in memory.

    Args:
        keys: The names of the key columns.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(keys)
        self._known: list[pa.Table] = []
        self._spool = Spool()

    def add(self, table: pa.Table) -> None:
        """Hold the rows of a table back."""
        self._known.append(table.select([*self._keys, SEQUENCE]))
        self._spool.add(table)

    def close(self) -> None:
        """Let the rows go that were not asked for."""
        self._known = []
        self._spool.close()

    def tables(self) -> Iterator[pa.Table]:
        """Yield the rows that are the last of their key, in the order they came."""
        if not self._known:
            return
        known = pa.concat_tables(self._known, promote_options="default")
        last = known.group_by(self._keys).aggregate([(SEQUENCE, "max")])
        chosen = last[f"{SEQUENCE}_max"].combine_chunks()
        self._known = []
        for table in self._spool.tables():
            yield table.filter(pc.is_in(table[SEQUENCE], value_set=chosen))
