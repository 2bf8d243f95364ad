"""Freshchat's users: a stream, and the list that leads to all conversations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.platforms.freshchat import fields
from tap_chat.platforms.freshchat.resume import PassBatch, batches
from tap_chat.platforms.freshchat.streams import (
    NEXT_URL_PATH,
    PAGES,
    TOTAL_ROWS_PATH,
    FreshchatStream,
    is_addressable,
)
from tap_chat.singer.bookmarks import inclusive_start
from tap_chat.singer.sdk import PROGRESS_MARKERS
from tap_chat.singer.timestamps import EARLIEST, read_datetime, write_datetime
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.relisting import SeenRecords, read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_chat.platforms.freshchat.resume import PassProgress
    from tap_chat.singer.bookmarks import Bookmark
    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.paginators import Paginator

#: Before the first account. Freshchat: a list of users needs a filter; this value passes all users.
BEGINNING = "2000-01-01T00:00:00.000Z"

#: The times of users may be behind the clock of the server by this much.
CLOCK_TOLERANCE = timedelta(minutes=10)

#: The fields of a user that are times.
TIMES = ("created_time", "updated_time")


class FreshchatUsers(FreshchatStream):
    """The users, including those who never wrote."""

    name = "freshchat_users"
    path = "/users"
    records_path = "users"
    primary_keys = ("id",)
    replication_key = "updated_time"
    schema = fields.USERS
    #: Whether the list states more users than it returned.
    incomplete = False

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        for users in self.read_ahead(self._users_plan(self.starting_bookmark)):
            yield self.chunk(users)
        if self.incomplete:
            # Keep the bookmark where it was.
            self.stream_state.pop(PROGRESS_MARKERS, None)

    @override
    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        yield self._users_plan(self.planned_start)

    def _users_plan(self, bookmark: Bookmark | None) -> ReadPlan[list[Record]]:
        since = days_before(bookmark, self.settings.lookback_days)
        # The lookback ends at the setting start_date.
        if since is not None and self.first_bookmark is not None:
            since = max(since, str(self.first_bookmark))
        return ReadPlan((self.name, since), partial(self.users, since))

    def users(self, since: str | None, ahead: RequestsAhead) -> Iterator[Fetched[list[Record]]]:
        """Read the users that were created or changed since a time, each once.

        It is not known whether a user that never changed has an `updated_time`. So the list is read
        twice: by time of change, and by time of creation.

        Args:
            since: The time, as a bookmark; None for all users.
            ahead: Sends requests ahead.

        Yields:
            The users of each page.
        """
        if since is None:
            yield from self._read_list("created_from", BEGINNING, ahead)
            return
        written = SeenRecords(updated_time)
        for name in ("updated_from", "created_from"):
            for step in self._read_list(name, inclusive_start(since), ahead):
                users = written.new_in([(user["id"],) for user in step.value], step.value)
                yield Fetched(users, step.size, step.last and name == "created_from")

    def pending(
        self, since: str | None, progress: PassProgress | None, ahead: RequestsAhead
    ) -> Iterator[Fetched[PassBatch]]:
        """Read the whole list of users, then yield those that are left to read.

        Args:
            since: Users that changed since then are read; None for all users.
            progress: How far the pass has come; None at its start.
            ahead: Sends requests ahead.

        Yields:
            A batch without users for each page of the list, then the users in batches.
        """
        listed_at = ""
        ids: dict[str, None] = {}
        for step in self.users(since, ahead):
            # By the server's clock, as `from_time` is; and by its first response, as the next pass
            # asks for what comes while the list is read.
            listed_at = listed_at or write_datetime(min(self.end_date, self.list_start(step.value)))
            page_ids = [user["id"] for user in step.value]
            self.warn_of_unaddressable("users", page_ids)
            ids |= dict.fromkeys(filter(is_addressable, page_ids))
            yield Fetched(PassBatch(listed_at))
        for batch in batches(ids, listed_at, progress):
            yield Fetched(batch)

    def list_start(self, users: list[Record]) -> datetime:
        """Return when the list was first asked for, by the server's clock if that is right.

        Args:
            users: The users of the first page.
        """
        times = (read_datetime(user.get(name)) for user in users for name in TIMES)
        return self.ceiling(max((time for time in times if time), default=EARLIEST))

    def _read_list(
        self, name: str, start: str, ahead: RequestsAhead
    ) -> Iterator[Fetched[list[Record]]]:
        # Freshchat: every page needs the filter; next links may lack it.
        request = self.new_request(None).with_params({name: start})
        # Freshchat: a list may have the number of its users in `pagination`.
        return read_whole(
            partial(self.fetch_pages, request, None, None, ahead),
            SeenRecords(updated_time),
            TOTAL_ROWS_PATH,
            self._is_recent,
            self._note_incomplete,
        )

    @override
    def new_paginator(self) -> Paginator:
        page_size = self.settings.items_per_page
        return PAGES(page_size=page_size, next_url_path=NEXT_URL_PATH, is_read_again=True)

    def _is_recent(self, user: Record) -> bool:
        """Return whether a user may have entered or moved in the list since it was requested."""
        times = [read_datetime(user.get(name)) for name in TIMES]
        latest = max((time for time in times if time), default=None)
        requested = min(self.clock.earliest, self._started) - CLOCK_TOLERANCE
        return times[0] is None or latest is None or latest > requested

    def _note_incomplete(self, total: int, found: int) -> None:
        if not self.incomplete:
            self.logger.warning(
                "The list of %s states that it has %d, and %d of them came in three readings:"
                " the next run starts where this one did.",
                self.path,
                total,
                found,
            )
        self.incomplete = True


def updated_time(user: Record) -> object:
    """Return the time at which a user changed, as the API sent it."""
    return user.get("updated_time")


def days_before(bookmark: str | None, days: float) -> str | None:
    """Return the bookmark this many days before another; None for None."""
    if bookmark is None:
        return None
    time = read_datetime(bookmark) or EARLIEST
    try:
        return write_datetime(time - timedelta(days=days))
    except OverflowError:
        return write_datetime(EARLIEST)


def valid_bookmark(stored: object) -> str | None:
    """Return a bookmark of a STATE in the present format, or None if it is not a past time.

    Args:
        stored: The value in the STATE.
    """
    time = read_datetime(stored)
    # Bookmarks are times of the server, whose clock may be ahead of this one.
    if time is None or time > datetime.now(UTC) + timedelta(days=1):
        return None
    return write_datetime(time)
