"""The workers of a fan-out, and the order in which they take the steps of its tasks."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from tap_chat.streams.read_plans import Fetched, ReadPlan
from tap_chat.streams.tasks import Buffer, PlannedTasks, Task, TaskQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_chat.streams.read_plans import RequestsAhead
    from tap_chat.streams.tasks import Position

logger = logging.getLogger(__name__)

# While fewer steps per worker are queued, workers prefer steps that lead to others. Otherwise, all
# workers would wait for the next page of parents.
QUEUED_PER_WORKER = 3


class Scheduler:
    """Workers, which take the steps of tasks ahead of the reader, within the buffer.

    Workers are threads, started when there is work for them. Hold the lock while you use a method
    or an attribute, except for `workers`.

    Args:
        workers: The maximum number of steps at once.
        buffer_bytes: The bytes of results that may wait.
        requests_ahead: Returns what a task needs to send requests ahead.

    Attributes:
        workers: The maximum number of steps at once.
        threads: The number of threads.
        arrival: Notified when the awaited task has a result. Its lock is the lock.
        ahead_arrival: Notified when a request ahead has a result, or is dropped.
        planned: The tasks that the reader has not come to.
        buffer: The results that wait.
        readers: The number of nested plans that the reader is in. While it is 0, workers end.
        position: The position of the reader.
        awaited: The task that the reader waits for.
        failed_at: The first step that raised an error.
    """

    def __init__(
        self,
        workers: int,
        buffer_bytes: int,
        requests_ahead: Callable[[Scheduler, Task], RequestsAhead],
    ) -> None:
        self._requests_ahead = requests_ahead
        self.workers = workers
        lock = threading.RLock()
        self._lock = threading.Condition(lock)  # notified when there is work for a worker
        self.arrival = threading.Condition(lock)
        self.ahead_arrival = threading.Condition(lock)
        self.planned = PlannedTasks()
        self.buffer = Buffer(buffer_bytes)
        self._queue = TaskQueue()
        # The numbers of all workers, of those that wait, of those among them that were notified,
        # and of steps that are taken. `_is_limited`: no further thread could be started.
        self.threads = self._idle = self._notified = self._fetching = 0
        self._is_limited = False
        self.readers = 0
        self.position: Position = ()
        self.awaited: Task | None = None
        self.failed_at: Position | None = None

    def add(self, task: Task) -> None:
        """Queue the next step of a task."""
        self._queue.add(task)

    def add_plans(self, position: Position, plans: Iterable[ReadPlan[Any]]) -> None:
        """Add the tasks of plans that follow from a position."""
        for number, plan in enumerate(plans):
            task = Task(plan, (*position, number))
            self.planned.add(task)
            self._queue.add(task)

    def drop(self, task: Task) -> None:
        """Drop a task that nobody will read, and its requests ahead."""
        task.is_dropped = True
        task.steps = None
        self.buffer.remove(sum(item.size for item in task.results if isinstance(item, Fetched)))
        task.results.clear()
        self._queue.remove(task)
        if task.ahead:
            task.ahead.drop()

    def fetch(self, task: Task) -> None:
        """Take the next step of a task in this thread."""
        self._queue.remove(task)
        self._fetching += 1
        self._lock.release()
        try:
            result, plans = self._take_step(task)
        finally:
            self._lock.acquire()
        self._deliver(task, result, plans)

    def may_fetch(self, task: Task) -> bool:
        """Return whether the next step of a queued task may be taken now."""
        return task.is_queued and self._room > 0 and self._is_due(task)

    def wake_workers(self) -> None:
        """Notify or start as many workers as there are steps to take."""
        wanted = min(self._queue.size, max(self._room, self.awaited is not None))
        notifications = min(self._idle, wanted) - self._notified
        if notifications > 0:
            self._lock.notify(notifications)
            self._notified += notifications
        while self.threads < min(self.workers, self._fetching + wanted):
            try:
                threading.Thread(target=self._work, name="fetching", daemon=True).start()
            except RuntimeError:  # the system allows no more, at least for now
                self._warn_of_limit()
                return
            self.threads += 1

    def end_workers(self) -> None:
        """Let each worker end, at the latest when its response is there."""
        self._lock.notify_all()

    # The workers

    def _work(self) -> None:
        with self._lock:
            task = self._claim()
        while task is not None:
            result, plans = self._take_step(task)
            with self._lock:
                self._deliver(task, result, plans)
                del task, result, plans  # they belong to the reader now
                task = self._claim()

    def _take_step(self, task: Task) -> tuple[Fetched[Any] | Exception | None, list[ReadPlan[Any]]]:
        """Take the next step of a task; return its result, and the plans that it leads to."""
        plans: list[ReadPlan[Any]] = []
        try:
            steps = task.steps  # of the task, they are removed when it is dropped
            if steps is None:
                task.ahead = self._requests_ahead(self, task)
                steps = task.steps = task.plan.start(task.ahead)
            result = next(steps, None)
            if result is not None and task.plan.leads_to:
                plans = list(task.plan.leads_to(result.value))
        except Exception as error:  # noqa: BLE001 - raised again where it is read
            return error, []
        return result, plans

    def _claim(self) -> Task | None:
        """Wait for a task whose next step may be taken; None if nobody reads any more."""
        while self.readers:
            if task := self._pick():
                self._queue.remove(task)
                self._fetching += 1
                self.wake_workers()
                return task
            self._idle += 1
            self._lock.wait()
            self._idle -= 1
            self._notified = max(0, self._notified - 1)
        self.threads -= 1
        return None

    def _pick(self) -> Task | None:
        """Return the task whose next step is taken next, or None."""
        # The response that the reader waits for is fetched even when the buffer is full.
        if self.awaited and self.awaited.is_queued:
            return self.awaited
        first = self._queue.first()
        if first is None or self._room <= 0 or not self._is_due(first):
            return None
        # Start sequential lists early: they take longest.
        if (listed := self._queue.first_list()) and self._is_due(listed):
            return listed
        if self._queue.size < QUEUED_PER_WORKER * self.workers:
            parent = self._queue.first_parent()
            if parent and self._is_due(parent):
                return parent
        return first

    def _is_due(self, task: Task) -> bool:
        """Return whether the next step of a task may be taken now."""
        if self.failed_at is not None and task.position > self.failed_at:
            return False
        # Prefetched streams may fill half of the buffer at most.
        is_prefetched = task.position[:1] > self.position[:1]
        return not is_prefetched or not self.buffer.is_half_full

    def _deliver(
        self, task: Task, result: Fetched[Any] | Exception | None, plans: list[ReadPlan[Any]]
    ) -> None:
        """Hand the result of a step to the reader. The same worker claims the next task."""
        self._fetching -= 1
        position = task.next_position
        task.steps_fetched += 1
        if task.is_dropped:
            task.steps = None
            return
        if isinstance(result, Fetched):
            task.results.append(result)
            task.has_ended = result.last
            self.buffer.add(result.size)
        else:
            task.has_ended = True
            if result is not None:
                task.results.append(result)
                # What follows an error is not read.
                self.failed_at = min(position, self.failed_at or position)
        self.add_plans(position, plans)
        if not task.has_ended:
            self._queue.add(task)
        else:
            task.steps = None  # an iterator keeps its last value
            if task.ahead:
                task.ahead.drop()
        if task is self.awaited:
            self.arrival.notify()
        if task.is_ahead:
            self.ahead_arrival.notify_all()

    def _warn_of_limit(self) -> None:
        if not self._is_limited:
            self._is_limited = True
            logger.warning(
                "No more threads can be started: %d of %d workers fetch.",
                self.threads,
                self.workers,
            )

    @property
    def _room(self) -> int:
        """The number of further requests whose responses fit into the buffer."""
        return self.buffer.room - self._fetching
