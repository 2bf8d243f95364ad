"""What a user hands over as files: the config, the catalog and the state."""

from __future__ import annotations

import json
import logging
from io import StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tap_chat.config.errors import config_error
from tap_chat.http import responses

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)


def check_config(path: str) -> None:
    """Check that a file of settings can be read and is a JSON object.

    Args:
        path: The file.

    Raises:
        ConfigValidationError: It is not.
    """
    try:
        body = Path(path).read_bytes()
    except OSError as error:
        raise config_error(f"The config file {path} can't be read: {error.strerror}.") from None
    _check(body, f"The config file {path}")


def checked(file: IO[str] | None, name: str) -> IO[str] | None:
    """Check that a file is a JSON object, and return it to be read again.

    Args:
        file: The file, or None.
        name: What it is, for errors: `state` or `catalog`.

    Raises:
        ConfigValidationError: It is not.
    """
    if file is None:
        return None
    try:
        text = file.read()
    except UnicodeDecodeError:
        text = ""
    _check(text.encode(), f"The {name} file")
    return StringIO(text)


def state_value(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state without the STATE message around it, if it has one.

    Runners hand back the last line of a target. Earlier versions of target-dlt wrote the whole
    message, so stored states have it; what a runner has merged into such a state is newer.

    Args:
        state: What was handed over as the state.
    """
    if state.get("type") != "STATE" or not isinstance(state.get("value"), dict):
        return dict(state)
    logger.warning("The state is a whole STATE message. Its value is used.")
    value = state_value(state["value"])
    newer = {name: part for name, part in state.items() if name not in {"type", "value"}}
    if isinstance(older := value.get("bookmarks"), dict) and isinstance(
        bookmarks := newer.get("bookmarks"), dict
    ):
        newer["bookmarks"] = {**older, **bookmarks}
    return {**value, **newer}


def check_state(state: Mapping[str, Any]) -> None:
    """Check the shape of a state.

    Args:
        state: The value of a STATE message, or nothing.

    Raises:
        ConfigValidationError: It is something else, and bookmarks in it would be overlooked.
    """
    bookmarks = state.get("bookmarks")
    if state and not isinstance(bookmarks, dict):
        raise config_error(
            "The state has no object `bookmarks`. It must be the value of a STATE message of"
            " tap-chat."
        )
    for stream, bookmark in (bookmarks or {}).items():
        if not isinstance(bookmark, dict):
            raise config_error(f"The state's bookmark of {stream} is no object.")
        if not isinstance(bookmark.get("progress_markers", {}), dict):
            raise config_error(f"The state's bookmark of {stream} has a wrong `progress_markers`.")
        if bookmark.get("partitions", []) != []:
            raise config_error(
                f"The state's bookmark of {stream} has `partitions`, which tap-chat does not write:"
                " it is of another tap. Begin without it."
            )


def _check(body: bytes, subject: str) -> None:
    try:
        value = responses.decode(body)
    except json.JSONDecodeError as error:
        if not body.strip():
            raise config_error(f"{subject} is empty.") from None
        line, column = error.lineno, error.colno
        raise config_error(f"{subject} is no JSON: line {line}, column {column}.") from None
    except (ValueError, responses.UnreadableError):
        raise config_error(f"{subject} is no JSON.") from None
    if not isinstance(value, dict):
        raise config_error(f"{subject} is {responses.describe_shape(value)}, not an object.")
