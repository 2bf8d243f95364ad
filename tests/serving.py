"""A server that a test scripts, for behaviour that the sandbox does not have."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from starlette.types import Receive, Scope, Send


class Server:
    """Serves one function on loopback within the context.

    Args:
        respond: Returns a `Response`, a body of bytes, or a value for JSON, for a request.
        options: Additional options of uvicorn, such as certificates.

    Attributes:
        url: The URL of the server.
        requests: The requests so far.
        bodies: Their bodies.
    """

    def __init__(self, respond: Callable[[Request], Any], **options: Any) -> None:
        self._respond = respond
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if "ssl_certfile" in options else "http"
        self.url = f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._serve, interface="asgi3", lifespan="off", log_level="critical", **options
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        received = await request.body()
        self.requests.append(request)
        self.bodies.append(received)
        response = self._respond(request)
        if not isinstance(response, Response):
            body = response if isinstance(response, bytes) else json.dumps(response)
            response = Response(body, media_type="application/json")
        await response(scope, receive, send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join()
        self._socket.close()


def self_signed(folder: Path) -> dict[str, str]:
    """Return the options of a server with an untrusted certificate."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=sandbox"
    made += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run(made.split(), check=True, capture_output=True)
    return {"ssl_keyfile": str(key), "ssl_certfile": str(certificate)}


def rows(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Return messages with ids and these fields."""
    return [{"id": f"m{number}"} | fields for number in range(count)]


def paged(messages: list[dict[str, Any]]) -> Callable[[Request], Any]:
    """Return the function of a server that pages messages by offset and limit."""

    def answer(request: Request) -> Any:
        offset, limit = (int(request.query_params[name]) for name in ("offset", "limit"))
        return {"data": messages[offset : offset + limit]}

    return answer
