"""When the next request may be sent: decided by the clock alone, without waiting for it.

The first refusal blocks everything but one request at a time, which looks whether the server lets
requests through again. From one block to the next is a cycle: what was accepted in it, by its
seconds, is the rate that the server allows.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tap_chat.http.rate_limits.budget import Budget, given
from tap_chat.http.rate_limits.ceilings import LEAST_PATIENCE, PATIENCE, AtOnce, Rate, Slower
from tap_chat.http.rate_limits.cycles import Block, Cycle, Turn

if TYPE_CHECKING:
    from tap_chat.http.rate_limits.headers import LimitHeaders

# Seconds: the first wait after a refusal that tells none, where no rate is known and then; the next
# is this part of the time since the refusal, but no longer than a minute.
FIRST_WAIT, LEAST_WAIT, WAIT_GROWTH, LONGEST_WAIT = 0.02, 0.1, 0.4, 60.0

# So many accepted for each refusal that passes at once: no limit, or one that is hardly exceeded.
# No cycle counts for more than so many.
STRAY, MANY = 40, 120
# Seconds by which a request may overtake another on its way.
OVERTAKING = 0.01
# So many cycles are remembered for it.
REMEMBERED = 6
# From so many accepted on, the rate of a cycle is trusted, and two may be compared.
ENOUGH = 8
# Two numbers that are about the same.
SAME = 1.15
# So far below what was refused it goes on, at least, if nothing else is known.
DOWN = 0.85
# The same, and where it goes back to, if waiting as long as was told may have been needless; and
# if the end of a window came without a refusal.
DOWN_IF_TOLD, BACK_IF_TOLD = 0.9, 0.96
DOWN_UNREFUSED, BACK_UNREFUSED = 0.95, 0.98
# So far below the rate that was measured.
BELOW = 0.98
# A block of less than this part of its cycle is short. A cycle of less than that part of the one
# before, after a short block, belongs to it.
SHORT, LITTLE = 0.05, 0.1
# Of the accepted requests no more were among as many as one that was refused for being too many.
RARE = 0.02
# Seconds: the end of a window that is so near is told roughly, in whole seconds.
ROUGH = 10.0


def alike(one: float, other: float) -> bool:
    """Say whether two numbers are about the same."""
    return one / SAME < other < one * SAME


class Pacer:
    """Finds the rate that a server allows.

    Every moment is by one clock that never goes back.

    Args:
        requests_per_minute: The rate limit of the settings, None if it is not known.
        workers: The most requests at once.

    Attributes:
        rate: The rate that was found.
        at_once: The number of requests at once that was found.
        budget: What the server tells that is left.
        slower: Whether it helps to be slower.
        learned: How often something was found.
        is_sure: Whether the rate is more than a first guess.
    """

    def __init__(self, requests_per_minute: float | None, workers: int) -> None:
        self.rate = Rate()
        self.at_once = AtOnce(workers)
        self.budget = Budget()
        self.slower = Slower()
        self.learned = 0
        self.is_sure = False
        self._given = given(requests_per_minute)
        self._paused_until = 0.0
        self._sent = 0
        self._flying = 0
        self._recent: deque[float] = deque()
        self._block: Block | None = None
        self._ignored = 0  # up to this number, refusals say what is known
        self._suspect: Turn | None = None  # a refusal that is none of a limit, perhaps
        self._suspected_at = 0.0
        self._cycle: Cycle | None = None
        self._before: Cycle | None = None  # the one before, if the block between was short
        self._counts: deque[int] = deque(maxlen=REMEMBERED)
        self._as_told: tuple[int, float, float] | None = None
        self._longest = 0.0  # the longest block, as far as the server's window is known by it
        # How many requests were accepted that were sent with so many under way.
        self._by_flying = [0.0] * (workers + 1)

    def delay(self, now: float) -> float:
        """Return the seconds until a request may be sent; infinite until one has returned."""
        delay = self._paused_until - now
        if self._given:
            delay = max(delay, self._given.delay(now))
        if self._block:
            looks = self._sent > self._block.last
            return float("inf") if looks else max(delay, self._block.next - now)
        if not self._flying:
            self.budget.settle(now)
        delay = max(delay, self.budget.delay(now), self.rate.delay(now))
        if delay <= 0 and self._flying >= self.at_once.now:
            self.at_once.binds = True
            return float("inf")
        return delay

    def send(self, now: float) -> Turn:
        """Count a request that is sent now."""
        self._sent += 1
        self._flying += 1
        while self._recent and self._recent[0] < now - OVERTAKING:
            self._recent.popleft()
        surely = max(1, self._flying - len(self._recent))
        self._recent.append(now)
        if self._given:
            self._given.count_in(now)
        self.budget.send()
        if not self._block:
            self.rate.send(now)
            self.at_once.send(now, self._flying)
        return Turn(self._sent, now, self._flying, surely)

    def pause(self, now: float, seconds: float) -> None:
        """Let nobody send a request for so many seconds."""
        self._paused_until = max(self._paused_until, now + seconds)

    def accepted(self, now: float, turn: Turn, told: LimitHeaders) -> None:
        """Note that a request was answered, and not refused."""
        self._flying -= 1
        self._by_flying[min(turn.surely, len(self._by_flying) - 1)] += 1
        self.budget.accept(told)
        self.budget.hear(now, turn.sent, self._sent - turn.number, self._flying, told)
        if not self._cycle:
            self._begin(turn)
        if block := self._block:
            # One that was sent later than what was refused tells that it passed at once.
            later = not block.told and turn.sent > block.refused + OVERTAKING
            if later or turn.number > block.last:
                self._open(turn, block)
            return
        if self._suspect and turn.sent > self._suspect.sent + OVERTAKING:
            self._pass_over(turn)
        if self._flying:
            return
        self.budget.settle(now)
        ends = self.budget.ends
        if ends is not None and 0 < ends - now < ROUGH:
            self._block = Block(turn, turn.sent, self._sent, ends, told=True)

    def refused(self, now: float, turn: Turn, told: LimitHeaders) -> None:
        """Note that a request was over the limit."""
        self._lose(turn)
        if turn.flying == 1 and turn.number == self._sent:
            self.at_once.refute()
        self.budget.contradict(told)
        self.budget.hear(now, turn.sent, self._sent - turn.number, self._flying, told)
        block = self._block
        if not block:
            if turn.number <= self._ignored:
                return
            if not told.wait and self._is_stray(turn):
                self._suspect, self._suspected_at = turn, now
                return
            block = self._block = self._blocked(now, turn)
        looked = turn.number > block.last
        block.looked |= looked
        if looked:
            block.last = self._sent
        block.refuse(turn)
        if told.wait:
            block.told = True
            block.next = max(block.next, now + told.wait)
        elif looked or not block.told:
            block.next = max(block.next, now + self._untold_wait(now, block))

    def failed(self, now: float, turn: Turn) -> None:
        """Note that there was no answer, or an error of the server."""
        self._lose(turn)
        if (block := self._block) and turn.number > block.last:
            block.last = self._sent
            block.next = max(block.next, now + self._untold_wait(now, block))

    def _lose(self, turn: Turn) -> None:
        self._flying -= 1
        if self._cycle and turn.number > self._cycle.before:
            self._cycle.lost += 1

    def _begin(self, turn: Turn) -> None:
        self._cycle = Cycle(turn.sent, turn.number - 1)

    def _is_stray(self, turn: Turn) -> bool:
        """Say whether a refusal is the only one of so many requests that it is no limit's."""
        if not self._cycle or self._suspect or self._blames_number(turn.flying):
            return False
        return self._are_rare(self._cycle.accepted(self._sent) - self._flying, 1)

    def _are_rare(self, accepted: int, refused: int) -> bool:
        """Say whether refusals are so rare that a lower rate would cost more than they do.

        Args:
            accepted: How many requests were accepted in this cycle.
            refused: How many were refused.
        """
        return min(accepted, MANY) + sum(self._counts) >= STRAY * (refused + len(self._counts))

    def _pass_over(self, turn: Turn) -> None:
        """Begin a new cycle after a refusal that passed at once."""
        if self._cycle:
            self._counts.append(min(self._cycle.accepted(turn.number - 1), MANY))
            self._before = self._cycle
        self._begin(turn)
        self._suspect = None

    def _blocked(self, now: float, turn: Turn) -> Block:
        suspect, self._suspect = self._suspect, None
        block = Block(suspect or turn, turn.sent, self._sent, now)
        if suspect:
            block.refuse(suspect)
            block.looked = turn.sent > self._suspected_at
        return block

    def _untold_wait(self, now: float, block: Block) -> float:
        known = self.rate.now
        least = max(LEAST_WAIT, 1 / known) if known else LEAST_WAIT
        if not block.looked:
            return least if known and not self.slower.is_vain else FIRST_WAIT
        return min(max(least, WAIT_GROWTH * (now - block.first.sent)), LONGEST_WAIT)

    def _open(self, turn: Turn, block: Block) -> None:
        """End a block with the first request that was accepted, and learn from it."""
        self._block = None
        self._ignored = block.last
        cycle = self._cycle
        # Without a refusal it waited for the end of a window; of none if that was false.
        is_true = block.count or self.budget.is_known
        if cycle and is_true and cycle.begun < turn.sent and cycle.accepted(turn.number) > 1:
            self._learn(turn, block, cycle)
        self._begin(turn)
        self.at_once.binds = False
        self.rate.restart(turn.sent)

    def _learn(self, turn: Turn, block: Block, cycle: Cycle) -> None:
        count = cycle.accepted(turn.number - 1)
        rare = not block.told and not block.looked and self._are_rare(count, block.count)
        self._counts.append(min(count // max(1, block.count), MANY))
        waited = turn.sent - block.first.sent
        if (before := self._before) and (
            waited > SHORT * (turn.sent - before.begun)
            and count < LITTLE * before.accepted(cycle.before)
        ):
            before.lost += cycle.lost
            cycle, count = before, before.accepted(turn.number - 1)
        length = turn.sent - cycle.begun
        self._before = cycle if waited < SHORT * length else None
        self.learned += 1
        self._by_flying = [number / 2 for number in self._by_flying]
        # What was waited without knowing that it was necessary.
        cost = turn.sent - block.refused
        if not block.looked and self._blames_number(block.too_many):
            patience = max(LEAST_PATIENCE, PATIENCE * cost)
            self.at_once.lower(turn.sent, block.too_many - 1, patience)
            return
        if rare:
            return
        if block.told and self.budget.is_known and (waited > ROUGH or cost < LITTLE * length):
            # What is left is told: a rate is needed only where that is rough.
            return
        if block.told and not block.looked:
            self._learn_as_told(block, cycle, count, length, cost)
            return
        self.is_sure = True
        self._longest = max(waited, 0.97 * self._longest)
        lowest = count / length
        highest = count / max(block.refused - cycle.begun, OVERTAKING)
        if self.rate.now:
            highest = max(lowest, min(highest, self.rate.now))
        rate = (lowest * highest) ** 0.5
        if self.rate.now:
            if faster := self.slower.refused(highest, lowest):
                self.rate.set(faster, faster, cost, 0.0)
                return
            if count < ENOUGH:
                rate = max(rate, DOWN * self.rate.now)
        ceiling = rate if block.looked else highest
        self.rate.set(rate * BELOW, ceiling, cost, self._longest)

    def _learn_as_told(
        self, block: Block, cycle: Cycle, count: int, length: float, cost: float
    ) -> None:
        """Learn from a block that was as long as the server told, which may be too long.

        As many requests in as long a cycle, although they were sent faster or more slowly, say that
        it was right: so many are the window's. Otherwise the rate is looked for between that of the
        whole cycle and that which was refused, as a refusal may cost more than it is worth.
        """
        active = max(block.first.sent - cycle.begun, OVERTAKING)
        lowest, reached = count / length, self.rate.now or count / active
        last, self._as_told = self._as_told, (count, length, active)
        if not last:
            self.rate.set(lowest, reached, cost, 0.0)
            return
        self.is_sure = True
        same = count >= ENOUGH and alike(count, last[0]) and alike(length, last[1])
        if same and not alike(active, last[2]):
            self.rate.set(max(lowest, last[0] / last[1]) * BELOW, lowest, cost, 0.0)
            return
        down, back = DOWN_IF_TOLD, BACK_IF_TOLD
        if not block.count:
            down, back = DOWN_UNREFUSED, BACK_UNREFUSED
        self.rate.set(max(lowest, down * reached), back * reached, cost, 0.0)

    def _blames_number(self, too_many: int) -> bool:
        """Say whether a request was refused for the number of those that were under way.

        Args:
            too_many: That number.
        """
        if too_many <= 1 or self.at_once.is_refuted:
            return False
        if self.at_once.is_limited and self.at_once.binds:
            return True
        many = sum(self._by_flying[too_many:])
        return many < RARE * sum(self._by_flying)
