"""The pages of LiveChat's queries, and the number of chats that a query returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tap_chat.http.request import Request
    from tap_chat.singer.records import Record

#: It is an error if LiveChat counts at least this many chats more than it returns, and at least
#: twice as many.
MANY_ABSENT = 10

#: The most pages that are fetched ahead: 25,000 chats, as many as a query returns.
MOST_EXPECTED = 1000

#: The `agent_email` of a chat without an agent.
UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class ChatPage:
    """One page of a query.

    Attributes:
        request: The request.
        total: The number of chats in all pages of the query, as LiveChat counts them.
        pages: The number of pages.
        chats: The rows of each chat of this page.
        size: The size of the body, in bytes.
        sent_at: When it was sent, by the server's clock; `FAR` if it is unknown.
    """

    request: Request
    total: int
    pages: int
    chats: list[list[Record]]
    size: int
    sent_at: datetime

    @property
    def ids(self) -> set[str]:
        """The ids of the chats of this page."""
        return {rows[0]["id"] for rows in self.chats}

    @property
    def expected_pages(self) -> int:
        """The number of pages of the query, if this is the first; 0 if it has no chats."""
        if not self.chats:
            return 0
        return min(self.pages, -(-self.total // len(self.chats)), MOST_EXPECTED)


@dataclass(frozen=True, slots=True)
class WindowResult:
    """The result of reading the pages of a window, in one or more passes.

    Attributes:
        first_page: The first page of the last pass.
        pages_read: The number of pages of the last pass.
        pages_with_news: The number of these pages with a chat that was on no page before.
        chats_listed: The number of chats on those pages.
        chats: The number of chats of the last pass, each counted once.
        has_new_chats: Whether the last pass gave chats that no earlier pass gave.
        sent_at: When the earliest page of all passes was sent; see `ChatPage`.
    """

    first_page: ChatPage
    pages_read: int
    pages_with_news: int
    chats_listed: int
    chats: int
    has_new_chats: bool
    sent_at: datetime

    @property
    def is_complete(self) -> bool:
        """Whether LiveChat returned all chats that it counts."""
        return self.chats >= self.first_page.total

    @property
    def lacks_pages(self) -> bool:
        """Whether pages that LiveChat counts were missing or had nothing new."""
        return self.pages_with_news < self.first_page.pages

    @property
    def lacks_many(self) -> bool:
        """Whether LiveChat counts so many more chats that this can't be chance."""
        return self.first_page.total - self.chats >= max(MANY_ABSENT, self.chats)

    @property
    def is_cut_off(self) -> bool:
        """Whether pages that LiveChat counts were refused, or not requested."""
        return self.pages_read < self.first_page.pages


class QueryCap:
    """The number of chats that a query returns, which may be lower than documented.

    Args:
        allowed: The documented number.
    """

    def __init__(self, allowed: int) -> None:
        self._allowed = self._learned = allowed
        self._most_listed = 0

    def covers(self, total: int) -> bool:
        """Return whether one query returns this many chats, as far as is known."""
        return total < self._learned

    def leaves_out(self, result: WindowResult) -> bool:
        """Learn from a window, and return whether some of its chats may be out of reach.

        If an earlier query returned more chats, the cap is not the reason for missing pages.

        Args:
            result: The result of reading the window.
        """
        is_farthest = result.chats_listed >= self._most_listed
        self._most_listed = max(self._most_listed, result.chats_listed)
        if self._most_listed > self._learned:
            self._learned = self._allowed
        is_short = result.lacks_pages and is_farthest
        if result.is_complete or not (result.has_new_chats or is_short):
            return False
        if result.is_cut_off and not result.has_new_chats:
            self._learned = min(self._learned, result.chats_listed)
        return True


def rows_by_agent(chat: Record) -> list[Record]:
    """Return a row for each agent of a chat, or one for `unassigned`."""
    emails = [agent.get("email") for agent in chat.get("agents") or ()]
    unique = dict.fromkeys(email or UNASSIGNED for email in emails or [None])
    return [chat | {"agent_email": email} for email in unique]
