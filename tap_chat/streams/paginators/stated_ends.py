"""Decides whether a list ends where it says so.

A server may state the rows of a page where a declaration expects those of all pages: then the list
seems to end with its first page. So where a list ends with a page as large as any, the page after
it is requested, too.
"""

from __future__ import annotations

import threading

from tap_chat.streams.paginators.pages import PaginationError

# How often that is done for each such list; later it is done at the 4th, 8th, 16th, ... of them.
ENOUGH = 3


class StatedEnds:
    """What the pages of one stream show about ends, over all its lists in a run.

    Attributes:
        is_wrong: Whether a list had more rows than it states.
        has_pages: Whether the second page of a list differed from its first one.
    """

    def __init__(self) -> None:
        self.is_wrong = False
        self.has_pages = False
        self._largest = 0
        self._times = 0
        self._trusted = 0
        self._has_doubted = False
        self._lock = threading.Lock()

    def is_full(self, rows: int) -> bool:
        """Take note of a page, and return whether none of the stream had more rows.

        Args:
            rows: The number of rows of a page.
        """
        with self._lock:
            self._largest = max(self._largest, rows)
            return rows == self._largest

    def is_trusted(self, rows: int) -> bool:
        """Return whether a list ends where it says so.

        Args:
            rows: The number of rows of its last page.
        """
        if not self.is_full(rows):
            return True
        with self._lock:
            self._times += 1
            if self._times <= ENOUGH or self._times & (self._times - 1) == 0:
                return False
            self._trusted += 1
            return True

    def refute(self) -> None:
        """Note that a list has more rows than it states.

        Raises:
            PaginationError: Earlier lists ended where they said so.
        """
        with self._lock:
            self.is_wrong = True
            if self._trusted:
                raise PaginationError(
                    f"returned rows after its stated end, where {self._trusted} lists ended",
                    "Remove `total_path` if it is not the total of the list.",
                )

    def is_first_doubt(self) -> bool:
        """Return True once: a warning is enough for all lists of the stream."""
        with self._lock:
            has_doubted, self._has_doubted = self._has_doubted, True
            return not has_doubted
