"""A tree of requests, which workers fetch ahead and one reader reads in order.

The reader gets the same values and errors, in the same order, as a loop without workers.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from tap_chat.streams.read_plans import Fetched, ReadPlan
from tap_chat.streams.tasks import Buffer, PlannedTasks, Task, TaskQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from tap_chat.streams.tasks import Position

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Bytes of responses that may wait for the reader. Decoded, they take about five times the memory.
BUFFER_BYTES = 2 * 1024 * 1024

# While fewer steps per worker are queued, workers prefer steps that lead to others. Otherwise, all
# workers would wait for the next page of parents.
QUEUED_PER_WORKER = 3


class FanOut:
    """Reads plans, and fetches ahead what they lead to.

    There is one reader, which reads depth first. Workers are threads, started when there is work
    for them. With one worker there are none, and nothing is fetched ahead.

    Args:
        workers: The number of requests at once.
        buffer_bytes: The bytes of responses that may wait for the reader.
        first_plans: Returns the plans that the reader starts, in their order, as far as they are
            known. It is called when the first is read. A wrong guess only costs requests.
    """

    def __init__(
        self,
        workers: int,
        buffer_bytes: int = BUFFER_BYTES,
        first_plans: Callable[[], Iterable[ReadPlan[Any]]] = tuple,
    ) -> None:
        self._workers = workers
        self._first_plans: Callable[[], Iterable[ReadPlan[Any]]] | None = first_plans
        lock = threading.Lock()
        self._lock = threading.Condition(lock)  # notified when there is work for a worker
        self._arrival = threading.Condition(lock)  # notified when what the reader waits for is here
        self._queue = TaskQueue()
        self._planned = PlannedTasks()
        self._buffer = Buffer(buffer_bytes)
        # The numbers of all workers, of those that wait, of those among them that were notified,
        # and of those that fetch. `_is_limited`: no further thread could be started.
        self._threads = self._idle = self._notified = self._fetching = 0
        self._is_limited = False
        # The reader: the number of nested plans it is in, its position, the task it waits for.
        self._depth = 0
        self._position: Position = ()
        self._awaited: Task | None = None
        self._failed_at: Position | None = None  # the first step that raised an error

    def read(self, plan: ReadPlan[T]) -> Generator[T, None, None]:
        """Read a plan.

        Args:
            plan: The plan.

        Yields:
            The values of its steps.

        Raises:
            Exception: The error of a step, after the values before it.
        """
        if self._workers == 1:
            yield from (step.value for step in plan.start())
            return
        if self._first_plans is not None:
            first_plans, self._first_plans = self._first_plans(), None
            with self._lock:
                self._add_plans((), first_plans)
        task = self._enter(plan)
        position = self._position
        self._depth += 1
        unread = 0  # bytes of the result that the reader works on
        try:
            while (step := self._next(task)) is not None:
                unread = step.size
                yield step.value
                if step.last:
                    return
                with self._lock:
                    self._buffer.remove(unread)
                    unread = 0
                    self._wake_workers()
        finally:
            with self._lock:
                self._buffer.remove(unread)
                self._depth -= 1
                self._position = position
                self._leave(task)

    # The reader

    def _enter(self, plan: ReadPlan[Any]) -> Task:
        """Return the task of a plan, or start one; drop the tasks that the reader passed."""
        with self._lock:
            task = self._planned.find(plan.key)
            if task:
                while (passed := self._planned.pop()) is not task:
                    self._drop(passed)
            else:
                task = Task(plan, (*self._position, -1))
                self._queue.add(task)
            return task

    def _next(self, task: Task) -> Fetched[Any] | None:
        """Wait for the next result of a task, and return it; None if there is none."""
        with self._lock:
            self._awaited = task
            self._wake_workers()
            while not task.results:
                if task.has_ended:
                    return None
                if self._threads:
                    self._arrival.wait()
                else:
                    self._fetch(task)
            self._awaited = None
            self._position = (*task.position, task.steps_read)
            task.steps_read += 1
            result = task.results.popleft()
        if isinstance(result, Exception):
            raise result
        return result

    def _fetch(self, task: Task) -> None:
        """Fetch the next step of a task in the reader's thread, because there is no worker."""
        self._queue.remove(task)
        self._fetching += 1
        self._lock.release()
        try:
            result, plans = self._take_step(task)
        finally:
            self._lock.acquire()
        self._deliver(task, result, plans)

    def _leave(self, task: Task) -> None:
        """Drop what is left of a task, and of the tasks that it led to."""
        self._drop(task)
        for planned in self._planned.pop_all_of(task):
            self._drop(planned)
        if self._failed_at is not None:
            depth = len(task.position)
            if self._failed_at[:depth] == task.position:
                self._failed_at = None
        if self._depth:
            self._wake_workers()
        else:  # nobody reads: each worker ends, at the latest when its response is there
            self._lock.notify_all()

    def _drop(self, task: Task) -> None:
        task.is_dropped = True
        self._buffer.remove(sum(item.size for item in task.results if isinstance(item, Fetched)))
        task.results.clear()
        self._queue.remove(task)

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

    @staticmethod
    def _take_step(task: Task) -> tuple[Fetched[Any] | Exception | None, list[ReadPlan[Any]]]:
        """Take the next step of a task; return its result, and the plans that it leads to."""
        plans: list[ReadPlan[Any]] = []
        try:
            if task.steps is None:
                task.steps = task.plan.start()
            result = next(task.steps, None)
            if result is not None and task.plan.leads_to:
                plans = list(task.plan.leads_to(result.value))
        except Exception as error:  # noqa: BLE001 - raised again where it is read
            return error, []
        return result, plans

    def _claim(self) -> Task | None:
        """Wait for a task whose next step may be fetched; None if nobody reads any more."""
        while self._depth:
            if task := self._pick():
                self._queue.remove(task)
                self._fetching += 1
                self._wake_workers()
                return task
            self._idle += 1
            self._lock.wait()
            self._idle -= 1
            self._notified = max(0, self._notified - 1)
        self._threads -= 1
        return None

    def _pick(self) -> Task | None:
        """Return the task whose next step is fetched next, or None."""
        # The response that the reader waits for is fetched even when the buffer is full.
        if self._awaited and self._awaited.is_queued:
            return self._awaited
        first = self._queue.first()
        if first is None or self._room <= 0 or not self._is_due(first):
            return None
        # Start sequential lists early: they take longest.
        if (listed := self._queue.first_list()) and self._is_due(listed):
            return listed
        if self._queue.size < QUEUED_PER_WORKER * self._workers:
            parent = self._queue.first_parent()
            if parent and self._is_due(parent):
                return parent
        return first

    def _is_due(self, task: Task) -> bool:
        """Return whether the next step of a task may be fetched now."""
        if self._failed_at is not None and task.position > self._failed_at:
            return False
        # Prefetched streams may fill half of the buffer at most.
        is_prefetched = task.position[:1] > self._position[:1]
        return not is_prefetched or not self._buffer.is_half_full

    def _deliver(
        self, task: Task, result: Fetched[Any] | Exception | None, plans: list[ReadPlan[Any]]
    ) -> None:
        """Hand the result of a step to the reader. The same worker claims the next task."""
        self._fetching -= 1
        position = task.next_position
        task.steps_fetched += 1
        if task.is_dropped:
            return
        if isinstance(result, Fetched):
            task.results.append(result)
            task.has_ended = result.last
            self._buffer.add(result.size)
        else:
            task.has_ended = True
            if result is not None:
                task.results.append(result)
                # What follows an error is not read.
                self._failed_at = min(position, self._failed_at or position)
        self._add_plans(position, plans)
        if not task.has_ended:
            self._queue.add(task)
        if task is self._awaited:
            self._arrival.notify()

    def _add_plans(self, position: Position, plans: Iterable[ReadPlan[Any]]) -> None:
        """Add the tasks of plans that follow from a position."""
        for number, plan in enumerate(plans):
            task = Task(plan, (*position, number))
            self._planned.add(task)
            self._queue.add(task)

    def _wake_workers(self) -> None:
        """Notify or start as many workers as there are steps to fetch."""
        wanted = min(self._queue.size, max(self._room, self._awaited is not None))
        notifications = min(self._idle, wanted) - self._notified
        if notifications > 0:
            self._lock.notify(notifications)
            self._notified += notifications
        while self._threads < min(self._workers, self._fetching + wanted):
            try:
                threading.Thread(target=self._work, name="fetching", daemon=True).start()
            except RuntimeError:  # the system allows no more, at least for now
                self._warn_of_limit()
                return
            self._threads += 1

    def _warn_of_limit(self) -> None:
        if not self._is_limited:
            self._is_limited = True
            logger.warning(
                "No more threads can be started: %d of %d workers fetch.",
                self._threads,
                self._workers,
            )

    @property
    def _room(self) -> int:
        """The number of further requests whose responses fit into the buffer."""
        return self._buffer.room - self._fetching
