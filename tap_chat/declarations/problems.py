"""The problems of a declaration, each a sentence with its place; all are reported at once."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tap_chat.config.errors import config_error
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_RESOURCE = re.compile(r"resources\[\d+\]")


class Problems:
    """The problems and warnings of one declaration.

    Args:
        name: The name of the declaration, which begins each sentence: `rest.matrix`.
    """

    def __init__(self, name: str) -> None:
        self._name = printable(name)
        self._resources: dict[str, str] = {}
        self._errors: dict[str, None] = {}
        self._warnings: dict[str, None] = {}

    def name_resource(self, place: str, name: str) -> None:
        """Let the sentences about a place name its resource.

        Args:
            place: The place of the resource: `resources[2]`.
            name: The name of the resource.
        """
        self._resources[place] = printable(name)

    def tell(self, place: str, predicate: str) -> None:
        """Add a problem.

        Args:
            place: The place in the declaration: `resources[2].endpoint.path`; empty for the whole.
            predicate: What is wrong there, and what to write instead.
        """
        self._errors[self._worded(place, predicate)] = None

    def warn(self, place: str, predicate: str) -> None:
        """Add a warning.

        Args:
            place: As for `tell`.
            predicate: What the tap does not do, and what does it instead.
        """
        self._warnings[self._worded(place, predicate)] = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings, as sentences."""
        return tuple(self._warnings)

    def raise_if_any(self) -> None:
        """Raise all problems as one error.

        Raises:
            ConfigValidationError: There are problems.
        """
        if self._errors:
            raise config_error(*self._errors)

    def _worded(self, place: str, predicate: str) -> str:
        if not place:
            return f"{self._name} {predicate}"
        found = _RESOURCE.match(place)
        resource = self._resources.get(found[0]) if found else None
        where = f"`{printable(place)}`" + (f" ({resource})" if resource else "")
        return f"{self._name}: {where} {predicate}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence that suggests the nearest of the known names, or lists them all."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    return f"There is {', '.join(f'`{known}`' for known in names) or 'none'}."
