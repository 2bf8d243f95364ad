"""What a user hands over to a command as a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dlt_bridge.errors import BridgeError


def json_object(name: str, what: str) -> dict[str, Any]:
    """Return the object in a JSON file.

    Args:
        name: The file.
        what: What it is, for errors: `config`, `catalog` or `state`.

    Raises:
        BridgeError: It can't be read, or is something else. The error shows nothing of it.
    """
    try:
        value = json.loads(Path(name).read_bytes())
    except OSError as error:
        raise BridgeError(f"The {what} file {name} can't be read: {error.strerror}.") from None
    except json.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        raise BridgeError(
            f"The {what} file {name} is no JSON: line {line}, column {column}."
        ) from None
    except (ValueError, RecursionError):
        raise BridgeError(f"The {what} file {name} is no JSON.") from None
    if not isinstance(value, dict):
        raise BridgeError(f"The {what} file {name} is no JSON object.")
    return value
