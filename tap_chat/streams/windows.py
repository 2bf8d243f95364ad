"""Walking time in windows, oldest first, so that a run can stop anywhere and go on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A stretch of time; the next one starts where it ends.

    Attributes:
        start: Its first moment, in the stream's unit (ms for Dixa, days for LiveChat).
        end: Its end, likewise.
    """

    start: int
    end: int

    @property
    def halves(self) -> tuple[TimeWindow, TimeWindow]:
        """The earlier and the later half."""
        middle = (self.start + self.end) // 2
        return TimeWindow(self.start, middle), TimeWindow(middle, self.end)


class TimeWindows:
    """The windows from a start to a fixed end, each of which may still be halved.

    Args:
        start: The first moment.
        end: The end of the last window.
        size: The largest window, in the same unit.
        smallest: A window of no more than this is not halved.
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
        """Say whether a window is large enough to be halved."""
        return window.end - window.start > self._smallest

    def halve(self, window: TimeWindow) -> None:
        """Put the halves of a window back in its place.

        Args:
            window: The window that was just yielded.
        """
        self._pending.extendleft(reversed(window.halves))
