"""The number of requests that are left: by the setting, and as the server states it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_chat.http.rate_limits.headers import LimitHeaders

# A server may count a request somewhat earlier or later than it was sent. So windows are longer: by
# this share, and by at least this many seconds.
MARGIN, LEAST_MARGIN = 0.02, 0.03

# After so many refusals while something is left, the server's statements are ignored.
MAX_CONTRADICTIONS = 2
# After so many accepted requests in a row that leave nothing, the server's statement is doubted. If
# a refusal then shows that it was true, the number grows by the factor.
MAX_EMPTY, DOUBT_GROWTH = 2, 4
# Seconds by which the stated end of a window may vary, because it is stated in whole seconds.
ROUNDING = 1.1


class RateWindow:
    """Allows a number of requests in any period of a number of seconds.

    Args:
        count: The number of requests.
        span: The number of seconds.
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


def window_of_setting(
    requests_per_minute: float | None, documented: tuple[int, float] | None = None
) -> RateWindow | None:
    """Return the window within which requests are counted; None if no limit is known.

    Args:
        requests_per_minute: The setting of that name; None if it is unset.
        documented: The requests, and the seconds, of the limit that the API documents; the setting
            takes precedence.
    """
    if not requests_per_minute:
        return RateWindow(*documented) if documented else None
    # Less than one request in a minute is one request in a longer time.
    count = max(1, int(requests_per_minute))
    return RateWindow(count, 60.0 * count / requests_per_minute)


class Budget:
    """The requests that are left until the next window begins, as the server states them.

    A statement comes late: it does not count the requests that were sent after its own request.
    """

    def __init__(self) -> None:
        self._left: float | None = None
        self._stated = 0.0  # the least that was stated in this window
        self._stated_at = 0.0
        self._resets = 0.0
        self._contradictions = 0
        self._empty = 0  # accepted requests in a row that left nothing
        self._enough = MAX_EMPTY

    @property
    def is_known(self) -> bool:
        """Whether the server states what is left, and is believed."""
        return self._left is not None

    def delay(self, now: float) -> float:
        """Return the seconds until a request may be sent; infinite until a response states more."""
        if self._left is None or self._left >= 1:
            return 0.0
        return self._resets - now if now < self._resets else float("inf")

    def send(self) -> None:
        """Count a request that is sent."""
        if self._left is not None:
            self._left -= 1

    def settle(self, now: float) -> None:
        """Take note that no request is in flight, so that no statement is still to come.

        Args:
            now: The time, in seconds.
        """
        if self._left is not None and self._left < 1:
            # After the end of the window, one request probes whether the next has begun.
            self._left = self._stated if now < self._resets else 1

    def update(
        self, now: float, sent: float, later: int, in_flight: int, stated: LimitHeaders
    ) -> None:
        """Update the number of requests that are left from a response.

        Args:
            now: The time, in seconds.
            sent: The time at which its request was sent.
            later: The number of requests that were sent after it.
            in_flight: The number of requests without a response.
            stated: What the response states.
        """
        if (
            stated.remaining is None
            or stated.reset is None
            or self._contradictions >= MAX_CONTRADICTIONS
            or self._is_doubted
        ):
            return
        resets = now + stated.reset
        # More is left than when this request was sent: a new window has begun.
        more = sent >= self._stated_at and stated.remaining > self._stated
        if self._left is None or more or now >= self._resets or resets > self._resets + ROUNDING:
            self._left = stated.remaining - max(later, in_flight)
            self._stated, self._stated_at = stated.remaining, now
            self._resets = resets
        else:
            if stated.remaining <= self._stated:
                self._stated, self._stated_at = stated.remaining, now
            # Requests overtake each other, so within a window no response raises the number.
            self._left = min(self._left, stated.remaining - later)

    @property
    def _is_doubted(self) -> bool:
        return self._empty >= self._enough

    def accept(self, stated: LimitHeaders) -> None:
        """Take note of an accepted request: if nothing was left, the statement may be wrong.

        Args:
            stated: What its response states.
        """
        if stated.remaining is None or self._is_doubted:
            return
        self._empty = 0 if stated.remaining else self._empty + 1
        if self._empty >= self._enough:
            self._left = None

    def contradict(self, stated: LimitHeaders) -> None:
        """Take note of a refusal: if something was left, the statement was wrong.

        Args:
            stated: What the refusal states.
        """
        if stated.remaining == 0 and self._is_doubted:
            self._empty, self._enough = 0, DOUBT_GROWTH * self._enough
        if stated.remaining != 0 and self._left is not None and self._left >= 0:
            self._contradictions += 1
            if self._contradictions >= MAX_CONTRADICTIONS:
                self._left = None

    @property
    def ends(self) -> float | None:
        """The time until which nothing is left; None if something is left, or it is unknown."""
        return self._resets if self._left is not None and self._left < 1 else None
