"""When a short page is the last one, and when it may be the server that ended it.

An API may give fewer rows than it is asked for, by a limit of its own that nobody knows, or because
some are hidden. A further request for each short page would tell, but costs as much as the page
where most lists are short. So the sizes of all pages of a stream tell together: by a limit, no page
is larger, and many are of just that size.
"""

from __future__ import annotations

import threading
from collections import Counter

# A page that lacks fewer rows, as a part of its full size, may have hidden ones.
HIDDEN = 0.1

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
            full = self._largest if self._largest in self._limits else self._asked
            if rows and (rows in self._limits or rows > full * (1 - HIDDEN)):
                return False
            if not rows or rows < self._largest:
                return True
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
            return self._passed[rows]

    def is_short(self, rows: int) -> bool:
        """Say whether a page has fewer rows than were asked for."""
        return rows < self._asked
