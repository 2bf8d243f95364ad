"""The config of tap-chat, from arguments and from dlt's configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import dlt
from singer_sdk.exceptions import ConfigValidationError

from dlt_bridge.errors import BridgeError
from tap_chat.config.environment import from_environment
from tap_chat.config.parsing import json_schema, parse
from tap_chat.platforms.registry import PLATFORMS
from tap_chat.tap import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where dlt's configuration has the settings; those of a platform in a section of its name.
SECTION = "sources.chat"


def config_of(platforms: Sequence[str], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of tap-chat for some of its platforms.

    Args:
        platforms: Their names.
        arguments: Settings that count more than those of dlt's configuration: of the whole tap,
            of the platform if it is one, or of one of several, as a mapping by its name.

    Raises:
        BridgeError: A platform or a setting is not known, or a setting is missing or wrong.
    """
    sections = [platform.name for platform in PLATFORMS]
    if not platforms or not set(platforms) <= set(sections):
        raise BridgeError(f"chat() takes platforms of tap-chat: {', '.join(sections)}.")
    schema = {
        name: setting
        for name, setting in json_schema(Config)["properties"].items()
        if name in platforms or name not in sections
    }
    try:
        config = _looked_up(schema, SECTION)
        for name, value in _placed(arguments, platforms, schema).items():
            config[name] = config[name] | value if name in platforms else value
        parse(config, Config)
    except ConfigValidationError as error:
        found = re.search(r"`([\w.]+)`", str(error))
        key = f"{SECTION}.{found.group(1) if found else platforms[0]}"
        raise BridgeError(
            f"{error} What chat() is not given, dlt looks up in secrets.toml and config.toml as"
            f" `{key}`, and in the environment as {_variable(key)}."
        ) from None
    return config


def _placed(
    arguments: Mapping[str, Any], platforms: Sequence[str], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return settings as tap-chat has them: those of a platform in its section."""
    placed: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in platforms:
            if not isinstance(value, Mapping):
                raise BridgeError(f"{name} is a platform: give its settings as {name}={{...}}.")
            placed[name] = placed.get(name, {}) | dict(value)
        elif name in schema:
            placed[name] = value
        elif len(platforms) == 1:
            placed[platforms[0]] = placed.get(platforms[0], {}) | {name: value}
        else:
            raise BridgeError(
                f"`{name}` is no setting of all platforms. Give it to one of them:"
                f' {platforms[0]}={{"{name}": ...}}.'
            )
    return placed


def _looked_up(schema: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return the settings that a section of dlt's configuration has; sections as objects."""
    found: dict[str, Any] = {}
    for name, setting in schema.items():
        key = f"{section}.{name}"
        if "properties" in setting:
            # What is misspelled, tap-chat refuses; only files tell that it is there.
            found[name] = _written(key) | _looked_up(setting["properties"], key)
        elif (value := _value(key, setting)) is not None:
            found[name] = value
    return found


def _written(key: str) -> dict[str, Any]:
    """Return all that the files of dlt's configuration have in a section."""
    sections: tuple[Any, ...] = (dlt.config.get(key), dlt.secrets.get(key))
    return {
        name: value
        for there in sections
        if isinstance(there, Mapping)
        for name, value in there.items()
    }


def _value(key: str, setting: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return the value of a setting in dlt's configuration, if it is there."""
    value: Any = dlt.secrets.get(key)
    if value is None:
        value = dlt.config.get(key)
    if isinstance(value, date):
        # As TOML has them.
        return value.isoformat()
    if not isinstance(value, str):
        return value
    variable = _variable(key)
    read = from_environment({"properties": {variable: setting}}, "", {variable: value})
    return read.get(variable)


def _variable(key: str) -> str:
    return key.replace(".", "__").upper()
