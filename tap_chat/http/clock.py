"""The server's clock, read from the header `Date`, so that no bookmark is ahead of it.

The clock of this machine may be ahead of the server's. A bookmark from this clock would leave out
the records that the server writes until its own clock reaches it. A `Date` may be wrong, too: one
that stays behind would stop the bookmark forever.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tap_chat.http import responses

if TYPE_CHECKING:
    from tap_chat.http.responses import Response

#: How far behind a known time a correct `Date` may be: hosts differ, and caches keep responses.
SLACK = timedelta(days=1)

#: Stands for the time of a response without a `Date`.
FAR = datetime.max.replace(tzinfo=UTC)


class ServerClock:
    """Reads a server's clock from its responses; safe to use from several threads.

    Attributes:
        earliest: The time of the earliest response; `FAR` if none has a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read = ""
        self._last = self.earliest = FAR

    def see(self, date: str) -> None:
        """Take note of a response.

        Args:
            date: Its header `Date`; empty if it has none. A response from a cache keeps its old
                `Date`, which is right: the response is as old.
        """
        with self._lock:
            if date != self._read:
                self._read = date
                self._last = responses.http_date(date) or FAR
            self.earliest = min(self.earliest, self._last)


def time_of(response: Response) -> datetime:
    """Return when a server sent a response, by its own clock; `FAR` if it does not say so."""
    return responses.http_date(response.headers.get("Date", "")) or FAR


def is_behind(stated: datetime, known: datetime) -> bool:
    """Return whether a clock is so far behind a time that has passed that it must be wrong."""
    return known - stated > SLACK
