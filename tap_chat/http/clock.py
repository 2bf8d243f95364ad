"""What time it is at a server, as its answers say (`Date`): a bookmark passes nothing that is not.

The clock of this machine may be ahead of the server's, and what comes there meanwhile would be
taken for read. But a `Date` may be wrong, too, and bookmarks would stay where it is for ever.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from tap_chat.http import responses

#: So much a Date may be before what is known to have been: hosts differ, and caches keep responses.
SLACK = timedelta(days=1)

#: Where there is no Date.
FAR = datetime.max.replace(tzinfo=UTC)


class ServerClock:
    """Reads a server's clock from its answers, in whatever threads they come.

    Attributes:
        earliest: When the first of the answers since `begin` was; `FAR` if none said.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read = ""
        self._last = self.earliest = FAR

    def begin(self) -> None:
        """Begin anew: what is read from now on is true of the earliest answer from now on."""
        self.earliest = FAR

    def saw(self, date: str) -> None:
        """Take note of an answer.

        Args:
            date: Its header `Date`; empty if it has none. A cache leaves it as it was: then the
                answer is as old.
        """
        with self._lock:
            if date != self._read:
                self._read = date
                self._last = responses.http_date(date) or FAR
            self.earliest = min(self.earliest, self._last)


def is_behind(told: datetime, known: datetime) -> bool:
    """Say whether a clock is so far behind a moment that is known to be over that it is wrong."""
    return known - told > SLACK
