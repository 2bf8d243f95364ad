"""One throttle for all requests to one host with one credential: who waits, and for how long.

What is waited for is decided by `pacing`; here are the threads.
"""

from __future__ import annotations

import logging
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_chat.http.rate_limits import headers
from tap_chat.http.rate_limits.pacer import Pacer
from tap_chat.http.responses import TRANSIENT_STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_chat.http.rate_limits.cycles import Permit
    from tap_chat.http.rate_limits.headers import LimitHeaders
    from tap_chat.http.responses import Response

logger = logging.getLogger(__name__)

# Seconds after which a thread that waits looks at the clock, whatever happens: where a lock can't
# be interrupted, it is how long a signal has to wait.
LONGEST_SLEEP = 1.0

# Seconds: a longer wait is said when it begins, and again as often as this while it goes on.
LOGGED_WAIT, LOG_INTERVAL = 5.0, 60.0

# Bytes of the body of a refusal that is probe_refused into for what it says of the wait.
LARGEST_REFUSAL = 16 * 1024

# What was found is said again if it is so many times as much, or as little.
NOTABLE_FACTOR = 2.0


class StarvedError(Exception):
    """The server refuses each request, and has done so for too long.

    Args:
        seconds: Since the first of the refusals.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class Throttle:
    """Lets requests pass as fast as they are allowed, and no faster.

    Shared by all streams of a platform and safe to use from several threads. Each permit that `enter`
    gives is closed once: by `accepted`, `refused` or `failed`.

    Args:
        requests_per_minute: The rate limit of the settings; None if it is not known.
        workers: The most requests at once.
        max_wait: Seconds without an accepted request after which refusals end the run. What the
            first refusal that tells it asks to wait comes on top of it, once.
        name: Whose limit it is, for the log.
        clock: Returns seconds that never go back.

    Attributes:
        sent: The number of requests so far.
        refused_count: How many of them were refused.
        waited: Seconds for which the rate limit held back requests.
    """

    def __init__(
        self,
        requests_per_minute: float | None,
        *,
        workers: int,
        max_wait: float,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pacer = Pacer(requests_per_minute, workers)
        self._max_wait = max_wait
        self._name = name
        self._clock = clock
        self._changed = threading.Condition()
        self._is_watched = False
        self._summarised = False
        # Since the last accepted request, or since it if nothing is left after it:
        self._first_refusal: float | None = None
        self._starving_since = 0.0
        self._wait_counted = False
        self._logged_at = float("-inf")
        self._learned = 0
        self._logged_rate = self._logged_number = 0.0
        self.sent = 0
        self.refused_count = 0
        self.waited = 0.0

    def enter(self) -> Permit:
        """Block until the next request may be sent.

        Returns:
            What the request is closed with.

        Raises:
            StarvedError: No request was accepted for too long, while some were refused.
        """
        with self._changed:
            while True:
                now = self._clock()
                if (delay := self._pacer.delay(now)) <= 0:
                    self.sent += 1
                    # The next one may pass, too, or is the one to watch the clock.
                    self._changed.notify()
                    return self._pacer.send(now)
                self._check_starved(now)
                self._wait(now, delay)

    def answered(self, permit: Permit, response: Response) -> LimitHeaders:
        """Note how a request was answered.

        Args:
            permit: What `enter` returned.
            response: The response.

        Returns:
            What the response says of the limit.
        """
        status = response.status
        stated = headers.read(status, response.headers, _refusal_body(response))
        if headers.is_refusal(status, stated):
            self.refused(permit, stated)
        elif status in TRANSIENT_STATUSES:
            self.failed(permit)
            if stated.wait is not None:
                self.pause(stated.wait)
        else:
            self.accepted(permit, stated)
        return stated

    def accepted(self, permit: Permit, stated: LimitHeaders) -> None:
        """Note that a request was answered, and not refused.

        Args:
            permit: What `enter` returned.
            stated: What the response says of the limit.
        """
        with self._changed:
            now = self._clock()
            self._pacer.accepted(now, permit, stated)
            ends = self._pacer.budget.ends
            self._first_refusal = None
            if ends is not None and ends > now:
                # It was the last one: what is waited after that end is as after a refusal.
                self._first_refusal, self._starving_since = now, ends
                self._wait_counted = False
            self._changed.notify()
            if self._pacer.learner.learned != self._learned:
                self._learned = self._pacer.learner.learned
                self._log_learned()

    def refused(self, permit: Permit, stated: LimitHeaders) -> None:
        """Note that a request was over the limit; arguments as for `accepted`."""
        with self._changed:
            now = self._clock()
            self.refused_count += 1
            self._pacer.refused(now, permit, stated)
            if self._first_refusal is None:
                self._first_refusal = self._starving_since = now
                self._wait_counted = False
            if stated.wait and not self._wait_counted:
                self._wait_counted = True
                self._starving_since = now + stated.wait
            self._changed.notify()

    def failed(self, permit: Permit) -> None:
        """Note that a request had no answer, or an error of the server.

        Args:
            permit: What `enter` returned.
        """
        with self._changed:
            self._pacer.failed(self._clock(), permit)
            self._changed.notify()

    def pause(self, seconds: float) -> None:
        """Let nobody send a request for a while, as a server asks with Retry-After.

        Args:
            seconds: From now on.
        """
        with self._changed:
            self._pacer.pause(self._clock(), seconds)

    def summary(self) -> str | None:
        """Return a sentence for the end of the run; None if there is nothing to say."""
        if not self.refused_count and self.waited < LOGGED_WAIT:
            return None
        found = f" It is {self._describe_limit()}." if self._describe_limit() else ""
        return (
            f"{self._name}: waited {self.waited:.0f} s for the rate limit;"
            f" {self.refused_count:,} of {self.sent:,} requests were over it.{found}"
        )

    def log_summary(self) -> None:
        """Log the sentence for the end of the run, once, if there is one."""
        if not self._summarised and (summary := self.summary()):
            self._summarised = True
            logger.info(summary)

    def _describe_limit(self) -> str:
        parts = []
        if rate := self._pacer.learner.rate.value:
            parts.append(f"about {_per_time(rate)}")
        if self._pacer.learner.concurrency.is_limited:
            parts.append(f"at most {self._pacer.learner.concurrency.value} requests at once")
        return ", and ".join(parts)

    def _log_learned(self) -> None:
        rate = self._pacer.learner.rate.value
        if rate and self._pacer.learner.is_sure and _differ(rate, self._logged_rate):
            self._logged_rate = rate
            logger.info("%s: rate limit of about %s.", self._name, _per_time(rate))
        number = self._pacer.learner.concurrency.value
        if self._pacer.learner.concurrency.is_limited and _differ(number, self._logged_number):
            self._logged_number = number
            logger.info("%s: at most %d requests at once.", self._name, number)

    def _check_starved(self, now: float) -> None:
        if self._first_refusal is not None and now >= self._starving_since + self._max_wait:
            raise StarvedError(now - self._first_refusal)

    def _wait(self, now: float, delay: float) -> None:
        """Wait until something may have changed; one thread watches the clock for all."""
        if self._is_watched or delay == float("inf"):
            self._changed.wait(LONGEST_SLEEP)
            return
        self._log_wait(now, delay)
        self._is_watched = True
        try:
            self._changed.wait(min(delay, LONGEST_SLEEP))
        finally:
            self._is_watched = False
            self.waited += self._clock() - now

    def _log_wait(self, now: float, delay: float) -> None:
        if delay > LOGGED_WAIT and now >= self._logged_at + LOG_INTERVAL:
            self._logged_at = now
            logger.info("%s: waiting %.0f s for the rate limit.", self._name, delay)


def _refusal_body(response: Response) -> bytes | None:
    """Return the body of a refusal, if it is small."""
    if response.status < HTTPStatus.BAD_REQUEST or response.rest is not None:
        return None
    return bytes(response.body) if len(response.body) <= LARGEST_REFUSAL else None


def _differ(value: float, said: float) -> bool:
    return not said / NOTABLE_FACTOR < value < said * NOTABLE_FACTOR


def _per_time(rate: float) -> str:
    """Return a rate in words: by the second, or by the minute if it is that slow."""
    return f"{rate:,.0f} requests/s" if rate >= 1 else f"{60 * rate:,.0f} requests/minute"
