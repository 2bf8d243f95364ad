"""Texts with placeholders: `v1/rooms/{resources.rooms.room_id}/messages`.

The syntax is that of `str.format`, as in dlt: `{{` and `}}` stand for braces.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value to be filled in.

    Attributes:
        name: Its name: `resources.rooms.room_id`, `incremental.start_value`.
        spec: The format of the value, as for `format`; mostly empty.
        conversion: `r`, `s`, `a` or None, as in `str.format`.
    """

    name: str
    spec: str
    conversion: str | None

    def text(self, value: object) -> str:
        """Return a value as the text that stands for the placeholder."""
        return format(_FORMATTER.convert_field(value, self.conversion), self.spec)


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders.

    Attributes:
        parts: Literal texts and placeholders, in their order.
    """

    parts: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The placeholders, in their order."""
        return tuple(part for part in self.parts if isinstance(part, Placeholder))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the placeholders, in their order."""
        return tuple(placeholder.name for placeholder in self.placeholders)

    def expand(self, values: Mapping[str, Any], *, keep_type: bool = False) -> Any:  # noqa: ANN401
        """Return the text with its values.

        Args:
            values: The values by the names of the placeholders.
            keep_type: If the text is one placeholder alone, return its value as it is, not as text.

        Raises:
            KeyError: A placeholder has no value.
        """
        match self.parts:
            case (Placeholder(spec="", conversion=None) as alone,) if keep_type:
                return values[alone.name]
        return "".join(
            part if isinstance(part, str) else part.text(values[part.name]) for part in self.parts
        )


_FORMATTER = string.Formatter()


@lru_cache(maxsize=4096)
def template(text: str) -> Template:
    """Parse a text with placeholders.

    Raises:
        ValueError: A brace is open, or closes nothing, or a placeholder is in another one.
    """
    parts: list[str | Placeholder] = []
    for literal, name, spec, conversion in _FORMATTER.parse(text):
        if literal:
            parts.append(literal)
        if name is not None:
            if "{" in (spec or "") or conversion not in {None, *"rsa"}:
                raise ValueError(text)
            parts.append(Placeholder(name, spec or "", conversion))
    return Template(tuple(parts))


def expand(value: Any, values: Mapping[str, Any], *, keep_types: bool = False) -> Any:  # noqa: ANN401
    """Expand the placeholders of all texts in a value.

    Args:
        value: JSON of any shape; its texts, and the keys of its objects, may have placeholders.
        values: The values by the names of the placeholders.
        keep_types: Whether a text that is one placeholder alone becomes the value as it is. dlt
            does so in `json`, and nowhere else.

    Raises:
        KeyError: A placeholder has no value.
    """
    match value:
        case str():
            return template(value).expand(values, keep_type=keep_types)
        case dict():
            return {
                expand(key, values, keep_types=keep_types): expand(
                    inner, values, keep_types=keep_types
                )
                for key, inner in value.items()
            }
        case list():
            return [expand(inner, values, keep_types=keep_types) for inner in value]
    return value


def texts(value: Any, place: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """Yield the texts in a value, keys of objects included, with their places."""
    match value:
        case str():
            yield place, value
        case dict():
            for key, inner in value.items():
                yield from texts(key, f"{place}.{key}")
                yield from texts(inner, f"{place}.{key}")
        case list():
            for number, inner in enumerate(value):
                yield from texts(inner, f"{place}[{number}]")


def escaped(text: str) -> str:
    """Return a text as a template that has no placeholders."""
    return text.replace("{", "{{").replace("}", "}}")
