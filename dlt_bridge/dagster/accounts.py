"""The accounts of the assets, and the settings of their platforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from os import PathLike, fspath
from typing import Any

from dlt_bridge.accounts import files
from tap_chat.config.environment import environment
from tap_chat.platforms.registry import PLATFORMS

#: Accounts with their configs of tap-chat; and their file, or a function that returns them.
AccountConfigs = Mapping[str, Mapping[str, Any]]
Accounts = str | PathLike[str] | AccountConfigs | Callable[[], AccountConfigs]

#: The sections of a config that are platforms; `rest` has those that are declared in the config.
SECTIONS = {"rest", *(platform.name for platform in PLATFORMS)}
#: The settings of a platform that name its streams.
STREAM_SETTINGS = {"api_version", "extra_streams"}


def read_accounts(accounts: Accounts) -> AccountConfigs:
    """Return the accounts as they are now, with their configs.

    Args:
        accounts: The accounts. Variables in a file are not filled in: they may be secrets.

    Raises:
        BridgeError: The file can't be read, or has no accounts.
    """
    if isinstance(accounts, (str, PathLike)):
        return files.read_accounts(fspath(accounts))
    return accounts() if callable(accounts) else accounts


def filled(accounts: Accounts, name: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return settings of an account with the values of variables, if they come from a file.

    Args:
        accounts: The accounts.
        name: The account.
        config: Its settings.

    Raises:
        BridgeError: A variable is not set.
    """
    is_file = isinstance(accounts, (str, PathLike))
    return files.filled(name, config, environment()) if is_file else config


def platform_config(config: Mapping[str, Any], platform: str) -> dict[str, Any] | None:
    """Return the settings of an account for one of its platforms.

    Args:
        config: The config of tap-chat for the account.
        platform: The name of the platform; `rest.<name>` if it is declared in the config.

    Returns:
        The settings of the whole tap, and the section of the platform; None if it has none.
    """
    section, _, declaration = platform.partition(".")
    if section not in config or (declaration and declaration not in config[section]):
        return None
    own = {name: value for name, value in config.items() if name not in SECTIONS or name == section}
    return own | {"rest": {declaration: config["rest"][declaration]}} if declaration else own


def without_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with the platforms of another, and with those settings that name streams.

    A wrong setting of one account must not keep Dagster from loading the definitions of all.
    """
    return {
        name: section
        if name == "rest" or not isinstance(section, dict)
        else {key: section[key] for key in STREAM_SETTINGS & section.keys()}
        for name, section in config.items()
        if name in SECTIONS
    }


def sections_of(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the platforms that a config has."""
    for name in SECTIONS & config.keys():
        if name == "rest":
            yield from (f"rest.{declaration}" for declaration in config[name])
        else:
            yield name
