"""The selection of streams by their names, with patterns and exclusions."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dlt_bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

_WILDCARD = re.compile(r"[*?]")


def checked_selection(select: Sequence[str] | None) -> list[str] | None:
    """Return the names of streams to select; None for all.

    Raises:
        BridgeError: There are none, or they are one text.
    """
    if isinstance(select, str):
        raise BridgeError('select takes a list of streams, as in select=["a"].')
    if select is not None and not select:
        raise BridgeError("select is empty, so nothing would be loaded. Without it, all is.")
    return None if select is None else list(select)


def split_selection(select: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Return the patterns of streams to read, and those of streams to leave out without `!`."""
    patterns = select or ()
    included = [pattern for pattern in patterns if not pattern.startswith("!")]
    return included, [pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")]


def matches(name: str, pattern: str) -> bool:
    """Return whether a name matches a pattern, in which only `*` and `?` are special."""
    return name == pattern or fnmatchcase(name, pattern.replace("[", "[[]"))


def matches_any(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a name matches one of several patterns."""
    return any(matches(name, pattern) for pattern in patterns)


def is_pattern(name: str) -> bool:
    """Return whether a name has wildcards."""
    return _WILDCARD.search(name) is not None
