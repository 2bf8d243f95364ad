"""What a walk over pages remembers of the rows that it has read."""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_chat.streams.paginators.pages import Page

    Key = tuple[Any, ...]

# Rows that are known by their keys, of the pages read last. What is older may come twice.
REMEMBERED_ROWS = 20_000


class RecentRows:
    """The keys of the rows read last, and of the first page for ever."""

    def __init__(self) -> None:
        self._pages: deque[Sequence[Key]] = deque()
        self._rows = 0
        self._keys: set[Key] | None = None
        self._first: frozenset[Key] = frozenset()

    def begin(self, keys: Sequence[Key]) -> None:
        """Remember the keys of the first page for as long as the walk lasts."""
        self._first = frozenset(keys)

    def add(self, keys: Sequence[Key]) -> None:
        """Add the keys of further rows, and forget the oldest."""
        self._pages.append(keys)
        self._rows += len(keys)
        # Most walks never look, so that the set is made when one does.
        if self._keys is not None:
            self._keys.update(keys)
        while self._rows - len(self._pages[0]) >= REMEMBERED_ROWS:
            oldest = self._pages.popleft()
            self._rows -= len(oldest)
            if self._keys is not None:
                self._keys.difference_update(oldest)

    def has_first_of(self, page: Page) -> bool:
        """Say whether a page begins with a known row: then none before it was skipped."""
        return bool(page.keys) and page.keys[0] in self._known

    def new_in(self, page: Page) -> Page:
        """Return a page without the rows that are known."""
        known, first = self._known, self._first
        return page.only([key not in known and key not in first for key in page.keys])

    def from_first(self, keys: Sequence[Key]) -> int:
        """Return how many of some rows are of the first page."""
        return sum(key in self._first for key in keys)

    @property
    def _known(self) -> set[Key]:
        if self._keys is None:
            self._keys = set(chain.from_iterable(self._pages))
        return self._keys
