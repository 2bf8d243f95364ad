"""The base of all paginators: from a page to the request of the next one, with an end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from tap_chat.http import responses
from tap_chat.streams.paginators.pages import (
    EMPTY_PAGE,
    Page,
    PaginationError,
    RepeatedPageError,
)
from tap_chat.streams.paginators.repeats import RepeatDetector

if TYPE_CHECKING:
    from tap_chat.http.request import Request

#: Pages in a row that may be empty though the server says that more follow.
MAX_EMPTY_PAGES = 20

#: The statuses by which a server says that a list is empty, or that a page is beyond its end.
NO_CONTENT = frozenset({204})
BEYOND_END = NO_CONTENT | {400, 404, 416, 422}

# The digits of a number in a text. No list is longer.
MAX_DIGITS = 18


class Paginator(ABC):
    """Walks the pages of one list.

    `page_request` gives the request of a page, and `advance` takes the page, until `finished`.

    Attributes:
        reads_headers: Whether it needs the headers of pages.
        finished: Whether no page follows.
        missing: The statuses by which the server may say that the page of the next request does
            not exist.
    """

    reads_headers: ClassVar[bool] = False

    def __init__(self) -> None:
        self.finished = False
        self.missing: frozenset[int] = frozenset()
        self._repeats = RepeatDetector()
        self._empty_pages = 0

    @abstractmethod
    def page_request(self, request: Request) -> Request:
        """Return the request of the page to ask for next.

        Args:
            request: The request of the list, without pagination.
        """

    def advance(self, page: Page) -> Page:
        """Move on from a page.

        Args:
            page: The page that was asked for.

        Returns:
            The part of it that is new.

        Raises:
            PaginationError: The page is repeated, or too many pages in a row are empty.
        """
        self._check_new(page)
        self.finished = not self.move_on(page)
        self._check_empty(page)
        return page

    @abstractmethod
    def move_on(self, page: Page) -> bool:
        """Move to the page after this one.

        Args:
            page: The page.

        Returns:
            Whether there is one.
        """

    def miss(self, predicate: str) -> Page:  # noqa: ARG002 - most lists just end there
        """Move on from a page that does not exist, as the server says by one of `missing`.

        Args:
            predicate: What the server did, as the predicate of a sentence.

        Returns:
            An empty page.

        Raises:
            PaginationError: The page must exist.
        """
        self.finished = True
        return EMPTY_PAGE

    @property
    def may_be_past_end(self) -> bool:
        """Whether the next request may be past the end of the list.

        Then an empty body, or a null in place of the list, says so, too.
        """
        return HTTPStatus.NOT_FOUND in self.missing

    @property
    def shortfall(self) -> tuple[int, int] | None:
        """The stated number of rows and the number read, if fewer were read; otherwise None."""
        return None

    def _check_new(self, page: Page) -> None:
        if page.records and self._repeats.add(tuple(page.keys)):
            raise RepeatedPageError

    def _check_empty(self, page: Page) -> None:
        self._empty_pages = 0 if page.records else self._empty_pages + 1
        if self._empty_pages > MAX_EMPTY_PAGES and not self.finished:
            raise PaginationError(f"returned {self._empty_pages} empty pages in a row")


def says_more(body: Any, path: str) -> bool | None:  # noqa: ANN401
    """Return whether a body says that more pages follow; None if there is no path.

    Args:
        body: The decoded body.
        path: Where it says so: names with dots between them, leading to true or false.

    Raises:
        PaginationError: It does not say so.
    """
    if not path:
        return None
    value = responses.find(body, path)
    named = {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else value
    if isinstance(named, bool):
        return named
    raise PaginationError(
        f"does not say at `{path}` whether more pages follow",
        "There must be true or false. Correct the path, or leave it out.",
    )


def stated_number(body: Any, path: str) -> int | None:  # noqa: ANN401
    """Return a number that a body states, or None.

    Args:
        body: The decoded body.
        path: Where it stands: names with dots between them; empty for nowhere.
    """
    value = responses.find(body, path) if path else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS:
        return int(value)
    return value if type(value) is int else None
