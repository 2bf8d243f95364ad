"""The accounts of the assets, and the settings of their platforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tap_chat.platforms.registry import PLATFORMS

#: Accounts with their configs of tap-chat, and a function that returns them.
AccountConfigs = Mapping[str, Mapping[str, Any]]
Accounts = AccountConfigs | Callable[[], AccountConfigs]

#: The sections of a config that are platforms; `rest` has those that are declared in the config.
SECTIONS = {"rest", *(platform.name for platform in PLATFORMS)}


def read_accounts(accounts: Accounts) -> AccountConfigs:
    """Return the accounts as they are now, with their configs."""
    return accounts() if callable(accounts) else accounts


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


def sections_of(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the platforms that a config has."""
    for name in SECTIONS & config.keys():
        if name == "rest":
            yield from (f"rest.{declaration}" for declaration in config[name])
        else:
            yield name
