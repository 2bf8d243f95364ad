"""The streams of a declaration."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

import msgspec
from typing_extensions import override

from tap_chat.declarations.format import OffsetPaginator
from tap_chat.declarations.templates import expand
from tap_chat.http.access_tokens import AccessTokens
from tap_chat.http.api_rules import ApiRules
from tap_chat.http.errors import RequestError
from tap_chat.http.request import Request
from tap_chat.http.responses import name_list
from tap_chat.platforms.rest.auth import authenticator_of
from tap_chat.platforms.rest.contexts import MissingFieldError, child_context
from tap_chat.platforms.rest.incremental_stream import declaration_parts
from tap_chat.platforms.rest.listed_stream import ListedStream
from tap_chat.platforms.rest.paginators import Paginators
from tap_chat.platforms.rest.responses import SUCCESSES, ignored_by
from tap_chat.singer.digests import digest_of
from tap_chat.streams.probes import Probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Auth, Context

    from tap_chat.declarations.format import Client, JSONPath
    from tap_chat.platforms.rest.settings import RestSettings
    from tap_chat.singer.records import Record
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.read_plans import ReadPlan
    from tap_chat.streams.stream import ChatStream

#: The bytes of a digest of a record without a key.
DIGEST_SIZE = 16


class DeclaredStream(ListedStream):
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
        return tuple(declaration_parts(type(self), self.secrets))

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
        endpoint = self.reading.endpoint
        values = self._placeholder_values(context)
        headers = {**self.declared_client.headers, **expand(endpoint.headers, values)}
        params = {
            name: value for name, value in endpoint.params.items() if not isinstance(value, dict)
        }
        body = expand(endpoint.json, values, keep_types=True)
        if endpoint.data is not None:
            body = expand(endpoint.data, values)
            if isinstance(body, dict):
                headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
                body = urlencode(body, doseq=True)
        return Request(
            self.get_url(context),
            endpoint.method,
            values,
            expand(params, values) | self.incremental_params,
            {name: str(value) for name, value in headers.items()},
            body,
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
