"""Leaves out the records of a list that an earlier run has read, and ends where none follow."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tap_chat.singer.cursor_bookmarks import row_digest
from tap_chat.singer.cursors import cursor_type

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tap_chat.platforms.rest.incremental import Bounds, IncrementalReading, Span
    from tap_chat.singer.cursors import CursorType
    from tap_chat.streams.paginators import Page


class CursorError(Exception):
    """A record has a value of the cursor that can't be compared.

    Args:
        predicate: What the server did, as the predicate of a sentence.
        remedy: What to do.
    """

    def __init__(self, predicate: str, remedy: str) -> None:
        super().__init__(predicate)
        self.predicate = predicate
        self.remedy = remedy


class ListFilter:
    """Filters the pages of one list.

    Args:
        reading: How the resource is read.
        span: The part of the list that the run reads.
        written_rows: Digests of the records at the start that are written; none for a stream with
            a primary key.

    Attributes:
        has_ended: Whether the list is sorted, and no record follows that the run reads.
        is_disordered: Whether the records are in another order than `row_order` promises.
    """

    def __init__(
        self, reading: IncrementalReading, span: Span, written_rows: Collection[str] = ()
    ) -> None:
        self._reading = reading
        self._declared = reading.declared
        self._span = span
        self._written_rows = written_rows
        self._bounds: Bounds | None = None
        self._last: Any = None
        self.has_ended = False
        self.is_disordered = False

    def filter(self, page: Page) -> Page:
        """Return a page without the records that the run leaves out.

        Args:
            page: The page.

        Raises:
            CursorError: A record has no value of the cursor, or a value of another type.
        """
        values = page.chunk.bookmark_values
        bounds = self._bounds = self._bounds or self._find_bounds(values)
        if bounds is None:
            return page.only([self._keeps_unknown(value) for value in values])
        read = [bounds.kind.read(value) for value in values]
        self._check_order([value for value in read if value is not None])
        early = [value is not None and bounds.is_early(value) for value in read]
        late = [value is not None and bounds.is_late(value) for value in read]
        self._find_end(early, late)
        chosen = [
            not (is_early or is_late) and (value is not None or self._keeps_unknown(sent))
            for sent, value, is_early, is_late in zip(values, read, early, late, strict=True)
        ]
        if self._written_rows:
            chosen = [
                keep and not (value == bounds.start and row_digest(record) in self._written_rows)
                for keep, value, record in zip(chosen, read, page.records, strict=True)
            ]
        return page if all(chosen) else page.only(chosen)

    @property
    def kind(self) -> CursorType | None:
        """The type of the values; None before the first one."""
        return self._bounds.kind if self._bounds else None

    def _find_bounds(self, values: Sequence[Any]) -> Bounds | None:
        known = [value for value in values if value is not None]
        if not known:
            return None
        try:
            return self._reading.bounds(self._span, known)
        except TypeError as error:
            raise CursorError(
                f"returned a record whose cursor `{self._reading.cursor.path}` {error}",
                "Choose another cursor; or write `initial_value` and `end_value` as the API writes"
                " this one. If the API has changed, do a full refresh.",
            ) from None

    def _keeps_unknown(self, value: object) -> bool:
        """Return whether a record is kept that has no value of the cursor, or of another type.

        Raises:
            CursorError: It can't be compared, and the declaration does not say what to do.
        """
        path, missing = self._reading.cursor.path, self._declared.on_cursor_value_missing
        if value is None and missing == "raise":
            raise CursorError(
                f"returned a record without its cursor `{path}`",
                "Correct `cursor_path`, or set `on_cursor_value_missing` to `include`, which writes"
                " such records in each run, or to `exclude`, which leaves them out.",
            )
        # A faulty text among date-times is written, and counted at the end.
        if value is not None and not isinstance(value, str):
            other = cursor_type(value)
            name = other.name if other else "neither a number nor a text"
            raise CursorError(
                f"returned a record whose cursor `{path}` is {name}, unlike that of others",
                "Values of two types have no order: choose another cursor.",
            )
        return value is not None or missing == "include"

    def _check_order(self, values: Sequence[Any]) -> None:
        if self._declared.row_order is None or not values:
            return
        sequence = values if self._last is None else [self._last, *values]
        self._last = values[-1]
        if self._declared.row_order == "desc":
            sequence = sequence[::-1]
        is_before = self._reading.cursor.is_before
        if any(is_before(later, earlier) for earlier, later in pairwise(sequence)):
            self.is_disordered = True

    def _find_end(self, early: Sequence[bool], late: Sequence[bool]) -> None:
        outside = {"desc": early, "asc": late}.get(self._declared.row_order or "")
        if outside and all(outside) and not self.is_disordered:
            self.has_ended = True
