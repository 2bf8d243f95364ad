"""Rate limits of servers: pure counting, without a clock."""

from __future__ import annotations

import math
import random
from collections import deque
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct
from typing_extensions import override

Kind = Literal[
    "fixed",  # `count` in a window; the next window begins when it is over
    "sliding",  # `count` in any stretch of the length of a window
    "token",  # a bucket of `burst` tokens; a request takes one, and they are refilled at the rate
    "leaky",  # nginx's limit_req: one request every 1/rate seconds, and `burst` ahead of that
    "at_once",  # `count` at the same time
    "stray",  # refusals without a reason, of every `every`-th request or of a `share`
]

#: What responses report about a limit, in any combination.
Report = Literal[
    "exact",  # a refusal has Retry-After, with fractions of a second
    "seconds",  # a refusal has Retry-After, in whole seconds, rounded up
    "date",  # a refusal has Retry-After, as a date by the server's clock
    "constant",  # a refusal has Retry-After, always `constant`
    "retry_after_ms",  # the JSON of a refusal has it
    "x_ratelimit",  # every response has X-RateLimit-Limit, -Remaining, and -Reset in seconds
    "x_ratelimit_epoch",  # the same, with -Reset in seconds since 1970
    "draft_6",  # every response has RateLimit-Limit, -Remaining, -Reset and RateLimit-Policy
    "draft_7",  # RateLimit: limit=10, remaining=3, reset=20 and RateLimit-Policy
    "draft_8",  # RateLimit: "default";r=3;t=20 and RateLimit-Policy: "default";q=10;w=60
    "call_limit",  # every response has X-Gorgias-Account-Api-Call-Limit: used/count
]

#: Smaller differences are rounding.
ROUNDING = 1e-9


