"""Secrets: `${NAME}` in a text stands for a setting, or for an environment variable."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tap_chat.declarations.problems import Problems

#: `${NAME}`, or with a second dollar sign for the text itself.
REFERENCE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Secrets:
    """The values of references.

    Attributes:
        settings: The settings of the declaration's own section, which win.
        environ: The environment variables, those of `.env` included.
        public: The names of those settings that are not secret.
        filled_in: The values that references were replaced by, without the public ones.
    """

    settings: Mapping[str, str]
    environ: Mapping[str, str]
    public: Collection[str] = ()
    filled_in: set[str] = field(default_factory=set)

    def fill(
        self,
        value: Any,  # noqa: ANN401
        place: str,
        problems: Problems,
        escape: Callable[[str], str] = str,
    ) -> Any:  # noqa: ANN401
        """Return a value whose texts have no references any more.

        Args:
            value: JSON of any shape, or a part of the format.
            place: Its place in the declaration, for problems.
            problems: Gets a sentence for each variable that is not set.
            escape: What becomes of each filled-in text, such as quoting in a path.
        """

        def filled(found: re.Match[str]) -> str:
            name = found[2]
            if found[1]:
                return escape(f"${{{name}}}")
            text = self.settings.get(name)
            if text is None:
                # An empty variable counts as not set, as for all settings.
                text = self.environ.get(name) or None
            if text is None:
                problems.tell(
                    place,
                    f"needs the environment variable `{name}`, which is not set. Set it, or write"
                    f" `{name}=...` to the file .env in the working folder. For the text itself,"
                    " write a second dollar sign before it.",
                )
                return ""
            if name not in self.public:
                self.filled_in.add(text)
            return escape(text)

        if isinstance(value, Struct):
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            return type(value)(**self.fill(fields, place, problems, escape))
        match value:
            case str():
                return REFERENCE.sub(filled, value)
            case dict():
                return {
                    self.fill(key, place, problems, escape): self.fill(
                        inner, f"{place}.{key}", problems, escape
                    )
                    for key, inner in value.items()
                }
            case list():
                return [
                    self.fill(inner, f"{place}[{number}]", problems, escape)
                    for number, inner in enumerate(value)
                ]
        return value
