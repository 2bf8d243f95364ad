"""The tasks of a fan-out: their order, and the memory that their results take.

Hold the lock of the fan-out while you use them.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead

    Position = tuple[int, ...]
    Heap = list[tuple[Position, int, "Task"]]

# The mean size of about so many results shows what the next ones take.
RECENT_RESULTS = 8


@dataclass(slots=True, eq=False)
class Task:
    """A plan that is being read.

    Attributes:
        plan: The plan.
        position: Its place in the order of reading. Its step `i` is at `(*position, i)`, and
            the `n`th plan that this step leads to is at `(*position, i, n)`.
        steps: Its steps; None before the first is fetched, and after the last.
        results: The results that wait for the reader. The last one may be an error.
        steps_fetched: The number of steps that were fetched.
        steps_read: The number of steps whose results the reader has taken.
        is_queued: Whether the next step waits for a worker.
        has_ended: Whether no step follows.
        is_dropped: Whether nobody will read it any more.
        is_ahead: Whether it is a request that another task sends ahead.
        ahead: The requests that it sends ahead; None before its first step.
    """

    plan: ReadPlan[Any]
    position: Position
    steps: Iterator[Fetched[Any]] | None = None
    results: deque[Fetched[Any] | Exception] = field(default_factory=deque)
    steps_fetched: int = 0
    steps_read: int = 0
    is_queued: bool = False
    has_ended: bool = False
    is_dropped: bool = False
    is_ahead: bool = False
    ahead: RequestsAhead | None = None

    @property
    def next_position(self) -> Position:
        """The position of the step that is fetched next."""
        return (*self.position, self.steps_fetched)


class TaskQueue:
    """The tasks whose next step waits for a worker, in the order of reading.

    Attributes:
        size: The number of tasks.
    """

    def __init__(self) -> None:
        self.size = 0
        self._numbers = count()
        self._all: Heap = []
        self._parents: Heap = []
        self._lists: Heap = []

    def add(self, task: Task) -> None:
        """Add a task."""
        task.is_queued = True
        self.size += 1
        entry = (task.next_position, next(self._numbers), task)
        heapq.heappush(self._all, entry)
        if task.plan.leads_to:
            heapq.heappush(self._parents, entry)
        elif len(task.position) == 1:
            heapq.heappush(self._lists, entry)

    def remove(self, task: Task) -> None:
        """Remove a task, if it is in the queue."""
        if task.is_queued:
            task.is_queued = False
            self.size -= 1
            # Their first entries may be of tasks that need no memory any more.
            for heap in (self._all, self._parents, self._lists):
                self._first_of(heap)

    def first(self) -> Task | None:
        """Return the task that is read first, or None."""
        return self._first_of(self._all)

    def first_parent(self) -> Task | None:
        """Return the first task that leads to others, or None."""
        return self._first_of(self._parents)

    def first_list(self) -> Task | None:
        """Return the first task that neither leads to others nor follows from one, or None."""
        return self._first_of(self._lists)

    @staticmethod
    def _first_of(heap: Heap) -> Task | None:
        while heap:
            position, _, task = heap[0]
            # A task that was removed, or continued, has left its old entry behind.
            if task.is_queued and position == task.next_position:
                return task
            heapq.heappop(heap)
        return None


class PlannedTasks:
    """The tasks that the reader has not come to yet, in the order of reading."""

    def __init__(self) -> None:
        self._numbers = count()
        self._heap: Heap = []
        self._by_key: dict[Hashable, list[Task]] = {}

    def add(self, task: Task) -> None:
        """Add a task."""
        heapq.heappush(self._heap, (task.position, next(self._numbers), task))
        self._by_key.setdefault(task.plan.key, []).append(task)

    def find(self, key: Hashable) -> Task | None:
        """Return the first task whose plan has a key, or None."""
        return min(self._by_key.get(key, ()), key=lambda task: task.position, default=None)

    def pop(self) -> Task:
        """Remove the first task, and return it."""
        task = heapq.heappop(self._heap)[2]
        same = self._by_key[task.plan.key]
        same.remove(task)
        if not same:
            del self._by_key[task.plan.key]
        return task

    def pop_all_of(self, parent: Task) -> Iterator[Task]:
        """Remove and yield the first tasks, as long as they follow from this one."""
        depth = len(parent.position)
        while self._heap and self._heap[0][0][:depth] == parent.position:
            yield self.pop()


class Buffer:
    """The bytes of the results that wait for the reader.

    Args:
        limit: The bytes that may wait.

    Attributes:
        held: The bytes that wait.
    """

    def __init__(self, limit: int) -> None:
        self.held = 0
        self._limit = limit
        self._results = 0
        self._mean = self._recent_mean = 0.0

    def add(self, size: int) -> None:
        """Add a result of this many bytes."""
        self.held += size
        self._results += 1
        self._mean += (size - self._mean) / self._results
        self._recent_mean += (size - self._recent_mean) / min(self._results, RECENT_RESULTS)

    def remove(self, size: int) -> None:
        """Remove this many bytes."""
        self.held -= size

    @property
    def is_half_full(self) -> bool:
        """Whether half of it is used."""
        return self.held >= self._limit / 2

    @property
    def room(self) -> int:
        """The number of further results that fit in, estimated by the mean size so far.

        It is the mean of all results, or of the last ones if that is larger: large results may
        follow many small ones.
        """
        mean = max(self._mean, self._recent_mean, 1.0)
        return int((self._limit - self.held) / mean)
