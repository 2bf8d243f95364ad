"""The last version of each key in a package, for destinations that can't pick it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bridge.arrow.metadata_columns import SEQUENCE
from dlt_bridge.tables.rows.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


#: Types of keys that stay as different in every destination as they are here.
EXACT = frozenset({pa.string(), pa.int64()})
#: Rows of which a database sorts out the versions in less time than it takes to tell it not to.
FEW = 50_000


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


class UniqueKeyTracker:
    """Watches whether the keys of a stream rise from row to row, within a package.

    To see that takes a hundredth of the time in which a database finds the last version of each
    key among whole rows.

    Args:
        keys: The names of the key columns. Only one alone is watched.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._rising = len(keys) == 1
        self._last: Any = None
        self._rows = 0

    @property
    def worth_telling(self) -> bool:
        """There are many rows, and no key came twice."""
        return self._rising and self._rows > FEW

    def give_up(self) -> None:
        """The keys of some rows are not known."""
        self._rising = False

    def add(self, table: pa.Table) -> None:
        """Watch the keys of the next rows."""
        self._rows += len(table)
        if self._rising and len(table):
            keys = table[self._keys[0]].combine_chunks()
            self._rising = keys.type in EXACT and self._goes_on(keys)

    def _goes_on(self, keys: pa.Array) -> bool:
        first, before, self._last = keys[0].as_py(), self._last, keys[-1].as_py()
        rises = pc.all(pc.greater(keys[1:], keys[:-1])).as_py()
        # Of one row alone, nothing is compared.
        return (before is None or first > before) and rises is not False
