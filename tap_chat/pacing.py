"""When the next request may be sent: decided by the clock alone, without waiting for it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_chat.limits import Told

# A server may count a request somewhat earlier or later than it was sent: windows are longer by
# this part, and by no less than so many seconds.
MARGIN, LEAST_MARGIN = 0.02, 0.03

# Seconds of the first wait after a refusal that does not tell one, and of the longest.
LEAST_WAIT, LONGEST_WAIT = 0.1, 600.0


class Window:
    """No more than so many requests in any stretch of so many seconds.

    Args:
        count: The number of requests.
        span: The seconds.
    """

    def __init__(self, count: int, span: float) -> None:
        self.count = count
        self.span = span
        self._length = span + max(LEAST_MARGIN, MARGIN * span)
        self._sent: deque[float] = deque(maxlen=count)

    def delay(self, now: float) -> float:
        """Return the seconds until a request may be sent."""
        full = len(self._sent) == self.count
        return max(0.0, self._sent[0] + self._length - now) if full else 0.0

    def count_in(self, now: float) -> None:
        """Count a request that is sent now."""
        self._sent.append(now)


def given(requests_per_minute: float | None) -> Window | None:
    """Return the window of the setting, None without it."""
    if not requests_per_minute:
        return None
    # Less than one in a minute is one in a longer time.
    count = max(1, int(requests_per_minute))
    return Window(count, 60.0 * count / requests_per_minute)


@dataclass(frozen=True, slots=True)
class Turn:
    """A request that was let through.

    Attributes:
        number: Its place among all that were.
        sent: When, by the clock.
    """

    number: int
    sent: float


class Pacer:
    """Finds the rate that a server allows.

    Every moment is by one clock that never goes back.

    Args:
        requests_per_minute: The allowance of the settings, None if it is not known.
        workers: The most requests at once.
    """

    def __init__(self, requests_per_minute: float | None, workers: int) -> None:
        self._given = given(requests_per_minute)
        self._most = workers
        self._sent = 0
        self._paused_until = 0.0
        self._wait = 0.0
        self._blocked = False
        self._noticed = -1
        self._flying = 0

    def delay(self, now: float) -> float:
        """Return the seconds until a request may be sent; infinite until one has returned."""
        if self._blocked and self._flying:
            return float("inf")
        delay = self._given.delay(now) if self._given else 0.0
        return max(delay, self._paused_until - now)

    def send(self, now: float) -> Turn:
        """Count a request that is sent now."""
        if self._given:
            self._given.count_in(now)
        self._sent += 1
        self._flying += 1
        return Turn(self._sent, now)

    def pause(self, now: float, seconds: float) -> None:
        """Let nobody send a request for so many seconds."""
        self._paused_until = max(self._paused_until, now + seconds)

    def accepted(self, now: float, turn: Turn, told: Told) -> None:
        """Note that a request was answered, and not refused."""
        self._flying -= 1
        if turn.number > self._noticed:
            self._blocked = False
            self._wait = 0.0
        if told.remaining == 0 and told.reset:
            self.pause(now, told.reset)

    def refused(self, now: float, turn: Turn, told: Told) -> None:
        """Note that a request was over the limit."""
        self._flying -= 1
        if turn.number <= self._noticed:
            return
        self._noticed = self._sent
        self._blocked = True
        self._wait = min(max(LEAST_WAIT, 2 * self._wait), LONGEST_WAIT)
        self.pause(now, told.wait or self._wait)

    def failed(self, now: float, turn: Turn) -> None:  # noqa: ARG002 - like its brothers
        """Note that there was no answer, or an error of the server."""
        self._flying -= 1
