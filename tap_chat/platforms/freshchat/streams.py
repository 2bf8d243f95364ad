"""The base of Freshchat's streams, and the streams that take one or two requests.

The API has no list of all conversations: the list of users leads to the conversations of each user,
and these lead to their messages.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from singer_sdk.authenticators import BearerTokenAuthenticator
from typing_extensions import override

from tap_chat.http import responses
from tap_chat.platforms.freshchat import fields
from tap_chat.platforms.freshchat.settings import REMEDIES, FreshchatSettings
from tap_chat.streams.paginators import PageNumberPaginator, PageSizes, SinglePagePaginator
from tap_chat.streams.probes import Probe
from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.helpers.types import Auth
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_chat.http.responses import Body
    from tap_chat.streams.paginators import Paginator
    from tap_chat.streams.read_plans import ReadPlan

#: Freshchat: page sizes to which the server may limit a request.
SERVER_PAGE_SIZES = (20, 50)

#: Freshchat: the path at which a list may state its number of rows.
TOTAL_ROWS_PATH = "pagination.total_items"

#: Freshchat: how lists are paged. Some lists have no link to the next page.
PAGES = partial(
    PageNumberPaginator,
    page_size_param="items_per_page",
    total_path="pagination.total_pages",
    total_rows_path=TOTAL_ROWS_PATH,
)
NEXT_URL_PATH = "links.next_page"


def is_addressable(key: str) -> bool:
    """Return whether an id can be part of a path: dots would lead to another path (RFC 3986)."""
    return key not in {"", ".", ".."}


class FreshchatStream(ChatStream):
    """A stream of Freshchat: a bearer token, and numbered pages."""

    section = "freshchat"
    remedies = REMEDIES
    settings: FreshchatSettings

    @cached_property
    def page_sizes(self) -> PageSizes:
        """The page sizes of this stream, as the run learns them."""
        return PageSizes(self.settings.items_per_page, SERVER_PAGE_SIZES)

    @property
    @override
    def authenticator(self) -> Auth:
        return BearerTokenAuthenticator(token=self.settings.api_key)

    @override
    def new_paginator(self) -> Paginator:
        return PAGES(page_size=self.settings.items_per_page, next_url_path=NEXT_URL_PATH)

    def prepare(self) -> None:
        """Read what the requests need from the STATE, which workers must not read."""

    @override
    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        yield self.plan(None)

    @override
    def is_api_error(self, body: Body) -> bool:
        # Freshchat: an error is an object with code, status and message. A gateway sends a web page
        # or a plain text.
        return responses.is_object(body)

    @override
    def get_http_request(self, *, page: PageContext[None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        request.headers["Accept"] = "application/json"
        return request

    def warn_of_unaddressable(self, plural: str, ids: Sequence[str]) -> None:
        """Warn of ids that can't be part of a path.

        Args:
            plural: The word for the objects: `users` or `conversations`.
            ids: Their ids.
        """
        if unfit := sum(not is_addressable(key) for key in ids):
            self.logger.warning(
                "Freshchat's %s with an id that is empty or dots, and would lead to another"
                " address: %d. Their data is not read.",
                plural,
                unfit,
            )


class SingleObject(FreshchatStream):
    """An endpoint whose response is one record."""

    raw_reader = None

    @override
    def new_paginator(self) -> Paginator:
        return SinglePagePaginator()

    @override
    def find_records(self, body: Any) -> Any:
        inner = body.get(self.records_path) if isinstance(body, dict) else None
        record = inner if isinstance(inner, dict) else body
        return [record] if isinstance(record, dict) else None


class FreshchatAccount(SingleObject):
    """The account."""

    name = "freshchat_account"
    path = "/accounts/configuration"
    records_path = "configuration"
    primary_keys = ("account_id",)
    schema = fields.ACCOUNT

    @override
    def probe(self) -> Probe:
        request = self.new_request(None)
        return Probe(request, partial(self.check_page, request), "the account's configuration")


class FreshchatRoles(FreshchatStream):
    """The roles of agents."""

    name = "freshchat_roles"
    path = "/roles"
    records_path = "roles"
    primary_keys = ("id",)
    schema = fields.ROLES


class FreshchatAgents(FreshchatStream):
    """The agents."""

    name = "freshchat_agents"
    path = "/agents"
    records_path = "agents"
    primary_keys = ("id",)
    schema = fields.AGENTS


class FreshchatGroups(FreshchatStream):
    """The groups of agents."""

    name = "freshchat_groups"
    path = "/groups"
    records_path = "groups"
    primary_keys = ("id",)
    schema = fields.GROUPS


class FreshchatChannels(FreshchatStream):
    """The channels."""

    name = "freshchat_channels"
    path = "/channels"
    records_path = "channels"
    primary_keys = ("id",)
    schema = fields.CHANNELS


class FreshchatConversationsProperties(FreshchatStream):
    """The properties of conversations."""

    name = "freshchat_conversations_properties"
    path = "/conversations/fields"
    records_path = "data"
    # Freshchat documents the root.
    records_at_root = True
    primary_keys = ("id",)
    schema = fields.CONVERSATIONS_PROPERTIES

    @override
    def new_paginator(self) -> Paginator:
        return SinglePagePaginator()


#: The streams that take one or two requests.
STREAMS = (
    FreshchatAccount,
    FreshchatRoles,
    FreshchatAgents,
    FreshchatGroups,
    FreshchatChannels,
    FreshchatConversationsProperties,
)
