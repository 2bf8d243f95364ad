"""Decides when the next request may be sent. It only computes: the throttle waits.

The first refusal begins a block: only one request at a time is sent, to probe whether the server
accepts requests again. From one block to the next is a cycle. The number of requests accepted in a
cycle, divided by its seconds, is the rate that the server allows.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tap_chat.http.rate_limits.budget import Budget, window_of_setting
from tap_chat.http.rate_limits.cycles import OVERTAKING, Block, Cycle, Permit
from tap_chat.http.rate_limits.learner import ROUGH, Learner

if TYPE_CHECKING:
    from tap_chat.http.rate_limits.headers import LimitHeaders

# Seconds to wait after a refusal that states no wait.
FIRST_WAIT = 0.02  # the first wait, where no rate is known
LEAST_WAIT = 0.1  # the first wait otherwise, and the least of all that follow
WAIT_GROWTH = 0.4  # each further wait, as a part of the time since the refusal
LONGEST_WAIT = 60.0


class Pacer:
    """Decides when the next request may be sent.

    All times are seconds of one clock that never goes back.

    Args:
        requests_per_minute: The setting of that name; None if it is unset.
        workers: The maximum number of requests at the same time.
        documented: The requests, and the seconds, of the limit that the API documents, or None.

    Attributes:
        budget: The requests that are left, as the server states them.
        learner: The limits that were learned from refusals.
    """

    def __init__(
        self,
        requests_per_minute: float | None,
        workers: int,
        documented: tuple[int, float] | None = None,
    ) -> None:
        self.budget = Budget()
        self.learner = Learner(workers, self.budget)
        self._setting_window = window_of_setting(requests_per_minute, documented)
        self._paused_until = 0.0
        self._sent = 0
        self._in_flight = 0
        self._recent: deque[float] = deque()
        self._block: Block | None = None
        self._ignored = 0  # refusals of requests up to this number are ignored
        self._suspect: Permit | None = None  # a refusal that may have another reason than a limit
        self._suspected_at = 0.0
        self._cycle: Cycle | None = None

    def delay(self, now: float) -> float:
        """Return the seconds until a request may be sent; infinite until a response comes."""
        delay = self._paused_until - now
        if self._setting_window:
            delay = max(delay, self._setting_window.delay(now))
        if self._block:
            is_probing = self._sent > self._block.last
            return float("inf") if is_probing else max(delay, self._block.next - now)
        if not self._in_flight:
            self.budget.settle(now)
        delay = max(delay, self.budget.delay(now), self.learner.rate.delay(now))
        if delay <= 0 and self._in_flight >= self.learner.concurrency.value:
            self.learner.concurrency.binds = True
            return float("inf")
        return delay

    def send(self, now: float) -> Permit:
        """Count a request that is sent now."""
        self._sent += 1
        self._in_flight += 1
        while self._recent and self._recent[0] < now - OVERTAKING:
            self._recent.popleft()
        surely_arrived = max(1, self._in_flight - len(self._recent))
        self._recent.append(now)
        if self._setting_window:
            self._setting_window.count_in(now)
        self.budget.send()
        if not self._block:
            self.learner.rate.send(now)
            self.learner.concurrency.send(now, self._in_flight)
        return Permit(self._sent, now, self._in_flight, surely_arrived)

    def pause(self, now: float, seconds: float) -> None:
        """Send no request for a number of seconds."""
        self._paused_until = max(self._paused_until, now + seconds)

    def accepted(self, now: float, permit: Permit, stated: LimitHeaders) -> None:
        """Take note of a request that was not refused."""
        self._in_flight -= 1
        self.learner.count_accepted(permit)
        self.budget.accept(stated)
        self.budget.update(now, permit.sent, self._sent - permit.number, self._in_flight, stated)
        if not self._cycle:
            self._begin_cycle(permit)
        if block := self._block:
            # A later request was accepted: the refusal was over at once.
            later = not block.wait_stated and permit.sent > block.refused + OVERTAKING
            if later or permit.number > block.last:
                self._end_block(permit, block)
            return
        if self._suspect and permit.sent > self._suspect.sent + OVERTAKING:
            self._ignore_suspect(permit)
        if self._in_flight:
            return
        self.budget.settle(now)
        ends = self.budget.ends
        if ends is not None and 0 < ends - now < ROUGH:
            self._block = Block(permit, permit.sent, self._sent, ends, wait_stated=True)

    def refused(self, now: float, permit: Permit, stated: LimitHeaders) -> None:
        """Take note of a request that was over the limit."""
        self._count_lost(permit)
        if permit.in_flight == 1 and permit.number == self._sent:
            self.learner.concurrency.refute()
        self.budget.contradict(stated)
        self.budget.update(now, permit.sent, self._sent - permit.number, self._in_flight, stated)
        block = self._block
        if not block:
            if permit.number <= self._ignored:
                return
            if not stated.wait and self._is_stray(permit):
                self._suspect, self._suspected_at = permit, now
                return
            block = self._block = self._begin_block(now, permit)
        is_probe = permit.number > block.last
        block.probe_refused |= is_probe
        if is_probe:
            block.last = self._sent
        block.refuse(permit)
        if stated.wait:
            block.wait_stated = True
            block.next = max(block.next, now + stated.wait)
        elif is_probe or not block.wait_stated:
            block.next = max(block.next, now + self._unstated_wait(now, block))

    def failed(self, now: float, permit: Permit) -> None:
        """Take note of a request without a response, or with an error of the server."""
        self._count_lost(permit)
        if (block := self._block) and permit.number > block.last:
            block.last = self._sent
            block.next = max(block.next, now + self._unstated_wait(now, block))

    def _count_lost(self, permit: Permit) -> None:
        self._in_flight -= 1
        if self._cycle and permit.number > self._cycle.before:
            self._cycle.lost += 1

    def _begin_cycle(self, permit: Permit) -> None:
        self._cycle = Cycle(permit.sent, permit.number - 1)

    def _is_stray(self, permit: Permit) -> bool:
        """Return whether a refusal is so rare that no limit is the reason."""
        if not self._cycle or self._suspect or self.learner.blames_number(permit.in_flight):
            return False
        return self.learner.are_rare(self._cycle.accepted(self._sent) - self._in_flight, 1)

    def _ignore_suspect(self, permit: Permit) -> None:
        """Begin a new cycle after a single refusal without a limit as its reason."""
        if self._cycle:
            self.learner.forgive(permit, self._cycle)
        self._begin_cycle(permit)
        self._suspect = None

    def _begin_block(self, now: float, permit: Permit) -> Block:
        suspect, self._suspect = self._suspect, None
        block = Block(suspect or permit, permit.sent, self._sent, now)
        if suspect:
            block.refuse(suspect)
            block.probe_refused = permit.sent > self._suspected_at
        return block

    def _unstated_wait(self, now: float, block: Block) -> float:
        rate = self.learner.rate.value
        least = max(LEAST_WAIT, 1 / rate) if rate else LEAST_WAIT
        if not block.probe_refused:
            return least if rate and not self.learner.slowdown.is_vain else FIRST_WAIT
        return min(max(least, WAIT_GROWTH * (now - block.first.sent)), LONGEST_WAIT)

    def _end_block(self, permit: Permit, block: Block) -> None:
        """End a block with the first accepted request, and learn from the block."""
        self._block = None
        self._ignored = block.last
        cycle = self._cycle
        # A block without a refusal waited for the end of a window, which may not exist.
        is_real = block.count or self.budget.is_known
        if cycle and is_real and cycle.begun < permit.sent and cycle.accepted(permit.number) > 1:
            self.learner.learn(permit, block, cycle)
        self._begin_cycle(permit)
        self.learner.concurrency.binds = False
        self.learner.rate.restart(permit.sent)
