"""Checks of the files that a user passes: each must be a JSON object."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import IO

from tap_chat.config.errors import config_error
from tap_chat.http import responses


def check_config_file(path: str) -> None:
    """Check that a config file is a JSON object.

    Args:
        path: The path of the file.

    Raises:
        ConfigValidationError: The file can't be read, or is not a JSON object.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise config_error(f"The config file {path} can't be read: {error.strerror}.") from None
    _check_object(content, f"The config file {path}")


def check_file(file: IO[str] | None, name: str) -> IO[str] | None:
    """Check that an open file is a JSON object.

    Args:
        file: The file; None if the user passed none.
        name: Its name in errors: `state` or `catalog`.

    Returns:
        A file with the same content, at its beginning.

    Raises:
        ConfigValidationError: The file is not a JSON object.
    """
    if file is None:
        return None
    subject = f"The {name} file"
    try:
        text = file.read()
    except UnicodeDecodeError:
        raise config_error(f"{subject} is not UTF-8 text.") from None
    _check_object(text.encode(), subject)
    return StringIO(text)


def _check_object(content: bytes, subject: str) -> None:
    try:
        value = responses.decode(content)
    except json.JSONDecodeError as error:
        if not content.strip():
            raise config_error(f"{subject} is empty.") from None
        line, column = error.lineno, error.colno
        raise config_error(f"{subject} is not valid JSON: line {line}, column {column}.") from None
    except UnicodeDecodeError:
        raise config_error(f"{subject} is not UTF-8 text.") from None
    except (ValueError, responses.UnreadableError):
        raise config_error(f"{subject} is not valid JSON.") from None
    if not isinstance(value, dict):
        raise config_error(f"{subject} is {responses.describe_shape(value)}, not an object.")
