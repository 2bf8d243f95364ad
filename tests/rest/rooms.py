"""A chat server with rooms and their messages, which a test can change, and its declaration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request


@dataclass
class Rooms:
    """Rooms and messages. It is a function that responds to requests.

    Attributes:
        rooms: The rooms.
        messages: The messages, by the id of the room.
        asked: The path and the parameters of each request so far.
        headers: The headers of each request so far.
    """

    rooms: list[dict[str, Any]] = field(default_factory=list)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def add(self, count: int, *, messages: int = 3) -> None:
        """Add rooms, each with messages."""
        for number in range(len(self.rooms), len(self.rooms) + count):
            key = f"!r{number}:x/y z"
            self.rooms.append({"room_id": key, "name": f"Room {number}"})
            self.messages[key] = [
                {"event_id": f"${number}-{index}", "ts": 1000 * number + index}
                for index in range(messages)
            ]

    def __call__(self, request: Request) -> Any:
        path, query = request.scope["raw_path"].decode(), dict(request.query_params)
        self.asked.append((path, query))
        self.headers.append(dict(request.headers))
        if path == "/admin/v1/rooms":
            start = int(query.get("from", 0))
            page = self.rooms[start : start + int(query["limit"])]
            return {"rooms": page, "total_rooms": len(self.rooms)}
        _, _, _, _, room, kind = path.split("/")
        if kind == "relations":
            return {"chunk": [{"id": 1, "of": unquote(room)}]}
        if kind == "messages" and unquote(room) in self.messages:
            return self.page_of_messages(self.messages[unquote(room)], query)
        return Response('{"errcode": "M_NOT_FOUND"}', 404)

    def page_of_messages(
        self, messages: list[dict[str, Any]], query: dict[str, str]
    ) -> dict[str, Any]:
        start, limit = int(query.get("from", 0)), int(query.get("limit", 2))
        end = {"end": str(start + limit)} if start + limit < len(messages) else {}
        return {"chunk": messages[start : start + limit], **end}


def rooms_declaration(url: str) -> dict[str, Any]:
    """Return the declaration of the server's rooms and messages."""
    rooms = {"type": "offset", "limit": 3, "offset_param": "from", "total_path": "total_rooms"}
    messages = {"type": "cursor", "cursor_path": "end", "cursor_param": "from"}
    return {
        "client": {"base_url": f"{url}/admin/", "auth": {"type": "bearer", "token": "t0ken"}},
        "resources": [
            {
                "name": "rooms",
                "primary_key": ["room_id"],
                "endpoint": {"path": "v1/rooms", "data_selector": "rooms", "paginator": rooms},
            },
            {
                "name": "messages",
                "primary_key": ["event_id"],
                "include_from_parent": ["room_id"],
                "endpoint": {
                    "path": "v1/rooms/{resources.rooms.room_id}/messages",
                    "params": {"dir": "f"},
                    "data_selector": "chunk",
                    "paginator": messages,
                },
            },
        ],
    }
