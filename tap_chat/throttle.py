"""One allowance for all requests to one host with one credential.

An allowance is a number of requests in any stretch of time of some length. The one of the settings
may be used up at once, as servers that count by the minute let it be. A server that refuses (429)
teaches a smaller or shorter one, which then grows again, slowly.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds. Servers count by the second, by ten, or by the minute; what is counted over longer times
# can't be learned from a refusal, only waited for.
SPANS = (1.0, 10.0, 60.0)

# A server may count a request somewhat earlier or later than it was sent: windows are longer by
# this part, and by no less than so many seconds.
MARGIN, LEAST_MARGIN = 0.02, 0.03

# After so many windows, and so many requests, without a refusal, a learned allowance grows; by this
# part of itself first, and twice as much each further time.
CLEAN_WINDOWS, CLEAN_REQUESTS = 10, 200
GROWTH, LARGEST_GROWTH = 0.02, 0.32
# By this part it gets smaller with each refusal that does not tell how large it is.
SHRINKING = 0.05


class Window:
    """No more than so many requests in any stretch of so many seconds.

    Args:
        count: The number of requests.
        span: The seconds.
        sent: When the last requests were sent, oldest first, by the same clock as later.
    """

    def __init__(self, count: int, span: float, sent: tuple[float, ...] = ()) -> None:
        self.count = count
        self.span = span
        self._length = span + max(LEAST_MARGIN, MARGIN * span)
        self._sent = deque(sent, maxlen=count)

    def delay(self, now: float) -> float:
        """Return the seconds until a request may be sent."""
        full = len(self._sent) == self.count
        return max(0.0, self._sent[0] + self._length - now) if full else 0.0

    def count_in(self, now: float) -> None:
        """Count a request that is sent now."""
        self._sent.append(now)

    def resized(self, count: int) -> Window:
        """Return a window of the same span for more or fewer requests."""
        return Window(count, self.span, tuple(self._sent))


class Throttle:
    """Lets requests pass as fast as they are allowed, and no faster.

    Shared by all streams of a platform and safe to use from several threads.

    Args:
        requests_per_minute: The allowance; None if it is not known.
        clock: Returns seconds that never go back.
        sleep: Waits for so many seconds.

    Attributes:
        sent: The number of requests so far.
        waited: Seconds for which the allowance held back requests.
    """

    def __init__(
        self,
        requests_per_minute: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._given = _given(requests_per_minute)
        self._learned: Window | None = None
        self._growth = GROWTH
        self._clean_since = 0.0
        self._bound = False  # whether the learned allowance held anything back since
        self._paused_until = 0.0
        self._noticed = float("-inf")
        self._accepted: deque[float] = deque()
        self._lock = threading.Lock()
        self._turnstile = threading.Lock()
        self.sent = 0
        self.waited = 0.0

    def wait(self) -> float:
        """Block until the next request may be sent.

        Returns:
            When it is sent, by the clock; `refused` wants to know it.
        """
        with self._turnstile:  # one waits for its turn, the others for theirs
            while True:
                with self._lock:
                    now = self._clock()
                    delay = self._delay(now)
                    if delay <= 0:
                        self._count_in(now)
                        return now
                    self.waited += delay
                self._sleep(delay)

    def accepted(self) -> None:
        """Note that a request was answered, and not refused."""
        with self._lock:
            now = self._clock()
            self._accepted.append(now)
            while self._accepted[0] < now - SPANS[-1]:
                self._accepted.popleft()

    def pause(self, seconds: float) -> None:
        """Let nobody send a request for a while, as a server asks with Retry-After.

        Args:
            seconds: From now on.
        """
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def refused(self, sent: float, seconds: float, *, told: bool = True) -> None:
        """Note that a request was over the server's allowance: pause, and learn from it.

        Args:
            sent: When it was sent, as `wait` returned it.
            seconds: What the server asked to wait, or what will be waited.
            told: Whether the server asked for it.
        """
        self.pause(seconds)
        with self._lock:
            now = self._clock()
            span = next((span for span in SPANS if span >= seconds), None)
            # Those that were under way when the first was refused say the same.
            if sent <= self._noticed or span is None:
                return
            self._noticed = now
            # Fractions of a second tell when the server's window began. Whole seconds are rounded,
            # or are the same each time, and then the window may have begun at any time.
            exact = told and seconds % 1 > 0
            begun = now - span + (seconds if exact else 0)
            count = sum(moment >= begun for moment in self._accepted)
            if self._learned and self._learned.span == span:
                known = self._learned.count
                count = min(count, known - 1 if exact else int(known * (1 - SHRINKING)))
            count = max(count, 1)
            self._learned = Window(count, span, tuple(self._accepted)[-count:])
            self._growth = GROWTH
            self._clean_since = now + seconds
            self._bound = False

    def _delay(self, now: float) -> float:
        delays = [self._paused_until - now]
        if self._given:
            delays.append(self._given.delay(now))
        if self._learned:
            held_back = self._learned.delay(now)
            self._bound = self._bound or held_back > 0
            delays.append(held_back)
        return max(delays)

    def _count_in(self, now: float) -> None:
        self.sent += 1
        if self._given:
            self._given.count_in(now)
        if learned := self._learned:
            learned.count_in(now)
            windows = max(CLEAN_WINDOWS, CLEAN_REQUESTS / learned.count)
            if self._bound and now >= self._clean_since + windows * learned.span:
                more = max(1, int(learned.count * self._growth))
                self._learned = learned.resized(learned.count + more)
                self._growth = min(2 * self._growth, LARGEST_GROWTH)
                self._clean_since = now
                self._bound = False


def _given(requests_per_minute: float | None) -> Window | None:
    if not requests_per_minute:
        return None
    # Less than one in a minute is one in a longer time.
    count = max(1, int(requests_per_minute))
    return Window(count, 60.0 * count / requests_per_minute)
