"""A declaration as plain JSON: what is code is refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from tap_chat.declarations.words import INSTEAD_OF_CODE, REFUSED

if TYPE_CHECKING:
    from tap_chat.declarations.problems import Problems

_LAST_KEY = re.compile(r"([^.\[\]]+)(\[\d+\])?$")


def plain(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    """Return a copy of a value as JSON: objects, lists, texts, numbers, true, false, null.

    Args:
        value: An object as it came from a file, or from Python.
        place: Its place in the declaration, for problems.
        problems: Gets a sentence for each value that is code.

    Returns:
        The copy. Dates and times are texts in ISO 8601. Code is left out of objects, and is `UNSET`
        in lists, so that the other items keep their numbers.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            # The SDK reads the numbers of a config so.
            return float(value)
        case date() | time():
            return value.isoformat()
        case Mapping():
            items = (
                # What the checks refuse by its name may hold any code.
                (str(key), None if key in REFUSED else inner)
                for key, inner in value.items()
                if key not in REFUSED or inner is not None
            )
            copy = {
                key: plain(inner, f"{place}.{key}".lstrip("."), problems) for key, inner in items
            }
            return {key: inner for key, inner in copy.items() if inner is not UNSET}
        case list() | tuple():
            return [
                plain(inner, f"{place}[{number}]", problems) for number, inner in enumerate(value)
            ]
    last = _LAST_KEY.search(place)
    advice = INSTEAD_OF_CODE.get(last[1] if last else "", "Write a text, a number or an object.")
    problems.tell(
        place,
        f"is an object of Python (`{type(value).__name__}`), and a declaration is data. {advice}",
    )
    return UNSET
