"""Decides whether a short page is the last one of its list.

An API may return fewer rows than requested: it has its own limit, or hides some rows. A further
request after each short page would show that, but would double the requests if most lists are
short. So the sizes of all pages of a stream decide. No page is larger than the API's limit, and a
page that lacks a few hidden rows is not much smaller than the largest.
"""

from __future__ import annotations

import threading
from collections import Counter

# The share of the rows of a page that may be hidden, and the share once rows were hidden.
MAY_BE_HIDDEN, ARE_HIDDEN = 0.2, 0.5

# After so many pages of one size with nothing after them, that size is not considered a limit.
ENOUGH = 10


class PageSizes:
    """The sizes of the pages of one stream, over all its lists in a run.

    Args:
        requested: The number of rows that each request asks for.
        usual: Usual page limits of such servers.
    """

    def __init__(self, requested: int, usual: tuple[int, ...] = ()) -> None:
        self._requested = requested
        self._usual = usual
        self._limits: set[int] = set()
        self._largest = 0
        self._hidden = MAY_BE_HIDDEN
        self._followed_up: Counter[int] = Counter()
        self._trusted: Counter[int] = Counter()
        self._passed_empty = 0
        self._lock = threading.Lock()

    def is_last(self, rows: int) -> bool:
        """Return whether a page counts as the last one of its list, although nothing says so.

        Args:
            rows: The number of its rows.
        """
        with self._lock:
            self._largest = max(self._largest, rows)
            if not rows or rows <= self._largest * (1 - self._hidden):
                return True
            if rows in self._limits or self._largest in (self._requested, *self._limits):
                return False
            # The largest size so far may be the server's limit, or chance.
            self._followed_up[rows] += 1
            times = self._followed_up[rows]
            # Occasionally, request the next page anyway.
            if rows in self._usual or times <= ENOUGH or times & (times - 1) == 0:
                return False
            self._trusted[rows] += 1
            return True

    def passes_empty(self) -> bool:
        """Return whether to request the page after an empty one that links to it."""
        with self._lock:
            self._passed_empty += 1
            times = self._passed_empty
            return times <= ENOUGH or times & (times - 1) == 0

    def learn(self, rows: int) -> int:
        """Note that more rows follow a page of some size.

        Args:
            rows: The number of its rows.

        Returns:
            How many earlier pages of that size counted as the last ones of their lists.
        """
        with self._lock:
            self._limits.add(rows)
            if rows < self._largest:
                self._hidden = ARE_HIDDEN
            return self._trusted[rows]

    def is_short(self, rows: int) -> bool:
        """Return whether a page has fewer rows than requested."""
        return rows < self._requested
