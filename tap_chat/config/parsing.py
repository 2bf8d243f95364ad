"""Parses a config: derives its JSON Schema, merges it, checks it and converts it to its types."""

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
    """Return the JSON Schema of a config, with references resolved.

    Args:
        config: The type of the whole config.

    Returns:
        A schema that allows no unknown settings; in every object, required settings come first.
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


def parse(
    raw: Mapping[str, Any], config: type[ConfigT], *, complete: bool = True, at: str = ""
) -> ConfigT:
    """Check a config, and convert it to its types.

    Args:
        raw: The config as it was read.
        config: The type of the config.
        complete: False if required texts may be missing, as for discovery.
        at: The prefix of the names of its settings, for a section: `rest.matrix.`.

    Returns:
        The typed config.

    Raises:
        ConfigValidationError: Settings are unknown, missing or wrong. The messages name the
            settings, and show no value.
    """
    schema = json_schema(config)
    values = dict(raw) if complete else _with_blanks(raw, schema)
    if errors := list(name_errors(values, schema, "tap-chat", at)):
        raise config_error(*errors)
    try:
        typed = msgspec.convert(values, config)
    except msgspec.ValidationError as error:
        # The first part of the message may contain the value.
        _, _, path = str(error).rpartition(" - at ")
        name = path.strip("`").removeprefix("$.").partition("[")[0]
        raise config_error(value_error(f"{at}{name}", subschema(schema, name.split(".")))) from None
    if complete and (errors := list(_problems(typed, at))):
        raise config_error(*errors)
    return typed


def parse_datetime(name: str, value: str | UnsetType) -> datetime | None:
    """Parse a setting that is a time.

    Args:
        name: The setting's name.
        value: ISO 8601, in UTC if it has no offset; or unset.

    Raises:
        ConfigValidationError: The text is not a time, or is before the year 1900.
    """
    if value is UNSET:
        return None
    try:
        time = datetime.fromisoformat(value)
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise config_error(
            f"The setting `{name}` is wrong: it is not an ISO 8601 date-time."
        ) from None
    if time.year < EARLIEST_YEAR:
        raise config_error(f"The setting `{name}` is wrong: it is before the year {EARLIEST_YEAR}.")
    return time


def merged(
    config: Mapping[str, Any], over: Mapping[str, Any], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Merge two configs: settings of the upper one win, and sections are merged.

    Args:
        config: The lower config.
        over: The upper config.
        schema: The JSON Schema of the upper one, which tells what is a section.
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
    """Return a config without the settings that are null, which counts as unset.

    Args:
        config: The config as it was read.
        schema: Its JSON Schema. Nulls are left out of sections, and stay in other objects.
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
    """Return a config with "" for missing required settings, which are all texts."""
    filled = {
        name: _with_blanks(value, schema["properties"][name])
        if isinstance(value, dict) and is_section(schema["properties"].get(name, {}))
        else value
        for name, value in values.items()
    }
    return dict.fromkeys(schema.get("required", ()), "") | filled
