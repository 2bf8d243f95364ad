"""Bookmarks that can be compared: in one format, in UTC, and never moved back.

The SDK compares bookmarks as JSON values, so texts with different offsets or precisions are ordered
wrongly (https://github.com/meltano/sdk/issues/2753). It also moves a bookmark back if a run finds
only older records. Here, bookmarks are normalised, and records stay as the API sent them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE
from typing_extensions import override

from tap_chat.http.clock import is_behind
from tap_chat.singer.records import declared_types
from tap_chat.singer.sdk import (
    PROGRESS_MARKERS,
    StreamStateManager,
    write_starting_replication_value,
)
from tap_chat.singer.timestamps import (
    EARLIEST,
    UnitDetector,
    epoch_range,
    from_epoch,
    read_datetime,
    write_datetime,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk.helpers import types

#: A number, or a date-time as `write_datetime` writes it. All bookmarks of a stream are of one
#: type, and so can be compared.
Bookmark: TypeAlias = Any

STEP = timedelta(milliseconds=1)


def is_bookmarkable(schema: Mapping[str, Any]) -> bool:
    """Return whether the values of a property can be bookmarks: date-times or numbers.

    Other texts have no known order: "10" sorts before "9".

    Args:
        schema: The JSON Schema of the property.
    """
    json_types = set(declared_types(schema)) - {"null"}
    is_datetime = json_types == {"string"} and schema.get("format") == "date-time"
    return is_datetime or (bool(json_types) and json_types <= {"integer", "number"})


def normalise_number(value: object) -> int | float | None:
    """Return a number that can be compared and written as JSON, or None for any other value."""
    if isinstance(value, (float, Decimal)):
        number = float(value)
        return number if math.isfinite(number) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class BookmarkType:
    """How values of a replication key become bookmarks.

    Attributes:
        read: Turns a value into one that can be compared, or into None if it can't be a bookmark.
        write: Turns a value that `read` returned into a bookmark.
    """

    read: Callable[[object], Any]
    write: Callable[[Any], Bookmark] = lambda value: value

    def normalise(self, value: object) -> Bookmark | None:
        """Return a value as a bookmark, or None if it can't be one."""
        comparable = self.read(value)
        return None if comparable is None else self.write(comparable)


DATETIMES = BookmarkType(read_datetime, write_datetime)
NUMBERS = BookmarkType(normalise_number)


