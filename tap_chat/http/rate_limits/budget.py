"""What is left of a rate limit: that of the settings, and that which a server tells."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_chat.http.rate_limits.headers import LimitHeaders

# A server may count a request somewhat earlier or later than it was sent: windows are longer by
# this part, and by no less than so many seconds.
MARGIN, LEAST_MARGIN = 0.02, 0.03

# So often it may be stated that something is left where nothing is.
MAX_CONTRADICTIONS = 2
# So many requests in a row are accepted that leave nothing, as stated, until that is taken for false;
# so many times as many if a refusal shows after it that it was true.
MAX_EMPTY, DOUBT_GROWTH = 2, 4
# Seconds by which the end of one window may seem to move, as it is stated in whole seconds.
ROUNDING = 1.1


class RateWindow:
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


def window_of_setting(requests_per_minute: float | None) -> RateWindow | None:
    """Return the window of the setting, None without it."""
    if not requests_per_minute:
        return None
    # Less than one in a minute is one in a longer time.
    count = max(1, int(requests_per_minute))
    return RateWindow(count, 60.0 * count / requests_per_minute)


class Budget:
    """Requests that are left until a window begins anew.

    It is stated late: what was sent after the request that it comes with is not counted there.
    """

    def __init__(self) -> None:
        self._left: float | None = None
        self._stated = 0.0  # the least that was stated of this window
        self._stated_at = 0.0
        self._resets = 0.0
        self._contradictions = 0
        self._empty = 0  # accepted in a row that left nothing
        self._enough = MAX_EMPTY

    @property
    def is_known(self) -> bool:
        """Whether the server tells what is left, and that is true."""
        return self._left is not None

    def delay(self, now: float) -> float:
        """Return the seconds until a request may be sent; infinite until a response says more."""
        if self._left is None or self._left >= 1:
            return 0.0
        return self._resets - now if now < self._resets else float("inf")

    def send(self) -> None:
        """Count a request that is sent."""
        if self._left is not None:
            self._left -= 1

    def settle(self, now: float) -> None:
        """Take account of the fact that every request was answered: nothing is stated late any more.

        Args:
            now: The moment.
        """
        if self._left is not None and self._left < 1:
            # After the end of the window one request looks whether it has begun anew.
            self._left = self._stated if now < self._resets else 1

    def update(
        self, now: float, sent: float, later: int, in_flight: int, stated: LimitHeaders
    ) -> None:
        """Take what a response says.

        Args:
            now: The moment.
            sent: When its request was sent.
            later: The number of requests that were sent after that which is answered.
            in_flight: The number of requests that are not answered yet.
            stated: What the response says.
        """
        if (
            stated.remaining is None
            or stated.reset is None
            or self._contradictions >= MAX_CONTRADICTIONS
            or self._is_doubted
        ):
            return
        resets = now + stated.reset
        # More is left than was when this request was sent: there is more again.
        more = sent >= self._stated_at and stated.remaining > self._stated
        if self._left is None or more or now >= self._resets or resets > self._resets + ROUNDING:
            self._left = stated.remaining - max(later, in_flight)
            self._stated, self._stated_at = stated.remaining, now
            self._resets = resets
        else:
            if stated.remaining <= self._stated:
                self._stated, self._stated_at = stated.remaining, now
            # Requests overtake each other: of one window, no response may add to what is known.
            self._left = min(self._left, stated.remaining - later)

    @property
    def _is_doubted(self) -> bool:
        return self._empty >= self._enough

    def accept(self, stated: LimitHeaders) -> None:
        """Note an accepted request: where nothing is left, none is.

        Args:
            stated: What its response says.
        """
        if stated.remaining is None or self._is_doubted:
            return
        self._empty = 0 if stated.remaining else self._empty + 1
        if self._empty >= self._enough:
            self._left = None

    def contradict(self, stated: LimitHeaders) -> None:
        """Note a refusal: it is a lie if something was left, and it does not say that nothing is.

        Args:
            stated: What the refusal says.
        """
        if stated.remaining == 0 and self._is_doubted:
            self._empty, self._enough = 0, DOUBT_GROWTH * self._enough
        if stated.remaining != 0 and self._left is not None and self._left >= 0:
            self._contradictions += 1
            if self._contradictions >= MAX_CONTRADICTIONS:
                self._left = None

    @property
    def ends(self) -> float | None:
        """The moment until which nothing is left; None if something is, or it is not known."""
        return self._resets if self._left is not None and self._left < 1 else None
