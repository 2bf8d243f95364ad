"""The contexts that were read last."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

#: How many contexts are known. What was read before them is read again, which costs requests only.
MOST = 100_000


class RecentContexts:
    """The contexts that were read last, in little memory.

    Args:
        most: How many are known.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    def add(self, context: Hashable) -> bool:
        """Add a context.

        Args:
            context: The context.

        Returns:
            Whether it is new.
        """
        if context in self._known:
            self._known.move_to_end(context)
            return False
        self._known[context] = None
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return True
