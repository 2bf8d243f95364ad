"""How a source is loaded: what the user chose, and what holds for one run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import dlt

from dlt_bridge.destinations.existing import ExistingTables
from dlt_bridge.tables import table_names
from dlt_bridge.tables.dispositions import AppliedHints
from dlt_bridge.tables.refresh import Refreshing
from dlt_bridge.tap.batch_files import BatchFolders
from dlt_bridge.tap.selection import matches

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dlt.extract import DltResource

    from dlt_bridge.arrow.nested import Nesting
    from dlt_bridge.tables.column_names import OnNameCollision


@dataclass(frozen=True, slots=True)
class Options:
    """How the streams of a source are loaded.

    Attributes:
        nested: What becomes of objects and arrays.
        hard_delete: Whether rows with `_sdc_deleted_at` and rows of older versions are deleted.
            None keeps the former and deletes the latter.
        keep: Rows keep the values of properties that a record lacks.
        skip: A stream that can't be loaded is skipped, and the others are loaded.
        everything: The one resource of all streams, if they are not known before they are read.
        excluded: Patterns of streams that are left out then.
        applied: The hints that the bridge has applied, by resource.
        on_name_collision: What becomes of streams, or properties, with one name in the destination.
        tables: The tables of the streams of a run.
        refresh: The streams whose tables are to be made anew.
        refreshing: Makes them anew, in one run.
        existing: The tables that are in the destination, in one run.
        places: Where the files of BATCH messages may be.
        whole: The streams whose records are kept whole, as far as that was said.
    """

    nested: Nesting = "json"
    hard_delete: bool | None = None
    keep: bool = False
    skip: bool = False
    everything: str | None = None
    excluded: Sequence[str] = ()
    applied: dict[str, AppliedHints] = field(default_factory=dict)
    on_name_collision: OnNameCollision = "refuse"
    tables: dict[str, str] = field(default_factory=dict)
    refresh: Collection[str] = ()
    refreshing: Refreshing = field(default_factory=Refreshing)
    existing: ExistingTables = field(default_factory=ExistingTables)
    places: BatchFolders = field(default_factory=BatchFolders)
    whole: set[str] = field(default_factory=set)

    def of_a_run(self) -> Options:
        """Return these options with what holds for one run only."""
        return replace(self, refreshing=Refreshing(self.refresh), existing=ExistingTables())

    def resource(self, stream: str) -> DltResource:
        """Return the resource of a stream, in the source that is being read."""
        return dlt.current.source().resources[self.everything or stream]

    def applied_to(self, stream: str) -> AppliedHints:
        """Return what the bridge has told dlt of a stream's resource."""
        return self.applied.setdefault(self.everything or stream, AppliedHints())

    def table(self, stream: str, named: str) -> str:
        """Return the name of a stream's table, which stays in a run.

        Args:
            stream: The stream.
            named: What the table is to be called.

        Raises:
            BridgeError: No table can have the name, or it is another's.
        """
        if stream not in self.tables:
            self.settle({stream: named})
        return self.tables[stream]

    def settle(self, named: Mapping[str, str]) -> None:
        """Decide which tables streams have.

        Args:
            named: What they are to be called, by stream.

        Raises:
            BridgeError: As for `table`.
        """
        one = self.everything is not None
        table_names.settle_tables(named, self.tables, self.on_name_collision, one=one)

    def names_table(self, stream: str, table: str) -> bool:
        """Say whether dlt must be told the name of a stream's table."""
        if self.everything:
            return True
        normalize = dlt.current.source_schema().naming.normalize_tables_path
        return bool(normalize(str(self.resource(stream).table_name)) != table)

    def reads(self, stream: str, selected: Collection[str]) -> bool:
        """Say whether a stream is to be loaded."""
        if self.everything is None:
            return stream in selected
        return not any(matches(stream, pattern) for pattern in self.excluded)
