"""JSONPaths into decoded bodies, compiled once. Paths of names are followed without jsonpath-ng."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from jsonpath_ng import Child, Fields, Root
from jsonpath_ng.exceptions import JSONPathError as ParserError
from jsonpath_ng.ext.parser import parse
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

# A name that needs no quotes in a path.
PLAIN_NAME = re.compile(r"(?!where$|wherenot$)[A-Za-z_][A-Za-z0-9_-]*")


class JSONPathError(Exception):
    """A text is not a JSONPath.

    Args:
        problem: What is wrong, as a sentence.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class JSONPath:
    """A compiled JSONPath.

    Args:
        text: The path: `data.items`, `$.links[?(@.rel=='next')].href`.

    Attributes:
        text: The path as it was given.
        names: The names from the root to its one value, if it has names only; otherwise None. The
            root has none: `()`.
        stem: The names before its first other part, such as `[*]` or a filter.
        is_list: Whether it is names and a `[*]` after them.

    Raises:
        JSONPathError: It is not a JSONPath.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._parsed: Any = parse(text)
        except ParserError as error:
            raise JSONPathError(f"`{text}` is not a JSONPath: {error}") from None
        steps = _steps(self._parsed)
        self.stem = tuple(step.fields[0] for step in takewhile(_is_name, steps))
        self.names = self.stem if len(self.stem) == len(steps) else None
        self.is_list = text.endswith("[*]") and len(self.stem) == len(steps) - 1

    @override
    def __str__(self) -> str:
        return self.text

    def may_lead_into(self, names: Sequence[str]) -> bool:
        """Return whether a value at the path may be inside a list.

        Args:
            names: The names from the root to the list.
        """
        if self.names is not None:
            return bool(names) and self.names[: len(names)] == tuple(names)
        shared = min(len(names), len(self.stem))
        return self.stem[:shared] == tuple(names[:shared])

    def find_first(self, body: Any) -> Any:  # noqa: ANN401
        """Return the first value at the path, or None.

        Args:
            body: The decoded body.
        """
        found = self.find_all(body)
        return found[0] if found else None

    def find_all(self, body: Any) -> list[Any]:  # noqa: ANN401
        """Return all values at the path.

        Args:
            body: The decoded body.
        """
        if self.names is None:
            return [match.value for match in self._parsed.find(body)]
        for name in self.names:
            if not isinstance(body, dict) or name not in body:
                return []
            body = body[name]
        return [body]


@lru_cache(maxsize=1000)
def compile_path(text: str) -> JSONPath:
    """Return a compiled JSONPath.

    Args:
        text: The path.

    Raises:
        JSONPathError: It is not a JSONPath.
    """
    return JSONPath(text)


def find_first(body: Any, path: str) -> Any:  # noqa: ANN401
    """Return the first value at a JSONPath, or None.

    Args:
        body: The decoded body.
        path: The JSONPath.
    """
    return compile_path(path).find_first(body)


def path_of(names: Sequence[str]) -> str:
    """Return the JSONPath of the names from the root to a value.

    Args:
        names: The names.
    """
    if names and all(map(PLAIN_NAME.fullmatch, names)):
        return ".".join(names)
    quoted = (name.replace("\\", "\\\\").replace("'", "\\'") for name in names)
    return "".join(("$", *(f"['{name}']" for name in quoted)))


def _steps(parsed: Any) -> list[Any]:  # noqa: ANN401
    """Return the steps of a parsed path from the root to its values."""
    steps: list[Any] = []
    while isinstance(parsed, Child):
        steps.insert(0, parsed.right)
        parsed = parsed.left
    return steps if isinstance(parsed, Root) else [parsed, *steps]


def _is_name(step: Any) -> bool:  # noqa: ANN401
    """Return whether a step is one name."""
    return isinstance(step, Fields) and len(step.fields) == 1 and step.fields[0] != "*"
