"""The tap behind rate limiters of other projects, with an unused and a used-up limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from interop.limiters import Peer, express, flask_limiter, nginx
from running import Runner, assert_complete, full_config

from tap_chat.sandbox import Limit, Options, Sandbox, World
from tap_chat.sandbox.limiter import least_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

#: A world of some hundred requests, most of them parallel.
WORLD = World(users=60, conversations=80)
WORKERS = 16
#: Seconds for which the other client continues.
BUSY = 1.5
LATENCY = 0.02


@dataclass(frozen=True)
class Case:
    """A limiter.

    Attributes:
        name: Its name.
        run: Starts it in front of an API.
        limit: The limit of the sandbox that equals it; for a limit of parallel requests, only
            `count` matters.
        settings: Additional settings of the tap.
    """

    name: str
    run: Callable[[str], AbstractContextManager[Peer]]
    limit: Limit
    settings: dict[str, Any] = field(default_factory=dict)

    def least(self, requests: int) -> float:
        """Return the shortest possible seconds for a number of requests."""
        if self.limit.kind == "at_once":
            return requests * LATENCY / self.limit.count
        return least_seconds(self.limit, requests)


ZONE = "limit_req zone=rate{burst}; limit_req_status 429;"
TWO_SECONDS = Limit(count=100, window=2)
LEAKY = partial(Limit, kind="leaky", count=50, window=1)
HEADERS: dict[str, dict[str, Any]] = {
    "X-RateLimit": {"legacyHeaders": True, "standardHeaders": False},
    **{
        draft: {"legacyHeaders": False, "standardHeaders": draft}
        for draft in ("draft-6", "draft-7", "draft-8")
    },
}
MOVING: dict[str, Limit] = {
    "fixed-window": TWO_SECONDS,
    "moving-window": Limit(kind="sliding", count=100, window=2),
}
CASES = [
    Case(
        "nginx, limit_req",
        partial(nginx, rules=ZONE.format(burst=""), rate=50),
        LEAKY(),
    ),
    Case(
        "nginx, limit_req with a burst that waits",
        partial(nginx, rules=ZONE.format(burst=" burst=20"), rate=50),
        LEAKY(burst=20),
    ),
    Case(
        "nginx, limit_req with a burst",
        partial(nginx, rules=ZONE.format(burst=" burst=20 nodelay"), rate=50),
        LEAKY(burst=20, nodelay=True),
    ),
    Case(
        "nginx, limit_conn",
        partial(nginx, rules="limit_conn open 4; limit_conn_status 429;", rate=50),
        Limit(kind="at_once", count=4, window=1),
    ),
    *(
        Case(
            f"express-rate-limit, {name}",
            partial(express, windowMs=2000, limit=100, **headers),
            TWO_SECONDS,
        )
        for name, headers in HEADERS.items()
    ),
    *(
        Case(
            f"Flask-Limiter, {strategy}, Retry-After as {form}",
            partial(
                flask_limiter,
                RATELIMIT_DEFAULT="100 per 2 second",
                RATELIMIT_STRATEGY=strategy,
                RATELIMIT_HEADER_RETRY_AFTER_VALUE=form,
            ),
            limit,
        )
        for strategy, limit in MOVING.items()
        for form in ("delta-seconds", "http-date")
    ),
]


@pytest.fixture
def api() -> Any:
    with Sandbox(WORLD, Options(latency=LATENCY)) as running:
        yield running


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used up"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_tap_respects_the_limit_and_uses_all_of_it(
    tap: Runner, api: Sandbox, case: Case, *, used: bool
) -> None:
    with case.run(api.url) as peer:
        settings = {"api_url": f"{peer.url}/v2"} | case.settings
        config = full_config(api, "freshchat", freshchat=settings)
        if used:
            with peer.used_by_other(BUSY):
                run = tap(config)
        else:
            run = tap(config)
        answers = peer.answers
    streams = [stream for stream in api.world.truth if stream.startswith("freshchat")]
    assert_complete(run, api, *streams)
    refused = sum(answer.status != 200 for answer in answers)
    seconds = answers[-1].moment - answers[0].moment
    least = case.least(len(answers) - refused)
    windows = seconds / case.limit.window
    print(
        f"{case.name}: {len(answers)} requests, {refused} refused, {seconds:.1f} of {least:.1f} s"
    )
    # Twice the time, plus the share of the other client.
    assert seconds <= 2 * least + 2 + (BUSY + case.limit.window) * used
    assert refused <= WORKERS * (1 + windows)
