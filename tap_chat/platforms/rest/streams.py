"""The streams of a declaration."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from typing_extensions import override

from tap_chat.declarations.format import OffsetPaginator
from tap_chat.http.access_tokens import AccessTokens
from tap_chat.http.api_rules import ApiRules
from tap_chat.http.errors import RequestError
from tap_chat.http.responses import describe_shape, name_list
from tap_chat.platforms.rest.auth import authenticator_of
from tap_chat.platforms.rest.contexts import MissingFieldError, child_context
from tap_chat.platforms.rest.detection import guess_records_path
from tap_chat.platforms.rest.incremental_stream import IncrementalStream
from tap_chat.platforms.rest.paginators import Paginators
from tap_chat.platforms.rest.paging_paths import reads_records
from tap_chat.platforms.rest.records import RecordSelector, is_failure
from tap_chat.platforms.rest.requests import request_of
from tap_chat.platforms.rest.responses import SUCCESSES, ignored_by
from tap_chat.platforms.rest.scope import scope_of
from tap_chat.singer.digests import digest_of
from tap_chat.streams.probes import Probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context

    from tap_chat.declarations.format import Client, JSONPath
    from tap_chat.declarations.model import Reading
    from tap_chat.http.request import Request
    from tap_chat.platforms.rest.settings import RestSettings
    from tap_chat.singer.records import Record
    from tap_chat.streams.paginators import Page, Paginator
    from tap_chat.streams.raw_records import PageReader
    from tap_chat.streams.read_plans import ReadPlan
    from tap_chat.streams.session import Session
    from tap_chat.streams.stream import ChatStream

#: The bytes of a digest of a record without a key.
DIGEST_SIZE = 16


class DeclaredStream(IncrementalStream):
    """A resource of a declaration. There is a subclass for each resource."""

    #: A child of a record that no longer exists is an error, unless `response_actions` ignore it.
    missing_parent = frozenset()
    #: What the requests of all resources share.
    declared_client: ClassVar[Client]
    #: Whether `tap-chat --test` sends a request of this resource: the first one without a parent.
    is_probed: ClassVar[bool] = False
    #: The texts that no message may show.
    secrets: ClassVar[frozenset[str]] = frozenset()
    #: What its children take from its records: a JSONPath for each key of their context.
    child_fields: ClassVar[Mapping[str, JSONPath]] = {}

    settings: RestSettings

    def __init__(self, tap: Tap, session: Session) -> None:
        self._selector = RecordSelector(self.name, self.reading.endpoint.data_selector)
        self.records_path = self._selector.text
        super().__init__(tap, session)

    # --- Requests ---------------------------------------------------------------------------------

    @cached_property
    @override
    def authenticator(self) -> Auth:
        return authenticator_of(
            self.reading.endpoint.auth, self._session, self.section, self.secrets
        )

    @property
    @override
    def api_rules(self) -> ApiRules:
        sign = self.authenticator
        rules = ApiRules(
            successes=SUCCESSES,
            is_ignored=ignored_by(self.reading.endpoint.response_actions),
            secrets=self.secrets,
        )
        if isinstance(sign, AccessTokens):
            return replace(
                rules, is_renewed_after=sign.is_renewed_after, issued=lambda: sign.issued
            )
        return rules

    @property
    @override
    def exclusions(self) -> Sequence[str]:
        return tuple(scope_of(reading, self.secrets) for reading in self.lineage())

    @classmethod
    def lineage(cls) -> Iterator[Reading]:
        """Yield how the resource is read, then how its parent is, and so on."""
        yield cls.reading
        parent = cls.parent_stream_type
        if parent is not None and issubclass(parent, DeclaredStream):
            yield from parent.lineage()

    @property
    @override
    def dependents(self) -> Sequence[ChatStream]:
        # What is read for a record is read when the record is.
        own = [self] if self.selected else []
        children = (child for child in self.child_streams if isinstance(child, DeclaredStream))
        return [*own, *(stream for child in children for stream in child.dependents)]

    @override
    def get_url(self, context: Context | None) -> str:
        is_whole = self.path.startswith(("http://", "https://"))
        return self.path if is_whole else f"{self.url_base}/{self.path.lstrip('/')}"

    @override
    def new_request(self, context: Context | None) -> Request:
        return request_of(
            self.reading.endpoint,
            self.get_url(context),
            self._placeholder_values(context),
            headers=self.declared_client.headers,
            params=self.incremental_params,
        )

    def _placeholder_values(self, context: Context | None) -> dict[str, Any]:
        """Return the values of the placeholders in the request, by their names.

        Args:
            context: The values of the parent's record, or None.
        """
        parent = self.reading.parent
        fields = parent.fields if parent and context else {}
        return self.incremental_values | {
            name: (context or {})[path] for name, path in fields.items()
        }

    # --- Pages ------------------------------------------------------------------------------------

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
        predicate = f"returned no records at `{self._selector.text}`, but {describe_shape(body)}"
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

    # --- Children ---------------------------------------------------------------------------------

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        try:
            yield child_context(self.child_fields, record)
        except MissingFieldError as error:
            raise RequestError(
                f"Stream {self.name}: a record has no `{error.path}`, which is needed to read what"
                " belongs to it.",
                f"It has {name_list(record)}: correct what {self._children_text} of"
                f" `{self.reading.resource.name}` in the declaration of {self.section}.",
            ) from None

    @property
    def _children_text(self) -> str:
        names = [
            stream.reading.resource.name
            for stream in self.child_streams
            if isinstance(stream, DeclaredStream)
        ]
        return f"{' and '.join(names)} {'take' if len(names) > 1 else 'takes'}"

    @override
    def keyless_remedy(self, record: Any) -> str:
        if not isinstance(record, dict):
            return self.records_remedy
        return (
            f"It has {name_list(record) or 'no property'}: correct `primary_key` or"
            f" `data_selector` of `{self.reading.resource.name}` in the declaration of"
            f" {self.section}."
        )

    @override
    def make_page(
        self,
        request: Request,
        records: list[Any],
        body: Any = None,
        *,
        first: int = 0,
    ) -> Page:
        page = super().make_page(request, records, body, first=first)
        if self.primary_keys:
            return page
        # The paginators tell by their keys which records they have seen.
        return replace(page, keys=[(digest_of(record, DIGEST_SIZE),) for record in records])

    @override
    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        if self.parent_stream_type is None and self.incremental is None:
            yield self.plan(None)

    @override
    def probe(self) -> Probe | None:
        if not self.is_probed:
            return None
        paginator = self.reading.endpoint.paginator
        if isinstance(paginator, OffsetPaginator):
            paginator = msgspec.structs.replace(paginator, limit=1)
        first = Paginators(self.name, paginator, self.additions.next_link_hosts).new()
        request = first.page_request(self.new_request(None))
        contents = f"records of `{self.reading.resource.name}`"
        return Probe(request, partial(self.check_page, request), contents)
