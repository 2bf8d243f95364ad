"""From raw values to typed settings: the JSON Schema of a config, its checks, and merging."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tap_chat.config.errors import config_error, is_section, name_errors, subschema, value_error
from tap_chat.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ConfigT = TypeVar("ConfigT", bound=Struct)

EARLIEST_YEAR = 1900


def json_schema(config: type[Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a config, with its sections in place of references.

    Args:
        config: The type of the whole config.

    Returns:
        A schema closed against unknown settings, required settings first in every object.
    """
    (reference,), definitions = msgspec.json.schema_components([config])

    def resolved(node: Any) -> Any:  # noqa: ANN401
        if isinstance(node, list):
            return [resolved(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            target = definitions[node["$ref"].rpartition("/")[2]]
            node = target | {key: value for key, value in node.items() if key != "$ref"}
        node = {key: resolved(value) for key, value in node.items()}
        required = node.get("required", ())
        if "properties" in node:
            names = sorted(node["properties"], key=lambda name: name not in required)
            node["properties"] = {name: node["properties"][name] for name in names}
        return node

    schema: dict[str, Any] = resolved(reference)
    return schema


def parse(raw: Mapping[str, Any], config: type[ConfigT], *, complete: bool = True) -> ConfigT:
    """Check a config and give it its types.

    Args:
        raw: The config as it was read.
        config: The type to read it as.
        complete: False to let required text settings be missing, as discovery may.

    Returns:
        The typed config.

    Raises:
        ConfigValidationError: Settings are unknown, missing or of a wrong type. The messages name
            them and never show a value.
    """
    schema = json_schema(config)
    values = dict(raw) if complete else _with_blanks(raw, schema)
    if errors := list(name_errors(values, schema, "tap-chat")):
        raise config_error(*errors)
    try:
        typed = msgspec.convert(values, config)
    except msgspec.ValidationError as error:
        # What msgspec says before it may hold the value.
        _, _, path = str(error).rpartition(" - at ")
        name = path.strip("`").removeprefix("$.").partition("[")[0]
        raise config_error(value_error(name, subschema(schema, name.split(".")))) from None
    if complete and (errors := list(_problems(typed))):
        raise config_error(*errors)
    return typed


def parse_datetime(name: str, value: str | UnsetType) -> datetime | None:
    """Read a setting that is a time.

    Args:
        name: The setting's name.
        value: ISO 8601, taken for UTC if it names no offset; or unset.

    Raises:
        ConfigValidationError: It is no time.
    """
    if value is UNSET:
        return None
    try:
        time = datetime.fromisoformat(value)
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise config_error(f"The setting `{name}` is wrong: it is no ISO 8601 date-time.") from None
    if time.year < EARLIEST_YEAR:
        raise config_error(f"The setting `{name}` is wrong: it is before the year {EARLIEST_YEAR}.")
    return time


def merged(
    config: Mapping[str, Any], over: Mapping[str, Any], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Lay one config over another: a setting of the upper one counts, sections are joined.

    Args:
        config: The lower config.
        over: The upper config.
        schema: The JSON Schema of the upper one, which says what is a section.
    """
    joined = dict(config)
    for name, value in over.items():
        below = joined.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            joined[name] = below | value if is_section(schema["properties"][name]) else value
        else:
            joined[name] = value
    return joined


def without_nulls(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out settings that are null, which are unset, and those of sections likewise.

    Args:
        config: The config as it was read.
        schema: Its JSON Schema, which says what is a section; other objects stay as they are.
    """
    return {
        name: without_nulls(value, schema["properties"][name])
        if isinstance(value, dict) and is_section(schema["properties"].get(name, {}))
        else value
        for name, value in config.items()
        if value is not None
    }


def _problems(settings: Struct, at: str = "") -> Iterator[str]:
    if isinstance(settings, Settings):
        for name, problem in settings.problems():
            if problem:
                yield f"The setting `{at}{name}` {problem}."
    for name in settings.__struct_fields__:
        if isinstance(section := getattr(settings, name), Struct):
            yield from _problems(section, f"{at}{name}.")


def _with_blanks(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in "" for what is required and missing; all required settings are texts."""
    filled = {
        name: _with_blanks(value, schema["properties"][name])
        if isinstance(value, dict) and is_section(schema["properties"].get(name, {}))
        else value
        for name, value in values.items()
    }
    return dict.fromkeys(schema.get("required", ()), "") | filled
