"""Limits that servers put on requests: pure counting, with the moments passed in."""

from __future__ import annotations

import math
import random
from collections import deque
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct
from typing_extensions import override

Kind = Literal[
    "fixed",  # so many in a window, which begins anew when it is over
    "sliding",  # so many in any stretch of the length of a window
    "token",  # a bucket of `burst` tokens, one a request, refilled at the rate
    "leaky",  # nginx's limit_req: one each 1/rate seconds, and `burst` ahead of that
    "at_once",  # so many under way at the same time
    "stray",  # a refusal without a reason, of each `every`-th request or of a `share`
]

#: What a limit tells, any of them together. What is not of a refusal alone is in every answer.
Told = Literal[
    "exact",  # a refusal has Retry-After, with the fractions of a second
    "seconds",  # in whole seconds, rounded up
    "date",  # as the moment of the server's clock
    "constant",  # always `constant`, whatever is right
    "retry_after_ms",  # a refusal has JSON with the milliseconds
    "x_ratelimit",  # X-RateLimit-Limit, -Remaining, and -Reset in whole seconds from now
    "x_ratelimit_epoch",  # likewise, with the reset as seconds since 1970
    "draft_6",  # RateLimit-Limit, -Remaining, -Reset and RateLimit-Policy, as in draft 6
    "draft_7",  # RateLimit: limit=10, remaining=3, reset=20 and RateLimit-Policy
    "draft_8",  # RateLimit: "default";r=3;t=20 and RateLimit-Policy: "default";q=10;w=60
]

#: What is less than this is rounding.
TINY = 1e-9


class Limit(Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """One limit.

    Attributes:
        kind: How it counts.
        count: The requests allowed in a window; of `at_once`, those at the same time.
        window: The length of a window, in seconds; the rate of the buckets is `count` in it.
        burst: The size of the bucket of `token` (as `count`, if None), and the requests that
            `leaky` lets pass ahead of its rate (0, if None).
        nodelay: Whether `leaky` lets those ahead of its rate pass at once, instead of holding each
            until it is due.
        aligned: Whether the windows of `fixed` follow each other whatever comes, instead of
            beginning with a request.
        strict: Whether `sliding` counts the requests that it refuses, too.
        every: Each so many requests one is refused, by `stray`.
        share: The part of the requests that is refused, by `stray`.
        used: The part of the allowance that is used up when the first request comes, from 0 to 1.
        elapsed: How long ago it was used, in seconds: the first window has begun then.
        shared: The part of the allowance that another client takes, at irregular times; what is
            refused to it, it tries again. Of `at_once`, each of its requests lasts a window.
        seed: Decides when it does so, and what `share` refuses.
        told: What answers tell of it.
        constant: What `constant` tells, in seconds; and what `at_once` and `stray` tell, which
            can't know when a request would be accepted.
        status: The status of a refusal. nginx, unless it is told otherwise, refuses with 503.
        path: Only requests whose path contains this are counted.
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
    told: tuple[Told, ...] = ()
    constant: Annotated[float, Meta(ge=0)] = 1.0
    status: Annotated[int, Meta(ge=400, le=599)] = 429
    path: str = ""

    @property
    def rate(self) -> float:
        """Requests a second that it lets pass in the long run."""
        return self.count / self.window


class Verdict(NamedTuple):
    """What a limit says of one request.

    Attributes:
        allowed: Whether it may pass.
        wait: Seconds until one would be let pass; 0 if this one is.
        remaining: The requests that would be let pass now.
        reset: Seconds until the window ends or the oldest request is forgotten; of a bucket, until
            it is as at the beginning.
        delay: Seconds for which the server holds the request before it is answered.
    """

    allowed: bool
    wait: float
    remaining: int
    reset: float
    delay: float = 0.0


class LimitCounter:
    """Counts the requests of one limit. The first moment that it is told of is its beginning.

    Args:
        limit: The limit.
        now: The beginning, in seconds of any clock.
    """

    def __init__(self, limit: Limit, now: float) -> None:
        self.limit = limit
        self.begun = now - limit.elapsed
        self.used = round(limit.used * limit.count)
        self.start()

    def start(self) -> None:
        """Begin, at `begun`, when so many requests as `used` have come."""
        raise NotImplementedError

    def ask(self, now: float) -> Verdict:
        """Count a request."""
        raise NotImplementedError

    def ask_for_other(self, now: float) -> bool:
        """Count a request of the other client; return whether it is let pass."""
        return self.ask(now).allowed

    def leave(self) -> None:
        """Note that a request that was let pass is answered."""


class FixedWindow(LimitCounter):
    """So many in a window."""

    @override
    def start(self) -> None:
        self._start, self._count = self.begun, self.used

    @override
    def ask(self, now: float) -> Verdict:
        limit = self.limit
        passed = (now - self._start + TINY) // limit.window
        if passed >= 1:
            self._start = self._start + passed * limit.window if limit.aligned else now
            self._count = 0
        reset = self._start + limit.window - now
        if self._count >= limit.count:
            return Verdict(False, reset, 0, reset)
        self._count += 1
        return Verdict(True, 0.0, limit.count - self._count, reset)


class SlidingLog(LimitCounter):
    """So many in any stretch of the length of a window."""

    @override
    def start(self) -> None:
        self._log = deque([self.begun] * self.used, maxlen=self.limit.count)

    @override
    def ask(self, now: float) -> Verdict:
        limit, log = self.limit, self._log
        while log and log[0] + limit.window <= now + TINY:
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
    def ask(self, now: float) -> Verdict:
        rate = self.limit.rate
        self._tokens = min(self._size, self._tokens + (now - self._seen) * rate)
        self._seen = now
        allowed = self._tokens >= 1 - TINY
        if allowed:
            self._tokens -= 1
        wait = 0.0 if allowed else (1 - self._tokens) / rate
        return Verdict(allowed, wait, max(int(self._tokens), 0), (self._size - self._tokens) / rate)


class LeakyBucket(LimitCounter):
    """nginx's limit_req: what is ahead of the rate by more than the burst is refused."""

    @override
    def start(self) -> None:
        self._burst = self.limit.burst or 0
        # As if a request had just come: one that is not ahead, unless it was used up.
        self._ahead = self._burst * self.limit.used
        self._seen = self.begun if self.used else -math.inf

    @override
    def ask(self, now: float) -> Verdict:
        rate = self.limit.rate
        ahead = max(0.0, self._ahead - (now - self._seen) * rate + 1)
        if ahead > self._burst + TINY:
            wait = (ahead - self._burst) / rate
            return Verdict(False, wait, 0, wait)
        self._ahead, self._seen = ahead, now
        delay = 0.0 if self.limit.nodelay else ahead / rate
        return Verdict(True, 0.0, int(self._burst - ahead + TINY), ahead / rate, delay)


class AtOnce(LimitCounter):
    """So many under way at the same time."""

    @override
    def start(self) -> None:
        self._own = 0
        self._ends_of_other = deque([self.begun + self.limit.window] * self.used)

    @override
    def ask(self, now: float) -> Verdict:
        free = self._free(now)
        if free <= 0:
            return Verdict(False, self.limit.constant, 0, self.limit.constant)
        self._own += 1
        return Verdict(True, 0.0, free - 1, 0.0)

    @override
    def ask_for_other(self, now: float) -> bool:
        allowed = self._free(now) > 0
        if allowed:
            self._ends_of_other.append(now + self.limit.window)
        return allowed

    @override
    def leave(self) -> None:
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
    def ask(self, _: float) -> Verdict:
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
