"""Servers with limits, in a time of their own: what they accept."""

from __future__ import annotations

import random
from collections import deque
from math import floor
from typing import Protocol

from typing_extensions import override

FAR = float("inf")


class Limit(Protocol):
    """Decides about requests.

    Attributes:
        rate: Requests a second that it lets through on average; infinite if that depends
            on how long they take, or on how many are asked for.
        span: Seconds of what is called a window in the goals.
        count: The largest number of requests that it lets through at once.
        phase: When a window begins.
        lost: Seconds that each request costs on average, besides its own duration.
        at_once: The most requests at once that it accepts.
    """

    rate: float
    lost: float
    at_once: float
    span: float
    count: int
    phase: float

    def take(self, now: float) -> bool:
        """Return whether a request that arrives now is accepted, and count it."""

    def done(self) -> None:
        """Note that the response to an accepted request was sent."""

    def opens(self, now: float) -> float:
        """Return when a request will be accepted; now or earlier if one would be now."""

    def left(self, now: float) -> tuple[int, float]:
        """Return how many requests remain, and in how many seconds all of them do again."""


class Base:
    """What most limits have in common."""

    def __init__(self, count: int, span: float) -> None:
        self.count = count
        self.span = span
        self.rate = count / span
        self.phase = 0.0
        self.lost = 0.0
        self.at_once = FAR

    def done(self) -> None:
        """Do nothing: a request counts after its response, too."""


class Windows(Base):
    """A number of requests in each window of the clock; another client may take a part of it.

    Args:
        count: The number.
        span: Seconds of a window.
        phase: When one begins.
        others: The largest part that the other client takes; how much, and when, is random.
    """

    def __init__(self, count: int, span: float, phase: float = 0.0, others: float = 0.0) -> None:
        super().__init__(count, span)
        self.rate *= 1 - others / 2
        self.phase = phase
        self._others = others
        self._random = random.Random(count)
        self._window = -1
        self._taken = 0
        self._coming: list[float] = []

    def _turn(self, now: float) -> float:
        """Take account of the time; return when the window ends."""
        window = floor((now - self.phase) / self.span)
        ends = self.phase + (window + 1) * self.span
        if window != self._window:
            self._window, self._taken = window, 0
            others = int(self.count * self._random.uniform(0, self._others))
            begun = ends - self.span
            moments = [self._random.uniform(begun, ends) for _ in range(others)]
            self._coming = sorted(moments, reverse=True)
        while self._coming and self._coming[-1] <= now:
            self._coming.pop()
            self._taken += self._taken < self.count
        return ends

    def take(self, now: float) -> bool:
        self._turn(now)
        accepted = self._taken < self.count
        self._taken += accepted
        return accepted

    def opens(self, now: float) -> float:
        ends = self._turn(now)
        return now if self._taken < self.count else ends

    def left(self, now: float) -> tuple[int, float]:
        ends = self._turn(now)
        return self.count - self._taken, ends - now


class Log(Base):
    """A number of requests in any stretch of time.

    Args:
        count: The number.
        span: The seconds.
        counts_refused: Whether a refused request counts, too.
    """

    def __init__(self, count: int, span: float, *, counts_refused: bool = False) -> None:
        super().__init__(count, span)
        self._counts_refused = counts_refused
        self._seen: deque[float] = deque()

    def take(self, now: float) -> bool:
        while self._seen and self._seen[0] <= now - self.span:
            self._seen.popleft()
        accepted = len(self._seen) < self.count
        if accepted or self._counts_refused:
            self._seen.append(now)
        return accepted

    def opens(self, now: float) -> float:
        while self._seen and self._seen[0] <= now - self.span:
            self._seen.popleft()
        return now if len(self._seen) < self.count else self._seen[-self.count] + self.span

    def left(self, now: float) -> tuple[int, float]:
        opens = self.opens(now)
        return max(0, self.count - len(self._seen)), max(0.0, opens - now)


class Weighted(Base):
    """The count of this window and a part of that before, as content delivery networks count."""

    def __init__(self, count: int, span: float) -> None:
        super().__init__(count, span)
        self._window = 0
        self._before = self._taken = 0

    def _turn(self, now: float) -> float:
        window = floor(now / self.span)
        if window != self._window:
            self._before = self._taken if window == self._window + 1 else 0
            self._window, self._taken = window, 0
        return now / self.span - window

    def take(self, now: float) -> bool:
        passed = self._turn(now)
        accepted = self._before * (1 - passed) + self._taken + 1 <= self.count
        self._taken += accepted
        return accepted

    def opens(self, now: float) -> float:
        passed = self._turn(now)
        begun = now - passed * self.span
        if self._taken + 1 > self.count:
            # In the next window, when so little of this one counts that one fits in.
            return begun + self.span * (2 - (self.count - 1) / self._taken)
        if not self._before:
            return now
        return begun + self.span * (1 - (self.count - self._taken - 1) / self._before)

    def left(self, now: float) -> tuple[int, float]:
        passed = self._turn(now)
        left = floor(self.count - self._before * (1 - passed) - self._taken)
        return max(0, left), (1 - passed) * self.span


class Bucket(Base):
    """So many at once, and then so many in a second: a token bucket, or a leaky one (nginx).

    Args:
        rate: Requests of a second.
        size: Requests at once.
    """

    def __init__(self, rate: float, size: int) -> None:
        super().__init__(size, max(1.0, size / rate))
        self.rate = rate
        self._tokens = float(size)
        self._at = 0.0

    def _fill(self, now: float) -> None:
        self._tokens = min(self.count, self._tokens + (now - self._at) * self.rate)
        self._at = now

    def take(self, now: float) -> bool:
        self._fill(now)
        accepted = self._tokens >= 1
        self._tokens -= accepted
        return accepted

    def opens(self, now: float) -> float:
        self._fill(now)
        return now + (1 - self._tokens) / self.rate

    def left(self, now: float) -> tuple[int, float]:
        self._fill(now)
        return int(self._tokens), (self.count - self._tokens) / self.rate


class AtOnce(Base):
    """So many requests at once, however many in a second.

    Args:
        count: The number.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count, 1.0)
        self.rate = FAR
        self.at_once = count
        self._flying = 0

    def take(self, now: float) -> bool:  # noqa: ARG002 - the protocol has it
        accepted = self._flying < self.count
        self._flying += accepted
        return accepted

    @override
    def done(self) -> None:
        self._flying -= 1

    def opens(self, now: float) -> float:
        return now if self._flying < self.count else FAR

    def left(self, now: float) -> tuple[int, float]:  # noqa: ARG002 - the protocol has it
        return self.count - self._flying, 0.0


class Strays(Base):
    """No limit, but now and then a refusal.

    Args:
        part: The part of the requests that is refused.
        wait: Seconds that each of them asks to wait.
    """

    def __init__(self, part: float, wait: float = 0.0) -> None:
        super().__init__(1, max(1.0, wait))
        self.lost = part * wait
        self.rate = FAR
        self._part = part
        self._random = random.Random(1)

    def take(self, now: float) -> bool:  # noqa: ARG002 - the protocol has it
        return self._random.random() >= self._part

    def opens(self, now: float) -> float:
        return now

    def left(self, now: float) -> tuple[int, float]:  # noqa: ARG002 - the protocol has it
        return 1000, 1.0


class Each(Strays):
    """No limit, but each second request is refused, or each third, and so on.

    Args:
        number: Which one.
    """

    def __init__(self, number: int) -> None:
        super().__init__(1 / number)
        self._number = number
        self._seen = 0

    @override
    def take(self, now: float) -> bool:
        self._seen += 1
        return self._seen % self._number != 0
