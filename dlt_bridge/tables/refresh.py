"""Drops tables and creates them again for the setting `refresh`: once, not in each run.

The list of streams stays in a configuration. The next run gets only what is new, so dropping the
tables again would lose all other rows. So dlt's state keeps which streams were refreshed, and no
stream is refreshed twice while it stays in the list.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.schema.utils import get_nested_tables, get_root_table, is_nested_table

from dlt_bridge.destinations.destination import package_state
from dlt_bridge.destinations.dlt_private import DROPPED, TRUNCATED

if TYPE_CHECKING:
    from collections.abc import Collection

logger = logging.getLogger(__name__)

#: The key of dlt's source state for the streams that were refreshed and are still in the list.
REFRESHED = "refreshed"


class Refresh:
    """Drops tables in one run.

    Tables with accounts stay: of them, the rows of the account are deleted.

    Args:
        streams: The streams whose tables are dropped and created again.
    """

    def __init__(self, streams: Collection[str] = ()) -> None:
        self._streams = frozenset(streams)
        self._seen: set[str] = set()
        # Tables of which the next package deletes the rows of the account.
        self._emptied: set[str] = set()

    def begin(self, account: str | None) -> None:
        """Forget the streams that were refreshed and are no longer in the list.

        Args:
            account: The account of the run; None if the bridge is given none.
        """
        if account is not None:
            self._keep_tables()
        state = dlt.current.source_state()
        if refreshed := [name for name in state.get(REFRESHED, ()) if name in self._streams]:
            state[REFRESHED] = refreshed
        else:
            state.pop(REFRESHED, None)

    def _keep_tables(self, table: str | None = None) -> None:
        """Keep what dlt is to drop or empty for its argument `refresh`, and delete rows instead.

        Args:
            table: The name of the one table to keep, with its child tables; None for all.
        """
        schema, package = dlt.current.source_schema(), package_state()
        for action in (DROPPED, TRUNCATED):
            parts: list[Any] = package.get(action, [])
            chains = {part["name"]: part for part in parts}
            kept = [
                part
                for part in parts
                if table is None or get_root_table(chains, part["name"])["name"] == table
            ]
            for part in kept:
                parts.remove(part)
                schema.tables.setdefault(part["name"], part)
                if not is_nested_table(part):
                    self._emptied.add(part["name"])

    def deletes_rows(self, table: str) -> bool:
        """Return whether the package that is filled deletes the rows of the account in a table."""
        return table in self._emptied

    def end_package(self, table: str) -> None:
        """Note that a package is complete that deletes the rows of the account in a table."""
        self._emptied.discard(table)

    def drop(self, stream: str, table: str, account: str | None) -> None:
        """Let dlt drop a table and its child tables, if the stream is to be refreshed.

        Args:
            stream: The stream.
            table: The name of its table.
            account: The account whose rows are deleted instead; None for no accounts.
        """
        if account is not None:
            self._keep_tables(table)
        if stream not in self._streams or stream in self._seen:
            return
        self._seen.add(stream)
        refreshed = dlt.current.source_state().setdefault(REFRESHED, [])
        if stream in refreshed:
            logger.warning(
                "Stream %s: its table was created again in an earlier run, so it stays as it is."
                " Remove the stream from the setting `refresh`. If you add it again later, its"
                " table is created again.",
                stream,
            )
            return
        refreshed.append(stream)
        if account is not None:
            self._emptied.add(table)
            logger.warning(
                "Stream %s: the rows of the account %s are deleted from its table `%s`, because of"
                " the setting `refresh`. It gets the rows that the tap sends from now on: run the"
                " tap without a state, so that it sends everything.",
                *(stream, account, table),
            )
            return
        schema = dlt.current.source_schema()
        tables: list[Any] = get_nested_tables(schema.tables, table)
        schema.drop_tables([part["name"] for part in tables])
        package_state().setdefault(DROPPED, []).extend(tables or [{"name": table, "columns": {}}])
        logger.warning(
            "Stream %s: its table `%s` is dropped and created again, because of the setting"
            " `refresh`. It gets the rows that the tap sends from now on: run the tap without a"
            " state, so that it sends everything.",
            stream,
            table,
        )

    def warn_of_missing(self) -> None:
        """Warn of streams in the list for which the tap has sent nothing."""
        if missing := sorted(self._streams - self._seen):
            logger.warning(
                "The setting `refresh` names %s, of which the tap sent nothing: their tables stay.",
                ", ".join(missing),
            )
