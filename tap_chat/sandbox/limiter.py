"""All limits together, and what responses report about them.

A client can be simulated against them without a server, and without waiting:

    limiter = RateLimiter([Limit(kind="token", count=20, window=1, reports=("seconds",))])
    decision = limiter.acquire(now)
    print(decision.refused, decision.headers(epoch))
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_chat.sandbox.limits import COUNTERS, ROUNDING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_chat.sandbox.limits import Limit, LimitCounter, Verdict

#: The requests of a burst of the other client, as a share of what it takes in a window.
BURST = 1 / 4


class OtherClient:
    """Another client of the same limit, which retries refused requests before anyone else.

    Args:
        limiter: The limit.
        now: When it starts.
    """

    def __init__(self, limiter: LimitCounter, now: float) -> None:
        self._limiter = limiter
        self._moments = moments_of_other(limiter.limit, now)
        self._next = next(self._moments)
        self._refused = 0

    def come(self, now: float) -> None:
        """Send its requests until now."""
        acquire, strict = self._limiter.acquire_for_other, self._limiter.limit.strict
        while self._next <= now:
            self._refused += not acquire(self._next)
            self._next = next(self._moments)
        # A strict limit counts refused requests: it does not retry them.
        while self._refused and not strict and acquire(now):
            self._refused -= 1


@dataclass(frozen=True)
class Decision:
    """The decision of all limits about one request.

    Attributes:
        verdicts: The verdicts of the limits, in their order, up to the first refusal.
    """

    verdicts: list[tuple[Limit, Verdict]]

    @property
    def refused(self) -> bool:
        """Whether the request is refused."""
        return bool(self.verdicts) and not self.verdicts[-1][1].allowed

    @property
    def delay(self) -> float:
        """Seconds for which the server holds the request before it responds."""
        return max((verdict.delay for _, verdict in self.verdicts), default=0.0)

    @property
    def status(self) -> int:
        """The status of the response: 200, unless the request is refused."""
        return self.verdicts[-1][0].status if self.refused else HTTPStatus.OK

    @property
    def retry_after(self) -> float | None:
        """The Retry-After of a refusal, in seconds; None if it has none."""
        if not self.refused:
            return None
        limit, verdict = self.verdicts[-1]
        if "constant" in limit.reports:
            return limit.constant
        if "seconds" in limit.reports:
            return math.ceil(verdict.wait - ROUNDING)
        exact = math.ceil(verdict.wait * 1000 - ROUNDING) / 1000
        return exact if {"exact", "date"} & set(limit.reports) else None

    def headers(self, epoch: float) -> dict[str, str]:
        """Return the headers in which the response reports the limits.

        Args:
            epoch: The server's clock, in seconds since 1970.
        """
        headers: dict[str, str] = {}
        for limit, verdict in self.verdicts:
            headers |= _allowance(limit, verdict, epoch)
        if (seconds := self.retry_after) is not None:
            reports = self.verdicts[-1][0].reports
            # A date has whole seconds: round up, so that no client comes too early.
            moment = formatdate(math.ceil(epoch + seconds), usegmt=True)
            headers["Retry-After"] = moment if "date" in reports else _number(seconds)
        return headers

    @property
    def body(self) -> dict[str, object]:
        """The JSON of a refusal."""
        limit, verdict = self.verdicts[-1]
        wait = limit.constant if "constant" in limit.reports else verdict.wait
        ms = {"retry_after_ms": math.ceil(wait * 1000)} if "retry_after_ms" in limit.reports else {}
        return {"message": "Too many requests", **ms}


class RateLimiter:
    """Several limits together: the first that refuses a request decides.

    Args:
        limits: The limits.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        self.limits = tuple(limits)
        self._limiters: list[tuple[LimitCounter, OtherClient]] | None = None

    def acquire(self, now: float, path: str = "") -> Decision:
        """Count a request.

        Args:
            now: When it comes, in seconds of a clock that never goes back.
            path: Its path.
        """
        if self._limiters is None:
            limiters = [COUNTERS[limit.kind](limit, now) for limit in self.limits]
            self._limiters = [(limiter, OtherClient(limiter, now)) for limiter in limiters]
        verdicts = []
        for limiter, other in self._limiters:
            other.come(now)
            if limiter.limit.path in path:
                verdicts.append((limiter.limit, limiter.acquire(now)))
                if not verdicts[-1][1].allowed:
                    break
        decision = Decision(verdicts)
        if decision.refused:
            self.release(decision)
        return decision

    def release(self, decision: Decision) -> None:
        """Note that a response is sent, for limits on requests at once."""
        passed = [limit for limit, verdict in decision.verdicts if verdict.allowed]
        for limiter, _ in self._limiters or ():
            if any(limiter.limit is limit for limit in passed):
                limiter.release()


def moments_of_other(limit: Limit, now: float) -> Iterator[float]:
    """Yield the times of the requests of the other client: in bursts, at irregular times.

    Args:
        limit: The limit that it shares.
        now: When it starts.
    """
    dice = random.Random(f"{limit.seed} other")
    taken = limit.shared * limit.count
    burst = max(1, round(BURST * taken))
    while taken:
        now += dice.expovariate(limit.shared * limit.rate / burst)
        yield from [now] * dice.randrange(1, 2 * burst)
    while True:
        yield math.inf


def least_seconds(limit: Limit, requests: int) -> float:
    """Return the least seconds for a number of requests, sent as soon as each is accepted.

    Args:
        limit: The limit, but none of `at_once`, which depends on how long a request takes.
        requests: The number of requests.
    """
    limiter, now = RateLimiter([limit]), 0.0
    for _ in range(requests):
        while (decision := limiter.acquire(now)).refused:
            now += max(decision.verdicts[-1][1].wait, ROUNDING)
        last = now + decision.delay
    return last if requests else 0.0


def _allowance(limit: Limit, verdict: Verdict, epoch: float) -> dict[str, str]:
    """Return the headers that every response has."""
    left, size, window = verdict.remaining, limit.count, math.ceil(limit.window)
    reset = math.ceil(verdict.reset - ROUNDING)
    policy = f"{size};w={window}"
    headers: dict[str, str] = {}
    if {"x_ratelimit", "x_ratelimit_epoch"} & set(limit.reports):
        at = math.ceil(epoch + verdict.reset) if "x_ratelimit_epoch" in limit.reports else reset
        headers |= {
            "X-RateLimit-Limit": str(size),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str(at),
        }
    if "draft_6" in limit.reports:
        headers |= {
            "RateLimit-Policy": policy,
            "RateLimit-Limit": str(size),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(reset),
        }
    if "draft_7" in limit.reports:
        headers["RateLimit-Policy"] = policy
        headers["RateLimit"] = f"limit={size}, remaining={left}, reset={reset}"
    if "draft_8" in limit.reports:
        headers["RateLimit-Policy"] = f'"default";q={size};w={window}'
        headers["RateLimit"] = f'"default";r={left};t={reset}'
    if "call_limit" in limit.reports:
        headers["X-Gorgias-Account-Api-Call-Limit"] = f"{size - left}/{size}"
    return headers


def _number(seconds: float) -> str:
    """Return seconds without needless digits."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
