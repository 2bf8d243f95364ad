"""The responses of every dialect: JSON, slow ones, and those whose connection breaks."""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response
from typing_extensions import override

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

JSON = "application/json"


class RefusalError(Exception):
    """A request that a dialect refuses.

    Args:
        status: The HTTP status.
        code: The kind of refusal.
        message: The reason.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def json_response(body: object, status: int = 200) -> Response:
    """Return a response with a JSON body."""
    return Response(msgspec.json.encode(body), status, media_type=JSON)


def bearer_token(request: Request) -> str | None:
    """Return the token of `Authorization: Bearer <token>`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def basic_pair(request: Request) -> tuple[str, str] | None:
    """Return the user and the password of `Authorization: Basic <pair>`."""
    scheme, _, pair = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = b64decode(pair, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


class BrokenResponse(Response):
    """A response whose connection breaks.

    Args:
        response: The whole response.
        request: The request, for its connection.
        whole: The share of the body to send first, from 0 (not even the headers) to 1.
    """

    def __init__(self, response: Response, request: Request, whole: float) -> None:
        super().__init__(response.body, response.status_code, media_type=response.media_type)
        self._sent = bytes(self.body[: int(len(self.body) * whole)])
        self._connection: asyncio.Transport = request.state.connection

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a part of the response, and break the connection."""
        if self._sent:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            await send({"type": "http.response.body", "body": self._sent, "more_body": True})
            self._connection.close()
        else:
            self._connection.abort()
        # The server learns of the end of the connection in the next turn of the loop.
        await asyncio.sleep(0)


class SlowResponse(Response):
    """A response whose body is sent slowly.

    Args:
        response: The response.
        seconds: The time between its pieces.
        halves: True for two pieces, false for a piece of each byte.
    """

    def __init__(self, response: Response, seconds: float, *, halves: bool) -> None:
        super().__init__(response.body, response.status_code, media_type=response.media_type)
        self._seconds = seconds
        self._piece = max(1, len(self.body) // 2) if halves else 1

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response piece by piece."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        for index in range(0, len(self.body), self._piece):
            piece = bytes(self.body[index : index + self._piece])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(self._seconds)
        await send({"type": "http.response.body", "body": b""})
