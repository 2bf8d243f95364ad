"""Settings from environment variables, and from the file `.env`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
from dotenv import dotenv_values

from tap_chat.config.errors import config_error, is_section

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Only the file in the working folder is read. A file in a parent folder may belong to somebody
#: else, and could send the credentials of this run to another address.
DOTENV = ".env"


def from_environment(
    schema: Mapping[str, Any], prefix: str, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Read a config from environment variables, as `--config=ENV` does.

    Args:
        schema: The JSON Schema of the config.
        prefix: The prefix of every variable, such as `TAP_CHAT_`. The variable of `chat.api_key` is
            then `TAP_CHAT_CHAT_API_KEY`, as in Meltano.
        environ: The variables.

    Returns:
        The settings whose variables are set and not empty; sections as objects.

    Raises:
        ConfigValidationError: The setting is not a text, and its variable is not valid JSON.
    """
    config: dict[str, Any] = {}
    for name, setting in schema["properties"].items():
        variable = f"{prefix}{name}".upper()
        text = environ.get(variable)
        value: Any = _from_text(variable, text, setting) if text else None
        if is_section(setting) and (inner := from_environment(setting, f"{variable}_", environ)):
            section = {} if value is None else value
            value = section | inner if isinstance(section, dict) else section
        if value is not None:
            config[name] = value
    return config


def environment() -> dict[str, str]:
    """Return the variables of the process, and those of `.env` that the process does not have.

    Raises:
        ConfigValidationError: `.env` is not text in UTF-8.
    """
    try:
        dotenv = dotenv_values(DOTENV)
    except UnicodeDecodeError:
        raise config_error("The file .env is not UTF-8 text.") from None
    return {name: value for name, value in dotenv.items() if value is not None} | dict(os.environ)


def _from_text(variable: str, text: str, setting: Mapping[str, Any]) -> Any:  # noqa: ANN401
    kinds = _kinds(setting)
    if "string" in kinds:
        return text
    try:
        return msgspec.json.decode(text.lower() if "boolean" in kinds else text)
    except msgspec.DecodeError:
        raise config_error(f"The environment variable {variable} must hold JSON.") from None


def _kinds(setting: Mapping[str, Any]) -> set[str]:
    """Return the JSON types of a setting."""
    kinds = {kind for choice in setting.get("anyOf", ()) for kind in _kinds(choice)}
    kinds |= {"string" for value in setting.get("enum", ()) if isinstance(value, str)}
    declared = setting.get("type", ())
    return kinds | ({declared} if isinstance(declared, str) else set(declared))
