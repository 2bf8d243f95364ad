"""Whether the keys of a package are all different: then nothing need be sorted out at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes of keys that are held to compare them; of a larger package it is not known.
MOST_HELD = 64 * 1024 * 1024


class KeyWatch:
    """Watches the keys of a stream within a package.

    To compare keys alone takes a twentieth of the time in which a database finds the last version
    of each among whole rows, and little memory.

    Args:
        keys: The names of the key columns.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(keys)
        self._held: list[pa.Table] = []
        self._size = 0

    def add(self, table: pa.Table) -> None:
        """Watch the keys of a table, too."""
        if self._size <= MOST_HELD:
            keys = table.select(self._keys)
            self._held.append(keys)
            self._size += keys.nbytes

    def all_different(self) -> bool:
        """Say whether it is known that no key came twice."""
        if self._size > MOST_HELD:
            return False
        held = pa.concat_tables(self._held) if self._held else None
        if held is None or len(held) < 2:  # noqa: PLR2004
            return True
        if len(self._keys) == 1:
            different: int = pc.count_distinct(held[self._keys[0]]).as_py()
        else:
            different = len(held.group_by(self._keys).aggregate([]))
        return different == len(held)
