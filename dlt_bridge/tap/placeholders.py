"""Lines that no JSON decoder takes whole: with half of a surrogate pair, NaN or an infinity.

JSON allows the half of a pair to be written, but no text can hold it. NaN is no JSON, but Python
writes it, and so do many taps. Lines are decoded with stand-ins for such, so that only the value
that has one is special.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u([dD][89a-fA-F][\da-fA-F]{2})|.)"
)
# A string, or what Python writes for a double that is no number. No string goes on in another line.
_NO_NUMBER = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|(-?Infinity|NaN)')
#: What Python writes for doubles that are no numbers.
NON_FINITE = frozenset({b"NaN", b"Infinity", b"-Infinity"})
#: Code points that are no characters (Unicode 23.7): the first that a text does not have stands in.
STAND_INS = range(0xFDD0, 0xFDF0)


@dataclass(frozen=True, slots=True)
class PlaceholderText:
    """A JSON text without halves of surrogate pairs, NaN and infinities.

    Attributes:
        text: The text, with stand-ins.
        prefix: The escape that stands before the four digits of each half, and, in a string of
            its own, before what is no number.
    """

    text: bytes
    prefix: bytes

    def restored(self, part: bytes) -> bytes:
        """Return a part of the text as it was."""
        if self.prefix not in part:
            return part
        for word in NON_FINITE:
            part = part.replace(b'"%b%b"' % (self.prefix, word), word)
        return part.replace(self.prefix, b"\\u")


def add_placeholders(text: bytes) -> PlaceholderText | None:
    """Return a JSON text with stand-ins; None if it needs none."""
    halves = any(escape.group(1) for escape in _ESCAPE.finditer(text))
    if not halves and not has_non_finite(text):
        return None
    lower = text.lower()
    for code in STAND_INS:
        stand_in = b"\\u%04x" % code
        if stand_in not in lower:
            made = _replaced(_ESCAPE, text, lambda half: stand_in + half) if halves else text  # noqa: B023
            made = _replaced(_NO_NUMBER, made, lambda word: b'"%b%b"' % (stand_in, word))  # noqa: B023
            return PlaceholderText(made, stand_in)
    return None


def has_non_finite(text: bytes) -> bool:
    """Say whether a JSON text has NaN or an infinity."""
    return (b"NaN" in text or b"Infinity" in text) and any(
        found.group(1) for found in _NO_NUMBER.finditer(text)
    )


def _replaced(form: re.Pattern[bytes], text: bytes, made: Callable[[bytes], bytes]) -> bytes:
    """Replace what a form has as its group, and nothing of what it matches else."""
    return form.sub(lambda found: made(found.group(1)) if found.group(1) else found.group(), text)
