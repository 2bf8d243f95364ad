"""A page of records, and the errors of a server that does not page as it should."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING, Any

from tap_chat.singer.records import RecordChunk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from http.client import HTTPMessage

    Headers = Mapping[str, str] | HTTPMessage
    Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One decoded response.

    Attributes:
        body: The whole body; without the records if they are raw JSON.
        chunk: The records.
        keys: The primary key of each record.
        headers: The headers of the response, by name in any case, if its paginator reads them.
    """

    body: Any
    chunk: RecordChunk
    keys: list[Key]
    headers: Headers = field(default_factory=dict)

    @property
    def records(self) -> Sequence[Any]:
        """The records."""
        return self.chunk.records

    def after(self, count: int) -> Page:
        """Return the page without its first records.

        Args:
            count: The number of records to leave out.
        """
        return Page(self.body, self.chunk.split(count)[1], self.keys[count:], self.headers)

    def only(self, chosen: Sequence[bool]) -> Page:
        """Return the page with some of its records.

        Args:
            chosen: For each record, whether to keep it.
        """
        keys = list(compress(self.keys, chosen))
        return Page(self.body, self.chunk.only(chosen), keys, self.headers)


#: A page without records, for a response that says that the page does not exist.
EMPTY_PAGE = Page(None, RecordChunk([]), [])


class PaginationError(Exception):
    """The server does not page as it should.

    Args:
        predicate: What it did, as the predicate of a sentence.
        remedy: What to do, if the stream's own remedy does not fit.
    """

    def __init__(self, predicate: str, remedy: str = "") -> None:
        super().__init__(predicate)
        self.predicate = predicate
        self.remedy = remedy


class RepeatedPageError(PaginationError):
    """A page came twice.

    Args:
        remedy: As for `PaginationError`.
    """

    def __init__(self, remedy: str = "") -> None:
        super().__init__("repeated a page", remedy)
