"""Decides when a failed request is sent again: for a limited time, not a number of tries."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Seconds. With longer waits, the tap would notice the end of an outage late.
LONGEST_BACKOFF = 60.0

# Seconds. A server that fails at once must not get requests in a tight loop.
LEAST_BACKOFF = 0.01

# Waits are longer by a random share, up to this one, so that workers do not retry together.
SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The limits of retries.

    Attributes:
        seconds: Seconds for which a request may fail.
        retries: The maximum number of retries; None for no limit.
        backoff: Seconds before the first retry. Each further wait is twice as long.
    """

    seconds: float
    retries: int | None
    backoff: float


class Retries:
    """The retries of one request.

    The time of the failed tries and the waits between them is limited. Waits for the rate limit do
    not count, nor does the first wait that the server asks for, which says when the server will be
    back. Further such waits count.

    Args:
        policy: The limits.

    Attributes:
        sent: The number of tries.
        seconds: Seconds for which the request has failed.
        ended: The setting that ended the retries: `max_outage` or `max_retries`.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._backoff = policy.backoff
        self._has_waited_as_asked = False
        self._waited = 0.0
        self.sent = 0
        self.seconds = 0.0
        self.ended = ""

    def next_wait(self, seconds: float, retry_after: float | None = None) -> float | None:
        """Return the seconds until the request is sent again, or None to give up.

        Args:
            seconds: Seconds that the failed try took.
            retry_after: Seconds that the server asked to wait, or None.
        """
        self.sent += 1
        self.seconds += self._waited + seconds
        self._waited = 0.0
        if self._policy.retries is not None and self.sent > self._policy.retries:
            self.ended = "max_retries"
            return None
        backoff = self._backoff
        longest = max(self._policy.backoff, LONGEST_BACKOFF)
        self._backoff = min(2 * max(backoff, LEAST_BACKOFF), longest)
        if retry_after and not self._has_waited_as_asked:
            self._has_waited_as_asked = True
            return retry_after * _spread()
        left = self._policy.seconds - self.seconds
        if left <= 0 or (retry_after or 0.0) > left:
            self.ended = "max_outage"
            return None
        # Retry-After may be 0 each time. The last try is at the end of the time.
        self._waited = min(max(backoff, retry_after or 0.0) * _spread(), left)
        return self._waited


def _spread() -> float:
    return random.uniform(1, 1 + SPREAD)  # noqa: S311
