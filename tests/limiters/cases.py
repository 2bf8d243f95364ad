"""The servers of docs/limits.md: what they allow, and what they report."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from math import ceil, floor
from typing import TYPE_CHECKING

from limiters.servers import AtOnce, Bucket, Each, Log, Strays, Weighted, Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from limiters.servers import Limit

#: Seconds since 1970 at which the time of the simulation begins.
BEGINNING = 1_700_000_000.3


@dataclass(frozen=True)
class Reports:
    """What a server reports about its limit.

    Attributes:
        words: The description on the page.
        wait: Formats the seconds to wait, as the `Retry-After` of a refusal.
        reset: Formats the seconds until the window ends, as the `X-RateLimit-Reset` of a response.
        dated: Whether the reset is a time of the server's clock instead.
        full: Whether the server always reports that all requests are left.
        empty: Whether the server always reports that no requests are left.
        honest: Whether the report is right, except for rounding.
    """

    words: str
    wait: Callable[[float], str] | None = None
    reset: Callable[[float], str] | None = None
    dated: bool = False
    full: bool = False
    empty: bool = False
    honest: bool = True

    def headers(self, limit: Limit, now: float, *, refused: bool) -> Mapping[str, str]:
        """Return the headers of a response.

        Args:
            limit: The server's limit.
            now: The time, in seconds.
            refused: Whether the request was refused.
        """
        headers = {}
        if self.wait and refused:
            headers["Retry-After"] = self.wait(max(0.0, limit.opens(now) - now))
        if self.reset:
            left, reset = limit.left(now)
            headers["X-RateLimit-Limit"] = str(limit.count)
            left = limit.count if self.full else 0 if self.empty else left
            headers["X-RateLimit-Remaining"] = str(left)
            headers["X-RateLimit-Reset"] = self.reset(
                BEGINNING + now + reset if self.dated else reset
            )
        if self.dated:
            headers["Date"] = formatdate(BEGINNING + now, usegmt=True)
        return headers


def exactly(seconds: float) -> str:
    return f"{seconds:.3f}"


def up(seconds: float) -> str:
    return str(ceil(seconds))


def down(seconds: float) -> str:
    return str(floor(seconds))


def always(seconds: int) -> Reports:
    """Return a report that always asks to wait this long."""
    return Reports(f"wait {seconds} s, always", wait=lambda _: str(seconds), honest=False)


NOTHING = Reports("nothing")
WAIT = Reports("how long to wait", wait=exactly)
WHOLE_WAIT = Reports("how long to wait, in whole seconds", wait=up)
COUNTS = Reports("what is left, until when", reset=exactly)
WHOLE_COUNTS = Reports("what is left, until when, in whole seconds", reset=up)
TIMES = Reports("what is left, until which time", reset=down, dated=True)
EMPTY = Reports("nothing is left, always", reset=up, empty=True, honest=False)
FULL = Reports("all is left, always", reset=up, full=True, honest=False)


@dataclass(frozen=True)
class Case:
    """A server.

    Attributes:
        name: The name on the page.
        server: Creates the server's limit.
        reports: What the server reports.
        seconds: The duration of the simulated run.
    """

    name: str
    server: Callable[[], Limit]
    reports: Reports
    seconds: float


def _cases(name: str, server: Callable[[], Limit], seconds: float, *reports: Reports) -> list[Case]:
    return [Case(name, server, each, seconds) for each in reports]


TOLD = (NOTHING, WAIT, WHOLE_WAIT, COUNTS, WHOLE_COUNTS)

#: By the group of the page.
CASES: dict[str, list[Case]] = {
    "Windows of the clock": [
        *_cases("20 a second", lambda: Windows(20, 1, 0.37), 90, *TOLD, TIMES),
        *_cases("200 in 10 s", lambda: Windows(200, 10, 3.7), 200, *TOLD),
        *_cases("100 in 15 s", lambda: Windows(100, 15, 5), 300, *TOLD),
        *_cases("300 in 40 s", lambda: Windows(300, 40, 15), 400, NOTHING),
        *_cases("1,200 a minute", lambda: Windows(1200, 60, 22), 900, *TOLD, TIMES),
        *_cases("10 a minute", lambda: Windows(10, 60, 22), 1200, *TOLD),
        *_cases("5,000 in 15 minutes", lambda: Windows(5000, 900, 333), 9000, *TOLD),
        *_cases("5,000 an hour", lambda: Windows(5000, 3600, 1332), 36000, *TOLD),
    ],
    "Windows that move": [
        *_cases("20 in any second", lambda: Log(20, 1), 90, NOTHING, WAIT, WHOLE_WAIT),
        *_cases("1,200 in any minute", lambda: Log(1200, 60), 900, NOTHING, WHOLE_WAIT, COUNTS),
        *_cases(
            "1,200 in any minute, refused ones count",
            lambda: Log(1200, 60, counts_refused=True),
            900,
            NOTHING,
        ),
        *_cases(
            "1,200 a minute, with a part of the minute before",
            lambda: Weighted(1200, 60),
            900,
            NOTHING,
            WHOLE_WAIT,
        ),
    ],
    "Buckets": [
        *_cases("20 at once, 10/s", lambda: Bucket(10, 20), 90, NOTHING, WAIT, WHOLE_WAIT, COUNTS),
        *_cases("500 at once, 20/s", lambda: Bucket(20, 500), 600, NOTHING, WAIT, COUNTS),
        *_cases("5 at once, 200/s", lambda: Bucket(200, 5), 60, NOTHING),
        *_cases("1 at once, 10/s", lambda: Bucket(10, 1), 120, NOTHING, WHOLE_WAIT),
        *_cases("1 at once, 1 in 2 s", lambda: Bucket(0.5, 1), 300, NOTHING),
    ],
    "Requests at once": [
        *_cases("4 under way", lambda: AtOnce(4), 60, NOTHING, always(1)),
    ],
    "Shared with another client": [
        *_cases("20 a second", lambda: Windows(20, 1, 0.37, 0.6), 90, NOTHING, WAIT, COUNTS),
        *_cases("1,200 a minute", lambda: Windows(1200, 60, 22, 0.6), 1200, NOTHING, WAIT, COUNTS),
    ],
    "Wrong reports": [
        *_cases("20 a second", lambda: Windows(20, 1, 0.37), 1200, always(0), FULL, always(30)),
        *_cases(
            "1,200 a minute",
            lambda: Windows(1200, 60, 22),
            1200,
            always(0),
            always(1),
            FULL,
            always(60),
        ),
        *_cases("no limit", lambda: Strays(0), 60, EMPTY),
        *_cases("no limit, but 1 in 100 refused", lambda: Strays(0.01), 60, NOTHING),
        *_cases("no limit, but 1 in 10 refused", lambda: Strays(0.1), 60, NOTHING, always(0)),
        *_cases("no limit, but each second refused", lambda: Each(2), 60, NOTHING, always(0)),
        *_cases("no limit, but 1 in 100 refused", lambda: Strays(0.01, 1), 120, always(1)),
        *_cases("no limit, but 1 in 10,000 refused", lambda: Strays(0.0001, 30), 600, always(30)),
    ],
}
