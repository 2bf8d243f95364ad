"""How high to go after a refusal, and how fast back: a rate, or a number of requests at once.

The shape is that of CUBIC (RFC 9438): fast back towards the ceiling that was met, slow near it, and
fast again beyond. The pace of it is set by what a refusal costs.
"""

from __future__ import annotations

from collections import deque
from math import exp, log

# This near to a ceiling a rate begins to rise slowly, and before it doubles in so many seconds, but
# in no fewer than so many requests.
NEAR, DOUBLING, DOUBLING_REQUESTS = 0.8, 1.0, 2
# Beyond the ceiling it has risen by this after as long again.
BEYOND = 0.3
# A ceiling is met again after so many times of what that costs, and no fewer seconds; after twice
# as long if it was where it was before, but no more than so many times of the cost.
PATIENCE, LEAST_PATIENCE, MOST_PATIENCE = 3.0, 0.5, 20.0
LONG = 15.0
# Two ceilings that are about the same.
SAME = 1.3
# So many times lower, one after the other.
IN_A_ROW = 3
# Seconds by which threads wake up too late.
LATE = 0.01

# A refusal at less than this part of what was accepted in one of the last cycles, so many of them,
# is no rate's: it goes on so many times faster than then, and expects more of them for so long.
HELPS, KEPT, FASTER, VAIN = 0.7, 8, 2.0, 12


class Rate:
    """Requests in a second, which rise while they are all that holds requests back.

    Attributes:
        value: The rate, None if there is none.
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
        """Go on with another rate.

        Args:
            rate: The rate.
            ceiling: Where it was refused, or will be; no lower.
            cost: Seconds that a refusal costs.
            window: Seconds of the server's window, as far as that is known.
        """
        ceiling = max(rate, ceiling)
        same = self._met / SAME < ceiling < self._met * SAME
        self._again = 2 * self._again if same else 1.0
        self._met = ceiling
        patience = max(LEAST_PATIENCE, PATIENCE * cost, 1.5 * window) * self._again
        self._patience = min(patience, max(LONG, MOST_PATIENCE * cost, 10 * window))
        self.value = self._from = rate
        self._ceiling = ceiling
        self._held = 0.0

    def restart(self, now: float) -> None:
        """Begin to count anew with a request that was sent at this moment."""
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
        # Threads wake up somewhat late: that is made up for, as far as no server minds.
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
    """Whether it helps to be slowdown.

    Below a limit nothing is refused. Where refusals come at random, those who go slower get less,
    and are refused as often.
    """

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._vain = 0

    @property
    def is_vain(self) -> bool:
        """Whether it has helped nothing of late."""
        return self._vain > 0

    def refused(self, pace: float, accepted: float) -> float | None:
        """Note how fast requests were sent until one was refused.

        Args:
            pace: Requests of a second, until then.
            accepted: The same with the time that was waited after it.

        Returns:
            The rate to go on with if it helps nothing to be slower, else None.
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
    """Requests at once.

    Attributes:
        value: The number.
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
        """Go on with fewer.

        Args:
            now: The moment.
            number: How many.
            patience: Seconds until one more is tried.
        """
        self._in_a_row = self._in_a_row + 1 if self.is_limited and self._step == 1 else 0
        if self._in_a_row >= IN_A_ROW:
            # Lower and lower, and still refused: it is something else.
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
        """Whether it is fewer than there are workers."""
        return self.value < self._workers

    def refute(self) -> None:
        """Note that a request was refused that was alone: their number is not what matters."""
        if self.is_limited:
            self._refuted += 1
            self._in_a_row = 0
            self.value = self._workers

    @property
    def is_refuted(self) -> bool:
        """Whether that was found out more than once."""
        return self._refuted > 1

    def send(self, now: float, in_flight: int) -> None:
        """Note that a request is sent.

        Args:
            now: The moment.
            in_flight: The number at once, with it.
        """
        if self.value >= self._workers or in_flight < self.value:
            return
        if now >= self._since + self._patience:
            self.value = min(self._workers, self.value + self._step)
            self._step *= 2
            self._since = now
