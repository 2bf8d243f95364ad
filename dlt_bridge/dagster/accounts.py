"""The accounts of the assets, and their partition keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from tap_chat.platforms.registry import PLATFORMS

#: The accounts with their configs of tap-chat, or a function that returns them.
Accounts = Mapping[str, Mapping[str, Any]] | Callable[[], Mapping[str, Mapping[str, Any]]]

#: The sections of a config that are platforms; `rest` has those that are declared in the config.
SECTIONS = {"rest", *(platform.name for platform in PLATFORMS)}

# What Dagster forbids in partition keys, and what separates them; `%` begins an escape.
_FORBIDDEN = set('%|,[]"\\') | {chr(code) for code in (*range(32), 127)}


def read_accounts(accounts: Accounts) -> Mapping[str, Mapping[str, Any]]:
    """Return the accounts as they are now, with their configs."""
    return accounts() if callable(accounts) else accounts


def partition_key(account: str) -> str:
    """Return the partition key of an account: the account, if Dagster allows it.

    Args:
        account: The account: any text.
    """
    escaped = "".join(quote(sign, safe="") if sign in _FORBIDDEN else sign for sign in account)
    return escaped.replace("...", "%2E%2E%2E")


def account_of(key: str) -> str:
    """Return the account of a partition key."""
    return unquote(key)


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
