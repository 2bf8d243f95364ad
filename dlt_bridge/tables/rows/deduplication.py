"""The last version of each key in a package: chosen by the bridge, or known to be the only one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bridge.arrow.metadata_columns import SEQUENCE
from dlt_bridge.tables.rows.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Types of keys whose values stay distinct in every destination.
EXACT = frozenset({pa.string(), pa.int64()})
#: A database deduplicates fewer rows in less time than it takes to tell dlt not to.
FEW_ROWS = 50_000


class Deduplicator:
    """Holds the rows of a package back, on disk, until the last version of each key is known.

    It is for destinations that can't choose the last version themselves. Only keys and sequence
    numbers are in memory.

    Args:
        keys: The names of the key columns.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(keys)
        self._sequences: list[pa.Table] = []
        self._spool = Spool()

    def add(self, table: pa.Table) -> None:
        """Hold back the rows of a table."""
        self._sequences.append(table.select([*self._keys, SEQUENCE]))
        self._spool.add(table)

    def close(self) -> None:
        """Drop all rows."""
        self._sequences = []
        self._spool.close()

    def tables(self) -> Iterator[pa.Table]:
        """Yield the last version of each key, in the order in which they came."""
        if not self._sequences:
            return
        sequences = pa.concat_tables(self._sequences, promote_options="default")
        last = sequences.group_by(self._keys).aggregate([(SEQUENCE, "max")])
        chosen = last[f"{SEQUENCE}_max"].combine_chunks()
        self._sequences = []
        for table in self._spool.tables():
            yield table.filter(pc.is_in(table[SEQUENCE], value_set=chosen))


class UniqueKeyTracker:
    """Tracks whether the keys of a package rise from row to row, so that no key comes twice.

    That takes a hundredth of the time in which a database finds the last version of each key.

    Args:
        keys: The names of the key columns. Only a key of one column is tracked.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._rising = len(keys) == 1
        self._last: Any = None
        self._rows = 0

    @property
    def is_worth_a_hint(self) -> bool:
        """Whether no key came twice, and there are so many rows that dlt should know."""
        return self._rising and self._rows > FEW_ROWS

    def stop(self) -> None:
        """Stop tracking: the keys of some rows are not known."""
        self._rising = False

    def add(self, table: pa.Table) -> None:
        """Track the keys of the next rows."""
        self._rows += len(table)
        if self._rising and len(table):
            keys = table[self._keys[0]].combine_chunks()
            self._rising = keys.type in EXACT and self._rise_further(keys)

    def _rise_further(self, keys: pa.Array) -> bool:
        first, before, self._last = keys[0].as_py(), self._last, keys[-1].as_py()
        rises = pc.all(pc.greater(keys[1:], keys[:-1])).as_py()
        # With one row, nothing is compared.
        return (before is None or first > before) and rises is not False
