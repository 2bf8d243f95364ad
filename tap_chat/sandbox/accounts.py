"""The accounts of the sandbox: each has data, limits and counts of its own.

The path `/accounts/<name>` before the path of an API leads to the account of that name. All
accounts have rows with the same ids; the name decides the other values.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote
from zlib import crc32

from tap_chat.sandbox.limiter import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tap_chat.sandbox.limiter import Decision
    from tap_chat.sandbox.limits import Limit
    from tap_chat.sandbox.world import World

#: The name of the account whose paths have no prefix.
UNNAMED = ""
PREFIX = "/accounts/"


class NamedAccount:
    """An account of the sandbox on all platforms.

    Attributes:
        world: Its data; None for the data that its name decides.
        requests: The number of its requests so far.
        refused: The number of its requests that a limit refused.
    """

    def __init__(self) -> None:
        self.world: World | None = None
        self.requests = 0
        self.refused = 0
        self._limiter = RateLimiter(())

    def acquire(
        self, limits: Sequence[Limit], now: float, path: str
    ) -> tuple[RateLimiter, Decision]:
        """Count a request against the limits, and decide whether it is accepted.

        Args:
            limits: The limits at this time.
            now: When the request comes, in seconds of a clock that never goes back.
            path: Its path.
        """
        if self._limiter.limits != limits:
            self._limiter = RateLimiter(limits)
        decision = self._limiter.acquire(now, path)
        self.refused += decision.refused
        return self._limiter, decision

    def reset_limits(self) -> None:
        """Forget the requests that limits have counted."""
        self._limiter = RateLimiter(())


class NamedAccounts:
    """The accounts by name.

    Args:
        world: The data of the account without a name. Each other account has the same settings,
            but a seed that its name decides.
    """

    def __init__(self, world: World) -> None:
        self.by_name = {UNNAMED: NamedAccount()}
        self._world = world
        self._derived: dict[str, World] = {}

    def __getitem__(self, name: str) -> NamedAccount:
        return self.by_name.setdefault(name, NamedAccount())

    def world_of(self, name: str) -> World:
        """Return the data of an account."""
        if name == UNNAMED:
            return self._world
        if (own := self[name].world) is not None:
            return own
        if name not in self._derived:
            seed = crc32(f"{self._world.seed} {name}".encode())
            self._derived[name] = replace(self._world, seed=seed)
        return self._derived[name]

    def set_world(self, name: str, world: World) -> None:
        """Replace the data of an account; without a name, of all that have none of their own."""
        if name == UNNAMED:
            self._world = world
            self._derived.clear()
        else:
            self[name].world = world


def path_of(name: str) -> str:
    """Return the prefix of the paths of an account."""
    return PREFIX + quote(name, safe="") if name != UNNAMED else ""


def route_accounts(application: ASGIApp) -> ASGIApp:
    """Return the application with paths of accounts: `request.state.account` is the name.

    The prefix moves from the path to the `root_path`.
    """

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        sent: str = scope["raw_path"].decode("ascii")
        name, prefix = UNNAMED, ""
        if sent.startswith(PREFIX):
            encoded, _, rest = sent.removeprefix(PREFIX).partition("/")
            name, prefix = unquote(encoded), PREFIX + encoded
            path = f"/{rest}"
            scope.update(root_path=prefix, path=unquote(path), raw_path=path.encode())
        scope["state"]["account"] = name
        await application(scope, receive, send)

    return routed
