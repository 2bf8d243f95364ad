"""Singer STATE to and from what dlt keeps: the bookmark of a stream in its resource's state.

A stream's bookmark then shares the fate of its table: `refresh="drop_resources"` resets both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOKMARKS = "bookmarks"


def split(value: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take a STATE apart.

    Args:
        value: The value of the STATE message.

    Returns:
        The bookmark of each stream, and the rest of the value; a value that has no object
        `bookmarks` is all rest.
    """
    if not isinstance(value.get(BOOKMARKS), dict):
        return {}, dict(value)
    rest = {name: part for name, part in value.items() if name != BOOKMARKS}
    return dict(value[BOOKMARKS]), rest


def join(bookmarks: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Put a STATE together again for the tap's next run; arguments as `split` returns them."""
    return dict(rest) | ({BOOKMARKS: dict(bookmarks)} if bookmarks else {})
