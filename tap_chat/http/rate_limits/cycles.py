"""What was sent, and what came of it, from one refusal to the next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """A request that was let through.

    Attributes:
        number: Its place among all that were.
        sent: When, by the clock.
        flying: How many were under way at that moment, with it.
        surely: How many of them the server had surely got before it, and this one.
    """

    number: int
    sent: float
    flying: int
    surely: int


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
        last: The last number that was sent before anybody knew, or the last that looked.
        next: When the next one may look.
        count: How many were refused.
        peak: The most that were under way when one of them was sent.
        told: Whether a time to wait was told.
        looked: Whether a request was refused that was sent to look.
    """

    first: Turn
    refused: float
    last: int
    next: float
    count: int = 0
    peak: int = 0
    told: bool = False
    looked: bool = False

    def refuse(self, turn: Turn) -> None:
        """Note that a request was refused."""
        self.count += 1
        self.peak = max(self.peak, turn.flying)
        self.refused = max(self.refused, turn.sent)
        if turn.sent < self.first.sent:
            self.first = turn

    @property
    def too_many(self) -> int:
        """The least number of requests at once that is too many, if it was for their number."""
        return self.peak - self.count + 1
