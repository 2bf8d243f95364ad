"""The number of rows of a list, as far as its pages show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_chat.http import responses
from tap_chat.streams.paginators.base import stated_number

if TYPE_CHECKING:
    from tap_chat.streams.paginators.pages import Page

# If a server limits the number of rows of a list, the limit is a multiple of this number.
ROUND = 1000


class ListSize:
    """What the pages of a list show about its size.

    Args:
        limit: The number of rows that each request asks for.
        total_path: The path at which a body states the number of rows in all pages; empty if none,
            None to look for it under the usual names.
        first: The offset of the first page.

    Attributes:
        largest: The rows of the largest page.
        has_gaps: Whether pages before the last one lack rows, as if some are hidden.
    """

    def __init__(self, limit: int, total_path: str | None, first: int) -> None:
        self.largest = 0
        self.has_gaps = False
        self._limit = limit
        self._total_path = total_path
        self._first = first
        self._rows = 0
        self._body: Any = None

    def see(self, page: Page) -> None:
        """Note the size of any page."""
        self.largest = max(self.largest, len(page.keys))

    def take(self, page: Page, *, is_later: bool) -> None:
        """Note a page that is taken.

        Args:
            page: The page.
            is_later: Whether it has new rows after those of another page.
        """
        self.has_gaps = self.has_gaps or (is_later and not self.is_full)
        self._rows, self._body = len(page.keys), page.body

    @property
    def is_full(self) -> bool:
        """Whether the page that was taken last has as many rows as the server returns at once."""
        return self._rows >= min(self._limit, self.largest)

    @property
    def total(self) -> int | None:
        """The number of rows from the first offset on, as the page that was taken last states."""
        return self.total_of(self._body)

    def total_of(self, body: Any) -> int | None:  # noqa: ANN401
        """Return the number of rows from the first offset on, as a body states it, or None."""
        if self._total_path is None:
            total = responses.stated_total(body)
        else:
            total = stated_number(body, self._total_path)
        return None if total is None else total - self._first

    @property
    def is_end_declared(self) -> bool:
        """Whether a list ends at its stated total, because the total is declared."""
        return bool(self._total_path)

    def is_beyond_stated_end(self, body: Any, rows: int) -> bool:  # noqa: ANN401
        """Return whether a total that is declared has been reached.

        Args:
            body: The body that states the total.
            rows: The rows that were read.
        """
        total = self.total_of(body) if self._total_path else None
        return total is not None and rows >= total

    def may_be_cut_off(self, rows: int, *offsets: int) -> bool:
        """Return whether a list may continue although the server returns nothing more.

        Args:
            rows: The number of rows before.
            offsets: Other positions that may be the server's limit.
        """
        if not self.is_full:
            return False
        if self.total is not None:
            return rows < self.total
        return any(place > 0 and place % ROUND == 0 for place in (rows, *offsets))
