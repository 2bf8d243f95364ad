"""Detects repeated pages and cursors, in little memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

# How many values are remembered, by their hashes.
REMEMBERED_VALUES = 10_000


class RepeatDetector:
    """Detects repeated values, as in a loop of pages.

    It remembers the last 10,000 values. Brent's algorithm finds longer loops with one more value.
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._order: deque[int] = deque()
        self._landmark: Hashable = None
        self._count = 0

    def add(self, value: Hashable) -> bool:
        """Remember a value; return whether it came before.

        Args:
            value: The value; never None.
        """
        if value == self._landmark or not self._is_new(hash(value)):
            return True
        self._count += 1
        if self._count & (self._count - 1) == 0:
            self._landmark = value
        return False

    def _is_new(self, hashed: int) -> bool:
        if hashed in self._hashes:
            return False
        self._hashes.add(hashed)
        self._order.append(hashed)
        if len(self._order) > REMEMBERED_VALUES:
            self._hashes.discard(self._order.popleft())
        return True
