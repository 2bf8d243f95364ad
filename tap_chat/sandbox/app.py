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

from tap_chat.sandbox.accounts import NamedAccounts, route_accounts
from tap_chat.sandbox.faults import http_date
from tap_chat.sandbox.options import Options
from tap_chat.sandbox.registry import DIALECTS
from tap_chat.sandbox.responses import BrokenResponse, SlowResponse, json_response
from tap_chat.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from tap_chat.sandbox.dialect import Dialect
    from tap_chat.sandbox.faults import Fault
    from tap_chat.sandbox.limiter import Decision, RateLimiter

    Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


class App:
    """The application: counts, delays and limits requests, passes them to a dialect, adds faults.

    Args:
        world: The data of the account without a name.
        options: The options of all accounts; they may change at any time.

    Attributes:
        accounts: The accounts by name.
        longest_stall: The most seconds between two accepted requests, since the last change.
        most_at_once: The most requests at the same time.
    """

    def __init__(self, world: World, options: Options) -> None:
        self.accounts = NamedAccounts(world)
        self.options = options
        self.longest_stall = 0.0
        self.most_at_once = 0
        self._first = self._last = 0.0
        self._at_once = 0
        self._passed: float | None = None

    @property
    def requests(self) -> int:
        """The number of requests to the APIs so far."""
        return sum(account.requests for account in self.accounts.by_name.values())

    @property
    def refused(self) -> int:
        """The number of requests that a limit refused."""
        return sum(account.refused for account in self.accounts.by_name.values())

    @property
    def busy(self) -> float:
        """Seconds from the first request to the end of the last one, since the last change."""
        return self._last - self._first

    def application(self) -> ASGIApp:
        """Return the ASGI application of all dialects, and of `/_sandbox`, which changes it."""
        application = Starlette(
            routes=[
                *(
                    Route(path, self._endpoint(dialect), methods=[*dialect.methods])
                    for dialect in DIALECTS
                    for path in dialect.paths
                ),
                Route("/_sandbox", self._report, methods=["GET"]),
                Route("/_sandbox", self._change, methods=["PATCH"]),
            ]
        )
        return route_accounts(application)

    def _endpoint(self, dialect: Dialect) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self.accounts[request.state.account].requests += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            now = time.monotonic()
            self._first = self._first or now
            limiter, decision = self._acquire(request, now)
            try:
                await asyncio.sleep(self.options.latency + decision.delay)
                self._last = time.monotonic()
                if decision.refused:
                    response = json_response(decision.body, decision.status)
                else:
                    response = await self._respond(dialect, request)
            finally:
                self._at_once -= 1
                limiter.release(decision)
            response.headers["Date"] = http_date(self.options.clock)
            response.headers.update(decision.headers(time.time() + self.options.clock))
            return response

        return endpoint

    def _acquire(self, request: Request, now: float) -> tuple[RateLimiter, Decision]:
        """Count a request, and decide whether it is accepted."""
        account = self.accounts[request.state.account]
        limiter, decision = account.acquire(self.options.all_limits(), now, described(request))
        if not decision.refused:
            if self._passed is not None:
                self.longest_stall = max(self.longest_stall, now - self._passed)
            self._passed = now
        return limiter, decision

    async def _respond(self, dialect: Dialect, request: Request) -> Response:
        path, query, name = full_path(request), request.query_params, request.state.account
        faults, body = self.options.faults, await request.body()
        fault = next((fault for fault in faults if fault.is_due(path, query, body)), None)
        account = self.accounts.world_of(name).accounts[dialect.name]
        request.state.body = body
        response = dialect.respond(request, account, self.options, fault)
        for drift in self.options.drifts:
            if drift.is_due(path):
                drifted = drift.changed(self.accounts.world_of(name), self.options)
                self.accounts.set_world(name, drifted)
        return await self._spoilt(response, request, fault) if fault else response

    async def _spoilt(self, response: Response, request: Request, fault: Fault) -> Response:
        match fault.kind:
            case "reset" | "cut":
                return BrokenResponse(response, request, whole=0 if fault.kind == "reset" else 0.5)
            case "stall" | "drip":
                return SlowResponse(response, fault.seconds, halves=fault.kind == "stall")
            case "hang":
                await asyncio.sleep(fault.seconds)
                return response
            case _:
                return fault.spoil_response(response, self.options.clock)

    async def _report(self, request: Request) -> Response:
        world, named = self.accounts.world_of(request.state.account), self.accounts.by_name.items()
        report = {
            "rows": world.rows,
            "requests": self.requests,
            "refused": self.refused,
            "requests_by_account": {name: account.requests for name, account in named if name},
            "longest_stall": self.longest_stall,
            "most_at_once": self.most_at_once,
            "busy": self.busy,
            "options": self.options,
            "world": world.settings,
        }
        return Response(msgspec.json.encode(report), media_type="application/json")

    async def _change(self, request: Request) -> Response:
        names = {field.name for field in fields(self.options)}
        try:
            changes = msgspec.json.decode(await request.body(), type=dict[str, object])
            of_world = {name: changes.pop(name) for name in World.names() & changes.keys()}
            options = msgspec.convert(msgspec.to_builtins(self.options) | changes, Options)
            unknown = changes.keys() - names
            name = request.state.account
            world = self.accounts.world_of(name).changed(of_world)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            return Response(f"{error}\n", 400, media_type="text/plain")
        if unknown:
            text = f"There is no setting {', '.join(sorted(unknown))}.\n"
            return Response(text, 400, media_type="text/plain")
        if of_world:
            self.accounts.set_world(name, world)
        for option in names:
            setattr(self.options, option, getattr(options, option))
        self._first = self._last = 0.0
        self.most_at_once = self._at_once
        for account in self.accounts.by_name.values():
            account.reset_limits()
        self._passed, self.longest_stall = None, 0.0
        return await self._report(request)


def described(request: Request) -> str:
    """Return the method of a request and its path, as limits see them."""
    return f"{request.method} {full_path(request)}"


def full_path(request: Request) -> str:
    """Return the decoded path of a request, with the prefix of its account as it was sent."""
    # Not that of request.url, which ends at an encoded question mark.
    return str(request.scope["root_path"] + request.scope["path"])
