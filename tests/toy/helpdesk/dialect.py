"""The API of the help desk, as the sandbox serves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from tap_chat.sandbox.dialect import Dialect, WorldSettings
from tap_chat.sandbox.responses import bearer_token, json_response
from tap_chat.sandbox.samples import API_KEY

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.faults import Fault

PATH = "/helpdesk"
SENT_AT = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True, kw_only=True)
class HelpdeskData(WorldSettings):
    """What the account holds."""

    tickets: Annotated[int, Meta(ge=0, description="Tickets of the help desk.")] = 3


@dataclass(frozen=True)
class HelpdeskAccount:
    """Tickets with two replies each; their ids need quoting in a path."""

    tickets: list[dict[str, Any]]

    @classmethod
    def of(cls, data: HelpdeskData) -> HelpdeskAccount:
        """Return the account of a world."""
        return cls([{"id": f"t/{n} ?", "title": f"No. {n}"} for n in range(data.tickets)])

    def replies(self, ticket: str) -> list[dict[str, Any]]:
        """Return the replies to a ticket."""
        return [{"id": f"{ticket}-{n}", "sent_at": SENT_AT} for n in range(2)]

    @property
    def truth(self) -> dict[str, list[dict[str, Any]]]:
        """The rows that each stream must bring."""
        return {
            "helpdesk_tickets": self.tickets,
            "helpdesk_replies": [
                reply | {"ticket_id": ticket["id"]}
                for ticket in self.tickets
                for reply in self.replies(ticket["id"])
            ],
        }

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        return {stream: len(rows) for stream, rows in self.truth.items()}


def respond(request: Request, account: HelpdeskAccount, _: Any, fault: Fault | None) -> Response:
    """Answer `GET /helpdesk/...`."""
    if bearer_token(request) != API_KEY:
        return json_response({"error": "unauthorized"}, 401)
    ticket = request.path_params.get("ticket")
    name = "replies" if ticket else "tickets"
    rows = account.replies(ticket) if ticket else account.tickets
    return json_response({name: fault.spoil_records(rows) if fault else rows})


DIALECT = Dialect(
    name="helpdesk",
    title="Help desk",
    paths=(f"{PATH}/tickets", f"{PATH}/tickets/{{ticket:path}}/replies"),
    respond=respond,
    data=HelpdeskData,
    account=HelpdeskAccount.of,
    config=lambda url: {"api_url": f"{url}{PATH}", "token": API_KEY},
)
