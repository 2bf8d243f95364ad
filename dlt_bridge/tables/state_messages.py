"""The STATEs that were read for a package, and the last of them that it can end at."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlt_bridge.errors import MessageError
from dlt_bridge.tables.state_store import can_save
from dlt_bridge.tap.messages import state_text, state_value

if TYPE_CHECKING:
    from collections.abc import Callable

#: The most STATEs that are held. Beyond that, every other one is dropped.
MAX_STATES = 64


@dataclass(frozen=True, slots=True)
class ReadState:
    """A STATE that was read. Its line is empty if none was read.

    Attributes:
        number: The number of the line.
        line: The line.
    """

    number: int = 0
    line: bytes = b""

    @property
    def text(self) -> str:
        """The value as the tap wrote it, as JSON text."""
        return state_text(self.line)

    @property
    def value(self) -> dict[str, Any]:
        """The value; empty if no STATE was read.

        Raises:
            MessageError: dlt's state can't hold the value.
        """
        if not self.line:
            return {}
        value = state_value(self.line, self.number)
        if not can_save(value):
            raise MessageError(
                f"The STATE in line {self.number} can't be kept: it has an integer of more"
                " than 64 bits, a number beyond a double, invalid text, or too many levels."
            )
        return value


class ReadStates:
    """The STATEs at which a package may end, in order. It is true if it holds one."""

    def __init__(self) -> None:
        self._states: list[ReadState] = []

    def __bool__(self) -> bool:
        return bool(self._states)

    @property
    def last(self) -> ReadState:
        """The last STATE."""
        return self._states[-1]

    def clear(self) -> None:
        """Drop all STATEs: a package begins."""
        self._states = []

    def add(self, state: ReadState) -> None:
        """Add a STATE that was read."""
        self._states.append(state)
        if len(self._states) > MAX_STATES:
            del self._states[1:-1:2]

    def reached(self, undecoded: int | None) -> ReadState | None:
        """Return the STATE before which rows may be handed to dlt; None if there is no STATE.

        Rows before the first STATE may always go: nothing is committed without all rows up to it.

        Args:
            undecoded: The number of the first line that is not decoded; None if all are.
        """
        if not self._states:
            return None
        whole = len(self._states)
        if undecoded is not None:
            whole = bisect_left(self._states, undecoded, key=lambda state: state.number)
        return self._states[max(0, whole - 1)]

    def drop_before(self, state: ReadState) -> None:
        """Drop the STATEs before a STATE: rows that came after them are handed to dlt."""
        del self._states[: self._states.index(state)]

    def keep_while(self, holds: Callable[[int], bool]) -> None:
        """Drop the STATEs from the first on for whose line a condition does not hold.

        Args:
            holds: The condition. If it does not hold for a line, it holds for no later line.
        """
        held = bisect_left(self._states, True, key=lambda state: not holds(state.number))
        del self._states[held:]

    def drop_unfit(self) -> None:
        """Drop the last STATEs until dlt's state can hold the last one."""
        while self._states:
            try:
                _ = self.last.value
            except MessageError:
                del self._states[-1]
            else:
                return
