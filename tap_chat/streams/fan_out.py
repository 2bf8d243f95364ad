"""A tree of answers, fetched ahead of its one reader by many workers, and read in its own order.

Whoever reads gets what a loop without workers would get, errors included: each at its own turn.
"""

from __future__ import annotations

import heapq
import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Iterable, Iterator

    Place = tuple[int, ...]
    Queue = list[tuple[Place, int, "Task"]]

logger = logging.getLogger(__name__)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: Bytes of answers, as they were sent, that may wait for their turn; decoded they take about five
#: times as much. Only the answer that is read next comes whatever waits.
LARGEST_BACKLOG = 2 * 1024 * 1024

# Requests that shall be known of for each worker. While there are fewer, those go first that lead
# to further ones: else all workers would wait for the next list of parents.
KNOWN_PER_WORKER = 3


class Fetched(NamedTuple, Generic[T_co]):
    """What one request brought.

    Attributes:
        value: What the reader gets.
        size: Bytes that it is counted as while it waits.
        last: True if it is known that no further one follows.
    """

    value: T_co
    size: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True)
class ReadPlan(Generic[T]):
    """Something that can be read, by the reader itself or ahead of it.

    Attributes:
        key: What it is known by; the reader asks for it with a plan of the same key.
        start: Returns its steps. Each takes one request, which is sent when the step is asked for.
        leads_to: From a value to the plans that the reader will read next, in that order, before
            the next value; None if there are none. A wrong guess costs requests and nothing else.
    """

    key: Hashable
    start: Callable[[], Iterator[Fetched[T]]]
    leads_to: Callable[[T], Iterable[ReadPlan[Any]]] | None = None


@dataclass(slots=True, eq=False)
class Task:
    """A plan that is under way.

    Attributes:
        plan: The plan.
        place: Where it stands in the order of reading. The place of its step `i` is `(*place, i)`,
            and that of the `n`th plan which this leads to is `(*place, i, n)`.
        steps: Its steps; None before the first is asked for.
        arrived: Steps, and at last maybe an error, that wait for the reader.
        fetched: The number of steps asked for so far.
        read: The number of steps that the reader has got.
        queued: Whether its next step waits for a worker.
        ended: Whether no further step follows.
        dropped: Whether nobody will read it any more.
    """

    plan: ReadPlan[Any]
    place: Place
    steps: Iterator[Fetched[Any]] | None = None
    arrived: deque[Fetched[Any] | Exception] = field(default_factory=deque)
    fetched: int = 0
    read: int = 0
    queued: bool = False
    ended: bool = False
    dropped: bool = False


