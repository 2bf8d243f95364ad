"""Freshchat's users: a stream of their own, and the list that leads to all conversations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.platforms.freshchat import fields
from tap_chat.platforms.freshchat.streams import FreshchatStream
from tap_chat.singer.bookmarks import inclusive_start
from tap_chat.singer.sdk import PROGRESS_MARKERS
from tap_chat.singer.timestamps import EARLIEST, read_datetime, write_datetime
from tap_chat.streams.fan_out import Fetched, ReadPlan
from tap_chat.streams.relisting import SeenRecords, read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_chat.singer.bookmarks import Bookmark
    from tap_chat.singer.records import Record, RecordChunk

#: Before every account. Freshchat: a list of users needs a filter, and this one lets all pass.
BEGINNING = "2000-01-01T00:00:00.000Z"

#: By so much may the times of users be before the clock of the server that gives them.
LATELY = timedelta(minutes=10)

#: The times of a user.
TIMES = ("created_time", "updated_time")


class FreshchatUsers(FreshchatStream):
    """The users, those who write and those who were only imported."""

    name = "freshchat_users"
    path = "/users"
    records_path = "users"
    primary_keys = ("id",)
    replication_key = "updated_time"
    schema = fields.USERS
    #: Whether the list is known to have users that did not come.
    unsettled = False

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        for users in self.read_ahead(self._plan_of_users(self.starting_bookmark)):
            yield self.chunk(users)
        if self.unsettled:
            # The bookmark stays where it is.
            self.stream_state.pop(PROGRESS_MARKERS, None)

    @override
    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        yield self._plan_of_users(self.planned_start)

    def _plan_of_users(self, bookmark: Bookmark | None) -> ReadPlan[list[Record]]:
        since = earlier(bookmark, self.settings.lookback_days)
        # No lookback leads behind the setting start_date.
        if since is not None and self.first_bookmark is not None:
            since = max(since, str(self.first_bookmark))
        return ReadPlan((self.name, since), lambda: self.users(since))

    def users(self, since: str | None) -> Iterator[Fetched[list[Record]]]:
        """Read the users that changed, each once as it is.

        Whether a user that never changed has an `updated_time` is not known. So users are asked for
        twice, by the time of change and by the time of creation.

        Args:
            since: A moment, in the format of bookmarks; None for all users.

        Yields:
            The users of a page.
        """
        if since is None:
            yield from self._whole("created_from", BEGINNING)
            return
        written = SeenRecords(updated_time)
        for name in ("updated_from", "created_from"):
            for step in self._whole(name, inclusive_start(since)):
                users = written.fresh([(user["id"],) for user in step.value], step.value)
                yield Fetched(users, step.size, step.last and name == "created_from")

    def began(self, users: list[Record]) -> datetime:
        """Return when the list was asked for first, by the server's clock if that is right.

        Args:
            users: Those of its first page.
        """
        times = (read_datetime(user.get(name)) for user in users for name in TIMES)
        return self.ceiling(max((time for time in times if time), default=EARLIEST))

    def _whole(self, name: str, start: str) -> Iterator[Fetched[list[Record]]]:
        # Freshchat: every page needs the filter, and next links may lack it.
        request = self.new_request(None).with_params({name: start})
        # Freshchat: a list has the number of its users in `pagination`, if it has one.
        return read_whole(
            partial(self.fetch_pages, request),
            SeenRecords(updated_time),
            self._came_lately,
            self._unsettled,
        )

    def _came_lately(self, user: Record) -> bool:
        """Say whether a user may have come into the list or moved in it since it was asked for."""
        times = [read_datetime(user.get(name)) for name in TIMES]
        latest = max((time for time in times if time), default=None)
        asked = min(self.clock.earliest, self._began) - LATELY
        return times[0] is None or latest is None or latest > asked

    def _unsettled(self, total: int, found: int) -> None:
        if not self.unsettled:
            self.logger.warning(
                "The list of %s says that it has %d, and %d of them came in three readings: the"
                " next run goes on from where this one did.",
                self.path,
                total,
                found,
            )
        self.unsettled = True


def updated_time(user: Record) -> object:
    """Return what differs when a user has changed."""
    return user.get("updated_time")


def earlier(bookmark: str | None, days: float) -> str | None:
    """Return a bookmark so many days before another, or None for none."""
    if bookmark is None:
        return None
    moment = read_datetime(bookmark) or EARLIEST
    try:
        return write_datetime(moment - timedelta(days=days))
    except OverflowError:
        return write_datetime(EARLIEST)


def usable(mark: object) -> str | None:
    """Return a mark of a STATE, or None if it is no moment that this clock has come to.

    Args:
        mark: What stands in the STATE.
    """
    moment = read_datetime(mark)
    # The server's clock, of which marks are, may be ahead of this one.
    if moment is None or moment > datetime.now(UTC) + timedelta(days=1):
        return None
    return write_datetime(moment)
