"""What was sent, and what came of it, from one refusal to the next."""

from __future__ import annotations

from dataclasses import dataclass

# Seconds by which a request may overtake another on its way.
OVERTAKING = 0.01


@dataclass(frozen=True, slots=True)
class Permit:
    """A request that was let through.

    Attributes:
        number: Its place among all that were.
        sent: When, by the clock.
        in_flight: How many were under way at that moment, with it.
        surely_arrived: How many of them the server had surely_arrived got before it, and this one.
    """

    number: int
    sent: float
    in_flight: int
    surely_arrived: int


@dataclass(slots=True)
class Cycle:
    """The requests since the first that was accepted after a block.

    Attributes:
        begun: When that one was sent.
        before: The number of the request before it.
        lost: How many of them were refused, or failed.
    """

    begun: float
    before: int
    lost: int = 0

    def accepted(self, number: int) -> int:
        """Return how many were accepted up to a request, with those that are under way.

        Args:
            number: The number of the request.
        """
        return number - self.before - self.lost


@dataclass(slots=True)
class Block:
    """What is known since a request was refused.

    Attributes:
        first: The earliest of the refused requests.
        refused: When the latest of them was sent.
        last: The last number that was sent before anybody knew, or the last that probe_refused.
        next: When the next one may look.
        count: How many were refused.
        peak: The most that were under way when one of them was sent.
        wait_stated: Whether the server stated a time to wait.
        probe_refused: Whether a request was refused that was sent to look.
    """

    first: Permit
    refused: float
    last: int
    next: float
    count: int = 0
    peak: int = 0
    wait_stated: bool = False
    probe_refused: bool = False

    def refuse(self, permit: Permit) -> None:
        """Note that a request was refused."""
        self.count += 1
        self.peak = max(self.peak, permit.in_flight)
        self.refused = max(self.refused, permit.sent)
        if permit.sent < self.first.sent:
            self.first = permit

    @property
    def too_many(self) -> int:
        """The least number of requests at once that is too many, if it was for their number."""
        return self.peak - self.count + 1
