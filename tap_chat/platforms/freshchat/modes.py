"""What a run of Freshchat reads, by the setting `mode` and the STATE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from tap_chat.platforms.freshchat.report_reader import earliest_start
from tap_chat.platforms.freshchat.resume import ALL_UNTIL, REPORTS_UNTIL, USERS_UNTIL
from tap_chat.platforms.freshchat.users import days_before, valid_bookmark
from tap_chat.singer.timestamps import read_datetime, write_datetime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from logging import Logger

    from tap_chat.platforms.freshchat.settings import FreshchatSettings


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run reads.

    Attributes:
        mode: The mode. The first run of the modes `updated` and `reports` is over all users.
        since: The time since which users changed, or since which reports are read, as a bookmark;
            None for all users.
        moves: The bookmarks that the run moves.
    """

    mode: Literal["all", "updated", "reports"]
    since: str | None
    moves: tuple[str, ...]

    @classmethod
    def of(
        cls,
        settings: FreshchatSettings,
        started: datetime,
        states: Sequence[dict[str, Any]],
        logger: Logger,
    ) -> Self:
        """Return what a run reads.

        Args:
            settings: The settings.
            started: When the run began.
            states: The part of the STATE of each stream that the run writes.
            logger: Logs if reports do not go back to the last run.
        """
        days = settings.lookback_days
        if settings.mode == "updated":
            return cls(
                "updated", days_before(_earliest_of(states, USERS_UNTIL), days), (USERS_UNTIL,)
            )
        if settings.mode == "reports" and (until := _known_until(states)):
            since = days_before(until, days)
            earliest = write_datetime(earliest_start(started, settings.reports_months))
            if since is not None and since >= earliest:
                return cls("reports", since, (REPORTS_UNTIL,))
            logger.info(
                "The last run was before %s, the earliest start of reports: all users are read.",
                earliest,
            )
        return cls("all", None, (USERS_UNTIL, ALL_UNTIL))

    @property
    def reports_since(self) -> datetime | None:
        """The time since which reports are read; None if the run reads users."""
        return read_datetime(self.since) if self.mode == "reports" else None


def _earliest_of(states: Sequence[dict[str, Any]], name: str) -> str | None:
    """Return the earliest bookmark of a name; None if a state has none."""
    bookmarks = [valid_bookmark(state.get(name)) for state in states]
    valid = [bookmark for bookmark in bookmarks if bookmark]
    return min(valid, default=None) if len(valid) == len(bookmarks) else None


def _known_until(states: Sequence[dict[str, Any]]) -> str | None:
    """Return the time until which runs over all users, or reports after one, have read all."""
    if _earliest_of(states, ALL_UNTIL) is None:
        return None
    marks = (
        [valid_bookmark(state.get(name)) or "" for name in (ALL_UNTIL, REPORTS_UNTIL)]
        for state in states
    )
    return min(map(max, marks), default=None)
