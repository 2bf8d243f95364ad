"""The problems of a declaration, each a sentence with its place; all are reported at once."""

from __future__ import annotations

import re
from difflib import get_close_matches
from itertools import starmap
from typing import TYPE_CHECKING

from tap_chat.config.errors import config_error
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_RESOURCE = re.compile(r"resources\[\d+\]")


class Problems:
    """The problems and warnings of one declaration.

    Args:
        name: The name of the declaration, which begins each sentence: `rest.matrix`.
    """

    def __init__(self, name: str) -> None:
        self._name = printable(name)
        #: The names of the resources, by their places.
        self.resources: dict[str, str] = {}
        # The places of each problem and warning, by its predicate.
        self._errors: dict[str, list[str]] = {}
        self._warnings: dict[str, list[str]] = {}

    def tell(self, place: str, predicate: str) -> None:
        """Add a problem.

        Args:
            place: The place in the declaration: `resources[2].endpoint.path`; empty for the whole.
            predicate: What is wrong there, and what to write instead.
        """
        _add(self._errors, place, predicate)

    def warn(self, place: str, predicate: str) -> None:
        """Add a warning.

        Args:
            place: As for `tell`.
            predicate: What the tap does not do, and what does it instead.
        """
        _add(self._warnings, place, predicate)

    def has_problem(self, place: str) -> bool:
        """Return whether a place has a problem."""
        return any(place in places for places in self._errors.values())

    def resource_of(self, place: str) -> str | None:
        """Return the name of the resource that a place is in; None for others."""
        found = _RESOURCE.match(place)
        return self.resources.get(found[0]) if found else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings, as sentences."""
        return tuple(starmap(self._worded, self._warnings.items()))

    def raise_if_any(self) -> None:
        """Raise all problems as one error.

        Raises:
            ConfigValidationError: There are problems.
        """
        if self._errors:
            raise config_error(*starmap(self._worded, self._errors.items()))

    def _worded(self, predicate: str, places: Sequence[str]) -> str:
        """Return the sentence of a problem, which is the same at all these places."""
        first, *others = map(self._named, places)
        also = f" The same at {', '.join(others)}." if others else ""
        return f"{self._name}{f': {first}' if first else ''} {predicate}{also}"

    def _named(self, place: str) -> str:
        """Return a place with the name of its resource."""
        name = self.resource_of(place)
        return f"`{printable(place)}`" + (f" ({printable(name)})" if name else "") if place else ""


def _add(sentences: dict[str, list[str]], place: str, predicate: str) -> None:
    places = sentences.setdefault(predicate, [])
    if place not in places:
        places.append(place)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence that suggests the nearest of the known names, or lists them all."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    return f"There is {', '.join(f'`{known}`' for known in names) or 'none'}."