class FanOut:
    """Reads plans, with those that they lead to fetched ahead.

    There is one reader, and it reads depth first. Workers are threads that start when there is
    something to do. With one worker there are none, and nothing is fetched ahead.

    Args:
        workers: The most requests at once.
        largest_backlog: Bytes of answers that may wait for the reader.
        first_plans: Returns the plans that will be read, one after the other, as far as they are
            known. It is asked when the first is read. A wrong guess costs requests, nothing else.
    """

    def __init__(
        self,
        workers: int,
        largest_backlog: int = LARGEST_BACKLOG,
        first_plans: Callable[[], Iterable[ReadPlan[Any]]] = tuple,
    ) -> None:
        self._workers = workers
        self._largest_backlog = largest_backlog
        self._first_plans: Callable[[], Iterable[ReadPlan[Any]]] | None = first_plans
        lock = threading.Lock()
        self._lock = threading.Condition(lock)  # notified when there is something for a worker
        self._arrival = threading.Condition(lock)  # notified when what the reader waits for is here
        self._threads = 0
        self._limited = False  # whether one could not be started
        self._idle = 0
        self._called = 0  # of the idle ones, who have not come yet
        self._running = 0
        self._depth = 0
        self._numbers = count()
        # Branches whose next step waits for a worker; those of them that lead to others; and those
        # that lead to nothing and from nothing.
        self._queue: Queue = []
        self._leading: Queue = []
        self._expected: Queue = []
        self._queued = 0
        # Branches that the reader has not come to yet.
        self._planned: Queue = []
        self._by_key: dict[Hashable, list[Task]] = {}
        self._held = 0
        self._sizes = 0
        self._arrivals = 0
        self._awaited: Task | None = None
        self._position: Place = ()
        self._failed_at: Place | None = None

    def read(self, plan: ReadPlan[T]) -> Generator[T, None, None]:
        """Read a plan.

        Args:
            plan: What to read.

        Yields:
            The values of its steps.

        Raises:
            Exception: What a step raised, after everything before it was read.
        """
        if self._workers == 1:
            yield from (step.value for step in plan.start())
            return
        if self._first_plans is not None:
            first_plans, self._first_plans = self._first_plans(), None
            with self._lock:
                self._expect((), first_plans)
        branch = self._take(plan)
        position = self._position
        self._depth += 1
        unused = 0  # bytes of what was read last
        try:
            while (step := self._next(branch)) is not None:
                unused = step.size
                yield step.value
                if step.last:
                    return
                with self._lock:
                    self._held -= unused
                    unused = 0
                    self._wake()
        finally:
            with self._lock:
                self._held -= unused
                self._depth -= 1
                self._position = position
                self._leave(branch)

    # The reader's side

    def _take(self, plan: ReadPlan[Any]) -> Task:
        """Find the branch of a plan, or begin it; forget what the reader passed by."""
        with self._lock:
            if planned := self._by_key.get(plan.key):
                branch = min(planned, key=lambda branch: branch.place)
                while (passed := self._pop_planned()) is not branch:
                    self._drop(passed)
            else:
                branch = Task(plan, (*self._position, -1))
                self._enqueue(branch)
            return branch

    def _next(self, branch: Task) -> Fetched[Any] | None:
        with self._lock:
            self._awaited = branch
            self._wake()
            while not branch.arrived:
                if branch.ended:
                    return None
                if self._threads:
                    self._arrival.wait()
                else:
                    self._fetch(branch)
            self._awaited = None
            self._position = (*branch.place, branch.read)
            branch.read += 1
            outcome = branch.arrived.popleft()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _fetch(self, branch: Task) -> None:
        """Take the next step of a branch, where there is no worker to do so."""
        self._dequeue(branch)
        self._running += 1
        self._lock.release()
        try:
            outcome, plans = self._step(branch)
        finally:
            self._lock.acquire()
        self._deliver(branch, outcome, plans)

    def _leave(self, branch: Task) -> None:
        """Drop what is left of a branch, and of those it led to."""
        depth = len(branch.place)
        self._drop(branch)
        while self._planned and self._planned[0][0][:depth] == branch.place:
            self._drop(self._pop_planned())
        if self._failed_at is not None and self._failed_at[:depth] == branch.place:
            self._failed_at = None
        if self._depth:
            self._wake()
        else:  # nobody reads: the workers end, at the latest when their requests are answered
            self._lock.notify_all()

    def _pop_planned(self) -> Task:
        """Take the first of the planned branches out of their lists."""
        _, _, branch = heapq.heappop(self._planned)
        same = self._by_key[branch.plan.key]
        same.remove(branch)
        if not same:
            del self._by_key[branch.plan.key]
        return branch

    def _drop(self, branch: Task) -> None:
        branch.dropped = True
        self._held -= sum(step.size for step in branch.arrived if isinstance(step, Fetched))
        branch.arrived.clear()
        self._dequeue(branch)

    # The workers' side

    def _work(self) -> None:
        with self._lock:
            branch = self._claim()
        while branch is not None:
            outcome, plans = self._step(branch)
            with self._lock:
                self._deliver(branch, outcome, plans)
                del branch, outcome, plans  # they are the reader's now
                branch = self._claim()

    @staticmethod
    def _step(branch: Task) -> tuple[Fetched[Any] | Exception | None, list[ReadPlan[Any]]]:
        """Take the next step of a branch, and find the plans that it leads to."""
        plans: list[ReadPlan[Any]] = []
        try:
            if branch.steps is None:
                branch.steps = branch.plan.start()
            outcome = next(branch.steps, None)
            if outcome is not None and branch.plan.leads_to:
                plans = list(branch.plan.leads_to(outcome.value))
        except Exception as error:  # noqa: BLE001 - raised again where it is read
            return error, []
        return outcome, plans

    def _claim(self) -> Task | None:
        """Wait for a branch whose next step may be taken; None if there is nothing more to do."""
        while self._depth:
            if branch := self._pick():
                self._dequeue(branch)
                self._running += 1
                self._wake()
                return branch
            self._idle += 1
            self._lock.wait()
            self._idle -= 1
            self._called = max(0, self._called - 1)
        self._threads -= 1
        return None

    def _pick(self) -> Task | None:
        if self._awaited and self._awaited.queued:
            return self._awaited
        first = self._first(self._queue)
        if first is None or self._room <= 0 or not self._timely(first):
            return None
        # What is read later and has one request after the other would take long then.
        later = self._first(self._expected)
        if later and self._timely(later):
            return later
        if self._queued < KNOWN_PER_WORKER * self._workers:
            leading = self._first(self._leading)
            if leading and self._timely(leading):
                return leading
        return first

    def _timely(self, branch: Task) -> bool:
        """Say whether it is not too early for what a branch brings."""
        if self._failed_at is not None and branch.place > self._failed_at:
            return False
        # What is read only after the tree that is read now takes no more than half of the backlog.
        later = branch.place[:1] > self._position[:1]
        return not later or self._held < self._largest_backlog / 2

    @staticmethod
    def _first(queue: Queue) -> Task | None:
        while queue:
            place, _, branch = queue[0]
            # Entries of branches that went on by the other queue, or were dropped, are passed by.
            if branch.queued and place == (*branch.place, branch.fetched):
                return branch
            heapq.heappop(queue)
        return None

    def _deliver(
        self, branch: Task, outcome: Fetched[Any] | Exception | None, plans: list[ReadPlan[Any]]
    ) -> None:
        """Put what a step brought where the reader finds it. Whoever delivers claims the next."""
        self._running -= 1
        place = (*branch.place, branch.fetched)
        branch.fetched += 1
        if branch.dropped:
            return
        if isinstance(outcome, Fetched):
            branch.arrived.append(outcome)
            branch.ended = outcome.last
            self._held += outcome.size
            self._sizes += outcome.size
            self._arrivals += 1
        else:
            branch.ended = True
            if outcome is not None:
                branch.arrived.append(outcome)
                # What comes after an error will not be read.
                self._failed_at = min(place, self._failed_at or place)
        self._expect(place, plans)
        if not branch.ended:
            self._enqueue(branch)
        if branch is self._awaited:
            self._arrival.notify()

    def _expect(self, place: Place, plans: Iterable[ReadPlan[Any]]) -> None:
        """Begin the plans that follow from a place in the order of reading."""
        for number, plan in enumerate(plans):
            following = Task(plan, (*place, number))
            heapq.heappush(self._planned, (following.place, next(self._numbers), following))
            self._by_key.setdefault(plan.key, []).append(following)
            self._enqueue(following)

    def _enqueue(self, branch: Task) -> None:
        branch.queued = True
        self._queued += 1
        entry = ((*branch.place, branch.fetched), next(self._numbers), branch)
        heapq.heappush(self._queue, entry)
        if branch.plan.leads_to:
            heapq.heappush(self._leading, entry)
        elif len(branch.place) == 1:
            heapq.heappush(self._expected, entry)

    def _dequeue(self, branch: Task) -> None:
        if branch.queued:
            branch.queued = False
            self._queued -= 1

    def _wake(self) -> None:
        """See that there are workers for what is queued and may be asked for."""
        wanted = min(self._queued, max(self._room, self._awaited is not None))
        calls = min(self._idle, wanted) - self._called
        if calls > 0:
            self._lock.notify(calls)
            self._called += calls
        while self._threads < min(self._workers, self._running + wanted):
            try:
                threading.Thread(target=self._work, name="fetching", daemon=True).start()
            except RuntimeError:  # the system allows for no more, at least for now
                if not self._limited:
                    self._limited = True
                    logger.warning(
                        "No more threads can be started: %d of %d workers fetch.",
                        self._threads,
                        self._workers,
                    )
                return
            self._threads += 1

    @property
    def _room(self) -> int:
        """How many more answers may be asked for, if they are as large as those so far."""
        mean = self._sizes / self._arrivals if self._sizes else 1.0
        return int((self._largest_backlog - self._held) / mean) - self._running
