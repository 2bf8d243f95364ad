"""How Dixa's main API pages its lists."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from tap_chat.http.json_path import find_first
from tap_chat.streams.list_reader import NULL_LIST
from tap_chat.streams.paginators import EMPTY_PAGE, Page, PaginationError
from tap_chat.streams.paginators.cursors import BaseCursorPaginator
from tap_chat.streams.read_plans import Fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_chat.http.request import Request
    from tap_chat.singer.records import Record

#: A list ends after this many empty pages in a row, even if the last has a link.
MOST_EMPTY_PAGES = 3

#: The statuses with which the API may refuse a page size.
BAD_REQUEST = frozenset({400, 422})

# A limit, because each reading brings something new if records enter the list all the time.
MAX_READINGS = 3
DIGEST_BYTES = 16


class PageLimit:
    """The page size of the lists of a stream, as the run learns it.

    Args:
        size: The records of a page.

    Attributes:
        params: The query parameters of a list that begins now.
    """

    def __init__(self, size: int) -> None:
        self.params = {"pageLimit": size}

    def refuse(self) -> None:
        """Take note that the API refuses the size."""
        self.params = {}


class PageKeyPaginator(BaseCursorPaginator):
    """Pages with a link in `meta.next` that has the key of the next page.

    Only the key of the link is used: Dixa's documents show links with the literal path
    `/<api-version>/`, and with a colon after the key
    (https://docs.dixa.io/openapi/dixa-api/v1/search). It is not documented whether a key stands for
    the filters and the size of its list, so each request has them all.

    Args:
        limit: The page size.
    """

    def __init__(self, limit: PageLimit) -> None:
        super().__init__("pageKey")
        self._limit = limit
        self._params = limit.params  # of all pages of the list
        self._empty_pages_in_a_row = 0
        # The largest page size is not documented.
        self.missing = BAD_REQUEST if self._params else frozenset()

    @override
    def page_request(self, request: Request) -> Request:
        return super().page_request(request.with_params(self._params))

    @override
    def miss(self, predicate: str) -> Page:
        if predicate == NULL_LIST:
            return super().miss(predicate)
        self._limit.refuse()
        self._params = {}
        self.missing = frozenset()
        return EMPTY_PAGE

    @override
    def move_on(self, page: Page) -> bool:
        self.missing = frozenset()
        self._empty_pages_in_a_row = 0 if page.records else self._empty_pages_in_a_row + 1
        return self._empty_pages_in_a_row < MOST_EMPTY_PAGES and super().move_on(page)

    @override
    def find_cursor(self, page: Page) -> object:
        link = find_first(page.body, "meta.next")
        return None if link in (None, "") else page_key_of(link)


def page_key_of(link: object) -> str:
    """Return the key of a page in a link.

    Raises:
        PaginationError: The link has none.
    """
    try:
        query = urlsplit(link).query if isinstance(link, str) else ""
    except ValueError:
        query = ""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        # A plus is a digit of base64. No key ends with a colon.
        if name == "pageKey" and (key := unquote(value).rstrip(":")):
            return key
    raise PaginationError("returned a next link without a pageKey")


def read_whole_list(
    read_pages: Callable[[], Iterator[Fetched[Page]]],
    is_recent: Callable[[Record], bool],
    report_unsettled: Callable[[], None],
) -> Iterator[Fetched[Page]]:
    """Read a list, and read it again if it has more than one page.

    The key of a page has its number. If a record leaves the list while it is read, the records
    behind it move forward, and one of them may move to a page that was read. So the list is read
    until a reading brings nothing new but records that have just entered it.

    Args:
        read_pages: Reads the pages of the list from the first one.
        is_recent: Returns whether a record may have entered the list while it was read.
        report_unsettled: Called if the last reading still brought records.

    Yields:
        Each page with the records that were not read before.
    """
    seen: set[int] = set()
    is_reported = False
    for reading in range(1, MAX_READINGS + 1):
        is_settled = True
        for number, step in enumerate(read_pages(), 1):
            page = step.value.only([_is_new(seen, key) for key in step.value.keys])
            is_settled = is_settled and (
                number == 1 if reading == 1 else all(map(is_recent, page.records))
            )
            is_last = step.last and (is_settled or reading == MAX_READINGS)
            if is_last and not is_settled:
                # Nothing runs after the last step.
                report_unsettled()
                is_reported = True
            yield Fetched(page, step.size, is_last)
        if is_settled:
            return
    if not is_reported:
        report_unsettled()


def _is_new(seen: set[int], key: tuple[Any, ...]) -> bool:
    """Add the key of a record to those that were seen; return whether it is new."""
    text = repr(key).encode("utf-8", "surrogatepass")
    digest = int.from_bytes(blake2b(text, digest_size=DIGEST_BYTES).digest())
    count = len(seen)
    seen.add(digest)
    return len(seen) > count
