"""The source of tap-chat, with its settings from arguments and from dlt's configuration."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

import dlt
from singer_sdk.exceptions import ConfigValidationError

from dlt_bridge.errors import BridgeError
from dlt_bridge.source import singer
from dlt_bridge.tap.inputs import source_name
from tap_chat.config.environment import from_environment
from tap_chat.config.parsing import json_schema, parse
from tap_chat.declarations.plain import plain
from tap_chat.declarations.problems import Problems
from tap_chat.platforms.configured import ConfiguredPlatforms
from tap_chat.platforms.registry import PLATFORMS, Config
from tap_chat.platforms.rest.sections import FILES, section_of
from tap_chat.platforms.rest.settings import RestSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt.extract import DltSource

    from dlt_bridge.arrow.nested import Nesting

#: The section of dlt's configuration with the settings. Each platform has a section within it.
SECTION = "sources.chat"


def chat(  # noqa: PLR0913 - the arguments of singer, too
    platform: str | Sequence[str] | Mapping[str, Any],
    *,
    catalog: Mapping[str, Any] | None = None,
    select: Sequence[str] | None = None,
    nested: Nesting | None = None,
    hard_delete: bool | None = None,
    absent: Literal["null", "keep"] | None = None,
    on_bad_stream: Literal["fail", "skip"] | None = None,
    account: str | None = None,
    add_record_metadata: bool | None = None,
    name: str | None = None,
    **settings: Any,  # noqa: ANN401
) -> DltSource:
    """Return a dlt source that reads chat platforms with tap-chat.

    Settings that are not given are looked up in dlt's configuration: `sources.chat.start_date`, and
    `sources.chat.<platform>.<setting>` for each platform. In secrets.toml that is the table
    `[sources.chat.freshchat]`; in the environment, `SOURCES__CHAT__FRESHCHAT__API_KEY`::

        pipeline.run(chat("freshchat", start_date="2024-01-01", items_per_page=50))
        pipeline.run(chat(["freshchat", "dixa"], dixa={"batch_size": 7}))

    A declaration in the format of dlt's `rest_api` takes the place of a platform. Its settings are
    looked up in `sources.chat.rest.<name>`::

        pipeline.run(chat({"client": {...}, "resources": [...]}, name="matrix"))
        pipeline.run(chat("matrix.yaml"))

    Args:
        platform: The name of the platform, or of several; or a declaration, or the path of its
            file.
        catalog: A catalog of tap-chat. By default, the tap is run with `--discover`.
        select: Names of streams, with `*`, `?` and `!` as in `singer`. Without it, all are loaded
            but the resources of a declaration that have `selected: false`.
        nested: How to load objects and arrays: `json`, `native` or `tables`, as in `singer`.
        hard_delete: Whether to delete rows, as in `singer`.
        absent: How to load properties that a record lacks: `null` or `keep`, as in `singer`.
        on_bad_stream: What to do with a stream that can't be loaded: `fail` or `skip`.
        add_record_metadata: Whether rows have times and a load id, as in `singer`.
        account: The account, as in `singer`; or the setting `sources.chat.account`. A setting
            `account` of a platform can't be combined with it.
        name: The source's name, under which dlt keeps its state. The tables of a declaration begin
            with it; by default, it is the name of the file.
        settings: Settings of tap-chat (`tap-chat --about` lists them). For one platform, give its
            settings by name; for several, give a mapping for each platform.

    Returns:
        The source, with one resource for each stream of the platforms.

    Raises:
        BridgeError: A platform or a setting is not known, or a setting is missing or wrong.
        TapError: tap-chat failed.
    """
    if isinstance(platform, Mapping) or (isinstance(platform, str) and platform.endswith(FILES)):
        if name is None and isinstance(platform, str):
            name = PurePath(platform).stem
        config = config_of_declaration(platform, name, settings)
        if select is None and catalog is None:
            select = _left_out(config)
        account = _taken_account(config, account)
        # The name is the prefix of the tables, which all accounts share.
        name = source_name(name or "", account)
    else:
        config = config_of([platform] if isinstance(platform, str) else platform, settings)
        account = _taken_account(config, account)
    return singer(
        [sys.executable, "-m", "tap_chat"],
        config,
        catalog=catalog,
        select=select,
        nested=nested,
        hard_delete=hard_delete,
        absent=absent,
        on_bad_stream=on_bad_stream,
        account=account,
        add_record_metadata=add_record_metadata,
        name=name,
    )


def config_of(platforms: Sequence[str], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of tap-chat for some of its platforms.

    Args:
        platforms: The names of the platforms.
        arguments: Settings that override dlt's configuration: of the whole tap, of the only
            platform, or of one of several platforms, as a mapping by its name.

    Raises:
        BridgeError: A platform or a setting is not known, or a setting is missing or wrong.
    """
    platform_names = [platform.name for platform in PLATFORMS]
    if not platforms or not set(platforms) <= set(platform_names):
        raise BridgeError(f"chat() takes platforms of tap-chat: {', '.join(platform_names)}.")
    schema = _tap_settings() | {
        name: setting
        for name, setting in json_schema(Config)["properties"].items()
        if name in platforms
    }
    try:
        config = {name: {} for name in platforms} | _configured(schema, SECTION)
        for name, value in _by_section(arguments, platforms, schema).items():
            config[name] = config[name] | value if name in platforms else value
        parse(config, Config)
    except ConfigValidationError as error:
        quoted = re.search(r"`([\w.]+)`", str(error))
        key = f"{SECTION}.{quoted.group(1) if quoted else platforms[0]}"
        raise BridgeError(
            f"{error} What chat() is not given, dlt looks up in secrets.toml and config.toml as"
            f" `{key}`, and in the environment as {_variable(key)}."
        ) from None
    return config


