"""Paginators: from a page to the place of the next, each ending for a reason.

They are shaped like the SDK's, but read a page that is decoded already instead of a response
that every reader decodes again.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from tap_chat.records import Record

TokenT = TypeVar("TokenT")


@dataclass(frozen=True, slots=True)
class Page:
    """One decoded answer.

    Attributes:
        body: The whole answer.
        records: The records in it, each with its key.
        keys: The key of each record.
    """

    body: Any
    records: list[Record]
    keys: list[tuple[Any, ...]]


class RepeatedPageError(Exception):
    """A page came twice: the server does not page as it is asked to."""


class Paginator(ABC, Generic[TokenT]):
    """Walks one stream's pages.

    Args:
        start: The token of the first page.

    Attributes:
        current_value: The token of the page to ask for next.
        finished: True when there is none.
    """

    def __init__(self, start: TokenT) -> None:
        self.current_value = start
        self.finished = False
        self._count = 0
        self._last: list[tuple[Any, ...]] | None = None
        self._landmark: list[tuple[Any, ...]] | None = None

    def advance(self, page: Page) -> bool:
        """Move on from a page.

        Args:
            page: The page of `current_value`.

        Returns:
            True if its records are new.

        Raises:
            RepeatedPageError: It, or one like it, came before.
        """
        if page.records and page.keys in (self._last, self._landmark):
            raise RepeatedPageError
        self._count += 1
        self._last = page.keys
        # Brent's cycle detection: a loop of any length is found with one remembered page.
        if self._count & (self._count - 1) == 0:
            self._landmark = page.keys
        following = self.get_next(page)
        if following is None:
            self.finished = True
        else:
            self.current_value = following
        return True

    @abstractmethod
    def get_next(self, page: Page) -> TokenT | None:
        """Return the token of the page after this one, or None if it was the last."""


class OffsetPaginator(Paginator[int]):
    """Pages by the number of records to skip, until a page is empty.

    A short page is not taken for the last one: a server that gives fewer records than it is asked
    for would lose the rest in silence. The price is one more request, to see the empty page.

    Args:
        page_size: The number of records asked for, in rows.
    """

    def __init__(self, page_size: int) -> None:
        super().__init__(0)
        self._page_size = page_size

    @override
    def advance(self, page: Page) -> bool:
        # An API that ignores the offset and gives all it has at once is read with one page.
        if len(page.records) < self._page_size and page.keys == self._last:
            self.finished = True
            return False
        return super().advance(page)

    @override
    def get_next(self, page: Page) -> int | None:
        return self.current_value + len(page.records) if page.records else None
