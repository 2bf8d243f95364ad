"""One allowance for all requests to one host with one credential."""

from __future__ import annotations

import threading
import time


class Throttle:
    """Spaces requests evenly over the minute.

    Shared by all streams of a platform and safe to use from several threads.

    Args:
        requests_per_minute: The allowance; None for no limit.
    """

    def __init__(self, requests_per_minute: float | None) -> None:
        self._interval = 60 / requests_per_minute if requests_per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Block until the next request may be sent."""
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            self._next = turn + self._interval
        if turn > now:
            time.sleep(turn - now)

    def pause(self, seconds: float) -> None:
        """Let nobody send a request for a while, as a server asks with Retry-After.

        Args:
            seconds: From now on.
        """
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)
