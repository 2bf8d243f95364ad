"""Matrix Synapse, a chat server of another project, on a free port of 127.0.0.1 with SQLite.

It is installed from its wheel into an environment of its own when it is first needed.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from interop.environments import program
from peers import PATIENCE, PeerError, free_port, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NAME = "chat.test"
ADMIN = f"@admin:{NAME}"
SHARED_SECRET = "shared-secret-of-the-tests"
WORKERS = 8
#: Requests for profiles per second, and at once.
PROFILES = {"per_second": 4, "burst_count": 4}
#: A rate that no test reaches.
FREE = {"per_second": 10000, "burst_count": 10000}


@dataclass(frozen=True)
class User:
    """A user of the server.

    Attributes:
        url: The URL of the server.
        name: The full name, such as `@ada:chat.test`.
        token: The access token.
    """

    url: str
    name: str
    token: str

    def call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Send a request with a JSON body, and return the body of the response."""
        return _call(method, self.url + path, self.token, body)

    def create_room(self, name: str, *, invited: Iterable[User] = ()) -> str:
        """Create a public room, and return its id. The other users join it."""
        path = "/_matrix/client/v3/createRoom"
        room: str = self.call("POST", path, name=name, preset="public_chat")["room_id"]
        for user in invited:
            user.call("POST", f"/_matrix/client/v3/join/{quote(room)}")
        return room

    def send(self, room: str, key: str, **content: Any) -> str:
        """Send a message, and return its id. `key` is unique for each message of the user."""
        body = {"msgtype": "m.text", "body": f"message {key}"} | content
        sent = self.call("PUT", f"{_room(room)}/send/m.room.message/{quote(key)}", **body)
        return str(sent["event_id"])

    def edit(self, room: str, event: str, text: str) -> str:
        """Replace the text of a message, and return the id of the edit."""
        return self.send(
            room,
            f"edit of {event}",
            body=f"* {text}",
            **{
                "m.new_content": {"msgtype": "m.text", "body": text},
                "m.relates_to": {"rel_type": "m.replace", "event_id": event},
            },
        )

    def redact(self, room: str, event: str) -> None:
        """Remove the content of a message."""
        self.call("PUT", f"{_room(room)}/redact/{quote(event)}/redaction", reason="a test")

    def report(self, room: str, event: str) -> None:
        """Report a message to the administrator."""
        self.call("POST", f"{_room(room)}/report/{quote(event)}", reason="a test", score=-1)


@dataclass(frozen=True)
class Synapse:
    """A running server.

    Attributes:
        url: Its URL.
        admin: The administrator.
    """

    url: str
    admin: User

    def user(self, name: str) -> User:
        """Create a user without a rate limit, and return it."""
        full = f"@{name}:{NAME}"
        admin = self.admin
        admin.call("PUT", f"/_synapse/admin/v2/users/{quote(full)}", displayname=name.title())
        path = f"/_synapse/admin/v1/users/{quote(full)}"
        admin.call("POST", f"{path}/override_ratelimit", messages_per_second=0, burst_count=0)
        return User(self.url, full, str(admin.call("POST", f"{path}/login")["access_token"]))

    def delete_room(self, room: str) -> None:
        """Delete a room with its messages, and wait until it is gone."""
        self.admin.call("DELETE", f"/_synapse/admin/v1/rooms/{quote(room)}", purge=True)


@contextmanager
def synapse_server() -> Iterator[Synapse]:
    """Yield a server whose data is temporary. It stops at the end, or with the tests.

    Raises:
        PeerError: The server can't be installed, or does not start.
    """
    try:
        python = program("matrix-synapse", "python")
    except AssertionError as error:
        raise PeerError(
            "matrix-synapse can't be installed from its wheel, which these tests need: they take"
            f" requirements/matrix-synapse.txt, uv, and the package registry. {error}"
        ) from None
    with TemporaryDirectory(prefix="synapse-") as folder:
        port = free_port()
        config = _configured(Path(folder), port)
        command = [python, "-m", "synapse.app.homeserver", "--config-path", str(config)]
        url = f"http://127.0.0.1:{port}"
        with started(command, f"{url}/health", Path(folder)):
            yield Synapse(url, _administrator(url))


def in_parallel(function: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
    """Call a function for each set of arguments, some at once, and return the results."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(function, *arguments))


def _configured(folder: Path, port: int) -> Path:
    """Write the files of a server, and return that of its settings."""
    key = b64encode(bytes(32)).decode().rstrip("=")
    (folder / "signing.key").write_text(f"ed25519 a_test {key}\n")
    (folder / "log.json").write_text(json.dumps({"version": 1, "root": {"level": "ERROR"}}))
    actions = ("message", "joins_per_room", "reports", "room_creation")
    settings = {
        "server_name": NAME,
        "pid_file": str(folder / "pid"),
        "listeners": [
            {
                "port": port,
                "bind_addresses": ["127.0.0.1"],
                "type": "http",
                "tls": False,
                "resources": [{"names": ["client"]}],
            }
        ],
        "database": {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}},
        "log_config": str(folder / "log.json"),
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
        "registration_shared_secret": SHARED_SECRET,
        "macaroon_secret_key": "macaroon-secret-of-the-tests",
        "form_secret": "form-secret-of-the-tests",
        "report_stats": False,
        "trusted_key_servers": [],
        "bcrypt_rounds": 4,
        "rc_joins": {"local": FREE, "remote": FREE},
        "rc_login": {"address": FREE, "account": FREE, "failed_attempts": FREE},
        "rc_profile": PROFILES,
        **{f"rc_{action}": FREE for action in actions},
    }
    path = folder / "homeserver.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


def _administrator(url: str) -> User:
    """Register the administrator by the shared secret, without a rate limit."""
    path = f"{url}/_synapse/admin/v1/register"
    nonce = _call("GET", path)["nonce"]
    user, password = "admin", "passw0rd-of-the-tests"
    signed = b"\0".join(part.encode() for part in (nonce, user, password, "admin"))
    registered = _call(
        "POST",
        path,
        body={
            "nonce": nonce,
            "username": user,
            "password": password,
            "admin": True,
            "mac": hmac.new(SHARED_SECRET.encode(), signed, sha1).hexdigest(),
        },
    )
    return User(url, ADMIN, str(registered["access_token"]))


def _call(
    method: str, url: str, token: str = "", body: dict[str, Any] | None = None
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if method == "GET" else body or {}
    response = requests.request(method, url, json=data, headers=headers, timeout=PATIENCE)
    if not response.ok:
        raise PeerError(f"{method} {url} returned {response.status_code}: {response.text}")
    found: dict[str, Any] = response.json()
    return found


def _room(room: str) -> str:
    return f"/_matrix/client/v3/rooms/{quote(room)}"
