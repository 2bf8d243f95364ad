"""Reads the sections of `rest` in the config."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace
from singer_sdk.exceptions import ConfigValidationError

from tap_chat.config import parsing
from tap_chat.config.environment import environment
from tap_chat.config.errors import config_error, config_problems
from tap_chat.declarations.files import load_file
from tap_chat.declarations.reading import read_declaration
from tap_chat.escapes import printable
from tap_chat.platforms.rest.platform import declared_platform
from tap_chat.platforms.rest.settings import RestSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_chat.platforms.platform import Platform

#: The endings of files with declarations.
FILES = (".yaml", ".yml", ".json", ".toml")
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
        ConfigValidationError: Sections or declarations are wrong: the problems of all.
    """
    platforms, problems = [], []
    for name, value in rest.items():
        try:
            platforms.append(_declared(name, value, complete=complete))
        except ConfigValidationError as error:
            problems += config_problems(error)
    if problems:
        raise config_error(*problems)
    return platforms


def _declared(name: str, value: Any, *, complete: bool) -> tuple[Platform, RestSettings]:  # noqa: ANN401
    at = f"rest.{printable(name)}"
    if not NAME.fullmatch(name):
        raise config_error(
            f"The setting `{at}` is wrong: its name must begin with a letter, and have only"
            " letters, digits and underscores, as the names of its streams begin with it."
        )
    section = parsing.parse(section_of(value, at), RestSettings, complete=complete, at=f"{at}.")
    declaration = cast("dict[str, Any]", section.declaration)  # it is read from its file
    source = read_declaration(declaration, name=at, environ=environment())
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


def section_of(value: Any, at: str) -> dict[str, Any]:  # noqa: ANN401
    """Return a section of `rest` as an object with the `declaration` and settings.

    Args:
        value: The section: a declaration, the path of its file, or an object with `declaration`.
            A file may have settings next to its declaration, too; those of the section win.
        at: The name of the section, for errors: `rest.matrix`.

    Raises:
        ConfigValidationError: A file can't be read, or has settings in its declaration.
    """
    section = (
        value if isinstance(value, dict) and "declaration" in value else {"declaration": value}
    )
    if not isinstance(path := section["declaration"], str):
        _check_keys(section["declaration"], at)
        return section
    if not path.lower().endswith(FILES):
        # The text is not shown: it may be a secret in a wrong place.
        raise config_error(
            f"The setting `{at}` must be a declaration, or the path of a file that ends with .yaml,"
            " .yml, .json or .toml."
        )
    document = load_file(path)
    if "declaration" not in document:
        _check_keys(document, at)
        document = {"declaration": document}
    return {**document, **section, "declaration": document["declaration"]}


def _check_keys(declaration: Any, at: str) -> None:  # noqa: ANN401
    """Check that a declaration has no settings of its section among its keys."""
    known = set(RestSettings.__struct_fields__)
    if isinstance(declaration, dict) and (settings := [key for key in declaration if key in known]):
        raise config_error(
            f"The setting `{at}` has `{settings[0]}` among the keys of its declaration. Write them"
            f' next to each other: {{"declaration": ..., "{settings[0]}": ...}}.'
        )
