"""Windows of time, read from the oldest to the latest, so that a run can stop after each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_chat.streams.read_plans import Fetched, ReadPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A span of time, in the unit of the stream: milliseconds for Dixa, days for LiveChat.

    Attributes:
        start: The start.
        end: The end, which is the start of the next window.
    """

    start: int
    end: int

    @property
    def size(self) -> int:
        """The time from the start to the end."""
        return self.end - self.start

    @property
    def halves(self) -> tuple[TimeWindow, TimeWindow]:
        """The earlier and the later half."""
        middle = (self.start + self.end) // 2
        return TimeWindow(self.start, middle), TimeWindow(middle, self.end)


def windows_plan(
    key: Hashable,
    windows: Iterable[TimeWindow],
    plan_of: Callable[[TimeWindow], ReadPlan[Any]],
) -> ReadPlan[TimeWindow]:
    """Return the plan of windows, whose responses are fetched ahead: the oldest first.

    Args:
        key: The key of the plan.
        windows: The windows, oldest first.
        plan_of: Returns the plan of a window's first request.
    """
    return ReadPlan(key, lambda _: map(Fetched, windows), lambda window: [plan_of(window)])


def consecutive_windows(start: int, end: int, size: int) -> Iterator[TimeWindow]:
    """Yield the windows from a start to an end, oldest first.

    Args:
        start: The start of the first window, in the unit of the stream.
        end: The end of the last window.
        size: The size of a window; the last may be smaller.
    """
    for window_start in range(start, end, size):
        yield TimeWindow(window_start, min(window_start + size, end))


class TimeWindows:
    """Windows that can be halved while they are read.

    Args:
        windows: The windows, oldest first.
    """

    def __init__(self, windows: Iterable[TimeWindow]) -> None:
        self._windows = windows
        self._pending: deque[TimeWindow] = deque()

    def __iter__(self) -> Iterator[TimeWindow]:
        """Yield the windows, and instead of a window that was halved its halves."""
        for window in self._windows:
            self._pending.append(window)
            while self._pending:
                yield self._pending.popleft()

    def halve(self, window: TimeWindow) -> None:
        """Yield the halves of a window next.

        Args:
            window: The window that was yielded last.
        """
        self._pending.extendleft(reversed(window.halves))
