"""Text from outside, such as names of streams, made safe for a terminal and a log."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    """Return a text with line breaks, control characters and similar characters escaped.

    Args:
        text: The text.
        keep: Characters that are not escaped, such as a line break.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in keep
        else character.encode("unicode_escape").decode()
        for character in text
    )
