"""What the pages of LiveChat's queries give, and how many chats they reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_chat.http.request import Request
    from tap_chat.singer.records import Record

#: So many chats more than it lists, and more than those, does LiveChat not count by accident.
MANY_ABSENT = 10


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a query.

    Attributes:
        request: What was asked.
        total: The number of chats in the window, in all pages.
        pages: The number of pages.
        chats: The rows of each chat of this page.
        size: Bytes of the answer.
    """

    request: Request
    total: int
    pages: int
    chats: list[list[Record]]
    size: int

    @property
    def ids(self) -> set[str]:
        """The ids of the chats of this page."""
        return {rows[0]["id"] for rows in self.chats}


@dataclass(frozen=True, slots=True)
class Found:
    """What the pages of a window gave.

    Attributes:
        listing: The first page of the last pass.
        asked: The number of pages that were given.
        pages: The number of those that had something new.
        listed: The number of chats in these.
        given: The number of those that are not the same.
        more: Whether the pass brought chats that none before had.
    """

    listing: Listing
    asked: int
    pages: int
    listed: int
    given: int
    more: bool

    @property
    def complete(self) -> bool:
        """Whether all came that LiveChat counts."""
        return self.given >= self.listing.total

    @property
    def short(self) -> bool:
        """Whether pages that LiveChat counts were missing or had nothing new."""
        return self.pages < self.listing.pages

    @property
    def far_off(self) -> bool:
        """Whether LiveChat counts so much more that it is no accident."""
        return self.listing.total - self.given >= max(MANY_ABSENT, self.given)

    @property
    def cut_off(self) -> bool:
        """Whether pages that LiveChat counts were refused, or not asked for any more."""
        return self.asked < self.listing.pages


class Reach:
    """How many chats a query reaches: fewer than it should, as far as its pages show.

    Args:
        allowed: How many it should reach.
    """

    def __init__(self, allowed: int) -> None:
        self._allowed = self._learned = allowed
        self._most = 0

    def covers(self, total: int) -> bool:
        """Say whether so many chats can be reached with one query, as far as is known."""
        return total < self._learned

    def leaves_out(self, found: Found) -> bool:
        """Take note of a window, and say if some of its chats may be out of reach.

        Where more could be reached before, it is not the reach that ends the pages.

        Args:
            found: What its pages gave.
        """
        farthest = found.listed >= self._most
        self._most = max(self._most, found.listed)
        if self._most > self._learned:
            self._learned = self._allowed
        if found.complete or not (found.more or (found.short and farthest)):
            return False
        if found.cut_off and not found.more:
            self._learned = min(self._learned, found.listed)
        return True
