"""The table of accounts in the destination: each account with the settings of the tap."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from dlt.common.schema import Schema
from dlt.destinations.exceptions import DatabaseException

from dlt_bridge.accounts.files import check
from dlt_bridge.destinations.clients import make_client
from dlt_bridge.errors import BridgeError

if TYPE_CHECKING:
    from dlt import Pipeline

#: The columns of the table.
COLUMNS = ("account", "config")

_NAME = re.compile(r"\w+(\.\w+){0,2}")


def read_accounts_table(pipeline: Pipeline, table: str) -> dict[str, dict[str, Any]]:
    """Return the settings of each account in a table of the destination.

    Args:
        pipeline: A pipeline that loads into the destination.
        table: The table, with its dataset: `raw.accounts`.

    Raises:
        BridgeError: It can't be read, or a row of it can't be used. The error shows no settings.
    """
    if not _NAME.fullmatch(table):
        raise BridgeError(f"--accounts-table {table} is not the name of a table: raw.accounts.")
    client = make_client(pipeline, Schema(pipeline.pipeline_name))
    with client.sql_client as sql:
        escaped = ".".join(sql.escape_column_name(part) for part in table.split("."))
        columns = ", ".join(sql.escape_column_name(column) for column in COLUMNS)
        try:
            rows = sql.execute_sql(f"SELECT {columns} FROM {escaped}")  # noqa: S608
        except DatabaseException:
            raise BridgeError(
                f"The table {table} can't be read. It needs the columns `account` and `config`,"
                " with the settings of the tap as JSON, and the right to read them."
            ) from None
    accounts: dict[str, dict[str, Any]] = {}
    for account, config in rows or ():
        if account in accounts:
            raise BridgeError(f"The table {table} has the account {account} twice.")
        accounts[account] = check(account, _object(config))
    if not accounts:
        raise BridgeError(f"The table {table} has no accounts.")
    return accounts


def _object(config: Any) -> Any:  # noqa: ANN401
    """Return a value of a JSON column, which some databases give as a text; None if it is none."""
    if not isinstance(config, str):
        return config
    try:
        return json.loads(config)
    except ValueError:
        return None
