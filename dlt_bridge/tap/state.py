"""Singer STATE to and from what dlt keeps: the bookmark of a stream in its resource's state.

A stream's bookmark then shares the fate of its table: `refresh="drop_resources"` resets both. The
rest of a STATE is kept once for all, and may hold bookmarks in a shape of the tap's own. So it is
given back only if it is true of every stream to be read: see `mark`.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BOOKMARKS = "bookmarks"


def split(
    value: Mapping[str, Any], owner: Callable[[str], str | None]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Take a STATE apart.

    Args:
        value: The value of the STATE message.
        owner: Says which stream a key of `bookmarks` belongs to, None if to no single one.

    Returns:
        The bookmarks of each stream by their keys, and the rest of the value. A value that has no
        object `bookmarks` is all rest.
    """
    if not isinstance(value.get(BOOKMARKS), dict):
        return {}, dict(value)
    rest = {name: part for name, part in value.items() if name != BOOKMARKS}
    owned: dict[str, dict[str, Any]] = {}
    for key, bookmark in value[BOOKMARKS].items():
        stream = owner(key)
        home = rest.setdefault(BOOKMARKS, {}) if stream is None else owned.setdefault(stream, {})
        home[key] = bookmark
    return owned, rest


def join(bookmarks: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Put a STATE together again for the tap's next run.

    Args:
        bookmarks: The bookmarks of all streams by their keys.
        rest: As `split` returned it.
    """
    if not bookmarks:
        return dict(rest)
    return {**rest, BOOKMARKS: {**rest.get(BOOKMARKS, {}), **bookmarks}}


def mark(rest: Mapping[str, Any]) -> str:
    """Return a short text that stands for the rest of a STATE.

    A resource keeps the mark of the rest that it was read up to. One that lacks it was reset, or
    not read by the run that wrote the rest: to go on from there would leave a hole.
    """
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:16]
