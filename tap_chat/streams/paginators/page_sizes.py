"""When a short page is the last one, and when it may be the server that ended it.

An API may give fewer rows than it is asked for, by a limit of its own that nobody knows, or because
some are hidden. A further request for each short page would tell, but costs as much as the page
where most lists are short. So the sizes of all pages of a stream tell together: no page is larger
than a limit, and one that lacks a few hidden rows is not much smaller than the largest.
"""

from __future__ import annotations

import threading
from collections import Counter

# The part of a page's full size that may be hidden; and where rows are known to be hidden.
HIDDEN, HIDDEN_THERE = 0.2, 0.5

# Pages of one size after which nothing followed, until it is taken for chance that none is larger.
ENOUGH = 10


class PageSizes:
    """The sizes of one stream's pages, over all its lists in a run.

    Args:
        asked: The number of rows that are asked for.
        usual: Sizes that servers are known to limit pages to.
    """

    def __init__(self, asked: int, usual: tuple[int, ...] = ()) -> None:
        self._asked = asked
        self._usual = usual
        self._limits: set[int] = set()
        self._largest = 0
        self._hidden = HIDDEN
        self._looked: Counter[int] = Counter()
        self._passed: Counter[int] = Counter()
        self._lock = threading.Lock()

    def is_last(self, rows: int) -> bool:
        """Say whether a page of a list is taken for the last one, though nothing says so.

        Args:
            rows: Its rows.
        """
        with self._lock:
            self._largest = max(self._largest, rows)
            if not rows or rows <= self._largest * (1 - self._hidden):
                return True
            if rows in self._limits or self._largest in (self._asked, *self._limits):
                return False
            # The largest may have been ended by the server, or be so by chance.
            self._looked[rows] += 1
            times = self._looked[rows]
            # Now and then it is looked at again.
            if rows in self._usual or times <= ENOUGH or times & (times - 1) == 0:
                return False
            self._passed[rows] += 1
            return True

    def learn(self, rows: int) -> int:
        """Learn that more rows followed a page.

        Args:
            rows: Its rows.

        Returns:
            How many pages of that size were taken for the last of their lists before.
        """
        with self._lock:
            self._limits.add(rows)
            if rows < self._largest:
                self._hidden = HIDDEN_THERE
            return self._passed[rows]

    def is_short(self, rows: int) -> bool:
        """Say whether a page has fewer rows than were asked for."""
        return rows < self._asked
