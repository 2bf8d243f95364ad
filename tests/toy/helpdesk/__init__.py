"""A platform of a package of its own: tickets, and the replies to each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from singer_sdk.authenticators import BearerTokenAuthenticator
from typing_extensions import override

from tap_chat.config.settings import PlatformSettings, about
from tap_chat.http.failures import Remedies
from tap_chat.platforms.platform import Platform
from tap_chat.streams.child import ChildStream
from tap_chat.streams.fields import record_schema, text, timestamp
from tap_chat.streams.probes import Probe
from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Auth, Context

REMEDIES = Remedies(
    section="helpdesk",
    address="the setting helpdesk.api_url",
    unknown="The setting helpdesk.token is wrong.",
    forbidden="The token in the setting helpdesk.token may not read tickets.",
)


class HelpdeskSettings(PlatformSettings, frozen=True, kw_only=True):
    """The section `helpdesk`."""

    token: Annotated[str, about("Token", "The token of the account.", secret=True)]


class HelpdeskStream(ChatStream):
    """A stream of the help desk."""

    section = "helpdesk"
    remedies = REMEDIES
    settings: HelpdeskSettings

    @property
    @override
    def authenticator(self) -> Auth:
        return BearerTokenAuthenticator(token=self.settings.token)


class Tickets(HelpdeskStream):
    """The tickets."""

    name = "helpdesk_tickets"
    path = "/tickets"
    records_path = "tickets"
    primary_keys = ("id",)
    schema = record_schema(("id",), id=text("The ticket's id."), title=text("Its title."))

    @override
    def probe(self) -> Probe:
        request = self.new_request(None)
        return Probe(request, partial(self.check_page, request), "tickets")

    @override
    def generate_child_contexts(
        self, record: dict[str, Any], context: Context | None
    ) -> Iterable[Context | None]:
        yield {"ticket_id": record["id"]}


class Replies(ChildStream, HelpdeskStream):
    """The replies to the tickets."""

    name = "helpdesk_replies"
    path = "/tickets/{ticket_id}/replies"
    records_path = "replies"
    parent_stream_type = Tickets
    parent_keys = ("ticket_id",)
    primary_keys = ("ticket_id", "id")
    schema = record_schema(
        ("ticket_id", "id"),
        ticket_id=text("The ticket's id."),
        id=text("The reply's id."),
        sent_at=timestamp("When it was sent."),
    )


PLATFORM = Platform(
    name="helpdesk",
    title="Help desk",
    page="helpdesk",
    description="The help desk of the tests.",
    settings=HelpdeskSettings,
    streams=(Tickets, Replies),
)
