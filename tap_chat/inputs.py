"""What a user hands over as files: the config, the catalog and the state."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tap_chat import answers
from tap_chat.settings import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        raise invalid(f"The config file {path} can't be read: {error.strerror}.") from None
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


def check_state(state: Mapping[str, Any]) -> None:
    """Check the shape of a state.

    Args:
        state: The value of a STATE message, or nothing.

    Raises:
        ConfigValidationError: It is something else, and bookmarks in it would be overlooked.
    """
    bookmarks = state.get("bookmarks")
    if state and not isinstance(bookmarks, dict):
        raise invalid(
            "The state has no object `bookmarks`. It must be the `value` of a STATE message,"
            " without the message around it."
        )
    for stream, bookmark in (bookmarks or {}).items():
        if not isinstance(bookmark, dict):
            raise invalid(f"The state's bookmark of {stream} is no object.")
        if not isinstance(bookmark.get("progress_markers", {}), dict):
            raise invalid(f"The state's bookmark of {stream} has a wrong `progress_markers`.")
        if bookmark.get("partitions", []) != []:
            raise invalid(
                f"The state's bookmark of {stream} has `partitions`, which tap-chat does not write:"
                " it is of another tap. Begin without it."
            )


def _check(body: bytes, subject: str) -> None:
    try:
        value = answers.decode(body)
    except json.JSONDecodeError as error:
        if not body.strip():
            raise invalid(f"{subject} is empty.") from None
        line, column = error.lineno, error.colno
        raise invalid(f"{subject} is no JSON: line {line}, column {column}.") from None
    except (ValueError, answers.UnreadableError):
        raise invalid(f"{subject} is no JSON.") from None
    if not isinstance(value, dict):
        raise invalid(f"{subject} is {answers.shape(value)}, not an object.")
