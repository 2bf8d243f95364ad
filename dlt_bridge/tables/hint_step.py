"""The last step of a stream's rows on their way to dlt: hints, behind the steps of the user.

A filter or a map may drop the rows that a hint came with. Without keys and types, later rows would
be appended where they should be merged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dlt
from dlt.extract.items import TableNameMeta
from typing_extensions import override

from dlt_bridge.destinations.dlt_private import LastStep

if TYPE_CHECKING:
    from dlt_bridge.tables.dispositions import AppliedHints
    from dlt_bridge.tables.hints import TableHints
    from dlt_bridge.tables.sink import StreamItem


class HintStep(LastStep):
    """Gives hints to dlt with the next rows that have come through all other steps.

    Args:
        name: The name of the resource.
        told: Where it is kept what dlt was told of each resource.
    """

    def __init__(self, name: str, told: dict[str, AppliedHints]) -> None:
        super().__init__()
        self._name = name
        self._told = told
        self._waiting: dict[str | None, TableHints] = {}
        self._tables: dict[str, str] = {}
        self._rows: Any = None
        self._changed = False
        self._format: Any = None

    def take(self, parcel: StreamItem, stream: str | None = None) -> Any:  # noqa: ANN401
        """Take what is to be told with the rows of a parcel, and return the rows.

        Args:
            parcel: The parcel.
            stream: Its stream, if the resource is of several.
        """
        if parcel.hints is not None:
            self._waiting[stream] = parcel.hints
            if stream is not None:
                self._tables[stream] = parcel.hints.table or stream
        self._rows = parcel.rows
        return parcel.rows if stream is None else dlt.mark.with_table_name(parcel.rows, stream)

    @override
    def __call__(self, item: Any, meta: Any = None) -> Any:
        stream = meta.table_name if isinstance(meta, TableNameMeta) else None
        # Who changes rows may give two the same key.
        self._changed |= item is not self._rows
        self._told[self._name].changed = self._changed
        if isinstance(item, list) and any(row is None for row in item):
            # A map says so that they are dropped; dlt would make rows of them, without values.
            item = [row for row in item if row is not None]
            if not item:
                return None
        hints = self._waiting.pop(stream, None)
        if hints is None:
            return item if stream is None else dlt.mark.with_table_name(item, self._tables[stream])
        hints = replace(
            hints,
            deduplicated=hints.deduplicated and not self._changed,
            file_format=self._told_format(hints.file_format),
        )
        if stream is None:
            self._told[self._name] = replace(hints.told(), changed=self._changed)
        return dlt.mark.with_hints(item, hints.made(), create_table_variant=stream is not None)

    def _told_format(self, ours: Any) -> Any:  # noqa: ANN401
        """Return the file format to tell dlt: none where `pipeline.run` was given one."""
        resource = dlt.current.source().resources[self._name]
        stated = resource.compute_table_schema().get("file_format")
        if stated is not None and stated != self._format:
            return None
        self._format = ours
        return ours
