"""The lists of Dixa's main API that each run reads as a whole."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_chat.platforms.dixa import main_fields as fields
from tap_chat.platforms.dixa.main_api import MainStream, decoded, without_zone
from tap_chat.platforms.dixa.main_paging import read_whole_list
from tap_chat.singer.timestamps import read_datetime
from tap_chat.streams.probes import Probe
from tap_chat.streams.raw_records import members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from msgspec import Raw
    from singer_sdk.helpers.types import Context

    from tap_chat.http.request import Request
    from tap_chat.singer.records import Record
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.raw_records import PageReader
    from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead

#: The times of people may be behind the clock of the server by this much.
CLOCK_TOLERANCE = timedelta(minutes=10)


class ListStream(MainStream):
    """A list without filters."""

    #: The query parameters of the list.
    list_params: ClassVar[Mapping[str, str]] = {}

    @override
    def get_url_params(self, context: Context | None, next_page_token: None) -> dict[str, Any]:
        return dict(self.list_params)

    @override
    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        yield self.plan(None)

    @override
    def fetch_pages(
        self,
        list_request: Request,
        context: Context | None,
        reader: PageReader | None,
        ahead: RequestsAhead,
    ) -> Iterator[Fetched[Page]]:
        read_pages = partial(super().fetch_pages, list_request, context, reader, ahead)
        return read_whole_list(read_pages, self._is_recent, self._warn_unsettled)

    def _is_recent(self, record: Record | Raw) -> bool:
        """Return whether a record may have been created while the list was read."""
        value = members(record).get("createdAt")
        created = read_datetime(without_zone(decoded(value)))
        return created is not None and created > self.clock.earliest - CLOCK_TOLERANCE

    def _warn_unsettled(self) -> None:
        self.logger.warning(
            "The list of %s changed while it was read, each of three times. Some rows may be"
            " missing; the next run reads it again.",
            self.name,
        )


class DixaAgents(ListStream):
    """The agents and administrators."""

    name = "dixa_agents"
    path = "/agents"
    schema = fields.AGENTS

    @override
    def probe(self) -> Probe:
        request = self.new_request(None).with_params({"pageLimit": 1})
        return Probe(request, partial(self.check_page, request), "an agent")


class DixaEndUsers(ListStream):
    """The end users: those who write to the agents."""

    name = "dixa_end_users"
    path = "/endusers"
    schema = fields.END_USERS


class DixaQueues(ListStream):
    """The queues."""

    name = "dixa_queues"
    path = "/queues"
    schema = fields.QUEUES


class DixaTeams(ListStream):
    """The teams of agents."""

    name = "dixa_teams"
    path = "/teams"
    schema = fields.TEAMS


class DixaTags(ListStream):
    """The tags, with those out of use, which old conversations have."""

    name = "dixa_tags"
    path = "/tags"
    schema = fields.TAGS
    list_params: ClassVar[Mapping[str, str]] = {"includeDeactivated": "true"}


class DixaCustomAttributes(ListStream):
    """The custom attributes: their names and kinds, not their values."""

    name = "dixa_custom_attributes"
    path = "/custom-attributes"
    schema = fields.CUSTOM_ATTRIBUTES


#: The lists, in the order in which they are read.
STREAMS = (DixaAgents, DixaEndUsers, DixaQueues, DixaTeams, DixaTags, DixaCustomAttributes)
