"""Bookmarks that can be compared: one format, in UTC, never backwards.

The SDK compares bookmarks as JSON values, so texts of mixed offsets or precision sort wrongly
(https://github.com/meltano/sdk/issues/2753), and a run that finds only older records than its
bookmark moves it back. Records stay as the API gives them; only bookmarks are normalised.
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
    Times,
    bounds,
    from_number,
    read_datetime,
    write_datetime,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk.helpers import types

# A date-time as text in this module's one format, or a number; the bookmarks of one stream are all
# of one kind, and so can be compared.
Bookmark: TypeAlias = Any

STEP = timedelta(milliseconds=1)


def is_bookmarkable(field: Mapping[str, Any]) -> bool:
    """Say whether the values of a field can be bookmarks: numbers, or date-times.

    Other texts have no order that is known: "10" comes before "9", and so do offsets.

    Args:
        field: Its JSON Schema.
    """
    kinds = set(declared_types(field)) - {"null"}
    moments = kinds == {"string"} and field.get("format") == "date-time"
    return moments or (bool(kinds) and kinds <= {"integer", "number"})


def normalise_number(value: object) -> int | float | None:
    """Return a number as a bookmark, or None where it is none that can be compared and written."""
    if isinstance(value, (float, Decimal)):
        number = float(value)
        return number if math.isfinite(number) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class BookmarkType:
    """What the bookmarks of a stream are made of.

    Attributes:
        read: From a value of the replication key to what can be compared, or None for no bookmark.
        write: From that to the bookmark.
    """

    read: Callable[[object], Any]
    write: Callable[[Any], Bookmark] = lambda value: value

    def normalise(self, value: object) -> Bookmark | None:
        """Return the bookmark of a value of the replication key, or None if it has none."""
        found = self.read(value)
        return None if found is None else self.write(found)


DATETIMES = BookmarkType(read_datetime, write_datetime)
NUMBERS = BookmarkType(normalise_number)


def inclusive_start(bookmark: Bookmark) -> Bookmark:
    """Return what to ask a server for so that records at the bookmark come again.

    Whether a server's filter includes its bound is not known; asked from one step before, every
    record at the bookmark comes either way.

    Args:
        bookmark: A normalised bookmark.

    Returns:
        One millisecond earlier for a date-time, with milliseconds; one less for a number.
    """
    if not isinstance(bookmark, str):
        return bookmark - 1
    moment = datetime.fromisoformat(bookmark)
    earlier = max(moment, EARLIEST + STEP) - STEP
    return earlier.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Bookmarks(StreamStateManager):
    """The SDK's keeper of one stream's state, with bookmarks normalised.

    Args:
        kind: What the bookmarks are made of.
        start: The bookmark of a first run, or None to read everything.
        ceiling: From the latest moment in the records to the moment that no bookmark passes.
        manager: What the SDK's class takes.

    Attributes:
        unmarked: The number of records that had no usable value of the replication key.
    """

    def __init__(
        self,
        *,
        kind: BookmarkType,
        start: Bookmark | None,
        ceiling: Callable[[datetime], datetime],
        **manager: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**manager)
        self._kind = kind
        self._start = start
        self._ceiling = ceiling
        self._times = Times()
        self.unmarked = 0

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
        start = self.start(state, replication_key)
        self._logger.info("Reading %s from %s on.", self.stream_name, start or "the beginning")
        write_starting_replication_value(state, start)

    def start(self, state: dict[str, Any], replication_key: str | None) -> Bookmark | None:
        """Return where a run starts: at its bookmark or at the start, whichever is later.

        Args:
            state: The stream's state. A bookmark that can't be used is taken out.
            replication_key: The stream's replication key.
        """
        starts = [self._stored(state, replication_key), self._start]
        return max((mark for mark in starts if mark is not None), default=None)

    def _stored(self, state: dict[str, Any], replication_key: str | None) -> Bookmark | None:
        """Normalise the bookmark of a state, or take out one that can't be used."""
        stored = state.get("replication_key_value")
        if stored is None or state.get("replication_key") != replication_key:
            return None
        bookmark = self._kind.normalise(stored)
        if bookmark is None:
            del state["replication_key_value"]
            self._logger.warning(
                "The state's bookmark of %s is no value of `%s` as it is declared now: the stream"
                " is read from its start.",
                self.stream_name,
                replication_key,
            )
        elif self.is_to_come(bookmark):
            bookmark = None
            del state["replication_key_value"]
            self._logger.warning(
                "The state's bookmark of %s is later than now, and would leave out what comes until"
                " then: the stream is read from its start.",
                self.stream_name,
            )
        else:
            state["replication_key_value"] = bookmark
        return bookmark

    def is_to_come(self, bookmark: Bookmark) -> bool:
        """Say whether a bookmark of the STATE is of a time that is not yet, and so is wrong."""
        if not isinstance(bookmark, str):
            return False  # a number may be anything
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
        """Move the bookmark over some records.

        Args:
            values: The replication key's value in each of them, as it came.
            replication_key: Its name.
        """
        found = [mark for mark in map(self._kind.read, values) if mark is not None]
        self.unmarked += len(values) - len(found)
        if found:
            if self._kind is NUMBERS:
                self._times.count(found)
            latest = {replication_key: self._kind.write(max(found))}
            super().increment_state(latest, replication_key=replication_key)

    def advance_to(self, replication_key: str, bookmark: Bookmark) -> None:
        """Move the bookmark forward, never back.

        Args:
            replication_key: The stream's replication key.
            bookmark: Where everything before is written.
        """
        state = self.stream_state
        before = state.get("replication_key_value")
        if before is not None and state.get("replication_key") == replication_key:
            bookmark = max(bookmark, before)
        state |= {"replication_key": replication_key, "replication_key_value": bookmark}

    @override
    def finalize_state(self, state: dict[str, Any] | None = None) -> None:
        state = self.stream_state if state is None else state
        before = state.get("replication_key"), state.get("replication_key_value")
        markers = state.get(PROGRESS_MARKERS, {})
        if (found := markers.get("replication_key_value")) is not None:
            known = before[1] if before[0] == markers["replication_key"] else None
            markers["replication_key_value"] = self._capped(found, known)
        # Of an interrupted run of another version, by its clock; or of any shape.
        state.pop("replication_key_signpost", None)
        super().finalize_state(state)
        after = state.get("replication_key"), state.get("replication_key_value")
        if before[0] == after[0] and before[1] is not None:
            state["replication_key_value"] = max(before[1], after[1])

    def _capped(self, found: Bookmark, known: Bookmark | None) -> Bookmark:
        """Return a bookmark that is no later than now, as far as it is a time.

        Args:
            found: The greatest value in the records.
            known: The bookmark before them.
        """
        if self._kind is NUMBERS:
            unit = self._times.unit(known)
            moment = None if unit is None else from_number(found, unit)
        else:
            unit, moment = None, read_datetime(found)
        if moment is None or (ceiling := self._ceiling(moment)) >= moment:
            return found
        if is_behind(ceiling, moment):
            self._logger.warning(
                "Records of %s are of a time that is still to come. The bookmark stays at now, so"
                " that what comes until then is not left out; these come again in each run.",
                self.stream_name,
            )
        return write_datetime(ceiling) if unit is None else int(ceiling.timestamp() * unit)


class WindowBookmarks(Bookmarks):
    """Bookmarks that move from window to window, whatever the records in one say.

    Attributes:
        unit: How many of them are a second.
    """

    unit: ClassVar[int] = 1

    @override
    def is_to_come(self, bookmark: Bookmark) -> bool:
        return bool(bookmark > bounds(self.unit, datetime.now(UTC))[1])

    @override
    def advance(self, values: Sequence[object], replication_key: str) -> None:
        self.unmarked += sum(mark is None for mark in map(self._kind.read, values))


class MillisecondBookmarks(WindowBookmarks):
    """The same in milliseconds."""

    unit = 1000
