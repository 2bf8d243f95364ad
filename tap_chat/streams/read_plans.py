"""What can be read ahead: plans, and the results of their steps."""

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
        value: What the reader gets.
        size: The bytes that it counts while it waits.
        last: Whether it is known that no step follows.
    """

    value: T_co
    size: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True)
class ReadPlan(Generic[T]):
    """Something to read, by the reader itself or ahead of it.

    Attributes:
        key: Identifies the plan: the reader asks for it with a plan of the same key.
        start: Returns the steps. Each takes one request, which is sent when the step is asked for.
        leads_to: From a value to the plans that the reader reads next, in that order, before the
            next value; None if there are none. A wrong guess only costs requests.
    """

    key: Hashable
    start: Callable[[], Iterator[Fetched[T]]]
    leads_to: Callable[[T], Iterable[ReadPlan[Any]]] | None = None
