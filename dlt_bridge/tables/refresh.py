"""Drops tables and creates them again for the setting `refresh`: once, not in each run.

The list of streams stays in a configuration. The next run gets only what is new, so dropping the
tables again would lose all other rows. So dlt's state keeps which streams were refreshed, and no
stream is refreshed twice while it stays in the list.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.schema.utils import get_nested_tables

from dlt_bridge.destinations.destination import package_state
from dlt_bridge.destinations.dlt_private import DROPPED

if TYPE_CHECKING:
    from collections.abc import Collection

logger = logging.getLogger(__name__)

#: The key of dlt's source state for the streams that were refreshed and are still in the list.
REFRESHED = "refreshed"


class Refresh:
    """Drops tables in one run.

    Args:
        streams: The streams whose tables are dropped and created again.
    """

    def __init__(self, streams: Collection[str] = ()) -> None:
        self._streams = frozenset(streams)
        self._seen: set[str] = set()

    def begin(self) -> None:
        """Forget the streams that were refreshed and are no longer in the list."""
        state = dlt.current.source_state()
        if refreshed := [name for name in state.get(REFRESHED, ()) if name in self._streams]:
            state[REFRESHED] = refreshed
        else:
            state.pop(REFRESHED, None)

    def drop(self, stream: str, table: str) -> None:
        """Let dlt drop a table and its child tables, if the stream is to be refreshed.

        Args:
            stream: The stream.
            table: The name of its table.
        """
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
