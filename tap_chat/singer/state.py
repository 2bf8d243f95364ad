"""Checks of the state that a runner passes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tap_chat.config.errors import config_error

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)


def unwrap_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of a state, even if the state is a whole STATE message.

    Runners store the last line of a target. Earlier versions of target-dlt wrote the whole message,
    so a stored state may be one. Entries next to its `value` are newer: a runner merged them into
    it.

    Args:
        state: The state that the runner passes.
    """
    if state.get("type") != "STATE" or not isinstance(state.get("value"), dict):
        return dict(state)
    logger.warning("The state is a whole STATE message. Its value is used.")
    value = unwrap_state(state["value"])
    newer = {name: part for name, part in state.items() if name not in {"type", "value"}}
    if isinstance(older := value.get("bookmarks"), dict) and isinstance(
        bookmarks := newer.get("bookmarks"), dict
    ):
        newer["bookmarks"] = {**older, **bookmarks}
    return {**value, **newer}


def check_state(state: Mapping[str, Any]) -> None:
    """Check the structure of a state, so that no bookmark in it is overlooked.

    Args:
        state: The value of a STATE message; empty in a first run.

    Raises:
        ConfigValidationError: It is not the value of a STATE message of tap-chat.
    """
    bookmarks = state.get("bookmarks")
    if state and not isinstance(bookmarks, dict):
        raise config_error(
            "The state has no object `bookmarks`. It must be the value of a STATE message of"
            " tap-chat."
        )
    for stream, bookmark in (bookmarks or {}).items():
        if not isinstance(bookmark, dict):
            raise config_error(f"The state's bookmark of {stream} is not an object.")
        if not isinstance(bookmark.get("progress_markers", {}), dict):
            raise config_error(f"The state's bookmark of {stream} has a wrong `progress_markers`.")
        if bookmark.get("partitions", []) != []:
            raise config_error(
                f"The state's bookmark of {stream} has `partitions`, which tap-chat does not write:"
                " it belongs to another tap. Start without it."
            )
