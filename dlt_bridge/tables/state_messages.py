"""The STATEs of a package, by their lines: up to which of them a tap's output can be committed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlt_bridge.errors import MessageError
from dlt_bridge.tables.state_store import can_keep
from dlt_bridge.tap.messages import state_text, state_value

if TYPE_CHECKING:
    from collections.abc import Callable

#: STATEs that are remembered; of more, every other one is forgotten.
MOST_STATES = 64


@dataclass(frozen=True, slots=True)
class ReadState:
    """A STATE that was read.

    Attributes:
        number: The number of its line.
        line: The line.
    """

    number: int = 0
    line: bytes = b""

    @property
    def text(self) -> str:
        """The value as the tap wrote it."""
        return state_text(self.line)

    @property
    def value(self) -> dict[str, Any]:
        """The value, which dlt's state can keep; empty if no STATE was read.

        Raises:
            MessageError: It can't be kept.
        """
        if not self.line:
            return {}
        value = state_value(self.line, self.number)
        if not can_keep(value):
            raise MessageError(
                f"The STATE in line {self.number} can't be kept: it has an integer of more"
                " than 64 bits, a number beyond a double, a text that is none, or too many levels."
            )
        return value


class ReadStates:
    """The STATEs at which a package may end, in order. It is true if there is one."""

    def __init__(self) -> None:
        self._states: list[ReadState] = []

    def __bool__(self) -> bool:
        return bool(self._states)

    @property
    def last(self) -> ReadState:
        """The last of them."""
        return self._states[-1]

    def clear(self) -> None:
        """Forget them all: a package begins."""
        self._states = []

    def add(self, state: ReadState) -> None:
        """Add a STATE that was read."""
        self._states.append(state)
        if len(self._states) > MOST_STATES:
            del self._states[1:-1:2]

    def reached(self, undecoded: int | None) -> ReadState | None:
        """Return the STATE before which rows may be handed over; None if there is none.

        Before the first STATE, nothing can be committed without the rest up to it, so these rows
        may go ahead.

        Args:
            undecoded: The number of the first line that is not decoded, if there is one.
        """
        if not self._states:
            return None
        whole = len(self._states)
        if undecoded is not None:
            whole = bisect_left(self._states, undecoded, key=lambda state: state.number)
        return self._states[max(0, whole - 1)]

    def forget_before(self, state: ReadState) -> None:
        """Forget the STATEs before one: rows that came after them are handed over."""
        del self._states[: self._states.index(state)]

    def keep_while(self, holds: Callable[[int], bool]) -> None:
        """Keep the first of them: those for whose numbers something holds."""
        held = bisect_left(self._states, True, key=lambda state: not holds(state.number))
        del self._states[held:]

    def drop_unfit(self) -> None:
        """Forget the last of them that can't be kept."""
        while self._states:
            try:
                _ = self.last.value
            except MessageError:
                del self._states[-1]
            else:
                return
