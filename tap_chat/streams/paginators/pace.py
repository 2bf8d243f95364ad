"""How many pages of a list are requested ahead of its reader."""

from __future__ import annotations

# Of so many pages in a row that came as expected, one more may be requested ahead. So requests
# beyond the end of a list are at most a third of its pages.
PAGES_FOR_ONE_AHEAD = 3


class Pace:
    """Counts the pages that came as expected: full, and with the rows that follow.

    The more of them, the more pages are requested ahead; at a surprise, the count begins again.

    Args:
        is_allowed: Whether pages may be requested ahead.
    """

    def __init__(self, *, is_allowed: bool = True) -> None:
        self._is_allowed = is_allowed
        self._pages = 0
        self._was_surprised = False

    def note(self, *, is_expected: bool) -> None:
        """Take note of a page.

        Args:
            is_expected: Whether it came as expected.
        """
        if is_expected:
            self._pages += 1
        else:
            self.surprise()

    def surprise(self) -> None:
        """Take note that something came unexpectedly."""
        self._pages = 0
        self._was_surprised = True

    def most(self, limit: int, *, is_end_stated: bool, again: int) -> int:
        """Return the number of pages that may be requested ahead.

        Args:
            limit: The maximum.
            is_end_stated: Whether the server states where the list ends.
            again: The number of pages beyond the end that are requested again in their turn.
        """
        if not self._is_allowed:
            return 0
        if is_end_stated and not self._was_surprised:
            return limit
        return min(limit, max(0, self._pages // PAGES_FOR_ONE_AHEAD - again))
