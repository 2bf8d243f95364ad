"""The base of all paginators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tap_chat.http.json_path import find_first
from tap_chat.streams.paginators.pages import (
    EMPTY_PAGE,
    Page,
    PaginationError,
    RepeatedPageError,
)
from tap_chat.streams.paginators.repeats import RepeatDetector
from tap_chat.streams.read_plans import Expected

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_chat.http.request import Request

#: The maximum number of empty pages in a row, if the server says that more pages follow.
MAX_EMPTY_PAGES = 20

#: The statuses with which servers say that a list is empty, or that a page is after its end.
NO_CONTENT = frozenset({204})
BEYOND_END = NO_CONTENT | {400, 404, 416, 422}

# The maximum digits of a number in a text. No list has more rows.
MAX_DIGITS = 18

# The texts that mean true and false.
TRUTHS = dict.fromkeys(("true", "yes", "t", "y", "1"), True)
TRUTHS |= dict.fromkeys(("false", "no", "f", "n", "0"), False)


class Paginator(ABC):
    """Pages through one list.

    Until `finished`, call `page_request` for the request of the next page, and pass the page to
    `advance`.

    Attributes:
        reads_headers: Whether it needs the headers of pages.
        finished: Whether no page follows.
        missing: The statuses with which the server may say that the page of the next request does
            not exist.
        doubts: Returns why rows may be missing after a list that ended with the given first page,
            as a predicate; else empty. None if nothing is known of the API.
    """

    reads_headers: bool = False

    def __init__(self) -> None:
        self.finished = False
        self.doubts: Callable[[Page], str] | None = None
        self._doubt = ""
        self._is_first = True
        self.missing: frozenset[int] = frozenset()
        self._repeats = RepeatDetector()
        self._empty_pages = 0

    @abstractmethod
    def page_request(self, request: Request) -> Request:
        """Return the request of the next page.

        Args:
            request: The request of the list, without pagination.
        """

    def expected_requests(self, request: Request, most_ahead: int) -> list[Expected[Request]]:  # noqa: ARG002
        """Return the next request, and those that are expected after it.

        Args:
            request: The request of the list, without pagination.
            most_ahead: The maximum number of requests after the next one.

        Returns:
            The next request. If the list has numbered pages, those that follow if all pages are
            full and nothing changes, up to the end of the list if that is known.
        """
        return [Expected(self.page_request(request))]

    def accepts_ahead(self, page: Page) -> bool:  # noqa: ARG002 - nothing is requested ahead
        """Return whether a page that was requested ahead is the one that is expected.

        Otherwise the list has ended or changed: its page must be requested in its turn.

        Args:
            page: The page of the next request.
        """
        return False

    def advance(self, page: Page) -> Page:
        """Move on from a page.

        Args:
            page: The page of the last request.

        Returns:
            The part of it that is new.

        Raises:
            PaginationError: The page is repeated, or too many pages in a row are empty.
        """
        self._check_new(page)
        self.finished = not self.move_on(page)
        self._check_empty(page)
        if self.finished and self._is_first and self.doubts:
            self._doubt = self.doubts(page)
        self._is_first = False
        return page

    @abstractmethod
    def move_on(self, page: Page) -> bool:
        """Move to the page after this one.

        Args:
            page: The page.

        Returns:
            Whether there is a page after it.
        """

    def miss(self, predicate: str) -> Page:  # noqa: ARG002 - most lists just end there
        """Move on from a page that does not exist: the server returned a status of `missing`.

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

        Then an empty body, or null instead of the list, also means the end.
        """
        return HTTPStatus.NOT_FOUND in self.missing

    @property
    def total(self) -> int | None:
        """The number of rows in all pages, as the server states it; None if it states none."""
        return None

    @property
    def shortfall(self) -> tuple[int, int] | None:
        """The stated number of rows and the number read, if fewer were read; otherwise None."""
        return None

    @property
    def doubt(self) -> str:
        """Why rows may be missing after the end of the list, as a predicate; else empty."""
        return self._doubt

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
        path: The JSONPath of the true or false that says so; empty if there is none.

    Raises:
        PaginationError: There is neither true nor false at the path.
    """
    if not path:
        return None
    value = find_first(body, path)
    named = TRUTHS.get(value.lower()) if isinstance(value, str) else value
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
        path: The JSONPath of the number; empty if there is none.
    """
    value = find_first(body, path) if path else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS:
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < MAX_DIGITS:
        return int(value) if value == int(value) else None
    return value if type(value) is int else None
