"""Streams with bookmarks in the STATE."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from typing_extensions import override

from tap_chat.http.clock import FAR, is_behind
from tap_chat.singer.bookmarks import (
    DATETIMES,
    NUMBERS,
    Bookmark,
    Bookmarks,
    BookmarkType,
)
from tap_chat.singer.timestamps import normalise_datetime
from tap_chat.streams.api_stream import APIStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.session import Session


class BookmarkedStream(APIStream):
    """A stream that resumes where the last run ended."""

    #: The keys of its STATE that hold its bookmarks.
    bookmark_keys: ClassVar[tuple[str, ...]] = ("replication_key_value",)
    #: The class of its bookmarks.
    bookmarks_class: ClassVar[type[Bookmarks]] = Bookmarks

    def __init__(self, tap: Tap, session: Session) -> None:
        self._has_warned_of_clock = False
        self._started = datetime.now(UTC)
        super().__init__(tap, session)

    @property
    def started(self) -> datetime:
        """When the run began, by the clock of this machine."""
        return self._started

    @property
    def is_read(self) -> bool:
        """Whether this run reads the stream, for itself or for its children."""
        return bool(self.selected or self.has_selected_descendents)

    @property
    def has_bookmarks(self) -> bool:
        """Whether the STATE has bookmarks of the stream, with which a run skips records."""
        return self.replication_method == REPLICATION_INCREMENTAL

    @property
    def exclusions(self) -> Sequence[str]:
        """What the settings exclude from the stream, as fixed texts: the STATE stores digests."""
        return ()

    @cached_property
    @override
    def state_manager(self) -> Bookmarks:
        """The bookmarks of this stream."""
        return self.bookmarks_class(
            bookmark_type=self.bookmark_type,
            start=self.first_bookmark,
            ceiling=self.ceiling,
            tap_name=self.tap_name,
            stream_name=self.name,
            tap_state=self.tap_state,
            state_partitioning_keys=self.state_partitioning_keys,
            is_sorted=self.is_sorted,
            check_sorted=self.check_sorted,
        )

    @property
    def bookmark_type(self) -> BookmarkType:
        """The type of the bookmarks."""
        return DATETIMES if self.is_timestamp_replication_key else NUMBERS

    @property
    def starting_bookmark(self) -> Bookmark | None:
        """The bookmark at which this run starts; None to read everything."""
        start: Bookmark | None = self.get_starting_replication_key_value(None)
        return start

    @property
    def planned_start(self) -> Bookmark | None:
        """The value of `starting_bookmark` when the stream will be synced."""
        if self.replication_method != REPLICATION_INCREMENTAL:
            return None
        return self.state_manager.find_start(self.saved_state, self.replication_key)

    @property
    def saved_state(self) -> dict[str, Any]:
        """The part of the STATE for this stream. Unlike `stream_state`, it adds no entry."""
        state: dict[str, Any] = self.tap_state.get("bookmarks", {}).get(self.name, {})
        return state

    @property
    def first_bookmark(self) -> Bookmark | None:
        """The bookmark at which a first incremental run starts: `start_date`, for times."""
        return normalise_datetime(self.start_date) if self.is_timestamp_replication_key else None

    @override
    def advance(self, chunk: RecordChunk) -> None:
        if self.replication_key:
            self.state_manager.advance(chunk.bookmark_values, self.replication_key)

    def advance_to(self, bookmark: Bookmark) -> None:
        """Move the bookmark of a stream that is read in windows, and write a STATE.

        Args:
            bookmark: The end of a window whose records are all written.
        """
        if self.replication_key and self.replication_method == REPLICATION_INCREMENTAL:
            self.state_manager.advance_to(self.replication_key, bookmark)
            self._session.write_state(self.tap_state)

    def safe_time(self, known: datetime, server_time: datetime) -> datetime:
        """Return a time that has passed at the server, up to which a bookmark may move.

        It is the time of the server's clock, or the known time if the clock is unknown or far
        behind: no bookmark depends on the clock of this machine alone.

        Args:
            known: A time that has passed at the server, such as that of a record.
            server_time: The time of the earliest of the responses that the bookmark stands for, by
                the server's clock; `FAR` if it is unknown.
        """
        if server_time is not FAR and not is_behind(server_time, known):
            return server_time
        if not self._has_warned_of_clock:
            self._has_warned_of_clock = True
            self.logger.warning(
                "The responses of %s %s: its bookmark follows its records.",
                self.name,
                "do not say when they were sent (`Date`)"
                if server_time is FAR
                else "say that they were sent days before what they hold (`Date`)",
            )
        return known

    def ceiling(self, latest: datetime) -> datetime:
        """Return the latest time of a bookmark that records move, not windows.

        Args:
            latest: The latest time in the records.
        """
        server_time = self.clock.earliest
        if server_time is FAR or is_behind(server_time, min(latest, self._started)):
            return self._started
        return server_time

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return None: `Bookmarks` caps bookmarks itself, by the server's clock and in any unit."""
        return