def config_of_declaration(
    declaration: str | Mapping[str, Any], name: str | None, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the config of tap-chat for a declaration.

    Args:
        declaration: The declaration, or the path of its file; it may have settings next to it.
        name: The name with which its streams begin.
        arguments: Settings that override dlt's configuration: of the whole tap, or of the section.

    Raises:
        BridgeError: The declaration or a setting is wrong.
    """
    if name is None:
        raise BridgeError(
            "chat() needs the argument `name` with a declaration: its tables begin with it."
        )
    key = f"{SECTION}.rest.{name}"
    of_tap, of_section = _tap_settings(), json_schema(RestSettings)["properties"]
    try:
        problems = Problems(f"rest.{name}")
        given = plain(declaration, "", problems)
        problems.raise_if_any()
        beside = {setting: kind for setting, kind in of_section.items() if setting != "declaration"}
        section = section_of(given, f"rest.{name}") | _in_files(key) | _configured(beside, key)
        section |= {setting: value for setting, value in arguments.items() if setting not in of_tap}
        config = _configured(of_tap, SECTION)
        config |= {setting: value for setting, value in arguments.items() if setting in of_tap}
        config["rest"] = {name: section}
        ConfiguredPlatforms.of(parse(config, Config), complete=True)
    except ConfigValidationError as error:
        raise BridgeError(str(error)) from None
    return config


def _taken_account(config: dict[str, Any], account: str | None) -> str | None:
    """Return the account, and take it out of the config: the bridge adds it, not the tap."""
    configured: str | None = config.pop("account", None)
    return configured if account is None else account


def _left_out(config: Mapping[str, Any]) -> list[str] | None:
    """Return a selection without the resources that have `selected: false`; None if none has."""
    configured = ConfiguredPlatforms.of(parse(config, Config), complete=True)
    names = [
        f"!{stream.name}"
        for platform, _ in configured.to_read()
        for stream in platform.streams
        if not stream.selected_by_default
    ]
    return names or None


def _tap_settings() -> dict[str, Any]:
    """Return the JSON Schemas of the settings of the whole tap, by their names."""
    others = {"rest", *(platform.name for platform in PLATFORMS)}
    settings = json_schema(Config)["properties"]
    return {name: setting for name, setting in settings.items() if name not in others}


def _by_section(
    arguments: Mapping[str, Any], platforms: Sequence[str], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return arguments as a config of tap-chat has them: settings of a platform in its section."""
    config: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in platforms:
            if not isinstance(value, Mapping):
                raise BridgeError(f"{name} is a platform: give its settings as {name}={{...}}.")
            config[name] = config.get(name, {}) | dict(value)
        elif name in schema:
            config[name] = value
        elif len(platforms) == 1:
            config[platforms[0]] = config.get(platforms[0], {}) | {name: value}
        else:
            raise BridgeError(
                f"`{name}` is not a setting of all platforms. Give it to one of them:"
                f' {platforms[0]}={{"{name}": ...}}.'
            )
    return config


def _configured(schema: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return the settings in a section of dlt's configuration, with inner sections as objects."""
    config: dict[str, Any] = {}
    for name, setting in schema.items():
        key = f"{section}.{name}"
        if "properties" in setting:
            # Only files can be listed: their misspelled settings are passed on, so that tap-chat
            # refuses them.
            if inner := _in_files(key) | _configured(setting["properties"], key):
                config[name] = inner
        elif (value := _value(key, setting)) is not None:
            config[name] = value
    return config


def _in_files(key: str) -> dict[str, Any]:
    """Return everything in a section of config.toml and secrets.toml."""
    sections: tuple[Any, ...] = (dlt.config.get(key), dlt.secrets.get(key))
    return {
        name: value
        for section in sections
        if isinstance(section, Mapping)
        for name, value in section.items()
    }


def _value(key: str, setting: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return the value of a setting in dlt's configuration; None if it is not set."""
    value: Any = dlt.secrets.get(key)
    if value is None:
        value = dlt.config.get(key)
    if isinstance(value, date):
        # TOML has dates of its own; the tap takes texts.
        return value.isoformat()
    if not isinstance(value, str):
        return value
    variable = _variable(key)
    read = from_environment({"properties": {variable: setting}}, "", {variable: value})
    return read.get(variable)


def _variable(key: str) -> str:
    """Return the environment variable in which dlt looks up a key."""
    return key.replace(".", "__").upper()
