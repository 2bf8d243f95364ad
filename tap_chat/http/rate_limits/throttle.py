"""The throttle: blocks the threads that send requests, until the pacer lets them."""

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

# Seconds after which a waiting thread reads the clock again. Where a lock can't be interrupted, a
# signal waits this long.
LONGEST_SLEEP = 1.0

# Seconds. A wait longer than the first is logged when it begins, and again in each interval.
LOGGED_WAIT, LOG_INTERVAL = 5.0, 60.0

# Bytes. The body of a refusal is searched for a time to wait only if it is not larger.
LARGEST_REFUSAL = 16 * 1024

# A limit is logged again if it has changed by this factor.
NOTABLE_FACTOR = 2.0


class StarvedError(Exception):
    """The server has refused every request for too long.

    Args:
        seconds: The seconds since the first refusal.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class UnwantedError(Exception):
    """Nobody wants the response any more."""


class Throttle:
    """Lets requests pass as fast as the rate limit allows.

    All streams of a platform share one. It is safe to use from several threads. Each permit of
    `enter` is returned once: by `responded` or `failed`.

    Args:
        requests_per_minute: The rate limit of the settings; None if it is unknown.
        workers: The maximum number of requests at the same time.
        max_wait: Seconds without an accepted request after which refusals end the run. The first
            wait that the server states is added to it, once.
        name: The name of the platform, for the log.
        documented: The requests, and the seconds, of the limit that the API documents, or None. It
            applies if the settings have none.
        clock: Returns seconds that never go back.

    Attributes:
        name: The name of the platform.
        sent: The number of requests so far.
        refused_count: How many of them were refused.
        waited: Seconds for which the rate limit held back requests.
    """

    def __init__(  # noqa: PLR0913 - the limits, each by its name
        self,
        requests_per_minute: float | None,
        *,
        workers: int,
        max_wait: float,
        name: str,
        documented: tuple[int, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pacer = Pacer(requests_per_minute, workers, documented)
        self._max_wait = max_wait
        self.name = name
        self._clock = clock
        self._changed = threading.Condition()
        self._is_watched = False
        self._summarised = False
        # Since the last accepted request; from that request on if it used up the limit:
        self._first_refusal: float | None = None
        self._starving_since = 0.0
        self._wait_counted = False
        self._logged_at = float("-inf")
        self._learned = 0
        self._logged_rate = self._logged_number = 0.0
        self.sent = 0
        self.refused_count = 0
        self.waited = 0.0
        self._next_at = float("-inf")

    @property
    def seconds_to_wait(self) -> float:
        """Seconds until a request may be sent, if requests wait for the rate limit; else 0."""
        return max(self._next_at - self._clock(), 0.0)

    def enter(self, is_wanted: Callable[[], bool] = lambda: True) -> Permit:
        """Block until the next request may be sent.

        Args:
            is_wanted: Returns whether the request is still wanted.

        Returns:
            The permit to send it.

        Raises:
            StarvedError: No request was accepted for too long, while some were refused.
            UnwantedError: The request is not wanted any more.
        """
        with self._changed:
            while True:
                if not is_wanted():
                    self._changed.notify()  # another thread may pass instead
                    raise UnwantedError
                now = self._clock()
                if (delay := self._pacer.delay(now)) <= 0:
                    self.sent += 1
                    self._next_at = now
                    # The next thread may pass, too, or watches the clock.
                    self._changed.notify()
                    return self._pacer.send(now)
                self._check_starved(now)
                self._wait(now, delay)

    def responded(self, permit: Permit, response: Response) -> LimitHeaders:
        """Take note of the response to a request.

        Args:
            permit: The permit of the request.
            response: The response.

        Returns:
            What the response states about the limit.
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
        """Take note of a request that was not refused.

        Args:
            permit: The permit of the request.
            stated: What the response states about the limit.
        """
        with self._changed:
            now = self._clock()
            self._pacer.accepted(now, permit, stated)
            ends = self._pacer.budget.ends
            self._first_refusal = None
            if ends is not None and ends > now:
                # It used up the limit: a wait past the end of the window counts as after a refusal.
                self._first_refusal, self._starving_since = now, ends
                self._wait_counted = False
            self._changed.notify()
            if self._pacer.learner.learned != self._learned:
                self._learned = self._pacer.learner.learned
                self._log_learned()

    def refused(self, permit: Permit, stated: LimitHeaders) -> None:
        """Take note of a request that was over the limit; see `accepted` for the arguments."""
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
        """Take note of a request without a response, or with an error of the server.

        Args:
            permit: The permit of the request.
        """
        with self._changed:
            self._pacer.failed(self._clock(), permit)
            self._changed.notify()

    def pause(self, seconds: float) -> None:
        """Send no request for a while, as a server asks with Retry-After.

        Args:
            seconds: The length of the pause.
        """
        with self._changed:
            self._pacer.pause(self._clock(), seconds)

    def summary(self) -> str | None:
        """Return a sentence for the end of the run; None if the limit held back nothing."""
        if not self.refused_count and self.waited < LOGGED_WAIT:
            return None
        limit = f" It is {self._describe_limit()}." if self._describe_limit() else ""
        return (
            f"{self.name}: waited {self.waited:.0f} s for the rate limit;"
            f" {self.refused_count:,} of {self.sent:,} requests were over it.{limit}"
        )

    def log_summary(self) -> None:
        """Log the sentence for the end of the run, if there is one and it was not logged."""
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
            logger.info("%s: rate limit of about %s.", self.name, _per_time(rate))
        number = self._pacer.learner.concurrency.value
        if self._pacer.learner.concurrency.is_limited and _differ(number, self._logged_number):
            self._logged_number = number
            logger.info("%s: at most %d requests at once.", self.name, number)

    def _check_starved(self, now: float) -> None:
        if self._first_refusal is not None and now >= self._starving_since + self._max_wait:
            raise StarvedError(now - self._first_refusal)

    def _wait(self, now: float, delay: float) -> None:
        """Wait until something may have changed. One thread watches the clock for all."""
        if self._is_watched or delay == float("inf"):
            self._changed.wait(LONGEST_SLEEP)
            return
        self._log_wait(now, delay)
        self._is_watched = True
        self._next_at = now + delay
        try:
            self._changed.wait(min(delay, LONGEST_SLEEP))
        finally:
            self._is_watched = False
            self.waited += self._clock() - now

    def _log_wait(self, now: float, delay: float) -> None:
        if delay > LOGGED_WAIT and now >= self._logged_at + LOG_INTERVAL:
            self._logged_at = now
            logger.info("%s: waiting %.0f s for the rate limit.", self.name, delay)


def _refusal_body(response: Response) -> bytes | None:
    """Return the body of a refusal, if it is small."""
    if response.status < HTTPStatus.BAD_REQUEST or response.rest is not None:
        return None
    return bytes(response.body) if len(response.body) <= LARGEST_REFUSAL else None


def _differ(value: float, logged: float) -> bool:
    return not logged / NOTABLE_FACTOR < value < logged * NOTABLE_FACTOR


def _per_time(rate: float) -> str:
    """Return a rate in words, per second or per minute."""
    return f"{rate:,.0f} requests/s" if rate >= 1 else f"{60 * rate:,.0f} requests/minute"
