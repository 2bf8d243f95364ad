"""The file of accounts: each account with the settings of the tap."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_bridge.errors import BridgeError
from dlt_bridge.tap.inputs import is_account

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The tables of the file: settings of all accounts, and those of each.
TABLES = ("config", "accounts")

# `${NAME}` is a variable of the environment; `$${NAME}` is the text `${NAME}`.
_VARIABLE = re.compile(r"(\$?)\$\{([^{}]*)\}")


def read_accounts(path: str) -> dict[str, dict[str, Any]]:
    """Return the settings of each account in a file, merged over those of all accounts.

    Args:
        path: A TOML file with the tables `config` and `accounts`.

    Raises:
        BridgeError: It can't be read, or has no accounts. The error shows no settings.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BridgeError(f"The accounts file {path} can't be read: {error.strerror}.") from None
    except tomllib.TOMLDecodeError as error:
        # The rest of the error may quote the file.
        found = re.search(r"at line \d+, column \d+|at end of document", str(error))
        place = found.group() if found else "a table or a key is there twice"
        raise BridgeError(f"The accounts file {path} is not valid TOML: {place}.") from None
    except UnicodeDecodeError:
        raise BridgeError(f"The accounts file {path} is not UTF-8 text.") from None
    if unknown := [name for name in content if name not in TABLES]:
        raise BridgeError(
            f"The accounts file {path} has the table `{unknown[0]}`. It takes [config], with"
            " settings of all accounts, and [accounts.<account>]."
        )
    common, accounts = content.get("config", {}), content.get("accounts", {})
    if not isinstance(accounts, dict) or not accounts or not isinstance(common, dict):
        raise BridgeError(f"The accounts file {path} has no table [accounts.<account>].")
    return {account: merged(common, check(account, own)) for account, own in accounts.items()}


def check(account: str, config: Any) -> dict[str, Any]:  # noqa: ANN401 - what a user wrote
    """Return the settings of an account, if they are an object.

    Raises:
        BridgeError: They are not, or the text can't be an account.
    """
    if not is_account(account):
        raise BridgeError(
            "An account is a text that is not empty, without NUL and without invalid characters."
        )
    if not isinstance(config, dict):
        raise BridgeError(f"Account {account}: its settings are not an object.")
    return config


def merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of all accounts with those of one over them; sections are merged.

    Args:
        common: The settings of all accounts.
        own: The settings of one account.
    """
    result = dict(common)
    for name, value in own.items():
        before = result.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            value = merged(before, value)  # noqa: PLW2901 - the value of the setting
        result[name] = value
    return result


def filled(account: str, config: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return settings with the values of variables in place of `${NAME}`.

    Args:
        account: The account, for errors.
        config: Its settings.
        environ: The variables.

    Raises:
        BridgeError: A variable is not set.
    """

    def variable(found: re.Match[str]) -> str:
        escaped, name = found.groups()
        if escaped:
            return found.group()[1:]
        if name not in environ:
            raise BridgeError(
                f"Account {account}: the environment variable {name} is not set. Set it, also in"
                f" the file .env; $${{{name}}} stands for the text ${{{name}}}."
            )
        return environ[name]

    def fill(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, str):
            return _VARIABLE.sub(variable, value)
        if isinstance(value, dict):
            return {name: fill(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner) for inner in value]
        # TOML has dates of its own; the tap takes texts.
        return value.isoformat() if isinstance(value, date) else value

    return {name: fill(value) for name, value in config.items()}
