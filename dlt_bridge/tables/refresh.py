"""Tables that are dropped and made anew, because the user asks for it: once for each asking.

A list of streams stays in a config. To drop their tables again in the next run, which has only
what is new, would lose all else. So dlt's state keeps which streams were made anew, and a stream
is not made anew twice while it stays in the list.
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

#: Where dlt's state has the streams that were made anew and are still in the list.
MADE = "refreshed"


class Refreshing:
    """Makes tables anew, in the run that it is made for.

    Args:
        streams: The streams whose tables are to be made anew.
    """

    def __init__(self, streams: Collection[str] = ()) -> None:
        self._asked = frozenset(streams)
        self._met: set[str] = set()

    def begin(self) -> None:
        """Begin a package: forget what was made anew and is no longer asked for."""
        state = dlt.current.source_state()
        if made := [name for name in state.get(MADE, ()) if name in self._asked]:
            state[MADE] = made
        else:
            state.pop(MADE, None)

    def drop(self, stream: str, table: str) -> None:
        """Let dlt drop a table and its child tables, if they are to be made anew.

        Args:
            stream: The stream.
            table: The name of its table.
        """
        if stream not in self._asked or stream in self._met:
            return
        self._met.add(stream)
        made = dlt.current.source_state().setdefault(MADE, [])
        if stream in made:
            logger.warning(
                "Stream %s: its table was made anew in an earlier run, so it is left as it is. Take"
                " the stream out of the setting `refresh`; put in again later, it is made anew.",
                stream,
            )
            return
        made.append(stream)
        schema = dlt.current.source_schema()
        known: list[Any] = get_nested_tables(schema.tables, table)
        schema.drop_tables([part["name"] for part in known])
        package_state().setdefault(DROPPED, []).extend(known or [{"name": table, "columns": {}}])
        logger.warning(
            "Stream %s: its table `%s` is dropped and made anew, as the setting `refresh` says. It"
            " has what the tap sends from now on: let it send everything, without a state.",
            stream,
            table,
        )

    def warn_of_missing(self) -> None:
        """Warn of streams that are to be made anew, of which nothing came."""
        if missing := sorted(self._asked - self._met):
            logger.warning(
                "The setting `refresh` names %s, of which the tap sent nothing: their tables stay.",
                ", ".join(missing),
            )
