"""What the pacer keeps about a request, a cycle and a block."""

from __future__ import annotations

from dataclasses import dataclass

# Seconds by which a request may overtake another on its way.
OVERTAKING = 0.01


@dataclass(frozen=True, slots=True)
class Permit:
    """The permission to send one request.

    Attributes:
        number: The number of the request, counted from 1.
        sent: The time at which it was sent, in seconds.
        in_flight: The number of requests without a response at that time, this one included.
        surely_arrived: The number of these that the server had certainly received, plus 1.
    """

    number: int
    sent: float
    in_flight: int
    surely_arrived: int


@dataclass(slots=True)
class Cycle:
    """The requests from the first one that is accepted after a block to the next block.

    Attributes:
        begun: The time at which the first one was sent.
        before: The number of the request before it.
        lost: The number of requests that were refused, or failed.
    """

    begun: float
    before: int
    lost: int = 0

    def accepted(self, number: int) -> int:
        """Return how many requests were accepted up to one, those in flight included.

        Args:
            number: The number of the request.
        """
        return number - self.before - self.lost


@dataclass(slots=True)
class Block:
    """The time from a refusal to the next accepted request. Only probes are sent, one at a time.

    Attributes:
        first: The earliest of the refused requests.
        refused: The time at which the latest of them was sent.
        last: The number of the last request that was sent before the refusal was known, or of the
            last probe.
        next: The time at which the next probe may be sent.
        count: The number of refused requests.
        peak: The most requests in flight when one of them was sent.
        wait_stated: Whether the server stated a time to wait.
        probe_refused: Whether a probe was refused.
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
        """Take note of a refused request."""
        self.count += 1
        self.peak = max(self.peak, permit.in_flight)
        self.refused = max(self.refused, permit.sent)
        if permit.sent < self.first.sent:
            self.first = permit

    @property
    def too_many(self) -> int:
        """The number of requests in flight that is too many, if the number was the reason."""
        return self.peak - self.count + 1
