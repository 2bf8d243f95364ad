"""The options of a source: how the streams of a tap are loaded, in every run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlt_bridge.tap.batch_files import BatchFolders

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dlt_bridge.arrow.nested import Nesting
    from dlt_bridge.tables.column_names import OnNameCollision
    from dlt_bridge.tables.dispositions import AppliedHints


@dataclass(frozen=True, slots=True)
class Options:
    """How the streams of a source are loaded.

    Attributes:
        nested: How objects and arrays are loaded.
        hard_delete: Whether rows with `_sdc_deleted_at` and rows of older versions are deleted.
            None keeps the former and deletes the latter.
        keep: Whether rows keep the stored values of properties that a record lacks.
        skip: Whether a stream that can't be loaded is skipped, and the others are loaded.
        everything: The name of the one resource that loads all streams, if the streams are not
            known before they are read; otherwise None.
        excluded: Patterns of the streams that this resource leaves out.
        on_name_collision: What to do with streams, or properties, that have the same name in the
            destination.
        refresh: The streams whose tables are dropped and created again.
        batch_folders: The folders in which BATCH messages may name files.
        applied: The hints that the bridge has applied, by resource.
        account: The account that all rows belong to; None for no accounts.
        tap: The name of the tap, by which accounts of one tap are known.
        use_state: Whether the tap continues from its last STATE.
        add_record_metadata: Whether rows have the times of their records, and a load id.
    """

    nested: Nesting = "json"
    hard_delete: bool | None = None
    keep: bool = False
    skip: bool = False
    everything: str | None = None
    excluded: Sequence[str] = ()
    on_name_collision: OnNameCollision = "refuse"
    refresh: Collection[str] = ()
    batch_folders: BatchFolders = field(default_factory=BatchFolders)
    applied: dict[str, AppliedHints] = field(default_factory=dict)
    account: str | None = None
    tap: str = ""
    use_state: bool = True
    add_record_metadata: bool = True