class Limit(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A rate limit.

    Attributes:
        kind: How it counts.
        count: The requests allowed in a window; of `at_once`, those at the same time.
        window: The length of a window, in seconds; buckets are refilled with `count` in it.
        burst: The size of the bucket of `token` (None for `count`), and the requests that `leaky`
            accepts ahead of its rate (None for 0).
        nodelay: Whether `leaky` responds to requests ahead of its rate at once, instead of holding
            each until it is due.
        aligned: Whether the windows of `fixed` follow each other without a gap, instead of each
            beginning with a request.
        strict: Whether `sliding` also counts the requests that it refuses.
        every: `stray` refuses one of this many requests.
        share: `stray` refuses this share of the requests, from 0 to 1.
        used: The share of the limit that is used up when the first request comes, from 0 to 1.
        elapsed: How long ago it was used, in seconds: the first window began then.
        shared: The share of the limit that another client takes, at irregular times, from 0 to 1.
            It retries what is refused. Of `at_once`, each of its requests lasts a window.
        seed: Decides when the other client sends requests, and what `share` refuses.
        reports: What responses report about the limit.
        constant: The wait that `constant` reports, in seconds; also that of `at_once` and `stray`,
            which can't know when a request would be accepted.
        status: The status of a refusal. nginx refuses with 503 by default.
        path: Only requests whose method and path (`GET /v2/users`) contain this are counted.
    """

    kind: Kind = "fixed"
    count: Annotated[int, Meta(ge=1)] = 60
    window: Annotated[float, Meta(gt=0)] = 60.0
    burst: Annotated[int, Meta(ge=0)] | None = None
    nodelay: bool = False
    aligned: bool = False
    strict: bool = False
    every: Annotated[int, Meta(ge=1)] | None = None
    share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    used: Annotated[float, Meta(ge=0, le=1)] = 0.0
    elapsed: Annotated[float, Meta(ge=0)] = 0.0
    shared: Annotated[float, Meta(ge=0, le=1)] = 0.0
    seed: int = 7
    reports: tuple[Report, ...] = ()
    constant: Annotated[float, Meta(ge=0)] = 1.0
    status: Annotated[int, Meta(ge=400, le=599)] = 429
    path: str = ""

    @property
    def rate(self) -> float:
        """Requests a second that it accepts on average."""
        return self.count / self.window


class Verdict(NamedTuple):
    """What a limit decides about one request.

    Attributes:
        allowed: Whether it is accepted.
        wait: Seconds until a request would be accepted; 0 if this one is.
        remaining: The requests that would be accepted now.
        reset: Seconds until the window ends or the oldest request is forgotten; of a bucket, until
            it is as at the start.
        delay: Seconds for which the server holds the request before it responds.
    """

    allowed: bool
    wait: float
    remaining: int
    reset: float
    delay: float = 0.0


class LimitCounter:
    """Counts the requests of one limit.

    Args:
        limit: The limit.
        now: When it starts, in seconds of any clock.
    """

    def __init__(self, limit: Limit, now: float) -> None:
        self.limit = limit
        self.begun = now - limit.elapsed
        self.used = round(limit.used * limit.count)
        self.start()

    def start(self) -> None:
        """Start at `begun`, after `used` requests."""
        raise NotImplementedError

    def acquire(self, now: float) -> Verdict:
        """Count a request."""
        raise NotImplementedError

    def acquire_for_other(self, now: float) -> bool:
        """Count a request of the other client; return whether it is accepted."""
        return self.acquire(now).allowed

    def release(self) -> None:
        """Take note of the response to an accepted request."""


class FixedWindow(LimitCounter):
    """`count` requests in a window."""

    @override
    def start(self) -> None:
        self._start, self._count = self.begun, self.used

    @override
    def acquire(self, now: float) -> Verdict:
        limit = self.limit
        passed = (now - self._start + ROUNDING) // limit.window
        if passed >= 1:
            self._start = self._start + passed * limit.window if limit.aligned else now
            self._count = 0
        reset = self._start + limit.window - now
        if self._count >= limit.count:
            return Verdict(False, reset, 0, reset)
        self._count += 1
        return Verdict(True, 0.0, limit.count - self._count, reset)


class SlidingLog(LimitCounter):
    """`count` requests in any stretch of the length of a window."""

    @override
    def start(self) -> None:
        self._log = deque([self.begun] * self.used, maxlen=self.limit.count)

    @override
    def acquire(self, now: float) -> Verdict:
        limit, log = self.limit, self._log
        while log and log[0] + limit.window <= now + ROUNDING:
            log.popleft()
        allowed = len(log) < limit.count
        if allowed or limit.strict:
            log.append(now)
        reset = log[0] + limit.window - now
        return Verdict(allowed, 0.0 if allowed else reset, limit.count - len(log), reset)


class TokenBucket(LimitCounter):
    """A bucket of tokens that is refilled at the rate."""

    @override
    def start(self) -> None:
        burst = self.limit.burst
        self._size = self.limit.count if burst is None else max(burst, 1)
        self._tokens = self._size * (1 - self.limit.used)
        self._seen = self.begun

    @override
    def acquire(self, now: float) -> Verdict:
        rate = self.limit.rate
        self._tokens = min(self._size, self._tokens + (now - self._seen) * rate)
        self._seen = now
        allowed = self._tokens >= 1 - ROUNDING
        if allowed:
            self._tokens -= 1
        wait = 0.0 if allowed else (1 - self._tokens) / rate
        return Verdict(allowed, wait, max(int(self._tokens), 0), (self._size - self._tokens) / rate)


class LeakyBucket(LimitCounter):
    """nginx's limit_req: a request ahead of the rate by more than the burst is refused."""

    @override
    def start(self) -> None:
        self._burst = self.limit.burst or 0
        # As if a request had just come, ahead by the burst if that is used up.
        self._ahead = self._burst * self.limit.used
        self._seen = self.begun if self.used else -math.inf

    @override
    def acquire(self, now: float) -> Verdict:
        rate = self.limit.rate
        ahead = max(0.0, self._ahead - (now - self._seen) * rate + 1)
        if ahead > self._burst + ROUNDING:
            wait = (ahead - self._burst) / rate
            return Verdict(False, wait, 0, wait)
        self._ahead, self._seen = ahead, now
        delay = 0.0 if self.limit.nodelay else ahead / rate
        return Verdict(True, 0.0, int(self._burst - ahead + ROUNDING), ahead / rate, delay)


class AtOnce(LimitCounter):
    """`count` requests at the same time."""

    @override
    def start(self) -> None:
        self._own = 0
        self._ends_of_other = deque([self.begun + self.limit.window] * self.used)

    @override
    def acquire(self, now: float) -> Verdict:
        free = self._free(now)
        if free <= 0:
            return Verdict(False, self.limit.constant, 0, self.limit.constant)
        self._own += 1
        return Verdict(True, 0.0, free - 1, 0.0)

    @override
    def acquire_for_other(self, now: float) -> bool:
        allowed = self._free(now) > 0
        if allowed:
            self._ends_of_other.append(now + self.limit.window)
        return allowed

    @override
    def release(self) -> None:
        self._own -= 1

    def _free(self, now: float) -> int:
        while self._ends_of_other and self._ends_of_other[0] <= now:
            self._ends_of_other.popleft()
        return self.limit.count - self._own - len(self._ends_of_other)


class Stray(LimitCounter):
    """Refusals without a reason."""

    @override
    def start(self) -> None:
        self._count = 0
        self._dice = random.Random(f"{self.limit.seed} stray")

    @override
    def acquire(self, _: float) -> Verdict:
        self._count += 1
        struck = self._dice.random() < self.limit.share
        if self.limit.every is not None:
            struck = struck or self._count % self.limit.every == 0
        wait = self.limit.constant if struck else 0.0
        return Verdict(not struck, wait, 0 if struck else self.limit.count, wait)


COUNTERS: dict[Kind, type[LimitCounter]] = {
    "fixed": FixedWindow,
    "sliding": SlidingLog,
    "token": TokenBucket,
    "leaky": LeakyBucket,
    "at_once": AtOnce,
    "stray": Stray,
}
