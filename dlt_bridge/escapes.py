"""Names that others gave, as a terminal and a log may be shown them."""

from __future__ import annotations


def shown(text: str, *, keep: str = "") -> str:
    """Return a text without what a terminal or a log would take for its own.

    Args:
        text: The text.
        keep: Characters that stay, such as a line break.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in keep
        else character.encode("unicode_escape").decode()
        for character in text
    )
