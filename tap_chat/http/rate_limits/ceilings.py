"""How a rate, or a number of requests at the same time, rises again after a refusal.

The curve is that of CUBIC (RFC 9438): fast towards the ceiling at which requests were refused, slow
near it, and fast again beyond it. The speed depends on the cost of a refusal, in seconds.
"""

from __future__ import annotations

from collections import deque
from math import exp, log

# From this share of the ceiling on, a rate rises slowly. Before, it doubles in `DOUBLING` seconds,
# but in no fewer than `DOUBLING_REQUESTS` requests.
NEAR, DOUBLING, DOUBLING_REQUESTS = 0.8, 1.0, 2
# How far it rises above the ceiling in as long again.
BEYOND = 0.3
# The ceiling is tried again after `PATIENCE` times the cost of a refusal, and no sooner than
# `LEAST_PATIENCE` seconds; after twice as long if it was the same as before, but no later than
# `MOST_PATIENCE` times the cost, or `LONG` seconds.
PATIENCE, LEAST_PATIENCE, MOST_PATIENCE = 3.0, 0.5, 20.0
LONG = 15.0
# The factor within which two ceilings count as the same.
SAME = 1.3
# After so many steps down in a row, the number of requests at the same time is not the reason.
IN_A_ROW = 3
# Seconds by which a thread may wake up late.
LATE = 0.01

# A refusal at less than `HELPS` of the best rate of the last `KEPT` cycles is not due to the rate.
# Then the rate rises to `FASTER` times the best one, and a lower one is useless for `VAIN` cycles.
HELPS, KEPT, FASTER, VAIN = 0.7, 8, 2.0, 12


class Rate:
    """A rate that rises while nothing else holds requests back.

    Attributes:
        value: Requests per second; None if there is no limit.
        binds: Whether the rate has held back a request.
    """

    def __init__(self) -> None:
        self.value: float | None = None
        self._from = self._ceiling = self._patience = 0.0
        self._held = 0.0
        self._met = 0.0
        self._again = 1.0
        self._next = float("-inf")
        self.binds = False

    def set(self, rate: float, ceiling: float, cost: float, window: float) -> None:
        """Continue with another rate.

        Args:
            rate: Requests per second.
            ceiling: The rate that was refused, or will be.
            cost: Seconds that a refusal costs.
            window: Seconds of the server's window; 0 if unknown.
        """
        ceiling = max(rate, ceiling)
        is_same = self._met / SAME < ceiling < self._met * SAME
        self._again = 2 * self._again if is_same else 1.0
        self._met = ceiling
        patience = max(LEAST_PATIENCE, PATIENCE * cost, 1.5 * window) * self._again
        self._patience = min(patience, max(LONG, MOST_PATIENCE * cost, 10 * window))
        self.value = self._from = rate
        self._ceiling = ceiling
        self._held = 0.0

    def restart(self, now: float) -> None:
        """Start counting again with a request that was sent at this time."""
        self._next = now + (1 / self.value if self.value else 0.0)

    def delay(self, now: float) -> float:
        """Return the seconds until a request may be sent."""
        if self.value is None:
            return 0.0
        delay = self._next - now
        if delay > 0:
            self.binds = True
        return delay

    def send(self, now: float) -> None:
        """Count a request that is sent."""
        if self.value is None:
            return
        late = now - self._next
        interval = 1 / self.value
        if late < max(LATE, interval / 4):
            self._held += interval
            self.value = self._risen()
        # Threads wake up late. Catch up, but not so much that a server refuses requests.
        slack = LATE if interval < 2 * LATE else min(LATE, interval / 20)
        self._next = max(self._next, now - slack) + interval

    def _risen(self) -> float:
        near = NEAR * self._ceiling
        doubling = max(DOUBLING, DOUBLING_REQUESTS / self._from)
        ramp = doubling * log(near / self._from) / log(2) if self._from < near else 0.0
        if self._held < ramp:
            return self._from * 2 ** (self._held / doubling)
        part = (self._held - ramp) / self._patience
        if part < 1:
            below = log(self._ceiling / max(self._from, near))
            return self._ceiling * exp(-below * (1 - part) ** 3)
        return self._ceiling * exp(BEYOND * (part - 1) ** 3)


class SlowdownCheck:
    """Finds out whether a lower rate helps.

    Below a limit nothing is refused. If refusals are random, a lower rate is refused as often.
    """

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._vain = 0

    @property
    def is_vain(self) -> bool:
        """Whether a lower rate did not help in the last cycles."""
        return self._vain > 0

    def refused(self, pace: float, accepted: float) -> float | None:
        """Take note of a refusal.

        Args:
            pace: Requests per second until the refusal.
            accepted: Requests per second, with the wait after the refusal.

        Returns:
            The rate to continue with if a lower one does not help; otherwise None.
        """
        self._vain = max(0, self._vain - 1)
        if pace >= HELPS * max((accepted for _, accepted in self._kept), default=0.0):
            self._kept.append((pace, accepted))
            return None
        faster = FASTER * max(pace for pace, _ in self._kept)
        self._kept.clear()
        self._vain = VAIN
        return faster


class ConcurrencyLimit:
    """A number of requests at the same time, which rises again after a refusal.

    Args:
        workers: The maximum of this number.

    Attributes:
        value: The number.
        binds: Whether the number has held back a request.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self.value = workers
        self._step = 1
        self._in_a_row = 0
        self._refuted = 0
        self._patience = LEAST_PATIENCE
        self._since = 0.0
        self.binds = False

    def lower(self, now: float, number: int, patience: float) -> None:
        """Continue with fewer requests at the same time.

        Args:
            now: The time, in seconds.
            number: The new number.
            patience: Seconds until one more request is tried.
        """
        self._in_a_row = self._in_a_row + 1 if self.is_limited and self._step == 1 else 0
        if self._in_a_row >= IN_A_ROW:
            # Ever fewer, and still refused: their number is not the reason.
            self.refute()
            return
        if number + 1 == self.value:
            patience = max(patience, min(2 * self._patience, LONG))
        self.value = max(1, number)
        self._patience = patience
        self._since = now
        self._step = 1

    @property
    def is_limited(self) -> bool:
        """Whether the number is lower than that of the workers."""
        return self.value < self._workers

    def refute(self) -> None:
        """Take note that a single request was refused: the number is not the reason."""
        if self.is_limited:
            self._refuted += 1
            self._in_a_row = 0
            self.value = self._workers

    @property
    def is_refuted(self) -> bool:
        """Whether the number was refuted more than once."""
        return self._refuted > 1

    def send(self, now: float, in_flight: int) -> None:
        """Take note that a request is sent.

        Args:
            now: The time, in seconds.
            in_flight: The number of requests in flight, this one included.
        """
        if self.value >= self._workers or in_flight < self.value:
            return
        if now >= self._since + self._patience:
            self.value = min(self._workers, self.value + self._step)
            self._step *= 2
            self._since = now
