"""A Freshchat account that a test can change while the tap reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from tap_chat.sandbox import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Server
    from starlette.requests import Request

#: A response of gateways without a server behind them.
NO_BACKEND = Response("<html><h1>404</h1>default backend</html>", 404, media_type="text/html")
#: An error of Freshchat.
GONE = Response('{"code": 404, "status": "NOT_FOUND", "message": "gone"}', 404)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def moment(at: datetime) -> str:
    """Return a time as Freshchat writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Account:
    """Users with one conversation each. It is a function that responds to requests as Freshchat.

    Attributes:
        users: The users by id, in the order of their list.
        messages: The messages by the id of the conversation, which is `c-` and the id of its user.
        page_size: The maximum number of rows in a page of users.
        totals: Whether a list of users states its number of rows.
        clock: How far the server's clock is ahead; None for a server without a `Date`.
        before: Called with the path of each request. If it returns a response, that is sent.
        asked: The path and parameters of each request so far.
    """

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    page_size: int = 10
    totals: bool = True
    clock: timedelta | None = timedelta()
    before: Callable[[str, dict[str, str]], Response | None] = lambda path, query: None  # noqa: ARG005
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def add(self, *users: str, at: datetime = LONG_AGO, updated: datetime | None = None) -> None:
        """Add users, each with a conversation of one message."""
        for user in users:
            created, changed = moment(at), moment(updated or at)
            self.users[user] = {"id": user, "created_time": created, "updated_time": changed}
            self.messages.setdefault(f"c-{user}", [])
            self.say(user, f"m-{user}", at)

    def say(self, user: str, message: str, at: datetime) -> None:
        """Add a message to the conversation of a user."""
        row = {"id": message, "created_time": moment(at)}
        self.messages[f"c-{user}"].insert(0, row)

    def __call__(self, request: Request) -> Response | Any:
        """Respond to a request."""
        path, query = request.url.path.removeprefix("/v2"), dict(request.query_params)
        self.asked.append((path, query))
        answer = self.before(path, query)
        answer = self.answer(path, query) if answer is None else answer
        if not isinstance(answer, Response):
            answer = Response(json.dumps(answer), media_type="application/json")
        dated = Response(answer.body, answer.status_code, media_type=answer.media_type)
        if self.clock is not None:
            dated.headers["Date"] = format_datetime(datetime.now(UTC) + self.clock, usegmt=True)
        return dated

    def answer(self, path: str, query: dict[str, str]) -> Any:
        """Return the body of a response, or the response for a missing record."""
        body: Any = GONE
        match path.strip("/").split("/"):
            case ["users"]:
                body = self.listing(query)
            case ["accounts", _]:
                body = {"account_id": 1}
            case ["conversations", "fields"]:
                body = []
            case ["reports", "raw"]:
                body = {"id": "empty"}
            case ["reports", "raw", _]:
                body = {"status": "COMPLETED", "links": []}
            case [name]:
                body = {name: []}
            case ["users", user, "conversations"] if user in self.users:
                body = {"conversations": [{"id": f"c-{user}"}]}
            case ["conversations", talk, "messages"] if talk in self.messages:
                since = query.get("from_time", "")
                rows = [row for row in self.messages[talk] if row["created_time"] > since]
                page, size = (int(query[name]) for name in ("page", "items_per_page"))
                body = {"messages": rows[(page - 1) * size : page * size]}
            case ["conversations", talk] if talk in self.messages:
                body = {"conversation_id": talk}
        return body

    def listing(self, query: dict[str, str]) -> Any:
        """Return a page of the list of users."""
        name = "updated" if "updated_from" in query else "created"
        since = query[f"{name}_from"]
        found = [user for user in self.users.values() if user[f"{name}_time"] >= since]
        page, size = int(query["page"]), self.page_size
        pages = max(-(-len(found) // size), 1)
        following = {"next_page": {"href": f"/v2/users?page={page + 1}"}} if page < pages else {}
        numbers = {"pagination": {"total_items": len(found), "total_pages": pages}}
        rows = found[(page - 1) * size : page * size]
        return {"users": rows, "links": following, **(numbers if self.totals else {})}


def talking_config(server: Server, **settings: Any) -> dict[str, Any]:
    """Return the config of a tap that sends one request after another."""
    section = {
        "api_url": f"{server.url}/v2",
        "api_key": API_KEY,
        "backoff_factor": 0.01,
        # Reports without waits, and few.
        "reports_per_minute": 60_000,
        "reports_start_date": moment(datetime.now(UTC) - timedelta(days=1)),
    }
    return {"freshchat": section | settings, "max_workers": 1}
