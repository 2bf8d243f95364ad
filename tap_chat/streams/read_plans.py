"""The plans that a fan-out reads, and the results of their steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

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
class ReadPlan(Generic[T]):
    """A sequence of requests, sent by the reader itself or ahead of it by workers.

    Attributes:
        key: Identifies the plan: a reader finds a prefetched plan by its key.
        start: Starts the plan and returns its steps. Each takes one request.
        leads_to: Returns the plans that the reader reads after a value, in that order, before the
            next value; None if there are none. A wrong guess only costs requests.
    """

    key: Hashable
    start: Callable[[], Iterator[Fetched[T]]]
    leads_to: Callable[[T], Iterable[ReadPlan[Any]]] | None = None
