"""Reads declarations from files: YAML, JSON or TOML, by the ending of the name."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from typing_extensions import override

from tap_chat.config.errors import config_error
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class RepeatedKeyError(ValueError):
    """An object has a key twice.

    Args:
        key: The key.
        where: Its line and column, if they are known.
    """

    def __init__(self, key: str, where: str = "") -> None:
        super().__init__(f"has the key `{printable(key)}` twice in one object{where}")


#: libyaml reads a file in a twentieth of the time.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc] # its base is not known
    """Loads YAML as JSON has it: dates stay texts, and no key is lost to another of its name."""

    yaml_implicit_resolvers: ClassVar = {
        first: [
            (tag, expression) for tag, expression in resolvers if not tag.endswith(":timestamp")
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    @override
    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Construct an object, as the base class does, but not from two equal keys."""
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise RepeatedKeyError(str(key.value), _position(key.start_mark))
            if isinstance(key.value, str):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def load_file(path: str | Path) -> Mapping[str, Any]:
    """Read a declaration from a file.

    Args:
        path: The path. Its ending is `.yaml`, `.yml`, `.json` or `.toml`.

    Returns:
        The object in the file.

    Raises:
        ConfigValidationError: The file is missing, or is not what its ending says.
    """
    path = Path(path)
    shown = printable(str(path))
    load = _LOADERS.get(path.suffix.lower())
    if load is None:
        raise config_error(
            f"The declaration {shown} must be a file that ends with .yaml, .yml, .json or .toml."
        )
    try:
        document = load(path.read_text("utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise config_error(f"The declaration {shown} can't be read: {reason}.") from None
    except UnicodeDecodeError:
        raise config_error(f"The declaration {shown} is not text in UTF-8.") from None
    except RepeatedKeyError as error:
        raise config_error(f"The declaration {shown} {error}.") from None
    except yaml.YAMLError as error:
        raise config_error(f"The declaration {shown} is not valid YAML{_where(error)}.") from None
    except json.JSONDecodeError as error:
        at = f": line {error.lineno}, column {error.colno}"
        raise config_error(f"The declaration {shown} is not valid JSON{at}.") from None
    except tomllib.TOMLDecodeError as error:
        _, _, where = str(error).rpartition("(at ")
        raise config_error(
            f"The declaration {shown} is not valid TOML: {where.rstrip(')')}."
        ) from None
    if not isinstance(document, dict):
        raise config_error(f"The declaration {shown} is not an object.")
    return document


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return _position(mark) if mark else ""


def _position(mark: yaml.Mark) -> str:
    return f": line {mark.line + 1}, column {mark.column + 1}"


def _load_yaml(text: str) -> Any:  # noqa: ANN401
    return yaml.load(text, _Loader)  # noqa: S506 - a safe loader


def _load_json(text: str) -> Any:  # noqa: ANN401
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise RepeatedKeyError(key)
        made[key] = value
    return made


_LOADERS: dict[str, Callable[[str], Any]] = {
    ".yaml": _load_yaml,
    ".yml": _load_yaml,
    ".json": _load_json,
    ".toml": tomllib.loads,
}
