"""The signs that a list has no fixed order, or that its server ignores the offset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_chat.streams.paginators.pages import PaginationError, RepeatedPageError
from tap_chat.streams.paginators.recent_rows import REMEMBERED_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_chat.streams.paginators.pages import Key, Page
    from tap_chat.streams.paginators.recent_rows import RecentRows

# How often the paginator may go back without reading a new row.
MAX_RETURNS = 3

# Consecutive known rows, as when many rows enter the list before the position that is read.
MAX_KNOWN_ROWS = 2 * REMEMBERED_ROWS

# Consecutive pages with mostly known rows, and consecutive pages that are the same.
MAX_MIXED_PAGES = 20
MAX_SAME_PAGES = 2

# Pages with known rows after new ones, as when changed rows move to the end of the list.
MAX_SCATTERED_PAGES = 5

# How often a list may start again, as when the offset wraps around.
MAX_LAPS = 2


class ListOrder:
    """Counts the signs of disorder in one list, and raises an error at too many.

    Args:
        rows: The rows that were read last.
        reach_remedy: What to do if the server returns only a part of the list.
    """

    def __init__(self, rows: RecentRows, reach_remedy: str) -> None:
        self._rows = rows
        self._reach_remedy = reach_remedy
        self._returns = self._mixed = self._scattered = self._laps = 0
        self._known = self._same = 0

    def check_lap(self, page: Page) -> None:
        """Check a page after the list started again.

        Raises:
            RepeatedPageError: The offset wraps around.
        """
        if self._laps >= MAX_LAPS and len(page.keys) > 1:
            raise RepeatedPageError

    def begins_anew(self, keys: Sequence[Key], *, has_moved: bool) -> bool:
        """Return whether most rows are those of the first page, as when the offset wraps around.

        Args:
            keys: The keys of the rows.
            has_moved: Whether rows have moved before. Then these rows may have moved to the end,
                and are accepted once.
        """
        if not self.are_of_first_page(keys):
            return False
        self._laps += 1 if has_moved else MAX_LAPS
        return True

    def are_of_first_page(self, keys: Sequence[Key]) -> bool:
        """Return whether most of some rows are those of the first page."""
        return 2 * self._rows.count_of_first_page(keys) > len(keys)

    def count_return(self) -> None:
        """Count that the paginator goes back to look for a known row.

        Raises:
            PaginationError: It went back too often.
        """
        self._returns += 1
        if self._returns > MAX_RETURNS:
            raise PaginationError(
                "did not repeat the last row of the page before",
                "Run again. If it stays, the list has no fixed order, and can't be read without"
                " losing records.",
            )

    def count_new(self) -> None:
        """Take note of new rows: going back has helped."""
        self._returns = 0

    def count_mixed(self, page: Page, new: Page) -> None:
        """Count pages of which most rows are known, as when the server ignores the offset.

        Args:
            page: The page.
            new: The part of it that is new.

        Raises:
            PaginationError: There are too many such pages in a row.
        """
        is_mixed = 0 < 2 * len(new.records) <= len(page.records)
        self._mixed = self._mixed + 1 if is_mixed else 0
        if self._mixed >= MAX_MIXED_PAGES:
            raise PaginationError(f"returned {self._mixed} pages in a row with mostly known rows")

    def count_joined(self) -> None:
        """Take note of a page that begins where the one before ends."""
        self._mixed = 0

    def count_scattered(self, page: Page, new: Page) -> None:
        """Count pages with known rows after new ones; see `count_mixed` for the arguments."""
        self._scattered += page.keys[len(page.keys) - len(new.keys) :] != new.keys

    def check_end(self, place: int) -> None:
        """Check the end of a list.

        Args:
            place: The position of the end.

        Raises:
            PaginationError: Fewer rows were read, and their order changed all the time.
        """
        if self._scattered > MAX_SCATTERED_PAGES and self._rows.count < place:
            raise PaginationError(
                "returned its rows in another order each time",
                "A list without a fixed order can't be read without losing records.",
            )

    def count_known(self, page: Page, new: Page, last: Sequence[Key], *, is_cut_off: bool) -> bool:
        """Count pages without new rows; return whether they show that the list has ended.

        Args:
            page: The page.
            new: The part of it that is new.
            last: The keys of the page before.
            is_cut_off: Whether more rows may follow that the server does not return.

        Raises:
            RepeatedPageError: They show that the server ignores the offset.
        """
        if new.records:
            self._known = self._same = 0
            return False
        self._known += len(page.keys)
        self._same = self._same + 1 if page.keys == last else 0
        if self._same < MAX_SAME_PAGES and self._known < MAX_KNOWN_ROWS:
            return False
        # After the end, some servers return the last page again. Any other page is an error.
        if not self._same or page.keys[-1] != self._rows.last_key or is_cut_off:
            raise RepeatedPageError(self._reach_remedy)
        return True
