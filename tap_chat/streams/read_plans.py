"""The plans that a fan-out reads, and the results of their steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Fetched(NamedTuple, Generic[T_co]):
    """The result of one request.

    Attributes:
        value: The value for the reader.
        size: The bytes that it takes in the buffer.
        last: Whether it is known that no step follows.
    """

    value: T_co
    size: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True)
class Expected(Generic[T]):
    """A request that a plan expects to need.

    Attributes:
        request: The request.
        is_check: Whether it reads something again. Then it is not sent before the expected requests
            before it, other than checks, have returned a value.
    """

    request: T
    is_check: bool = False


class RequestsAhead:
    """The requests that a plan sends ahead of its next one. This class sends none.

    Attributes:
        most: The maximum number of requests that may be sent ahead.
    """

    most = 0

    def take(
        self,
        expected: Sequence[Expected[T]],  # noqa: ARG002 - nothing is sent
        send: Callable[[T, Callable[[], bool]], Fetched[Any]],  # noqa: ARG002
    ) -> Fetched[Any] | None:
        """Return the response to the next request, if it was sent ahead, and send others ahead.

        Args:
            expected: The next request, and those that the plan expects to need after it, in this
                order. Requests that were sent ahead and are not among these are dropped.
            send: Sends a request ahead once, and returns its response. It is given the request, and
                a function that returns whether the response is still wanted. If it raises an error,
                or its value is None, the plan sends the request itself in its turn.

        Returns:
            The response to the first request. None if it was not sent, or has failed: then the plan
            sends it itself.
        """
        return None

    def drop(self) -> None:
        """Drop the requests that were sent ahead."""


@dataclass(frozen=True, slots=True)
class ReadPlan(Generic[T]):
    """A sequence of requests, sent by the reader itself or ahead of it by workers.

    Attributes:
        key: Identifies the plan: a reader finds a prefetched plan by its key.
        start: Starts the plan and returns its steps. Each takes one request. It is given what the
            plan needs to send requests ahead.
        leads_to: Returns the plans that the reader reads after a value, in that order, before the
            next value; None if there are none. A wrong guess only costs requests.
    """

    key: Hashable
    start: Callable[[RequestsAhead], Iterator[Fetched[T]]]
    leads_to: Callable[[T], Iterable[ReadPlan[Any]]] | None = None