def inclusive_start(bookmark: Bookmark) -> Bookmark:
    """Return a start for a server's filter that includes the records at a bookmark.

    Some filters include their bound, others do not. With a bound one step earlier, both return
    these records.

    Args:
        bookmark: A bookmark.

    Returns:
        For a date-time, one millisecond earlier, with milliseconds; for a number, one less.
    """
    if not isinstance(bookmark, str):
        return bookmark - 1
    start = max(datetime.fromisoformat(bookmark), EARLIEST + STEP) - STEP
    return start.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Bookmarks(StreamStateManager):
    """The SDK's manager of the state of one stream, with normalised bookmarks.

    Args:
        bookmark_type: How values of the replication key become bookmarks.
        start: The bookmark of a first run, or None to read everything.
        ceiling: Called with the latest time in the records; returns the time that no bookmark may
            pass.
        manager: The arguments of the SDK's class.

    Attributes:
        unusable: The number of records whose value of the replication key can't be a bookmark.
    """

    def __init__(
        self,
        *,
        bookmark_type: BookmarkType,
        start: Bookmark | None,
        ceiling: Callable[[datetime], datetime],
        **manager: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**manager)
        self._type = bookmark_type
        self._start = start
        self._ceiling = ceiling
        self._units = UnitDetector()
        self.unusable = 0

    @override
    def write_starting_replication_value(
        self,
        context: types.Context | None,
        replication_method: str,
        replication_key: str | None,
        config: Mapping[str, Any],
        compare_start_date_fn: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        if replication_method == REPLICATION_FULL_TABLE:
            return
        state = self.get_context_state(context)
        start = self.find_start(state, replication_key)
        self._logger.info("Reading %s from %s on.", self.stream_name, start or "the beginning")
        write_starting_replication_value(state, start)

    def find_start(self, state: dict[str, Any], replication_key: str | None) -> Bookmark | None:
        """Return the bookmark at which a run starts: the saved one or the first, the later of both.

        Args:
            state: The state of the stream. An unusable bookmark is removed from it.
            replication_key: The replication key of the stream.
        """
        bookmarks = (self._saved(state, replication_key), self._start)
        return max((bookmark for bookmark in bookmarks if bookmark is not None), default=None)

    def _saved(self, state: dict[str, Any], replication_key: str | None) -> Bookmark | None:
        """Return the bookmark in a state, and normalise it there; remove an unusable one."""
        value = state.get("replication_key_value")
        if value is None or state.get("replication_key") != replication_key:
            return None
        bookmark = self._type.normalise(value)
        if bookmark is None:
            del state["replication_key_value"]
            self._logger.warning(
                "The state's bookmark of %s does not have the declared type of `%s`: the stream is"
                " read from its start.",
                self.stream_name,
                replication_key,
            )
        elif self.is_in_future(bookmark):
            bookmark = None
            self._remove_future(state)
        else:
            state["replication_key_value"] = bookmark
        return bookmark

    def _remove_future(self, state: dict[str, Any]) -> None:
        """Remove a bookmark in the future from a state."""
        del state["replication_key_value"]
        self._logger.warning(
            "The state's bookmark of %s is in the future, and would leave out new records: the"
            " stream is read from its start.",
            self.stream_name,
        )

    def is_in_future(self, bookmark: Bookmark) -> bool:
        """Return whether a saved bookmark is later than now, and therefore wrong."""
        if not isinstance(bookmark, str):
            return False  # the number need not be a time
        return is_behind(datetime.now(UTC), datetime.fromisoformat(bookmark))

    @override
    def increment_state(
        self,
        latest_record: types.Record,
        *,
        context: types.Context | None = None,
        replication_key: str,
    ) -> None:
        self.advance([latest_record.get(replication_key)], replication_key)

    def advance(self, values: Sequence[object], replication_key: str) -> None:
        """Move the bookmark over records.

        Args:
            values: The value of the replication key in each record, as the API sent it.
            replication_key: The replication key.
        """
        usable = [value for value in map(self._type.read, values) if value is not None]
        self.unusable += len(values) - len(usable)
        if usable:
            if self._type is NUMBERS:
                self._units.add(usable)
            latest = {replication_key: self._type.write(max(usable))}
            super().increment_state(latest, replication_key=replication_key)

    def advance_to(self, replication_key: str, bookmark: Bookmark) -> None:
        """Move the bookmark forward, never back.

        Args:
            replication_key: The replication key of the stream.
            bookmark: The new bookmark. All records before it are written.
        """
        state = self.stream_state
        previous = state.get("replication_key_value")
        if previous is not None and state.get("replication_key") == replication_key:
            bookmark = max(bookmark, previous)
        state |= {"replication_key": replication_key, "replication_key_value": bookmark}

    @override
    def finalize_state(self, state: dict[str, Any] | None = None) -> None:
        state = self.stream_state if state is None else state
        key, bookmark = state.get("replication_key"), state.get("replication_key_value")
        markers = state.get(PROGRESS_MARKERS, {})
        if (latest := markers.get("replication_key_value")) is not None:
            previous = bookmark if key == markers["replication_key"] else None
            markers["replication_key_value"] = self._cap(latest, previous)
        # An interrupted run of an older version may have left one, from this machine's clock.
        state.pop("replication_key_signpost", None)
        super().finalize_state(state)
        if bookmark is not None and key == state.get("replication_key"):
            state["replication_key_value"] = max(bookmark, state["replication_key_value"])

    def _cap(self, bookmark: Bookmark, previous: Bookmark | None) -> Bookmark:
        """Return a bookmark; if it is a time, at most the ceiling.

        Args:
            bookmark: The greatest value in the records.
            previous: The bookmark before them.
        """
        if self._type is NUMBERS:
            unit = self._units.unit(previous)
            latest = None if unit is None else from_epoch(bookmark, unit)
        else:
            unit, latest = None, read_datetime(bookmark)
        if latest is None or (ceiling := self._ceiling(latest)) >= latest:
            return bookmark
        self._warn_of_future(ceiling, latest)
        return write_datetime(ceiling) if unit is None else int(ceiling.timestamp() * unit)

    def _warn_of_future(self, ceiling: datetime, latest: datetime) -> None:
        """Warn if records have times in the future.

        Args:
            ceiling: The time that no bookmark may pass.
            latest: The latest time in the records.
        """
        if is_behind(ceiling, latest):
            self._logger.warning(
                "Records of %s have times in the future. The bookmark stays at the present time, so"
                " that no new record is left out. These records are read again in each run.",
                self.stream_name,
            )


class TimeWindowBookmarks(Bookmarks):
    """Bookmarks that are date-times. The windows of a stream move them, not its records."""

    @override
    def advance(self, values: Sequence[object], replication_key: str) -> None:
        self.unusable += sum(value is None for value in map(self._type.read, values))


class WindowBookmarks(TimeWindowBookmarks):
    """Bookmarks in seconds since 1970. The windows of a stream move them, not its records.

    Attributes:
        unit: The number of units in a second.
    """

    unit: ClassVar[int] = 1

    @override
    def is_in_future(self, bookmark: Bookmark) -> bool:
        return bool(bookmark > epoch_range(self.unit, datetime.now(UTC))[1])


class MillisecondBookmarks(WindowBookmarks):
    """Bookmarks in milliseconds since 1970. The windows of a stream move them, not its records."""

    unit = 1000
