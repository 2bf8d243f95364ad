"""Placeholders for what no JSON decoder takes: half of a surrogate pair, NaN and the infinities.

JSON can spell half of a pair, but no string can hold it. NaN is no JSON, but Python writes it, and
so do many taps. A line is decoded with placeholders for them, so that it affects only the value
that has one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u([dD][89a-fA-F][\da-fA-F]{2})|.)"
)
# A string, or a non-finite number. No string contains a line break.
_NON_FINITE = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|(-?Infinity|NaN)')
#: What Python writes for doubles that are not finite.
NON_FINITE = frozenset({b"NaN", b"Infinity", b"-Infinity"})
#: Code points that are not characters (Unicode 23.7). The first that a text lacks is used in it.
PLACEHOLDERS = range(0xFDD0, 0xFDF0)


@dataclass(frozen=True, slots=True)
class PlaceholderText:
    """A JSON text with placeholders.

    Attributes:
        text: The text.
        prefix: The escape that a placeholder begins with: before the four digits of half of a pair;
            or before a number that is not finite, in a string of its own.
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
    """Return a JSON text with placeholders; None if it needs none."""
    halves = any(escape.group(1) for escape in _ESCAPE.finditer(text))
    if not halves and not has_non_finite(text):
        return None
    lower = text.lower()
    for code in PLACEHOLDERS:
        prefix = b"\\u%04x" % code
        if prefix not in lower:
            if halves:
                text = _replace(_ESCAPE, text, prefix + b"%b")
            return PlaceholderText(_replace(_NON_FINITE, text, b'"' + prefix + b'%b"'), prefix)
    return None


def has_non_finite(text: bytes) -> bool:
    """Return whether a JSON text has NaN or an infinity."""
    return (b"NaN" in text or b"Infinity" in text) and any(
        match.group(1) for match in _NON_FINITE.finditer(text)
    )


def _replace(pattern: re.Pattern[bytes], text: bytes, template: bytes) -> bytes:
    """Replace each match that has a group by a template with the group in it."""
    return pattern.sub(
        lambda match: template % match.group(1) if match.group(1) else match.group(), text
    )
