"""The sandbox as an ASGI application: every request passes the same gate to its dialect."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from tap_chat.sandbox.messages import messages
from tap_chat.sandbox.options import Options

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from tap_chat.sandbox.faults import Fault
    from tap_chat.sandbox.world import World

    Dialect = Callable[[Request, World, Options, Fault | None], Response]
    Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


class Gate:
    """What every request passes: the count, the latency, the rate limit and the faults.

    Args:
        world: The data.
        options: How to behave; may be changed at any time.

    Attributes:
        requests: The number of requests to the APIs so far.
        refused: Those of them that were over the rate limit.
    """

    def __init__(self, world: World, options: Options) -> None:
        self.world = world
        self.options = options
        self.requests = 0
        self.refused = 0
        self._window_start = 0.0
        self._window_count = 0

    def application(self) -> Starlette:
        """Return the application of all dialects and of `/_sandbox`, which steers it."""
        return Starlette(
            routes=[
                Route("/v1/messages", self._endpoint(messages)),
                Route("/_sandbox", self._report, methods=["GET"]),
                Route("/_sandbox", self._steer, methods=["PATCH"]),
            ]
        )

    def _endpoint(self, dialect: Dialect) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self.requests += 1
            await asyncio.sleep(self.options.latency)
            if (wait := self._over_limit()) is not None:
                self.refused += 1
                return Response(status_code=429, headers={"Retry-After": f"{wait:.3f}"})
            path = request.url.path
            fault = next((fault for fault in self.options.faults if fault.strikes(path)), None)
            answer = dialect(request, self.world, self.options, fault)
            if fault is None:
                return answer
            if fault.kind in {"reset", "cut"}:
                return BrokenResponse(answer, request, whole=0 if fault.kind == "reset" else 0.5)
            return fault.spoil_answer(answer)

        return endpoint

    def _over_limit(self) -> float | None:
        """Return the seconds until the next window if this one is used up."""
        if self.options.rate_limit is None:
            return None
        now = time.monotonic()
        if now >= self._window_start + self.options.rate_window:
            self._window_start, self._window_count = now, 0
        self._window_count += 1
        if self._window_count <= self.options.rate_limit:
            return None
        return self._window_start + self.options.rate_window - now

    async def _report(self, _: Request) -> Response:
        report = {
            "rows": self.world.rows,
            "requests": self.requests,
            "refused": self.refused,
            "options": self.options,
        }
        return Response(msgspec.json.encode(report), media_type="application/json")

    async def _steer(self, request: Request) -> Response:
        try:
            changes = msgspec.json.decode(await request.body(), type=dict[str, object])
            changed = msgspec.convert(msgspec.to_builtins(self.options) | changes, Options)
        except msgspec.ValidationError as error:
            return Response(f"{error}\n", 400, media_type="text/plain")
        for name in changed.__struct_fields__:
            setattr(self.options, name, getattr(changed, name))
        return await self._report(request)


class BrokenResponse(Response):
    """An answer whose connection breaks.

    Args:
        answer: What would have been sent.
        request: The request, for its connection.
        whole: The part of the body to send before, from 0 (not even the headers) to 1.
    """

    def __init__(self, answer: Response, request: Request, whole: float) -> None:
        super().__init__(answer.body, answer.status_code, media_type=answer.media_type)
        self._sent = bytes(self.body[: int(len(self.body) * whole)])
        self._connection: asyncio.Transport = request.state.connection

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a part of the answer and break the connection."""
        if self._sent:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            await send({"type": "http.response.body", "body": self._sent, "more_body": True})
            self._connection.close()
        else:
            self._connection.abort()
        # The server learns of the end of the connection in the next turn of the loop.
        await asyncio.sleep(0)
