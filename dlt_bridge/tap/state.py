"""Splits a Singer STATE into the bookmarks of each stream and the rest, and joins them again.

dlt keeps the bookmark of a stream in the state of its resource, so that `refresh="drop_resources"`
resets it with the table. The rest of a STATE is kept once, and may hold bookmarks in a form of the
tap's own. So the tap gets it back only if it holds for every stream to be read: see `fingerprint`.
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
    """Split a STATE.

    Args:
        value: The value of the STATE message.
        owner: Returns the stream that a key of `bookmarks` belongs to, or None if it is unclear.

    Returns:
        The bookmarks of each stream by their keys, and the rest of the value. A value without an
        object `bookmarks` is all rest.
    """
    if not isinstance(value.get(BOOKMARKS), dict):
        return {}, dict(value)
    rest = {name: part for name, part in value.items() if name != BOOKMARKS}
    owned: dict[str, dict[str, Any]] = {}
    for key, bookmark in value[BOOKMARKS].items():
        stream = owner(key)
        part = rest.setdefault(BOOKMARKS, {}) if stream is None else owned.setdefault(stream, {})
        part[key] = bookmark
    return owned, rest


def join(bookmarks: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Join a STATE for the tap's next run.

    Args:
        bookmarks: The bookmarks of all streams by their keys.
        rest: As `split` returned it.
    """
    if not bookmarks:
        return dict(rest)
    return {**rest, BOOKMARKS: {**rest.get(BOOKMARKS, {}), **bookmarks}}


def fingerprint(rest: Mapping[str, Any]) -> str:
    """Return a short text that identifies the rest of a STATE.

    A resource keeps the fingerprint of the rest that it was read up to. A resource without it was
    reset, or not read by the run that wrote the rest: to continue from there would leave a gap.
    """
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:16]
