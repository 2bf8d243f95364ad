"""The settings of a platform for a new project: from the environment, or from a dialog."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from msgspec import UNSET
from singer_sdk.exceptions import ConfigValidationError

from tap_chat.config.environment import environment, from_environment
from tap_chat.config.errors import config_error
from tap_chat.config.parsing import parse_datetime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: The value of a setting that the user must fill in, unless there is an example.
PLACEHOLDER = "..."
#: Settings that are asked for though they have a default, by their platform: many accounts need
#: another value.
ASKED = {"livechat": ("entity_id",), "chatwoot": ("api_url",), "intercom": ("api_url",)}
START_DATE = "start_date"
START = (
    "The first run reads everything, which can take long. For less, enter the day from which to"
    " read, such as 2024-01-01; otherwise leave it empty."
)
FAILED = "Nothing was written, because the test failed. --no-test writes the files without a test."


def in_terminal() -> bool:
    """Return whether there is somebody to ask."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask_platform(names: Sequence[str]) -> str:
    """Ask for a platform.

    Args:
        names: The platforms that there are.
    """
    chosen: str = click.prompt("Platform", type=click.Choice(names), err=True)
    return chosen


def settings_of(
    platform: str,
    schema: Mapping[str, Any],
    variables: str,
    test: Callable[[dict[str, Any]], bool] | None,
) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of a platform that a user gives, and the names of those to fill in.

    Settings come from the environment. In a terminal, the user is asked for others that are
    required, and for those in `ASKED`, until the test succeeds or the user gives up. Outside, those
    that are required get an example.

    Args:
        platform: The name of the platform, which is that of its section.
        schema: The JSON Schema of the section.
        variables: The prefix of the variables, such as `TAP_CHAT_`.
        test: Tests the settings with a request, and shows what came; None for no test.

    Raises:
        ConfigValidationError: A variable has no JSON, or the test failed.
    """
    prefix = f"{variables}{platform}_".upper()
    given = from_environment(schema, prefix, environment())
    missing = [name for name in schema.get("required", ()) if name not in given]
    for name in given:
        click.echo(f"{platform}.{name}: from {prefix}{name.upper()}", err=True)
    if not in_terminal():
        if test and not missing and not test(given):
            raise config_error(FAILED)
        examples = {name: _example(schema["properties"][name]) for name in missing}
        return given | examples, [f"{platform}.{name}" for name in missing]
    properties = schema["properties"]
    more = [name for name in ASKED.get(platform, ()) if name in properties and name not in given]
    asked = missing + more
    while True:
        answers = {name: _ask(platform, name, properties[name]) for name in asked}
        section = given | {name: answer for name, answer in answers.items() if answer is not None}
        if test is None or test(section):
            return section, []
        if not asked or not click.confirm("Enter them again?", default=True, err=True):
            raise config_error(FAILED)


def start_date_of(variables: str, config: Mapping[str, Any], file: str) -> str | None:
    """Return the time from which a user wants to read; None to set none.

    It comes from the environment. Otherwise the user is asked, in a terminal. It is for all
    platforms, so it is not set if there is another: a bookmark that is older would be skipped.

    Args:
        variables: The prefix of the variables, such as `TAP_CHAT_`.
        config: The settings that there are.
        file: The file that they are in.

    Raises:
        ConfigValidationError: The variable is not a time.
    """
    if START_DATE in config:
        click.echo(f"{START_DATE}: as in {file}, for all platforms", err=True)
        return None
    if any(isinstance(value, dict) for value in config.values()):
        click.echo(f"{START_DATE}: none, as in {file}, for all platforms", err=True)
        return None
    variable = f"{variables}{START_DATE}".upper()
    if given := environment().get(variable, "").strip():
        click.echo(f"{START_DATE}: from {variable}", err=True)
        parse_datetime(START_DATE, given)
        return given
    if not in_terminal():
        return None
    click.echo(f"\n{START}", err=True)
    while True:
        answer: str = click.prompt(START_DATE, default="", show_default=False, err=True)
        try:
            parse_datetime(START_DATE, answer.strip() or UNSET)
        except ConfigValidationError as error:
            click.echo(str(error), err=True)
        else:
            return answer.strip() or None


def _ask(platform: str, name: str, setting: Mapping[str, Any]) -> str | None:
    """Ask for a setting, and return None for its default; a secret is not shown while it is typed.

    Args:
        platform: The name of the platform.
        name: The name of the setting.
        setting: Its JSON Schema.
    """
    click.echo(f"\n{' '.join(setting.get('description', '').split())}", err=True)
    examples = setting.get("examples")
    if examples:
        click.echo(f"For example: {examples[0]}", err=True)
    secret = bool(setting.get("secret"))
    hint = " (hidden)" if secret else ""
    default: str | None = setting.get("default")
    answer: str = click.prompt(
        f"{platform}.{name}{hint}",
        default=default,
        show_default=bool(default),
        hide_input=secret,
        err=True,
    )
    return None if answer.strip() == default else answer.strip()


def _example(setting: Mapping[str, Any]) -> str:
    """Return an example of a setting that is a text."""
    return str((setting.get("examples") or [PLACEHOLDER])[0])
