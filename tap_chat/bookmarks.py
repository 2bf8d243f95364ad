"""Bookmarks that can be compared: one format, in UTC, never backwards.

The SDK compares bookmarks as JSON values, so texts of mixed offsets or precision sort wrongly
(https://github.com/meltano/sdk/issues/2753), and a run that finds only older records than its
bookmark moves it back. Records stay as the API gives them; only bookmarks are normalised.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE

from tap_chat._sdk import StreamStateManager, write_starting_replication_value
from tap_chat.records import declared_types

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk.helpers import types

# A date-time as text in this module's one format, or a number; the bookmarks of one stream are all
# of one kind, and so can be compared.
Bookmark: TypeAlias = Any

EARLIEST = datetime.min.replace(tzinfo=UTC)
STEP = timedelta(milliseconds=1)


def markable(field: Mapping[str, Any]) -> bool:
    """Say whether the values of a field can be bookmarks: numbers, or date-times.

    Other texts have no order that is known: "10" comes before "9", and so do offsets.

    Args:
        field: Its JSON Schema.
    """
    kinds = set(declared_types(field)) - {"null"}
    moments = kinds == {"string"} and field.get("format") == "date-time"
    return moments or (bool(kinds) and kinds <= {"integer", "number"})


def read_datetime(value: object) -> datetime | None:
    """Return a date-time in UTC, or None if there is none to be read.

    Args:
        value: A date or date-time, or the ISO 8601 text of one with hyphens, taken for UTC if it
            names no offset.
    """
    text = value if isinstance(value, str) else str(value)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is UTC:
            pass
        elif moment.tzinfo:
            moment = moment.astimezone(UTC)
        else:
            moment = moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    # Python reads other texts of digits, such as an epoch, as some date, too.
    return moment if text[4:8:3] == "--" else None


def write_datetime(moment: datetime) -> str:
    """Return a date-time of UTC in the format of bookmarks, `2026-01-31T12:00:00.000000Z`."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def normalise_datetime(value: object) -> str | None:
    """Return a date-time in the format of bookmarks.

    Args:
        value: As for `read_datetime`.

    Returns:
        The same instant in UTC with microseconds, or None if there is none to be read.
    """
    moment = read_datetime(value)
    return None if moment is None else write_datetime(moment)


def normalise_number(value: object) -> int | float | None:
    """Return a number as a bookmark, or None where it is none that can be compared and written."""
    if isinstance(value, (float, Decimal)):
        number = float(value)
        return number if math.isfinite(number) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class Kind:
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


DATETIMES = Kind(read_datetime, write_datetime)
NUMBERS = Kind(normalise_number)


def just_before(bookmark: Bookmark) -> Bookmark:
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
        manager: What the SDK's class takes.

    Attributes:
        unmarked: The number of records that had no usable value of the replication key.
    """

    def __init__(
        self,
        *,
        kind: Kind,
        start: Bookmark | None,
        **manager: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**manager)
        self._kind = kind
        self._start = start
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
        if (bookmark := self._kind.normalise(stored)) is not None:
            state["replication_key_value"] = bookmark
        else:
            del state["replication_key_value"]
            self._logger.warning(
                "The state's bookmark of %s is no value of `%s` as it is declared now: the stream"
                " is read from its start.",
                self.stream_name,
                replication_key,
            )
        return bookmark

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
            latest = {replication_key: self._kind.write(max(found))}
            super().increment_state(latest, replication_key=replication_key)

    def reach(self, replication_key: str, bookmark: Bookmark) -> None:
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
        super().finalize_state(state)
        after = state.get("replication_key"), state.get("replication_key_value")
        if before[0] == after[0] and before[1] is not None:
            state["replication_key_value"] = max(before[1], after[1])


class WindowBookmarks(Bookmarks):
    """Bookmarks that move from window to window, whatever the records in one say."""

    @override
    def advance(self, values: Sequence[object], replication_key: str) -> None:
        self.unmarked += sum(mark is None for mark in map(self._kind.read, values))
