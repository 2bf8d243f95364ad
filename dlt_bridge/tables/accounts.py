"""The account of a run: its column, and what is refused so that accounts stay apart."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import dlt

from dlt_bridge.arrow.columns import Column
from dlt_bridge.arrow.metadata_columns import ACCOUNT
from dlt_bridge.arrow.types import ColumnType
from dlt_bridge.errors import BridgeError, MessageError
from dlt_bridge.tables import state_store
from dlt_bridge.tables.layout import stored_columns
from dlt_bridge.tap.inputs import is_account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt_bridge.destinations.existing import ExistingTables
    from dlt_bridge.tap.messages import Schema

logger = logging.getLogger(__name__)


def account_of(message: Schema, account: str | None) -> str | None:
    """Return the account of a stream: that of the run, or the one that its SCHEMA declares.

    Args:
        message: The SCHEMA. A tap that adds accounts itself declares the one of the run as `const`.
        account: The account of the run; None if the bridge is given none.
    """
    if account is not None:
        return account
    properties = message.schema.get("properties")
    declared = properties.get(ACCOUNT) if isinstance(properties, dict) else None
    value = declared.get("const") if isinstance(declared, dict) else None
    return value if is_account(value) else None


def with_account(stream: str, columns: Sequence[Column], account: str) -> tuple[Column, ...]:
    """Return the columns of a stream with the one of accounts before them.

    Args:
        stream: The stream.
        columns: Its columns.
        account: The account.

    Raises:
        MessageError: The stream has such a column itself.
    """
    if any(column.json_name == ACCOUNT for column in columns):
        raise MessageError(
            f"Stream {stream}: its SCHEMA has a property `_account`, and the bridge is given an"
            " account, too. Set the account in one place: in the tap, or in the bridge."
        )
    return (Column(ACCOUNT, ColumnType("text"), key=True, constant=account), *columns)


def refuse_table_of_accounts(stream: str, table: str, existing: ExistingTables) -> None:
    """Refuse rows without an account for a table with accounts: they would replace its rows.

    Args:
        stream: The stream.
        table: The name of its table.
        existing: The tables that are in the destination.

    Raises:
        MessageError: The table has accounts.
    """
    name = dlt.current.source_schema().naming.normalize_path(ACCOUNT)
    if name in stored_columns(table) or existing.has_column(table, name):
        raise MessageError(
            f"Stream {stream}: its table `{table}` has rows of accounts, which rows without an"
            " account would replace. Give the run its account, or load into another dataset."
        )


def begin_account(account: str | None, tap: str) -> None:
    """Note the account of the source that is read; with another, the tap reads from the start.

    Args:
        account: The account; None for no account.
        tap: The name of the tap.

    Raises:
        BridgeError: The source had an account, and has none now.
    """
    source = dlt.current.source().name
    before = state_store.saved_account()
    if account == before:
        return
    if account is None:
        raise BridgeError(
            f"The source {source} was loaded with an account, and now has none. Give it its"
            " account; or another name, and another dataset: singer(..., name=...)."
        )
    if state_store.forget_bookmarks():
        rest = (
            f"The rows of the account {before} stay."
            if before is not None
            else "Earlier rows have no account: delete those whose column `_account` is null."
        )
        logger.warning(
            "The source %s has another account than before, so the tap reads everything from the"
            " start. %s",
            source,
            rest,
        )
    state_store.save_account(account, tap)
