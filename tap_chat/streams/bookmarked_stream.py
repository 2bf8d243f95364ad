"""Streams that resume where the last run ended."""

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
    """A stream with bookmarks in the STATE."""

    #: The keys of the stream's STATE that hold how far it was read.
    bookmark_keys: ClassVar[tuple[str, ...]] = ("replication_key_value",)
    #: How the bookmark moves.
    bookmarks_class: ClassVar[type[Bookmarks]] = Bookmarks

    def __init__(self, tap: Tap, session: Session) -> None:
        self._doubted = False
        self._began = datetime.now(UTC)
        super().__init__(tap, session)

    @property
    def is_read(self) -> bool:
        """Whether this run reads the stream, for itself or for what is reached through it."""
        return bool(self.selected or self.has_selected_descendents)

    @property
    def has_bookmarks(self) -> bool:
        """Whether the STATE has marks of the stream, by which a run leaves out records."""
        return self.replication_method == REPLICATION_INCREMENTAL

    @property
    def exclusions(self) -> Sequence[str]:
        """What the settings leave out of the stream, as words that stay the same."""
        return ()

    @cached_property
    @override
    def state_manager(self) -> Bookmarks:
        """The keeper of this stream's state."""
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
        """What the bookmarks are made of."""
        return DATETIMES if self.is_timestamp_replication_key else NUMBERS

    @property
    def starting_bookmark(self) -> Bookmark | None:
        """Where this run starts; None to read everything."""
        start: Bookmark | None = self.get_starting_replication_key_value(None)
        return start

    @property
    def planned_start(self) -> Bookmark | None:
        """What `starting_bookmark` will be when the stream is synced."""
        if self.replication_method != REPLICATION_INCREMENTAL:
            return None
        return self.state_manager.find_start(self.saved_state, self.replication_key)

    @property
    def saved_state(self) -> dict[str, Any]:
        """What the STATE has of this stream, which gets no part by that, as in `stream_state`."""
        known: dict[str, Any] = self.tap_state.get("bookmarks", {}).get(self.name, {})
        return known

    @property
    def first_bookmark(self) -> Bookmark | None:
        """Where a first incremental run starts: at the setting `start_date`, if that is a time."""
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

    def passed(self, known: datetime) -> datetime:
        """Return a moment that is over at the server, so that a bookmark may be there.

        It is what the server's clock shows, unless that is wrong: far behind what is known. Then,
        and where the server says nothing, it is what is known: no bookmark follows the clock of
        this machine alone.

        Args:
            known: A moment that is over there, such as that of a record that it gave.
        """
        told = self.clock.earliest
        if told is not FAR and not is_behind(told, known):
            return told
        if not self._doubted:
            self._doubted = True
            self.logger.warning(
                "The responses of %s %s: its bookmark follows its records.",
                self.name,
                "do not say when they were sent (`Date`)"
                if told is FAR
                else "say that they were sent days before what they hold (`Date`)",
            )
        return known

    def ceiling(self, found: datetime) -> datetime:
        """Return what the bookmark of a stream that is not read in windows may not pass.

        Args:
            found: The latest moment in the records.
        """
        told = self.clock.earliest
        believed = told is not FAR and not is_behind(told, min(found, self._began))
        return told if believed else self._began

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return none: `Bookmarks` caps bookmarks itself, by the server's clock and in any unit."""
        return
