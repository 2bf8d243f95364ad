"""Reads the sections of `rest` in the config."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tap_chat.config import parsing
from tap_chat.config.environment import environment
from tap_chat.config.errors import config_error
from tap_chat.declarations.files import load_file
from tap_chat.declarations.reading import read_declaration
from tap_chat.escapes import printable
from tap_chat.platforms.rest.platform import declared_platform
from tap_chat.platforms.rest.settings import RestSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_chat.platforms.platform import Platform

#: The name of a declaration.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

logger = logging.getLogger("tap-chat")


def declared_platforms(
    rest: Mapping[str, Any], *, complete: bool
) -> list[tuple[Platform, RestSettings]]:
    """Return the platforms of the setting `rest`, each with its section.

    Args:
        rest: The setting.
        complete: False if required texts may be missing, as for discovery.

    Raises:
        ConfigValidationError: A section or a declaration is wrong.
    """
    return [_declared(name, value, complete=complete) for name, value in rest.items()]


def _declared(name: str, value: Any, *, complete: bool) -> tuple[Platform, RestSettings]:  # noqa: ANN401
    at = f"rest.{printable(name)}"
    if not NAME.fullmatch(name):
        raise config_error(
            f"The setting `{at}` is wrong: its name must begin with a letter, and have only"
            " letters, digits and underscores, as the names of its streams begin with it."
        )
    raw = value if isinstance(value, dict) and "declaration" in value else {"declaration": value}
    document = raw["declaration"]
    if isinstance(document, str):
        document = load_file(document)
        if "declaration" in document:
            raw = {**document, **raw}
            document = document["declaration"]
    section = parsing.parse(
        {**raw, "declaration": document}, RestSettings, complete=complete, at=f"{at}."
    )
    source = read_declaration(document, name=at, environ=environment())
    for warning in source.warnings:
        logger.warning(warning)
    section = replace(section, api_url=section.api_url or source.client.base_url)
    platform = declared_platform(
        name,
        at,
        source,
        additions=section.streams,
        next_link_hosts=section.next_link_hosts,
    )
    return platform, section
