"""Streams of a declaration: how their lists are paged, and where the records are in a page."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.platforms.rest.detection import guess_records_path
from tap_chat.platforms.rest.incremental_stream import IncrementalStream
from tap_chat.platforms.rest.paginators import Paginators
from tap_chat.platforms.rest.paging_paths import reads_records
from tap_chat.platforms.rest.records import RecordSelector, is_failure

if TYPE_CHECKING:
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.http.errors import RequestError
    from tap_chat.http.request import Request
    from tap_chat.streams.paginators import Page, Paginator
    from tap_chat.streams.raw_records import PageReader
    from tap_chat.streams.session import Session


class ListedStream(IncrementalStream):
    """A stream of a declaration that reads lists, page by page."""

    def __init__(self, tap: Tap, session: Session) -> None:
        self._selector = RecordSelector(self.name, self.reading.endpoint.data_selector)
        self.records_path = self._selector.text
        super().__init__(tap, session)

    @override
    def new_paginator(self) -> Paginator:
        return self._paginators.new()

    @cached_property
    def _paginators(self) -> Paginators:
        return Paginators(
            self.name,
            self.reading.endpoint.paginator,
            self.additions.next_link_hosts,
            checks_pages=self.additions.check_pages,
            page_size=self.additions.page_size or 0,
        )

    @property
    @override
    def page_reader(self) -> PageReader | None:
        names = self._selector.names
        if names is None or any("." in name for name in names):
            return None  # the records of a page can only be found once it is decoded
        if reads_records(self.reading.endpoint.paginator, self._selector.text):
            return None  # a page of raw records has no body of decoded ones
        self.records_path = ".".join(names)
        return super().page_reader

    @override
    def find_records(self, body: Any) -> list[Any] | None:
        return self._selector.find(body)

    @override
    def check_received(self, request: Request, body: Any, context: Context | None) -> Page:
        page = super().check_received(request, body, context)
        if not page.records and is_failure(page.body):  # of raw records: others are checked
            raise self.no_records_error(request, page.body)
        self._selector.has_found = self._selector.has_found or bool(page.records)
        return page

    @override
    def no_records_error(self, request: Request, body: Any) -> RequestError:
        predicate = (
            f"returned no records at `{self._selector.text}`, but {responses.describe_shape(body)}"
        )
        guess = guess_records_path(body)
        remedy = (
            f"Records seem to be at `{guess}`: if they are, write `data_selector: {guess}`."
            if guess is not None
            else "Correct `data_selector`. If such a response means that there are no records, add"
            " to the endpoint: response_actions: [{content: <a text in it>, action: ignore}]."
        )
        return self.client.request_error(request, predicate, remedy)

    @property
    @override
    def paging_remedy(self) -> str:
        return (
            f"Check the `paginator` in {self.section}: it must be the way in which the API pages."
        )
