"""Settings as dataclasses: joined from parts, and read for flags and tables."""

from __future__ import annotations

import typing
from dataclasses import MISSING, dataclass, fields
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Setting:
    """One setting of the sandbox.

    Attributes:
        name: Its name in Python and JSON.
        type: Its type, without None.
        default: Its default.
        description: One or two sentences for help texts and tables.
    """

    name: str
    type: Any
    default: Any
    description: str

    @property
    def item(self) -> Any:  # noqa: ANN401
        """The type of the items if the setting is a list; otherwise None."""
        return typing.get_args(self.type)[0] if typing.get_origin(self.type) is list else None

    @property
    def choices(self) -> Sequence[str]:
        """The allowed values if the setting is a choice; otherwise empty."""
        return typing.get_args(self.type) if typing.get_origin(self.type) is Literal else ()

    @property
    def flag(self) -> str:
        """The flag on the command line; the flag of a list is singular, and takes one item."""
        name = self.name.removesuffix("s") if self.item else self.name
        return f"--{name.replace('_', '-')}"


def joined(name: str, description: str, *parts: type, frozen: bool = False) -> type[Any]:
    """Join dataclasses into one, whose docstring lists all settings.

    Args:
        name: The name of the class.
        description: The beginning of its docstring.
        parts: The dataclasses. All their fields must have defaults.
        frozen: Whether its instances are frozen, as those of the parts are.
    """
    needed = [
        part
        for part in dict.fromkeys(parts)
        if not any(other is not part and issubclass(other, part) for other in parts)
    ]
    # A dataclass lists the fields of its last base first.
    whole: type[Any] = dataclass(frozen=frozen, kw_only=True)(type(name, tuple(needed[::-1]), {}))
    listed = [f"    {setting.name}: {setting.description}" for setting in settings_of(whole)]
    whole.__doc__ = "\n".join([description, "", "Attributes:", *listed])
    whole.__module__ = "tap_chat.sandbox"
    return whole


def settings_of(declared: type) -> Iterator[Setting]:
    """Yield the settings that a dataclass declares: the fields that have a description."""
    types = typing.get_type_hints(declared, include_extras=True)
    for field in fields(declared):
        annotated = types[field.name]
        if typing.get_origin(annotated) is Annotated:
            base, *metas = typing.get_args(annotated)
            description = [meta.description for meta in metas if isinstance(meta, Meta)][-1]
            factory = field.default_factory
            default = field.default if factory is MISSING else factory()
            yield Setting(field.name, _without_none(base), default, description or "")


def _without_none(kind: Any) -> Any:  # noqa: ANN401
    if typing.get_origin(kind) not in {UnionType, typing.Union}:
        return kind
    [kind] = [part for part in typing.get_args(kind) if part is not NoneType]
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind
