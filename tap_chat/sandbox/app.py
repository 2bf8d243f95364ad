"""The sandbox as an ASGI application, which counts and limits requests for all dialects."""

from __future__ import annotations

import asyncio
import time
from dataclasses import fields
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from tap_chat.sandbox.faults import http_date
from tap_chat.sandbox.limiter import RateLimiter
from tap_chat.sandbox.options import Options
from tap_chat.sandbox.registry import DIALECTS
from tap_chat.sandbox.responses import BrokenResponse, SlowResponse, json_answer
from tap_chat.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from starlette.requests import Request

    from tap_chat.sandbox.dialect import Dialect
    from tap_chat.sandbox.faults import Fault
    from tap_chat.sandbox.limiter import Decision

    Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


class App:
    """What every request passes: the count, the latency, the rate limit and the faults.

    Args:
        world: The data.
        options: How to behave; may be changed at any time.

    Attributes:
        requests: The number of requests to the APIs so far.
        refused: Those of them that a limit refused.
        longest_stall: The most seconds between two requests that were let pass, since it was
            steered.
        most_at_once: The most requests that were under way at the same time.
    """

    def __init__(self, world: World, options: Options) -> None:
        self.world = world
        self.options = options
        self.requests = 0
        self.refused = 0
        self.longest_stall = 0.0
        self.most_at_once = 0
        self._first = self._last = 0.0
        self._at_once = 0
        self._passed: float | None = None
        self._limiter = RateLimiter(())

    @property
    def busy(self) -> float:
        """Seconds from the first request to the end of the last, since it was steered."""
        return self._last - self._first

    def application(self) -> Starlette:
        """Return the application of all dialects and of `/_sandbox`, which steers it."""
        return Starlette(
            routes=[
                *(
                    Route(path, self._endpoint(dialect))
                    for dialect in DIALECTS
                    for path in dialect.paths
                ),
                Route("/_sandbox", self._report, methods=["GET"]),
                Route("/_sandbox", self._steer, methods=["PATCH"]),
            ]
        )

    def _endpoint(self, dialect: Dialect) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self.requests += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            now = time.monotonic()
            self._first = self._first or now
            limiter, decision = self._ask(request, now)
            try:
                await asyncio.sleep(self.options.latency + decision.delay)
                self._last = time.monotonic()
                if decision.refused:
                    answer = json_answer(decision.body, decision.status)
                else:
                    answer = await self._answer(dialect, request)
            finally:
                self._at_once -= 1
                limiter.leave(decision)
            answer.headers["Date"] = http_date(self.options.clock)
            answer.headers.update(decision.headers(time.time() + self.options.clock))
            return answer

        return endpoint

    def _ask(self, request: Request, now: float) -> tuple[RateLimiter, Decision]:
        """Ask whether a request may pass, and count it."""
        limits = self.options.all_limits()
        if self._limiter.limits != limits:
            self._limiter = RateLimiter(limits)
        decision = self._limiter.ask(now, request.scope["path"])
        if decision.refused:
            self.refused += 1
        else:
            if self._passed is not None:
                self.longest_stall = max(self.longest_stall, now - self._passed)
            self._passed = now
        return self._limiter, decision

    async def _answer(self, dialect: Dialect, request: Request) -> Response:
        # Not that of request.url, which ends at an encoded question mark.
        path, query = request.scope["path"], request.query_params
        faults = self.options.faults
        fault = next((fault for fault in faults if fault.strikes(path, query)), None)
        account = self.world.accounts[dialect.name]
        answer = dialect.respond(request, account, self.options, fault)
        for drift in self.options.drifts:
            if drift.strikes(path):
                self.world = drift.changed(self.world, self.options)
        return await self._spoilt(answer, request, fault) if fault else answer

    async def _spoilt(self, answer: Response, request: Request, fault: Fault) -> Response:
        match fault.kind:
            case "reset" | "cut":
                return BrokenResponse(answer, request, whole=0 if fault.kind == "reset" else 0.5)
            case "stall" | "drip":
                return SlowResponse(answer, fault.seconds, halves=fault.kind == "stall")
            case "hang":
                await asyncio.sleep(fault.seconds)
                return answer
            case _:
                return fault.spoil_answer(answer, self.options.clock)

    async def _report(self, _: Request) -> Response:
        report = {
            "rows": self.world.rows,
            "requests": self.requests,
            "refused": self.refused,
            "longest_stall": self.longest_stall,
            "most_at_once": self.most_at_once,
            "busy": self.busy,
            "options": self.options,
            "world": self.world.settings,
        }
        return Response(msgspec.json.encode(report), media_type="application/json")

    async def _steer(self, request: Request) -> Response:
        names = {field.name for field in fields(self.options)}
        try:
            changes = msgspec.json.decode(await request.body(), type=dict[str, object])
            of_world = {name: changes.pop(name) for name in World.names() & changes.keys()}
            options = msgspec.convert(msgspec.to_builtins(self.options) | changes, Options)
            unknown = changes.keys() - names
            self.world = self.world if unknown else self.world.changed(of_world)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            return Response(f"{error}\n", 400, media_type="text/plain")
        if unknown:
            text = f"There is no setting {', '.join(sorted(unknown))}.\n"
            return Response(text, 400, media_type="text/plain")
        for name in names:
            setattr(self.options, name, getattr(options, name))
        self._first = self._last = 0.0
        self.most_at_once = self._at_once
        self._limiter = RateLimiter(())
        self._passed, self.longest_stall = None, 0.0
        return await self._report(request)
