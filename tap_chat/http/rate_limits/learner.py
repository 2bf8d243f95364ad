"""Learns from refusals the rate, and the number of requests at the same time, of a server."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tap_chat.http.rate_limits.ceilings import (
    LEAST_PATIENCE,
    PATIENCE,
    ConcurrencyLimit,
    Rate,
    SlowdownCheck,
)
from tap_chat.http.rate_limits.cycles import OVERTAKING

if TYPE_CHECKING:
    from tap_chat.http.rate_limits.budget import Budget
    from tap_chat.http.rate_limits.cycles import Block, Cycle, Permit

# Accepted requests.
STRAY = 40  # for each refusal that passes at once: no limit, or one that is hardly exceeded
MANY = 120  # the most that a cycle counts for
ENOUGH = 8  # from here on the rate of a cycle is trusted, and two cycles may be compared
REMEMBERED = 6  # cycles that are remembered
RARE = 0.02  # if a larger share was accepted with as many in flight, the number is not the reason

# Factors of a rate.
SAME = 1.15  # two numbers that are about the same
BELOW = 0.98  # below the rate that was measured
DOWN = 0.85  # below the rate that was refused, if nothing else is known
# The same, and where it goes back to, if the wait that was stated may have been needless.
DOWN_IF_STATED, BACK_IF_STATED = 0.9, 0.96
# The same, if the end of a window came without a refusal.
DOWN_UNREFUSED, BACK_UNREFUSED = 0.95, 0.98

# Times.
SHORT = 0.05  # a block of less than this part of its cycle is short
LITTLE = 0.1  # after it, a cycle of less than this part of the one before belongs to that
ROUGH = 10.0  # seconds: the end of a window that is so near is stated roughly, in whole seconds


def alike(first: float, second: float) -> bool:
    """Return whether two numbers are about the same."""
    return first / SAME < second < first * SAME


class Learner:
    """Learns the limits of a server from one block to the next.

    Args:
        workers: The maximum number of requests at the same time.
        budget: The requests that are left, as the server states them.

    Attributes:
        rate: The rate that was learned.
        concurrency: The number of requests at the same time that was learned.
        slowdown: Finds out whether a lower rate helps.
        learned: How often something was learned.
        is_sure: Whether the rate is more than a first guess.
    """

    def __init__(self, workers: int, budget: Budget) -> None:
        self.rate = Rate()
        self.concurrency = ConcurrencyLimit(workers)
        self.slowdown = SlowdownCheck()
        self.learned = 0
        self.is_sure = False
        self._budget = budget
        self._before: Cycle | None = None  # the cycle before, if the block between was short
        self._counts: deque[int] = deque(maxlen=REMEMBERED)
        self._last_stated: tuple[int, float, float] | None = None
        self._longest = 0.0  # seconds of the longest block: the server's window is about as long
        # The number of accepted requests, by the number of requests in flight with them.
        self._by_in_flight = [0.0] * (workers + 1)

    def count_accepted(self, permit: Permit) -> None:
        """Count an accepted request, by the number of requests in flight with it."""
        self._by_in_flight[min(permit.surely_arrived, len(self._by_in_flight) - 1)] += 1

    def forgive(self, permit: Permit, cycle: Cycle) -> None:
        """Take note of a refusal that passed at once.

        Args:
            permit: The request that was accepted after it.
            cycle: The cycle that ends with it.
        """
        self._counts.append(min(cycle.accepted(permit.number - 1), MANY))
        self._before = cycle

    def learn(self, permit: Permit, block: Block, cycle: Cycle) -> None:
        """Learn from a block that has ended.

        Args:
            permit: The first request that was accepted after it.
            block: The block.
            cycle: The cycle before it.
        """
        count = cycle.accepted(permit.number - 1)
        rare = (
            not block.wait_stated and not block.probe_refused and self.are_rare(count, block.count)
        )
        self._counts.append(min(count // max(1, block.count), MANY))
        waited = permit.sent - block.first.sent
        if (before := self._before) and (
            waited > SHORT * (permit.sent - before.begun)
            and count < LITTLE * before.accepted(cycle.before)
        ):
            before.lost += cycle.lost
            cycle, count = before, before.accepted(permit.number - 1)
        length = permit.sent - cycle.begun
        self._before = cycle if waited < SHORT * length else None
        self.learned += 1
        self._by_in_flight = [number / 2 for number in self._by_in_flight]
        # Seconds that were waited without knowing that it was necessary.
        cost = permit.sent - block.refused
        if not block.probe_refused and self.blames_number(block.too_many):
            patience = max(LEAST_PATIENCE, PATIENCE * cost)
            self.concurrency.lower(permit.sent, block.too_many - 1, patience)
            return
        if rare:
            return
        if (
            block.wait_stated
            and self._budget.is_known
            and (waited > ROUGH or cost < LITTLE * length)
        ):
            # The server states what is left. A rate is needed only where that is rough.
            return
        if block.wait_stated and not block.probe_refused:
            self._learn_from_stated_wait(block, cycle, count, length, cost)
            return
        self.is_sure = True
        self._longest = max(waited, 0.97 * self._longest)
        lowest = count / length
        highest = count / max(block.refused - cycle.begun, OVERTAKING)
        if self.rate.value:
            highest = max(lowest, min(highest, self.rate.value))
        rate = (lowest * highest) ** 0.5
        if self.rate.value:
            if faster := self.slowdown.refused(highest, lowest):
                self.rate.set(faster, faster, cost, 0.0)
                return
            if count < ENOUGH:
                rate = max(rate, DOWN * self.rate.value)
        ceiling = rate if block.probe_refused else highest
        self.rate.set(rate * BELOW, ceiling, cost, self._longest)

    def _learn_from_stated_wait(
        self, block: Block, cycle: Cycle, count: int, length: float, cost: float
    ) -> None:
        """Learn from a block that was as long as the server stated, which may be too long.

        If two cycles have the same number of requests and the same length, although one sent them
        faster, the statement is right, and the number is that of the server's window. Otherwise the
        rate lies between that of the whole cycle and the refused one: a refusal may cost more than
        it is worth.
        """
        active = max(block.first.sent - cycle.begun, OVERTAKING)
        lowest, reached = count / length, self.rate.value or count / active
        last, self._last_stated = self._last_stated, (count, length, active)
        if not last:
            self.rate.set(lowest, reached, cost, 0.0)
            return
        self.is_sure = True
        same = count >= ENOUGH and alike(count, last[0]) and alike(length, last[1])
        if same and not alike(active, last[2]):
            self.rate.set(max(lowest, last[0] / last[1]) * BELOW, lowest, cost, 0.0)
            return
        down, back = DOWN_IF_STATED, BACK_IF_STATED
        if not block.count:
            down, back = DOWN_UNREFUSED, BACK_UNREFUSED
        self.rate.set(max(lowest, down * reached), back * reached, cost, 0.0)

    def blames_number(self, too_many: int) -> bool:
        """Return whether a request was refused for the number of requests in flight.

        Args:
            too_many: That number.
        """
        if too_many <= 1 or self.concurrency.is_refuted:
            return False
        if self.concurrency.is_limited and self.concurrency.binds:
            return True
        many = sum(self._by_in_flight[too_many:])
        return many < RARE * sum(self._by_in_flight)

    def are_rare(self, accepted: int, refused: int) -> bool:
        """Return whether refusals are so rare that a lower rate would cost more than they do.

        Args:
            accepted: The number of accepted requests in this cycle.
            refused: The number of refused ones.
        """
        return min(accepted, MANY) + sum(self._counts) >= STRAY * (refused + len(self._counts))
