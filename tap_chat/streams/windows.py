"""Windows of time, read from the oldest to the latest, so that a run can stop after each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    def halves(self) -> tuple[TimeWindow, TimeWindow]:
        """The earlier and the later half."""
        middle = (self.start + self.end) // 2
        return TimeWindow(self.start, middle), TimeWindow(middle, self.end)


class TimeWindows:
    """The windows from a start to an end, in the unit of the stream.

    Args:
        start: The start of the first window.
        end: The end of the last window.
        size: The size of a window; the last may be smaller.
        smallest: A window of at most this size is not halved.
    """

    def __init__(self, start: int, end: int, size: int, *, smallest: int = 1) -> None:
        self._start = start
        self._end = end
        self._size = size
        self._smallest = smallest
        self._pending: deque[TimeWindow] = deque()

    def __iter__(self) -> Iterator[TimeWindow]:
        """Yield the windows, oldest first."""
        while self._pending or self._start < self._end:
            if not self._pending:
                end = min(self._start + self._size, self._end)
                self._pending.append(TimeWindow(self._start, end))
                self._start = end
            yield self._pending.popleft()

    def is_divisible(self, window: TimeWindow) -> bool:
        """Return whether a window is large enough to be halved."""
        return window.end - window.start > self._smallest

    def halve(self, window: TimeWindow) -> None:
        """Yield the halves of a window next.

        Args:
            window: The window that was yielded last.
        """
        self._pending.extendleft(reversed(window.halves))
