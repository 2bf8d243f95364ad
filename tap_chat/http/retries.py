"""How long a request that fails is sent again: as long as an outage may last, not so many times."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Seconds; longer waits would only notice later that an outage is over.
LONGEST_BACKOFF = 60.0

# Seconds; a server that fails at once is not asked in a tight loop.
LEAST_BACKOFF = 0.01

# By no more than this part a wait is longer than it has to be, so that workers spread.
SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Where retries end.

    Attributes:
        seconds: How long a request may fail.
        retries: How often it is sent again at most; None for as often as there is time.
        backoff: Seconds before the first retry; each further wait is twice as long.
    """

    seconds: float
    retries: int | None
    backoff: float


class Retries:
    """The retries of one request.

    What counts is the time for which it fails: its answers, or the lack of them, and the waits
    between. A wait for the rate limit is none of it. Nor is what a server asks to wait, once: it
    says when it will be back; one that says so again and again does not.

    Args:
        policy: Where they end.

    Attributes:
        sent: How often the request was sent.
        seconds: How long it has failed.
        ended: What ended it: the setting `max_outage` or `max_retries`.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._backoff = policy.backoff
        self._asked = False
        self._waited = 0.0
        self.sent = 0
        self.seconds = 0.0
        self.ended = ""

    def wait(self, took: float, asked: float | None = None) -> float | None:
        """Return the seconds until the request is sent again, or None if it is given up.

        Args:
            took: Seconds that the failure took.
            asked: Seconds that the server asked to wait, or None.
        """
        self.sent += 1
        self.seconds += self._waited + took
        self._waited = 0.0
        if self._policy.retries is not None and self.sent > self._policy.retries:
            self.ended = "max_retries"
            return None
        backoff = self._backoff
        longest = max(self._policy.backoff, LONGEST_BACKOFF)
        self._backoff = min(2 * max(backoff, LEAST_BACKOFF), longest)
        if asked and not self._asked:
            self._asked = True
            return asked * _spread()
        left = self._policy.seconds - self.seconds
        if left <= 0 or (asked or 0.0) > left:
            self.ended = "max_outage"
            return None
        # What is asked for may be 0, again and again. The last try is at the end of the time.
        self._waited = min(max(backoff, asked or 0.0) * _spread(), left)
        return self._waited


def _spread() -> float:
    return random.uniform(1, 1 + SPREAD)  # noqa: S311
