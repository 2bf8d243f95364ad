"""The requests that a task of a fan-out sends ahead of its next one."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

from tap_chat.streams.read_plans import Expected, Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_chat.streams.scheduler import Scheduler

logger = logging.getLogger(__name__)

T = TypeVar("T")


class DroppedError(Exception):
    """Nobody reads the task any more."""


@dataclass(slots=True)
class RequestAhead:
    """A request, and its task.

    Attributes:
        expected: The request.
        task: The task that sends it.
        was_queued: Whether the task was queued. It may be in the queue, running, or done.
    """

    expected: Expected[Any]
    task: Task
    was_queued: bool = False

    @property
    def response(self) -> Fetched[Any] | None:
        """The response; None if there is none yet, or the request has failed."""
        result = self.task.results[0] if self.task.results else None
        return result if isinstance(result, Fetched) and result.value is not None else None


class TaskRequestsAhead(RequestsAhead):
    """The requests that a task sends ahead, each as a task of its own.

    Args:
        scheduler: The scheduler of the tasks.
        task: The task that expects the responses.
    """

    def __init__(self, scheduler: Scheduler, task: Task) -> None:
        self.most = scheduler.workers - 1
        self._scheduler = scheduler
        self._task = task
        self._requests: deque[RequestAhead] = deque()

    @override
    def take(
        self,
        expected: Sequence[Expected[T]],
        send: Callable[[T, Callable[[], bool]], Fetched[Any]],
    ) -> Fetched[Any] | None:
        if len(expected) == 1 and not self._requests:
            return None
        with self._scheduler.arrival:
            if self._task.is_dropped:
                raise DroppedError
            was_sent = bool(self._requests) and self._requests[0].expected == expected[0]
            self._expect(expected if was_sent else expected[1:], send, int(not was_sent))
            # Without its response, a check after this request must wait.
            may_check = was_sent or expected[0].is_check
            self._queue(may_check=may_check)
            self._scheduler.wake_workers()
            if not was_sent:
                return None
            request = self._requests[0]
            task = request.task
            while not task.results and not task.is_queued:
                self._wait()
            self._requests.popleft()
            response = request.response
            self._scheduler.drop(task)
            if response:
                return response
            if not expected[0].is_check:
                self._renew_checks(send)
        return None

    @override
    def drop(self) -> None:
        with self._scheduler.arrival:
            self._keep(0)
            self._scheduler.ahead_arrival.notify_all()

    def _renew_checks(self, send: Callable[[T, Callable[[], bool]], Fetched[Any]]) -> None:
        """Send checks again: the request before them was not sent, or has failed."""
        for number, request in enumerate(self._requests):
            if request.expected.is_check and request.was_queued:
                self._scheduler.drop(request.task)
                step = self._task.steps_fetched + 1 + number
                task = self._task_of(request.expected.request, send, step)
                self._requests[number] = RequestAhead(request.expected, task)

    def _keep(self, count: int) -> None:
        """Drop the requests after the first ones."""
        while len(self._requests) > count:
            self._scheduler.drop(self._requests.pop().task)

    def _expect(
        self,
        expected: Sequence[Expected[T]],
        send: Callable[[T, Callable[[], bool]], Fetched[Any]],
        first: int,
    ) -> None:
        """Keep the requests that are expected, drop those after the first that is not, add others.

        Args:
            expected: The requests that are expected.
            send: Sends one of them.
            first: The number of steps until the first of them is needed.
        """
        same = 0
        for known, request in zip(self._requests, expected, strict=False):
            if known.expected != request:
                break
            same += 1
        self._keep(same)
        for number, request in enumerate(expected[same:], same + first):
            task = self._task_of(request.request, send, self._task.steps_fetched + number)
            self._requests.append(RequestAhead(request, task))

    def _wait(self) -> None:
        """Wait for the first response; while there is no worker for a request, send that."""
        for request in self._requests:
            if self._scheduler.may_fetch(request.task):
                self._scheduler.fetch(request.task)
                break
        else:
            self._scheduler.ahead_arrival.wait()
        if self._task.is_dropped:
            raise DroppedError
        self._queue()

    def _queue(self, *, may_check: bool = True) -> None:
        """Queue the tasks whose requests may be sent."""
        for request in self._requests:
            is_check = request.expected.is_check
            if not request.was_queued and (may_check or not is_check):
                request.was_queued = True
                self._scheduler.add(request.task)
            may_check = may_check and (is_check or request.response is not None)

    def _task_of(
        self,
        request: T,
        send: Callable[[T, Callable[[], bool]], Fetched[Any]],
        step: int,
    ) -> Task:
        """Return the task of a request that is needed in a step of this task."""

        def steps(_: RequestsAhead) -> Iterator[Fetched[Any]]:
            try:
                result = send(request, lambda: not task.is_dropped)
            except Exception as error:  # noqa: BLE001 - the request is sent again in its turn
                logger.debug("%s It was sent ahead, and is sent again in its turn.", error)
                result = Fetched(None)
            yield result._replace(last=True)

        task = Task(ReadPlan((), steps), (*self._task.position, step), is_ahead=True)
        return task
