"""What a request of the exports API asks for: a window of time, or some conversations."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tap_chat.streams.windows import TimeWindow

MILLISECOND = 1
MINUTE = 60_000 * MILLISECOND
DAY = 24 * 60 * MINUTE

#: A request may name this many conversations. The limit is not documented, but was observed.
MOST_CONVERSATIONS = 10

#: What Dixa may return for too many conversations, or for one that is deleted since it was listed.
REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)


@dataclass(frozen=True, slots=True)
class Query:
    """The path and the parameters of a request.

    Attributes:
        path: The path of the export.
        params: The parameters, as pairs.
        is_smallest: Whether there are no smaller queries that ask for the same together.
        refusals: The statuses that may be due to a part of what the query asks for.
    """

    path: str
    params: tuple[tuple[str, int | str], ...]
    is_smallest: bool
    refusals: tuple[int, ...] = ()


def query_of_window(path: str, field: str, window: TimeWindow) -> Query:
    """Return the query of a window.

    Dixa does not document whether the bounds of a request belong to its interval. Windows share
    their ends, and each request starts a millisecond before its window. So every millisecond is
    read, even if neither bound belongs to the interval.

    Args:
        path: The path of the export.
        field: The time that is in the window: `created` or `updated`.
        window: The window, in ms since 1970.
    """
    params = ((f"{field}_after", window.start - MILLISECOND), (f"{field}_before", window.end))
    return Query(path, params, is_smallest=window.size <= MINUTE)


def query_of_conversations(path: str, conversations: tuple[int, ...]) -> Query:
    """Return the query of some conversations.

    Args:
        path: The path of the export.
        conversations: Their ids.
    """
    return Query(
        path,
        (("csids", ",".join(map(str, conversations))),),
        is_smallest=len(conversations) == 1,
        refusals=REFUSALS,
    )


def milliseconds(time: datetime) -> int:
    """Return a time in ms since 1970."""
    return round(time.timestamp() * 1000)
