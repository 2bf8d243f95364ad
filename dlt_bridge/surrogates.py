"""Lines with half of a surrogate pair, which JSON allows to be written, but no text can hold.

They are decoded with a stand-in for it, so that only the value that has it is special.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u([dD][89a-fA-F][\da-fA-F]{2})|.)"
)
#: Code points that are no characters (Unicode 23.7): the first that a text does not have stands in.
STAND_INS = range(0xFDD0, 0xFDF0)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A JSON text without halves of surrogate pairs.

    Attributes:
        text: The text, with stand-ins.
        stand_in: The escape that stands before the four digits of each half.
    """

    text: bytes
    stand_in: bytes

    def restored(self, part: bytes) -> bytes:
        """Return a part of the text as it was."""
        return part.replace(self.stand_in, b"\\u")


def guarded(text: bytes) -> Guarded | None:
    """Return a JSON text with stand-ins for halves of surrogate pairs; None if it has none."""
    if not any(escape.group(1) for escape in _ESCAPE.finditer(text)):
        return None
    lower = text.lower()
    for code in STAND_INS:
        stand_in = b"\\u%04x" % code
        if stand_in not in lower:
            made = _ESCAPE.sub(
                lambda escape: stand_in + escape.group(1) if escape.group(1) else escape.group(),  # noqa: B023
                text,
            )
            return Guarded(made, stand_in)
    return None
