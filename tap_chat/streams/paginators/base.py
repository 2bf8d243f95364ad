"""Paginators: from a page to the place of the next, each ending for a reason.

They are shaped like the SDK's, but read a page that is decoded already instead of a response
that every reader decodes again. That of lists by offset is in `offsets`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from itertools import chain, compress
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.singer.records import RecordChunk
from tap_chat.streams.paginators.recent_rows import Trail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_chat.streams.paginators.page_sizes import PageSizes

TokenT = TypeVar("TokenT")

# The last so many pages are remembered, by the hashes of their keys.
REMEMBERED_PAGES = 10_000

#: Pages in a row that may be empty though the server says that more follow.
MOST_EMPTY_PAGES = 20

#: How often the end of a page may change while the next one is asked for.
MOST_CHECKS = 5

# What a link to the next page is called.
NEXT = ("next", "next_page")

#: Statuses that say that a list is empty; and those that servers answer with beyond its end.
NO_CONTENT = frozenset({204})
BEYOND = NO_CONTENT | {400, 404, 416, 422}


@dataclass(frozen=True, slots=True)
class Page:
    """One decoded answer.

    Attributes:
        body: The whole answer.
        chunk: The records in it, each with its key.
        keys: The key of each record.
    """

    body: Any
    chunk: RecordChunk
    keys: list[tuple[Any, ...]]

    @property
    def records(self) -> Sequence[Any]:
        """The records."""
        return self.chunk.records

    def after(self, count: int) -> Page:
        """Return the page without its first records.

        Args:
            count: The number of records that are left out.
        """
        return Page(self.body, self.chunk.split(count)[1], self.keys[count:])

    def only(self, chosen: Sequence[bool]) -> Page:
        """Return the page with some of its records.

        Args:
            chosen: For each record whether it is one of them.
        """
        return Page(self.body, self.chunk.only(chosen), list(compress(self.keys, chosen)))


#: A page without records; what an answer is taken for that says that nothing is there.
NOTHING = Page(None, RecordChunk([]), [])


class PagingError(Exception):
    """The server does not page as it should.

    Args:
        said: What it did, as the predicate of a sentence.
        remedy: What to do, where it is not the same for the whole stream.
    """

    def __init__(self, said: str, remedy: str = "") -> None:
        super().__init__(said)
        self.said = said
        self.remedy = remedy


class RepeatedPageError(PagingError):
    """A page came twice.

    Args:
        remedy: As for `PagingError`.
    """

    def __init__(self, remedy: str = "") -> None:
        super().__init__("gave a page that came before", remedy)


class Paginator(ABC, Generic[TokenT]):
    """Walks one stream's pages.

    Args:
        start: The token of the first page.

    Attributes:
        current_value: The token of the page to ask for next.
        finished: True when there is none.
        missing: Statuses by which the server may say that this page is not there. Where 404 is
            one, so may be a null in place of the list, or an empty body.
    """

    def __init__(self, start: TokenT) -> None:
        self.current_value = start
        self.finished = False
        self.missing: frozenset[int] = frozenset()
        self._count = 0
        self._empty = 0
        self._last: list[tuple[Any, ...]] | None = None
        self._landmark: list[tuple[Any, ...]] | None = None
        self._seen: set[int] = set()
        self._order: deque[int] = deque()

    def advance(self, page: Page) -> Page:
        """Move on from a page.

        Args:
            page: The page of `current_value`.

        Returns:
            What is new of it.

        Raises:
            PagingError: It, or one like it, came before; or there is no end of empty ones.
        """
        self._check_new(page)
        following = self.get_next(page)
        if following is None:
            self.finished = True
        else:
            self.current_value = following
        self._empty = 0 if page.records else self._empty + 1
        if self._empty > MOST_EMPTY_PAGES and not self.finished:
            raise PagingError(f"gave the last of {self._empty} empty pages in a row")
        return page

    def miss(self, said: str) -> Page:  # noqa: ARG002 - by default it does not matter
        """Move on from a page that is not there, which the server may say by one of `missing`.

        Args:
            said: What it said, as the predicate of a sentence.

        Returns:
            The page that it is taken for, which has no records.

        Raises:
            PagingError: It should be there.
        """
        self.finished = True
        return NOTHING

    def _check_new(self, page: Page) -> None:
        """Remember a page, and raise an error if it came before."""
        if page.records and (page.keys in (self._last, self._landmark) or self._saw(page)):
            raise RepeatedPageError
        self._count += 1
        self._last = page.keys
        # Brent's cycle detection: a loop of any length is found with one remembered page.
        if self._count & (self._count - 1) == 0:
            self._landmark = page.keys

    def _saw(self, page: Page) -> bool:
        """Say whether a page is one of the last before, and remember it."""
        known = hash(tuple(page.keys))
        if known in self._seen:
            return True
        self._seen.add(known)
        self._order.append(known)
        if len(self._order) > REMEMBERED_PAGES:
            self._seen.discard(self._order.popleft())
        return False

    @property
    def lacking(self) -> tuple[int, int] | None:
        """How many rows the list says it has, and how many it gave, if that is less."""
        return None

    def is_beyond(self, page: Page) -> bool:  # noqa: ARG002 - most need not look at it
        """Say whether a page only shows that the one before was the last; nobody needs it then."""
        return False

    @abstractmethod
    def get_next(self, page: Page) -> TokenT | None:
        """Return the token of the page after this one, or None if it was the last."""


class SinglePage(Paginator[None]):
    """One page and no more."""

    def __init__(self) -> None:
        super().__init__(None)

    @override
    def get_next(self, page: Page) -> None:
        return None


class NumberPaginator(Paginator[int]):
    """Pages by number from 1, until a page is empty, or short as last pages are.

    What an answer says of further pages is a reason to go on, and none to end: a link to the next
    (`link` or `links`), or the number of pages. Only that number ends a walk, too.

    Args:
        sizes: What is known of the sizes of the stream's pages; None to go on until one is empty.
    """

    def __init__(self, sizes: PageSizes | None = None) -> None:
        super().__init__(1)
        self._sizes = sizes
        # The rows of the page before, if it was short and nothing said that more follow.
        self._short = 0
        self._trail = Trail()
        self._moved = False  # whether rows that are known may be anywhere
        self._held: Page | None = None  # a page, until the one before it was seen again
        self._checks = 0  # how often the one before has changed

    @override
    def advance(self, page: Page) -> Page:
        if held := self._held:
            return self._checked(held, page)
        if self._holds(page):
            return NOTHING
        new = self._trail.new(page) if self._moved else page
        super().advance(page)
        self._trail.add(new.keys)
        return new

    def _holds(self, page: Page) -> bool:
        """Hold a page until the one before was asked for again, if no number of rows is told."""
        stated = responses.find(page.body, "pagination.total_items") is not None
        # Nothing can be pulled to a page that was not full from one that was empty.
        ended = not page.keys and self._short
        if stated or ended or self.current_value == 1 or self._checks >= MOST_CHECKS:
            self._checks = 0
            return False
        self._held, self.missing = page, frozenset()
        self.current_value -= 1
        return True

    def _checked(self, held: Page, before: Page) -> Page:
        """Move on from a page that was held, if the one before it still ends as it did.

        Args:
            held: The page.
            before: The one before, as it is now.
        """
        self._held = None
        self.current_value += 1
        if before.keys[-1:] == (self._last or [])[-1:]:
            self._checks = 0
            new = self._trail.new(held) if self._moved else held
            super().advance(held)
        else:
            # Rows have left the list or entered it: the held page is out of date, and asked again.
            self._checks += 1
            self._moved = True
            self._last = before.keys
            new = self._trail.new(before)
        self._trail.add(new.keys)
        return new

    @override
    def get_next(self, page: Page) -> int | None:
        rows, body = len(page.records), page.body
        if self._short and rows and self._sizes and (passed := self._sizes.learn(self._short)):
            raise PagingError(
                f"gave more behind a page of {self._short}, as which {passed} were the last",
                f"It gives no more at once: ask for {self._short}.",
            )
        self._short, self.missing = 0, frozenset()
        pages = responses.find(body, "pagination.total_pages")
        if type(pages) is int:
            return self.current_value + 1 if self.current_value < pages else None
        if not rows:
            return None
        if not offers_next(body):
            if self._sizes and self._sizes.is_last(rows):
                return None
            if not self._sizes or self._sizes.is_short(rows):
                self._short, self.missing = rows, BEYOND
        return self.current_value + 1

    @override
    def is_beyond(self, page: Page) -> bool:
        # Beyond the end, some servers give the last page once more.
        return bool(self._short) and page.keys == self._last and self._held is None


class NextLinkPaginator(NumberPaginator):
    """Pages by the number in a link to the next, or else as a `NumberPaginator`.

    Of the link (`links.next_page.href`, relative or absolute) only `page` is used: it may lack the
    filter that the first request had.

    Where the number of rows in all pages changes, rows have left the list or entered it, and the
    page before is asked for once more: what others were pulled to it is read, then.

    Args:
        api_url: The only host that a link may lead to.
        sizes: As for `NumberPaginator`.
    """

    def __init__(self, api_url: str, sizes: PageSizes | None = None) -> None:
        super().__init__(sizes)
        self._host = urlsplit(api_url).netloc.rpartition("@")[2].lower()
        self._total: int | None = None
        self._furthest = 0  # the last page that the walk came to
        self._back = 0  # how many pages it has gone back, until it has found its place

    @override
    def advance(self, page: Page) -> Page:
        number, total = self.current_value, self._total
        if self._held or responses.find(page.body, "pagination.total_items") is None:
            return super().advance(page)
        self._total = responses.find(page.body, "pagination.total_items")
        if self._back and number > 1 and not self._trail.joins(page):
            return self._go_back(2 * self._back)
        self._back = 0
        # A list that changes with each request is not gone back in for ever.
        if number > self._furthest:
            self._furthest = number
            if number > 1 and total != self._total:
                return self._go_back(1)
            new = self._trail.new(page) if self._moved else page
            super().advance(page)
        else:
            new = self._trail.new(page)
            following = self.get_next(page)
            self.finished = following is None
            self.current_value = following or number
        self._trail.add(new.keys)
        return new

    def _go_back(self, pages: int) -> Page:
        """Ask for a page before the furthest, to see where its rows are now."""
        self._moved = True
        self._back = pages
        self.current_value = max(1, self._furthest - pages)
        return NOTHING

    @override
    def get_next(self, page: Page) -> int | None:
        body = page.body if isinstance(page.body, dict) else {}
        links, numbers = body.get("links"), body.get("pagination")
        if isinstance(links, dict):
            link = links.get("next_page")
            href = link.get("href") if isinstance(link, dict) else link
            if href is not None:
                return self._number(href)
            if not (isinstance(numbers, dict) and type(numbers.get("total_pages")) is int):
                return None
        return super().get_next(page)

    def _number(self, href: object) -> int:
        try:
            link = urlsplit(href) if isinstance(href, str) else None
        except ValueError:
            link = None
        if link is None:
            raise PagingError("gave a next link that is no URL")
        if link.netloc and link.netloc.lower() != self._host:
            raise PagingError(
                "gave a next link to another host, which is not followed",
                "The credentials go to the host of the setting api_url only.",
            )
        # A page that is left out would be one that is lost.
        if parse_qs(link.query).get("page") != [str(self.current_value + 1)]:
            raise PagingError("gave a next link that does not lead to the next page")
        return self.current_value + 1


class WholeOrPaged(NextLinkPaginator):
    """Pages of a list that may have none: a page that is the one before again was not one."""

    @override
    def is_beyond(self, page: Page) -> bool:
        return page.keys == self._last and self._held is None


def offers_next(body: Any) -> bool:  # noqa: ANN401
    """Say whether an answer has a link to a next page, in one of the ways that APIs have."""
    found = [responses.find(body, name) for name in ("link", "links")]
    for link in chain.from_iterable(one if isinstance(one, list) else [one] for one in found):
        if isinstance(link, dict) and (
            (link.get("rel") in NEXT and link.get("href")) or any(map(link.get, NEXT))
        ):
            return True
    return False
