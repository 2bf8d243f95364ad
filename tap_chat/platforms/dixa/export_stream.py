"""The base of the streams of Dixa's exports API: reads the response to a query.

The API has no pages: a response is an array of all records that a query asks for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.authenticators import BearerTokenAuthenticator
from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.continuing import read_on
from tap_chat.http.errors import IncompleteResponseError
from tap_chat.http.request import Request
from tap_chat.http.responses import Response
from tap_chat.platforms.dixa import arrays
from tap_chat.platforms.dixa.arrays import Part
from tap_chat.platforms.dixa.exports import Export, read_export, read_items
from tap_chat.platforms.dixa.settings import REMEDIES, DixaSettings
from tap_chat.streams.raw_records import is_one_line
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgspec import Raw
    from singer_sdk.helpers.types import Auth

    from tap_chat.platforms.dixa.queries import Query
    from tap_chat.streams.paginators import Page

MEBIBYTE = 1024 * 1024

#: Bytes of a response that are held until it is written; the rest waits at the server. Several
#: responses are fetched ahead, so each is held in part only.
AHEAD_BYTES = MEBIBYTE // 2

#: Seconds for which a response may wait without a risk that the server ends it.
PATIENCE = 5.0

#: Records per page: this many records of a response are decoded before they are written.
PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class OtherBody:
    """The decoded body of a response that is not an array."""

    value: Any


class ExportStream(ChatStream):
    """A stream of the exports API."""

    section = "dixa"
    remedies = REMEDIES
    records_path = "data"
    records_at_root = True
    primary_keys = ("id",)
    settings: DixaSettings

    @property
    @override
    def authenticator(self) -> Auth:
        return BearerTokenAuthenticator(token=self.settings.api_token)

    def request_of(self, query: Query) -> Request:
        """Return the request of a query."""
        return Request(
            url=f"{self.url_base}{query.path}",
            params=dict(query.params),
            headers={"Accept": "application/json"},
        )

    def plan_of(self, query: Query) -> ReadPlan[Export]:
        """Return the plan of the request of a query."""
        limit = self._limit_of(query)
        largest = None if limit is None else min(limit, AHEAD_BYTES)

        def steps(_: RequestsAhead) -> Iterator[Fetched[Export]]:
            export = self.client.send(
                self.request_of(query), read_export, missing=query.refusals, largest=largest
            )
            yield Fetched(export, export.size, last=True)

        return ReadPlan((self.name, query), steps)

    def export_of(self, query: Query) -> Export:
        """Return the response to a query, which may be fetched already."""
        [export] = self.read_ahead(self.plan_of(query))
        return export

    def pages_of(self, query: Query, export: Export) -> Iterator[Page]:
        """Read the records of a response.

        Args:
            query: The query.
            export: The response.

        Yields:
            The records, in no order. Those of a large body are yielded before the whole body is
            read.

        Raises:
            IncompleteResponseError: The query is not the smallest, and the body broke off, or is
                too large and not an array.
        """
        request, first = self.request_of(query), 0
        for part in self.parts_of(query, export):
            if isinstance(part, OtherBody):
                # `check_page` finds an array in the object, or raises an error.
                yield self.check_page(request, part.value)
                continue
            reader = self.raw_reader if is_one_line(part.body) else None
            for index in range(0, len(part.texts), PAGE_SIZE):
                texts = part.texts[index : index + PAGE_SIZE]
                page = reader.page(texts) if reader else None
                yield page or self._decoded(request, texts, first + index)
            first += len(part.texts)

    def parts_of(self, query: Query, export: Export) -> Iterator[Part | OtherBody]:
        """Read a response; see `pages_of`.

        Args:
            query: The query.
            export: The response.

        Yields:
            The parts of the array; or the body, if it is not an array.
        """
        items = self._items(query, export)
        if isinstance(items, Response):
            yield from self._parts(self.request_of(query), items)
        else:
            yield items if isinstance(items, Part) else OtherBody(items)

    def _limit_of(self, query: Query) -> int | None:
        """Return the size in bytes up to which the body of a response is held as a whole.

        None for a query that can't be divided: its body is held whatever its size.
        """
        return None if query.is_smallest else self.settings.max_response_mb * MEBIBYTE

    def _items(self, query: Query, export: Export) -> Any:  # noqa: ANN401
        """Return the items of a response, as `read_items` does, up to the limit of the settings."""
        if not isinstance(export.items, Response):
            return export.items
        request, largest = self.request_of(query), self._limit_of(query)
        try:
            return read_on(self.client, request, export.items, read_items, largest=largest)
        except IncompleteResponseError:
            if time.monotonic() - export.received_at < PATIENCE:
                raise
        # The server may have ended the response because it waited. Nothing of it was written.
        return self.client.send(request, read_items, largest=largest)

    def _parts(self, request: Request, response: Response) -> Iterator[Part]:
        """Read a large array in parts, with errors as sentences."""
        try:
            yield from arrays.parts(bytearray(response.body), response.rest or iter(()))
        except arrays.NoArrayError:
            predicate = f"returned more than {len(response.body)} bytes that can't be read in parts"
        except ValueError:
            predicate = "returned a body that is not complete JSON in UTF-8"
        else:
            return
        raise IncompleteResponseError(self.client.sentence(request, predicate))

    def _decoded(self, request: Request, texts: list[Raw], first: int) -> Page:
        """Decode and check records. `first` is the number of the first one in the response."""
        try:
            records = [responses.decode(text) for text in texts]
        except (ValueError, RecursionError, responses.UnreadableError):
            raise self.client.unreadable(request) from None
        return self.make_page(request, records, first=first)
