"""Workers that ask a server with a limit as fast as they may, by a clock that is not real."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol

from tap_chat.http.rate_limits import headers as limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limiters.cases import Case

    from tap_chat.http.rate_limits.cycles import Permit

OK, REFUSED = 200, 429
FOREVER = float("inf")

#: Seconds: the way there and the way back, and how much longer it may take; the time of a server at
#: least, usually, and at most; and how late a thread wakes up at most.
WAY, WAY_JITTER = 0.004, 0.002
LEAST, USUAL, MOST = 0.002, 0.02, 0.2
LATE = 0.002
#: What a request takes on the average.
MEAN = 2 * WAY + WAY_JITTER + 1.2 * USUAL


class Paced(Protocol):
    """What decides when to send."""

    def delay(self, now: float) -> float: ...
    def send(self, now: float) -> Permit: ...
    def accepted(self, now: float, permit: Permit, stated: limits.LimitHeaders) -> None: ...
    def refused(self, now: float, permit: Permit, stated: limits.LimitHeaders) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        share: What was accepted from the third window on, as a part of what the server allows.
        refused: Refusals in all.
        often: Refusals by worker and window, from the third window on.
        stall: The longest time in which the server would have accepted a request, and got none, in
            seconds.
        span: Seconds of a window.
    """

    share: float
    refused: int
    often: float
    stall: float
    span: float


@dataclass(order=True)
class Event:
    """Something that happens.

    Attributes:
        at: When.
        order: Its place among the events of the same time.
        what: `wake`, `arrive` at the server, `answer` of the server, or `return` to the client.
        permit: The request.
        accepted: Whether it was.
        said: The headers.
    """

    at: float
    order: int
    what: str
    permit: Permit | None = None
    accepted: bool = False
    said: Mapping[str, str] | None = None


class Simulation:
    """Workers, a server, and what lies between.

    Args:
        case: The server.
        pacer: What decides when to send.
        workers: Requests at once.
        used: Whether the limit is used up when the run starts.
    """

    def __init__(self, case: Case, pacer: Paced, workers: int, *, used: bool) -> None:
        self._limit = case.server()
        self._reports = case.reports
        self._pacer = pacer
        self._workers = self._idle = workers
        self._random = random.Random(workers)
        self._order = count()
        self._events: list[Event] = []
        self._wakes = FOREVER
        self._accepted: list[float] = []
        self._refused: list[float] = []
        self._stall = 0.0
        span = self._limit.span
        self._measured = 2 * span + self._limit.phase
        windows = max(2, round((case.seconds - self._measured) / span))
        self._ends = self._measured + windows * span
        if used and self._limit.rate != FOREVER:
            for _ in range(self._limit.count):
                self._limit.take(-0.001)
        self._open_since = self._limit.opens(0.0)

    def run(self) -> Outcome:
        """Let it happen, and say what came of it."""
        self._push(0.0, "wake")
        while self._events and self._events[0].at < self._ends:
            event = heapq.heappop(self._events)
            getattr(self, f"_{event.what}")(event)
            self._send(event.at)
        seconds = self._ends - self._measured
        limit = self._limit
        reachable = 1 / (MEAN / min(self._workers, limit.at_once) + limit.lost)
        accepted = sum(moment >= self._measured for moment in self._accepted)
        refused = sum(moment >= self._measured for moment in self._refused)
        return Outcome(
            accepted / (min(limit.rate, reachable) * seconds),
            len(self._refused),
            refused / self._workers / (seconds / limit.span),
            self._stall,
            limit.span,
        )

    def _push(self, at: float, what: str, *rest: object) -> None:
        heapq.heappush(self._events, Event(at, next(self._order), what, *rest))  # type: ignore[arg-type]

    def _way(self) -> float:
        return WAY + self._random.uniform(0, WAY_JITTER)

    def _service(self) -> float:
        """Return the seconds that the server takes; a few requests take long."""
        return min(MOST, max(LEAST, self._random.lognormvariate(0, 0.6) * USUAL))

    def _send(self, now: float) -> None:
        while self._idle and (delay := self._pacer.delay(now)) <= 0:
            self._idle -= 1
            self._push(now + self._way(), "arrive", self._pacer.send(now))
        if self._idle and now + delay < self._wakes:
            self._wakes = now + delay
            self._push(self._wakes + self._random.uniform(0, LATE), "wake")

    def _wake(self, _: Event) -> None:
        self._wakes = FOREVER

    def _arrive(self, event: Event) -> None:
        now, limit = event.at, self._limit
        accepted = limit.take(now)
        if accepted:
            last = self._accepted[-1] if self._accepted else 0.0
            self._stall = max(self._stall, now - max(self._open_since, last))
            self._accepted.append(now)
        else:
            self._refused.append(now)
        opens = limit.opens(now)
        self._open_since = opens if accepted else max(self._open_since, opens)
        said = self._reports.headers(limit, now, refused=not accepted)
        takes = self._service() if accepted else LEAST
        self._push(now + takes, "answer", event.permit, accepted, said)

    def _answer(self, event: Event) -> None:
        if event.accepted:
            self._limit.done()
            if self._open_since == FOREVER:
                self._open_since = event.at
        self._push(event.at + self._way(), "return", event.permit, event.accepted, event.said)

    def _return(self, event: Event) -> None:
        self._idle += 1
        status = OK if event.accepted else REFUSED
        told = limits.read(status, event.said, None) if event.said else limits.NOTHING
        assert event.permit is not None
        close = self._pacer.accepted if event.accepted else self._pacer.refused
        close(event.at, event.permit, told)
