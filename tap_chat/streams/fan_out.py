"""A tree of requests, which workers fetch ahead and one reader reads in order.

The reader gets the same values and errors, in the same order, as a loop without workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.requests_ahead import TaskRequestsAhead
from tap_chat.streams.scheduler import Scheduler
from tap_chat.streams.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

T = TypeVar("T")

#: Bytes of responses that may wait for the reader. Decoded, they take about five times the memory.
BUFFER_BYTES = 2 * 1024 * 1024


class FanOut:
    """Reads plans, and fetches ahead what they lead to.

    There is one reader, which reads depth first. With one worker there are no threads, and nothing
    is fetched ahead.

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
        self._first_plans: Callable[[], Iterable[ReadPlan[Any]]] | None = first_plans
        self._scheduler = Scheduler(workers, buffer_bytes, TaskRequestsAhead)
        self._lock = self._scheduler.arrival

    @property
    def workers(self) -> int:
        """The number of requests at once."""
        return self._scheduler.workers

    def read(self, plan: ReadPlan[T]) -> Generator[T, None, None]:
        """Read a plan.

        Args:
            plan: The plan.

        Yields:
            The values of its steps.

        Raises:
            Exception: The error of a step, after the values before it.
        """
        scheduler = self._scheduler
        if scheduler.workers == 1:
            yield from (step.value for step in plan.start(RequestsAhead()))
            return
        if self._first_plans is not None:
            first_plans, self._first_plans = self._first_plans(), None
            with self._lock:
                scheduler.add_plans((), first_plans)
        task = self._enter(plan)
        position = scheduler.position
        scheduler.readers += 1
        unread = 0  # bytes of the result that the reader works on
        try:
            while (step := self._next(task)) is not None:
                unread = step.size
                yield step.value
                if step.last:
                    return
                with self._lock:
                    scheduler.buffer.remove(unread)
                    unread = 0
                    scheduler.wake_workers()
        finally:
            with self._lock:
                scheduler.buffer.remove(unread)
                scheduler.readers -= 1
                scheduler.position = position
                self._leave(task)

    def _enter(self, plan: ReadPlan[Any]) -> Task:
        """Return the task of a plan, or start one; drop the tasks that the reader passed."""
        scheduler = self._scheduler
        with self._lock:
            task = scheduler.planned.find(plan.key)
            if task:
                while (passed := scheduler.planned.pop()) is not task:
                    scheduler.drop(passed)
            else:
                task = Task(plan, (*scheduler.position, -1))
                scheduler.add(task)
            return task

    def _next(self, task: Task) -> Fetched[Any] | None:
        """Wait for the next result of a task, and return it; None if there is none."""
        scheduler = self._scheduler
        with self._lock:
            scheduler.awaited = task
            scheduler.wake_workers()
            while not task.results:
                if task.has_ended:
                    return None
                if scheduler.threads:
                    scheduler.arrival.wait()
                else:  # there is no worker
                    scheduler.fetch(task)
            scheduler.awaited = None
            scheduler.position = (*task.position, task.steps_read)
            task.steps_read += 1
            result = task.results.popleft()
        if isinstance(result, Exception):
            raise result
        return result

    def _leave(self, task: Task) -> None:
        """Drop what is left of a task, and of the tasks that it led to."""
        scheduler = self._scheduler
        scheduler.drop(task)
        for planned in scheduler.planned.pop_all_of(task):
            scheduler.drop(planned)
        if scheduler.failed_at is not None:
            depth = len(task.position)
            if scheduler.failed_at[:depth] == task.position:
                scheduler.failed_at = None
        if scheduler.readers:
            scheduler.wake_workers()
        else:
            scheduler.end_workers()
