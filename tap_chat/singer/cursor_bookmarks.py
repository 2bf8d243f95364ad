"""Bookmarks that are values of a cursor, as the API sent them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http.clock import is_behind
from tap_chat.singer.bookmarks import NUMBERS, Bookmarks
from tap_chat.singer.cursors import (
    DATETIME_TEXT,
    NUMBER,
    Cursor,
    CursorType,
    CursorValue,
    common_type,
    cursor_type,
    write_like,
)
from tap_chat.singer.digests import digest_of
from tap_chat.singer.sdk import PROGRESS_MARKERS, StreamStateManager
from tap_chat.singer.timestamps import from_epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk.helpers import types

    from tap_chat.singer.records import Record

#: The key of a STATE with digests of the records at the bookmark, for a stream without a key.
ROWS_KEY = "rows_at_bookmark"
#: The maximum number of them. Bytes of a digest.
MOST_ROWS, DIGEST_SIZE = 1000, 12


def row_digest(record: Record) -> str:
    """Return a digest of a record, by which it is known in the next run."""
    return digest_of(record, DIGEST_SIZE).hex()


class CursorBookmarks(Bookmarks):
    """The bookmark of a stream with a cursor.

    Args:
        cursor: The cursor.
        has_keys: Whether records have primary keys, by which a loader knows a record that comes
            again. If not, the bookmark has digests of the records at it.
        manager: The arguments of `Bookmarks`.

    Attributes:
        value_type: The type of the values; None if it is not known yet.
        is_disordered: Whether the list is in another order than was promised.
    """

    def __init__(self, *, cursor: Cursor, has_keys: bool, **manager: Any) -> None:  # noqa: ANN401
        super().__init__(bookmark_type=NUMBERS, **manager)
        self._cursor = cursor
        self._has_keys = has_keys
        self.value_type: CursorType | None = None
        self._began_at: dict[str, Any] | None = None
        self._has_started = self._has_warned_of_rows = False
        self.is_disordered = False

    @override
    def write_starting_replication_value(
        self,
        context: types.Context | None,
        replication_method: str,
        replication_key: str | None,
        config: Mapping[str, Any],
        compare_start_date_fn: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        # It is the same for all parents.
        if not self._has_started:
            self._has_started = True
            super().write_starting_replication_value(
                context, replication_method, replication_key, config, compare_start_date_fn
            )

    @override
    def find_start(self, state: dict[str, Any], replication_key: str | None) -> CursorValue | None:
        return self._cursor.later(self.saved(state, replication_key), self._start)

    def saved(self, state: dict[str, Any], replication_key: str | None) -> CursorValue | None:
        """Return the bookmark in a state; remove an unusable one.

        Args:
            state: The state of the stream.
            replication_key: The replication key of the stream.
        """
        saved: object = state.get("replication_key_value")
        # The SDK reads the numbers of a STATE as decimals.
        value: Any = float(saved) if isinstance(saved, Decimal) else saved
        if value is None or state.get("replication_key") != replication_key:
            return None
        kind = cursor_type(value)
        if kind is None:
            del state["replication_key_value"]
            self._logger.warning(
                "The state's bookmark of %s is neither a number nor a text: the stream is read from"
                " its start.",
                self.stream_name,
            )
            return None
        if self._has_keys and self.is_in_future(value):
            self._remove_future(state)
            return None
        usable: CursorValue = value
        return usable

    @override
    def is_in_future(self, bookmark: CursorValue) -> bool:
        time = DATETIME_TEXT.read(bookmark)
        return time is not None and is_behind(datetime.now(UTC), time)

    def saved_rows(self, state: dict[str, Any]) -> frozenset[str]:
        """Return the digests of the records at the bookmark in a state."""
        rows = state.get(ROWS_KEY)
        return frozenset(rows) if isinstance(rows, list) else frozenset()

    @override
    def advance(self, values: Sequence[object], replication_key: str) -> None:
        self.advance_over((), values, replication_key)

    def advance_over(
        self, records: Sequence[Record], values: Sequence[Any], replication_key: str
    ) -> None:
        """Move the bookmark over records that are written.

        Args:
            records: The decoded records; none if the stream has keys.
            values: The value of the cursor in each record, as the API sent it.
            replication_key: The replication key.
        """
        kind = self.value_type = self.value_type or common_type(values)
        read = [None if kind is None else kind.read(value) for value in values]
        usable = [value for value in read if value is not None]
        self.unusable += len(read) - len(usable)
        if not usable:
            return
        if kind is NUMBER:
            self._units.add(usable)
        latest = min(usable) if self._cursor.falls else max(usable)
        rows = [row_digest(record) for record, at in zip(records, read) if at == latest]  # noqa: B905 - there may be no records
        self._move(values[read.index(latest)], rows, replication_key)

    def _move(self, value: CursorValue, rows: list[str], replication_key: str) -> None:
        state = self.stream_state
        if self._began_at is None:
            self._began_at = dict(state)
        if self._is_sorted:
            if not self.is_disordered:
                value = self._capped(value, state.get("replication_key_value"))
                self._set_later(state, value, rows, replication_key)
                return
            # The records that follow may be before the bookmark: take it back.
            self._is_sorted = False
            reached = dict(state)
            state.update(dict.fromkeys(("replication_key_value", ROWS_KEY)), **self._began_at)
            self._set_later(
                self._markers(state), reached["replication_key_value"], [], replication_key
            )
        self._set_later(self._markers(state), value, rows, replication_key)

    @staticmethod
    def _markers(state: dict[str, Any]) -> dict[str, Any]:
        markers: dict[str, Any] = state.setdefault(
            PROGRESS_MARKERS, {"Note": "Progress is not resumable if interrupted."}
        )
        return markers

    def _set_later(
        self, state: dict[str, Any], value: CursorValue, rows: list[str], replication_key: str
    ) -> None:
        """Set a bookmark, unless it is before the one in the state.

        Args:
            state: The state of the stream, or its markers of progress.
            value: The bookmark.
            rows: Digests of the records at it.
            replication_key: The replication key.
        """
        is_same_key = state.get("replication_key") == replication_key
        previous = state.get("replication_key_value") if is_same_key else None
        at_previous = self.saved_rows(state)
        if self._compare(previous, value) > 0:
            return
        is_equal = self._compare(previous, value) == 0
        state["replication_key"], state["replication_key_value"] = replication_key, value
        if not self._has_keys:
            known = [*(at_previous if is_equal else ()), *rows]
            state[ROWS_KEY] = sorted(set(known))[:MOST_ROWS]
            self._warn_of_rows(len(known))

    def _compare(self, previous: CursorValue | None, value: CursorValue) -> int:
        """Return -1, 0 or 1 if a bookmark is before, at, or after another one."""
        kind = cursor_type(value)
        before = None if previous is None or kind is None else kind.read(previous)
        if before is None or kind is None:
            return -1
        now = kind.read(value)
        if before == now:
            return 0
        return -1 if self._cursor.is_before(before, now) else 1

    def _warn_of_rows(self, count: int) -> None:
        if count > MOST_ROWS and not self._has_warned_of_rows:
            self._has_warned_of_rows = True
            self._logger.warning(
                "%s has no primary key, and more than %d records with the same `%s`: the next run"
                " writes some of them again. Declare a primary_key.",
                self.stream_name,
                MOST_ROWS,
                self._cursor.path,
            )

    @override
    def finalize_state(self, state: dict[str, Any] | None = None) -> None:
        state = self.stream_state if state is None else state
        markers = state.pop(PROGRESS_MARKERS, {})
        if (latest := markers.get("replication_key_value")) is not None:
            previous = state.get("replication_key_value")
            value = self._capped(latest, previous)
            rows = list(self.saved_rows(markers))
            self._set_later(state, value, rows, markers["replication_key"])
        StreamStateManager.finalize_state(self, state)

    def _capped(self, value: CursorValue, previous: CursorValue | None) -> CursorValue:
        """Return a bookmark; if it is a time, and records have keys, at most the ceiling.

        Args:
            value: The latest value in the records.
            previous: The bookmark before them.
        """
        kind = cursor_type(value)
        if not self._has_keys or self._cursor.falls:
            return value
        latest = kind.read(value) if kind is DATETIME_TEXT else None
        if kind is NUMBER:
            unit = self._units.unit(previous if isinstance(previous, (int, float)) else None)
            latest = None if unit is None else from_epoch(float(value), unit)
        if latest is None or (ceiling := self._ceiling(latest)) >= latest:
            return value
        self._warn_of_future(ceiling, latest)
        capped = write_like(value, ceiling)
        return value if capped is None else capped

    @override
    def increment_state(
        self,
        latest_record: types.Record,
        *,
        context: types.Context | None = None,
        replication_key: str,
    ) -> None:
        records = [] if self._has_keys else [latest_record]
        self.advance_over(records, [self._cursor.find(latest_record)], replication_key)
