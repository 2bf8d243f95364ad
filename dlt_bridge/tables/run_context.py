"""One run of a source: its streams, their tables, and the user's hints."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import dlt

from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.destinations.existing import ExistingTables
from dlt_bridge.tables import layout
from dlt_bridge.tables.dispositions import AppliedHints, UserHints, user_hints
from dlt_bridge.tables.refresh import Refresh
from dlt_bridge.tables.table_names import (
    settle_tables,
    sources_of_other_accounts,
    tables_of_other_sources,
)
from dlt_bridge.tap.selection import matches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from dlt.extract import DltResource

    from dlt_bridge.destinations.comments import Comments
    from dlt_bridge.tables.options import Options


class RunContext:
    """One run of a source.

    Args:
        options: How its streams are loaded.
        selected: The streams to load.
        first: The first value of `_sdc_sequence`.

    Attributes:
        options: How its streams are loaded.
        selected: The streams to load.
        first: The first value of `_sdc_sequence`.
        in_parts: Packages may be committed before the tap has ended.
        refresh: Drops the tables that are to be created again.
        existing: The tables that are in the destination.
        warned: The streams for which the user was warned that records are kept whole.
        comments: The descriptions of the tables and columns of the SCHEMAs so far.
    """

    def __init__(self, options: Options, selected: Collection[str], first: int) -> None:
        self.options = options
        self.selected = frozenset(selected)
        self.first = first
        self.in_parts = False
        self.refresh = Refresh(options.refresh)
        self.existing = ExistingTables()
        self.warned: set[str] = set()
        self.comments: Comments = {}
        self._tables: dict[str, str] = {}
        self._user_hints: dict[str, UserHints] = {}

    def resource(self, stream: str) -> DltResource:
        """Return the resource of a stream, in the source that is being read."""
        return dlt.current.source().resources[self.options.everything or stream]

    def applied_hints(self, stream: str) -> AppliedHints:
        """Return the hints that the bridge has applied to the resource of a stream."""
        return self.options.applied.setdefault(self.options.everything or stream, AppliedHints())

    def take_dispositions(self) -> None:
        """Take over the user's dispositions of all streams, if the run has an account."""
        for stream in self.selected if self.options.account is not None else ():
            self.applied_hints(stream).take_disposition(self.resource(stream))

    def user_hints(self, stream: str) -> UserHints:
        """Return the user's hints of a stream's resource. They are read once in a run.

        Raises:
            MessageError: A hint is a function of a row.
        """
        resource = self.options.everything or stream
        if resource not in self._user_hints:
            hints = user_hints(self.resource(stream), self.applied_hints(stream))
            self._user_hints[resource] = hints
        return self._user_hints[resource]

    def table(self, stream: str, name: str) -> str:
        """Return the name of a stream's table, which is the same in the whole run.

        Args:
            stream: The stream.
            name: The name that the table is to have, before normalization.

        Raises:
            BridgeError: No table can have the name, or the table holds other rows.
        """
        if stream not in self._tables:
            self.settle({stream: name})
        return self._tables[stream]

    def settle(self, names: Mapping[str, str]) -> None:
        """Decide which tables streams have.

        Args:
            names: The names that the tables are to have, by stream.

        Raises:
            BridgeError: As for `table`.
        """
        has_one_resource = self.options.everything is not None
        settle_tables(
            names,
            self._tables,
            self._tables_of_others,
            self.options.on_name_collision,
            one=has_one_resource,
        )

    @cached_property
    def _tables_of_others(self) -> Mapping[str, str]:
        """The sources of the other tables in the dataset, by table."""
        return tables_of_other_sources(self._sharing)

    @cached_property
    def _sharing(self) -> Sequence[str]:
        """The sources of other accounts in the pipeline, which share tables."""
        return sources_of_other_accounts(self.options.account, self.options.tap)

    def take_types(self, table: str, properties: Iterable[str]) -> None:
        """Give columns of a table the types that they have with other accounts in the pipeline.

        Their rows may be in the same run, so that the table has no columns yet.

        Args:
            table: The name of the table.
            properties: The names of the columns, before normalization.
        """
        for source in self._sharing:
            layout.take_types(table, properties, running_pipeline().schemas[source])

    def needs_table_hint(self, stream: str, table: str) -> bool:
        """Return whether dlt needs the name of a stream's table."""
        if self.options.everything:
            return True
        normalize = dlt.current.source_schema().naming.normalize_tables_path
        return bool(normalize(str(self.resource(stream).table_name)) != table)

    def is_selected(self, stream: str) -> bool:
        """Return whether a stream is to be loaded."""
        if self.options.everything is None:
            return stream in self.selected
        return not any(matches(stream, pattern) for pattern in self.options.excluded)
