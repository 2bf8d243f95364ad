"""The pages of LiveChat's v3 lists: the first request has filters, later ones a page id alone."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tap_chat.sandbox.dialects.livechat.threads import DAY, microseconds
from tap_chat.sandbox.responses import RefusalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_chat.sandbox.dialects.livechat.archive import Archive
    from tap_chat.sandbox.dialects.livechat.people import Row
    from tap_chat.sandbox.dialects.livechat.settings import LiveChatOptions
    from tap_chat.sandbox.dialects.livechat.threads import Thread

#: LiveChat: the rows on a page if a request does not say, and at most.
PAGE, LARGEST_PAGE = 10, 100


class Filters(msgspec.Struct, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """The filters of the lists, those that the sandbox has."""

    since: datetime | None = None
    until: datetime | None = None
    group_ids: list[int] | None = None
    active: bool | None = None
    include_chats_without_threads: bool = True


class Query(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a first request."""

    filters: Filters = msgspec.field(default_factory=Filters)
    limit: int = PAGE
    sort_order: Literal["asc", "desc"] = "desc"


class Position(msgspec.Struct):
    """What a page id says.

    Attributes:
        action: The list.
        owner: Who asked.
        query: The first request.
        issued: The time of the server, in microseconds since 1970.
        key: The key of the row before the page, in the order of the list.
        number: The number of rows before the page.
        backwards: Whether the page ends before the key.
    """

    action: str
    owner: str
    query: Query
    issued: int
    key: tuple[int, int] | None = None
    number: int = 0
    backwards: bool = False


@dataclass(frozen=True)
class Page:
    """A page of a list."""

    threads: Sequence[Thread]
    found: int
    next_id: str | None
    previous_id: str | None

    def body(self, name: str, rows: Sequence[Row]) -> Row:
        """Return the body of a response."""
        body: Row = {name: rows, "found_chats": self.found}
        if self.next_id:
            body["next_page_id"] = self.next_id
        if self.previous_id:
            body["previous_page_id"] = self.previous_id
        return body


@dataclass(frozen=True)
class Pager:
    """Reads requests for pages of a list, and finds the pages.

    Attributes:
        action: The name of the list.
        owner: Who asks.
        archive: The account.
        options: How the API behaves.
    """

    action: str
    owner: str
    archive: Archive
    options: LiveChatOptions

    def read(self, body: bytes) -> Position:
        """Return the position that a request asks for; raises `RefusalError`."""
        try:
            fields = msgspec.json.decode(body, type=dict[str, Any])
            page_id = fields.pop("page_id", None)
            if page_id is None:
                query = msgspec.convert(fields, Query)
                self._check(query)
                return Position(self.action, self.owner, query, self.archive.now)
            # LiveChat: a page id comes alone.
            if fields:
                raise _invalid(f"page_id can't be used with {', '.join(sorted(fields))}")
            return self._decoded(page_id)
        except (msgspec.DecodeError, ValueError) as error:
            raise _invalid(str(error)) from None

    def page(self, position: Position, found: Sequence[Thread], *, is_first: bool) -> Page:
        """Return the page at a position.

        Args:
            position: The position.
            found: The threads of the list.
            is_first: Whether to return the first page instead.
        """
        query = position.query
        threads = self._found(query, found)
        size = min(query.limit, self.options.max_page_size)
        start = 0 if is_first else self._start(position, threads, size)
        listed = threads[start : start + size]
        next_ = previous = None
        if start + size < len(threads):
            next_ = self._page_id(position, start + size, listed[-1])
        if start > 0 and listed:
            previous = self._page_id(position, start, listed[0], backwards=True)
        return Page(listed, self._estimate(len(threads)), next_, previous)

    def _start(self, position: Position, threads: Sequence[Thread], size: int) -> int:
        """Return the number of rows before the page."""
        if position.key is None:
            return 0
        if self.options.livechat_paging == "offset":
            return max(position.number - (size if position.backwards else 0), 0)
        sign = -1 if position.query.sort_order == "desc" else 1
        moment, number = position.key
        edge: tuple[int, float] = sign * moment, sign * number
        if self.options.livechat_paging == "time":
            # All rows of this millisecond come again.
            edge = sign * (moment - moment % 1000 + (1000 if sign < 0 else -1)), inf
        passed = bisect_right(threads, edge, key=lambda thread: self._signed(thread, sign))
        return max(passed - 1 - size, 0) if position.backwards else passed

    def _found(self, query: Query, threads: Sequence[Thread]) -> Sequence[Thread]:
        """Return the threads that a query finds, in its order."""
        options = self.options
        how = msgspec.json.encode((options.livechat_compares, options.livechat_bounds))
        key = self.action, msgspec.json.encode(query) + how
        known = self.archive.found
        if key not in known:
            sign = -1 if query.sort_order == "desc" else 1
            found = [thread for thread in threads if self._finds(query.filters, thread)]
            known[key] = sorted(found, key=lambda thread: self._signed(thread, sign))
        return known[key]

    def _signed(self, thread: Thread, sign: int) -> tuple[int, int]:
        moment, number = self._key(thread)
        return sign * moment, sign * number

    def _page_id(
        self, position: Position, number: int, edge: Thread, *, backwards: bool = False
    ) -> str:
        at = Position(
            self.action,
            self.owner,
            position.query,
            self.archive.now,
            self._key(edge),
            number,
            backwards,
        )
        return urlsafe_b64encode(msgspec.json.encode(at)).decode()

    def _decoded(self, page_id: object) -> Position:
        """Return what a page id says; raises `RefusalError` or a `ValueError`."""
        position = msgspec.json.decode(urlsafe_b64decode(str(page_id)), type=Position)
        if (position.action, position.owner) != (self.action, self.owner):
            raise _invalid("Wrong page_id")
        if self.archive.now - position.issued >= self.options.livechat_page_days * DAY:
            raise _invalid("page_id has expired")
        return position

    def _check(self, query: Query) -> None:
        if not 1 <= query.limit <= LARGEST_PAGE:
            raise _invalid(f"limit must be from 1 to {LARGEST_PAGE}")
        filters = query.filters
        for moment in (filters.since, filters.until):
            if moment is not None and moment.tzinfo is None:
                raise _invalid("from and to must be dates and times with an offset")
        if filters.since and filters.until and filters.since > filters.until:
            raise _invalid("from must not be after to")

    def _finds(self, filters: Filters, thread: Thread) -> bool:
        """Return whether the filters find a thread."""
        moment, bounds = self._key(thread)[0], self.options.livechat_bounds
        if filters.since is not None:
            since = microseconds(filters.since)
            if moment < since or (moment == since and bounds in {"to", "neither"}):
                return False
        if filters.until is not None:
            until = microseconds(filters.until)
            if moment > until or (moment == until and bounds in {"from", "neither"}):
                return False
        if filters.active is not None and filters.active == self.archive.ended(thread):
            return False
        groups = self.archive.groups(thread)
        return filters.group_ids is None or bool({*filters.group_ids} & {*groups})

    def _key(self, thread: Thread) -> tuple[int, int]:
        """Return the time that the filters and the order compare, and what decides a tie."""
        by_event = self.options.livechat_compares == "last_event"
        return self.archive.latest(thread) if by_event else thread.created, thread.number

    def _estimate(self, count: int) -> int:
        match self.options.livechat_found:
            case "about":
                return max(count + count % 5 - 2, 0)
            case "none":
                return 0
            case _:
                return 10 * count + 1000


def _invalid(message: str) -> RefusalError:
    return RefusalError(400, "validation", message)
