"""The rows that a paginator has read last."""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_chat.streams.paginators.pages import Key, Page

# The number of rows that are known by their keys. An older row may come twice.
REMEMBERED_ROWS = 20_000


class RecentRows:
    """The keys of the rows that were read last, and of the first page.

    Attributes:
        count: The number of all rows that were read.
        last_key: The key of the last one; None before the first.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last_key: Key | None = None
        self._pages: deque[Sequence[Key]] = deque()
        self._remembered = 0
        self._keys: set[Key] | None = None
        self._first_page: frozenset[Key] = frozenset()

    def begin(self, keys: Sequence[Key]) -> None:
        """Remember the keys of the first page until the end of the list."""
        self._first_page = frozenset(keys)

    def add(self, keys: Sequence[Key]) -> None:
        """Add the keys of further rows, and forget the oldest."""
        self._pages.append(keys)
        self._remembered += len(keys)
        self.count += len(keys)
        if keys:
            self.last_key = keys[-1]
        # Most lists need no lookup of a key, so the set is built at the first lookup.
        if self._keys is not None:
            self._keys.update(keys)
        while self._remembered - len(self._pages[0]) >= REMEMBERED_ROWS:
            oldest = self._pages.popleft()
            self._remembered -= len(oldest)
            if self._keys is not None:
                self._keys.difference_update(oldest)

    def has_first_of(self, page: Page) -> bool:
        """Return whether a page begins with a known row, so that no row before it was skipped."""
        return bool(page.keys) and page.keys[0] in self._known_keys()

    def new_in(self, page: Page) -> Page:
        """Return a page without its known rows."""
        known, first = self._known_keys(), self._first_page
        return page.only([key not in known and key not in first for key in page.keys])

    def are_new(self, keys: Sequence[Key]) -> bool:
        """Return whether none of some rows is known."""
        return self._known_keys().isdisjoint(keys) and self._first_page.isdisjoint(keys)

    def count_of_first_page(self, keys: Sequence[Key]) -> int:
        """Return how many of some rows are of the first page."""
        return sum(key in self._first_page for key in keys)

    def _known_keys(self) -> set[Key]:
        if self._keys is None:
            self._keys = set(chain.from_iterable(self._pages))
        return self._keys
