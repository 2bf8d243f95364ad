"""What the driver hands to dlt: rows of streams, with the hints of their tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_bridge.tables.hints import TableHints


@dataclass(slots=True)
class StreamItem:
    """Rows of a stream for its transformer, and what dlt must know before it takes them.

    Attributes:
        rows: Arrow tables; objects, if nested values become tables of their own.
        hints: Hints of the table; None if dlt has them.
        size: Bytes of the rows.
    """

    rows: list[Any]
    hints: TableHints | None = None
    size: int = 0


@dataclass(slots=True)
class StreamItems:
    """What the driver hands to the transformers: the rows of each stream.

    Attributes:
        by_stream: The parcel of each stream that has one.
        left: How many transformers have not yet seen it.
    """

    by_stream: dict[str, StreamItem]
    left: int = 0

    def take(self, stream: str) -> StreamItem | None:
        """Return the parcel of a stream, for its transformer."""
        self.left -= 1
        return self.by_stream.pop(stream, None)
