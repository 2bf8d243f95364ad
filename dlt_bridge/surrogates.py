"""Lines with half of a surrogate pair, which JSON allows to be written, but no text can hold.

They are decoded with a stand-in for it, so that only the value that has it is special.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u([dD][89a-fA-F][\da-fA-F]{2})|.)"
)
# U+FDEF is no character; it can't be meant. The four digits after it are the half's.
_STAND_IN = rb"\\ufdef"
_STOOD_IN = re.compile(_STAND_IN + rb"([dD][89a-fA-F][\da-fA-F]{2})")


def guarded(text: bytes) -> bytes:
    """Return a JSON text with stand-ins for the halves of surrogate pairs."""
    return _ESCAPE.sub(
        lambda match: rb"\ufdef" + match.group(1) if match.group(1) else match.group(), text
    )


def restored(text: bytes) -> bytes:
    """Return a part of a guarded JSON text as it was."""
    return _STOOD_IN.sub(rb"\\u\1", text)
