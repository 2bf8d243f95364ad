"""What an API says in its headers about its own end.

`Deprecation` is a date, `true`, or `@` with seconds since 1970 (RFC 9745); `Sunset` is a time
(RFC 8594). LiveChat has `Deprecation` and `Legacy` with the date on which that stage ends.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPMessage

logger = logging.getLogger("tap-chat")

HEADERS = ("Deprecation", "Legacy", "Sunset")

#: Characters of a header that are shown.
SHOWN = 40


class Deprecation:
    """What the responses of an API say about its end. It is logged once.

    It is safe to use from several threads.

    Args:
        name: The name of the API, for the log.

    Attributes:
        stated: The headers that say so, with their values; empty if there is none so far.
        is_logged: Whether it is logged; False if the caller shows it otherwise.
    """

    def __init__(self, name: str) -> None:
        self.stated = ""
        self.is_logged = True
        self._name = name
        self._lock = threading.Lock()

    def see(self, headers: Mapping[str, str] | HTTPMessage) -> None:
        """Take note of the headers of a response.

        Args:
            headers: The headers, by name in any case.
        """
        if self.stated:
            return
        stated = ", ".join(
            f"{name} {_shown(value)}" for name in HEADERS if (value := headers.get(name))
        )
        if stated and self._is_first(stated) and self.is_logged:
            logger.warning("The API of %s will end, as its responses say: %s.", self._name, stated)

    def _is_first(self, stated: str) -> bool:
        with self._lock:
            is_first = not self.stated
            self.stated = stated
        return is_first


def _shown(value: str) -> str:
    """Return the value of a header for people, with a date instead of a number."""
    seconds = value.removeprefix("@")
    if value != seconds and seconds.isascii() and seconds.isdigit():
        try:
            return datetime.fromtimestamp(int(seconds), UTC).date().isoformat()
        except (ValueError, OverflowError, OSError):
            pass  # too far away for a date: the number is shown
    return printable(value[:SHOWN])
