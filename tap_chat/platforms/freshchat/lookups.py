"""Reads the conversations that reports name: the user of each is in the conversation itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http.errors import RequestError
from tap_chat.platforms.freshchat.found import ConversationFinder
from tap_chat.platforms.freshchat.streams import FreshchatStream, SingleObject
from tap_chat.streams.child import ChildStream
from tap_chat.streams.read_plans import ReadPlan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from singer_sdk.helpers.types import Context

    from tap_chat.platforms.freshchat.resume import PassBatch, PassProgress
    from tap_chat.singer.records import RecordChunk
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.stream import ChatStream

#: It is an error if reports name at least so many conversations, and none of them exists.
MANY = 5


class ConversationLookup(ChildStream, SingleObject):
    """A stream of conversations whose parent stream may have read the next one already."""

    _known: tuple[str, Page] | None = None

    def remember(self, conversation: str, page: Page) -> None:
        """Keep the page of a conversation, so that it is not requested again.

        Args:
            conversation: The id of the conversation, which is the next to be read.
            page: The page.
        """
        self._known = conversation, page

    @override
    def read_pages(self, context: Context | None) -> Iterator[Page]:
        known, self._known = self._known, None
        if known and context and known[0] == context["conversation_id"]:
            yield known[1]
        else:
            yield from super().read_pages(context)


class NamedConversations:
    """Reads the conversations that reports name, for the stream of the conversations of users.

    Args:
        stream: That stream.
        lookup: Its child stream of conversations.
        children: Its child streams.
    """

    def __init__(
        self, stream: FreshchatStream, lookup: ConversationLookup, children: list[ChatStream]
    ) -> None:
        self._stream = stream
        self._lookup = lookup
        self._children = children
        self._finder = ConversationFinder(stream)
        self._without_user = 0

    def plan(self, since: datetime, progress: PassProgress | None) -> ReadPlan[PassBatch]:
        """Return the plan of the conversations that reports name since a time.

        Args:
            since: The time.
            progress: The progress of the pass; None at its start.
        """
        start = partial(self._finder.pending, since, progress)
        return ReadPlan((self._stream.name, "reports"), start, self._plans_of)

    def read(self, conversation: str) -> Iterator[RecordChunk]:
        """Read a conversation: its user, and then what its child streams have of it.

        Args:
            conversation: The id that a report has.

        Yields:
            The record of the stream, if the user is known.
        """
        for page in self._lookup.read_pages(self._context_of(conversation)):
            for record in page.records:
                context = self._own_context(conversation, record)
                self._lookup.remember(context["conversation_id"], page)
                if context["user_id"]:
                    row = {"user_id": context["user_id"], "id": context["conversation_id"]}
                    yield self._stream.chunk([row])
                    continue
                self._without_user += 1
                for child in self._children:
                    if child.selected:
                        child.sync(context)

    def check(self, lookups: int) -> None:
        """Check at the end what was found, and report it.

        Args:
            lookups: The number of conversations that were read.

        Raises:
            RequestError: None of them exists.
        """
        missing = len(self._lookup.missing_contexts)
        if missing == lookups >= MANY:
            raise RequestError(
                f"{self._stream.client.subject}{missing} of {lookups} conversations that reports"
                " name returned 404 Not Found. Perhaps the reports of this account have other ids:"
                " set freshchat.mode to all."
            )
        self._stream.logger.info("Conversations that reports name: %d.", len(self._finder.users))
        if not self._lookup.selected:
            self._lookup.report()
        if self._without_user:
            self._stream.logger.warning(
                "Conversations of reports without a `user_id`: %d. They are not in %s.",
                self._without_user,
                self._stream.name,
            )

    def _context_of(self, conversation: str) -> dict[str, Any]:
        """Return the context in which a conversation is looked up."""
        user = self._finder.users.get(conversation, "")
        return {"user_id": user, "conversation_id": conversation}

    def _own_context(self, conversation: str, record: dict[str, Any]) -> dict[str, Any]:
        """Return the context of a conversation, with the ids that it has itself."""
        context = self._context_of(conversation)
        user = record.get("user_id") or context["user_id"]
        return {"user_id": user, "conversation_id": record["conversation_id"]}

    def _plans_of(self, batch: PassBatch) -> Iterator[ReadPlan[Any]]:
        for conversation in batch.ids:
            plan = self._lookup.plan(self._context_of(conversation))
            yield replace(plan, leads_to=partial(self._plans_after, conversation))

    def _plans_after(self, conversation: str, page: Page | None) -> Iterator[ReadPlan[Any]]:
        for record in page.records if page else ():
            for child in self._stream.prefetched_children:
                if child is not self._lookup:
                    yield from child.expected_plans(self._own_context(conversation, record))
