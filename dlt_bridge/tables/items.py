"""What the driver hands to dlt: rows of streams, with the hints of their tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_bridge.tables.hints import TableHints


@dataclass(slots=True)
class StreamItem:
    """Rows of a stream for its transformer, with the hints that dlt needs before it takes them.

    Attributes:
        rows: Arrow tables; or Python objects, from which dlt makes child tables.
        hints: The hints of the table; None if dlt has them.
        size: The size of the rows in bytes.
        load_id: The load id that the rows get; None if dlt itself gives them one.
    """

    rows: list[Any]
    hints: TableHints | None = None
    size: int = 0
    load_id: str | None = None


@dataclass(slots=True)
class StreamItems:
    """One item of the driver: the rows of several streams.

    Attributes:
        by_stream: The items of the streams that have rows or hints.
        left: How many transformers have not taken it.
    """

    by_stream: dict[str, StreamItem]
    left: int = 0

    def take(self, stream: str) -> StreamItem | None:
        """Return the item of a stream, for its transformer; None if there is none."""
        self.left -= 1
        return self.by_stream.pop(stream, None)
