"""A filled chat server, and the declaration that reads it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dist import ROOT
from ruamel.yaml import YAML
from synapse.homeserver import in_parallel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse.homeserver import Synapse, User

DECLARATION = ROOT / "examples" / "declarations" / "matrix.yaml"
USERS, ROOMS, MESSAGES = 12, 12, 100
#: Rows of a page, so that each list has many.
LIMITS = {"users": 5, "rooms": 5, "event_reports": 2}
MESSAGES_LIMIT = 10
#: Seconds between two messages of others. There are many during a load, and the server has time.
PAUSE = 0.05


@dataclass(frozen=True)
class Chat:
    """A server with users, rooms and messages.

    Attributes:
        synapse: The server.
        users: The users.
        rooms: The id of each room, with a member of it.
    """

    synapse: Synapse
    users: list[User]
    rooms: dict[str, User]

    def declaration(self, token: str, *resources: str) -> dict[str, Any]:
        """Return the declaration for this server, with small pages.

        Args:
            token: The access token, or a variable for it.
            resources: The names of the resources; empty for all.
        """
        declared: dict[str, Any] = YAML(typ="safe").load(DECLARATION)
        declared["client"]["base_url"] = f"{self.synapse.url}/_synapse/admin/"
        declared["client"]["auth"]["token"] = token
        declared["resources"] = [
            resource
            for resource in declared["resources"]
            if not resources or resource["name"] in resources
        ]
        for resource in declared["resources"]:
            name, endpoint = resource["name"], resource["endpoint"]
            if name in LIMITS:
                endpoint["paginator"]["limit"] = LIMITS[name]
            else:
                endpoint["params"]["limit"] = MESSAGES_LIMIT
        return declared

    def keys(self) -> dict[str, set[Any]]:
        """Return the keys of all rows of each list, read in one page each."""
        get, api = self.synapse.admin.call, "/_synapse/admin"
        users = get("GET", f"{api}/v2/users?limit=1000&deactivated=true")["users"]
        reports = get("GET", f"{api}/v1/event_reports?limit=1000")["event_reports"]
        rooms = {room["room_id"] for room in get("GET", f"{api}/v1/rooms?limit=1000")["rooms"]}
        pages = [
            get("GET", f"{api}/v1/rooms/{quote(room)}/messages?dir=f&limit=1000")["chunk"]
            for room in rooms
        ]
        return {
            "users": {user["name"] for user in users},
            "rooms": rooms,
            "messages": {event["event_id"] for page in pages for event in page},
            "event_reports": {report["id"] for report in reports},
        }

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let users write messages and join rooms during the context."""
        is_over = Event()

        def write() -> None:
            for number in count():
                for room, user in list(self.rooms.items()):
                    if is_over.wait(PAUSE):
                        return
                    user.send(room, f"meanwhile {id(is_over)} {number}")
                newcomer = self.users[number % len(self.users)]
                newcomer.call("POST", f"/_matrix/client/v3/join/{quote(room)}")

        thread = Thread(target=write)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def fill(synapse: Synapse) -> Chat:
    """Fill a new server."""
    users = in_parallel(synapse.user, [f"user{number:02}" for number in range(USERS)])

    def create(number: int) -> str:
        owner = users[number % USERS]
        guests = users[: number % 4]
        return str(owner.create_room(f"Room {number}", invited=set(guests) - {owner}))

    rooms = dict(zip(in_parallel(create, range(ROOMS)), users, strict=False))
    owned = list(rooms.items())

    def send(number: int) -> tuple[str, str, User]:
        # The first room has most messages, and the last one has none.
        room, user = owned[0 if number % 3 else number % (ROOMS - 1)]
        return room, user.send(room, f"message {number}"), user

    sent = in_parallel(send, range(MESSAGES))
    for room, event, user in sent[:5]:
        user.edit(room, event, "edited")
        user.report(room, event)
    for room, event, user in sent[10:13]:
        user.redact(room, event)
    return Chat(synapse, users, rooms)
