"""The conversations of each user of Freshchat, which lead to all conversations and messages."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http.errors import RequestError
from tap_chat.platforms.freshchat import fields
from tap_chat.platforms.freshchat.lookups import ConversationLookup, NamedConversations
from tap_chat.platforms.freshchat.modes import Scope
from tap_chat.platforms.freshchat.resume import (
    ALL_UNTIL,
    BOOKMARK_KEYS,
    INTERRUPTED,
    MISSED,
    REPORTS_UNTIL,
    USERS_UNTIL,
    ApproximateSet,
    PassBatch,
    PassProgress,
    digest_of,
    find_progress,
)
from tap_chat.platforms.freshchat.streams import (
    NEXT_URL_PATH,
    PAGES,
    FreshchatStream,
    is_addressable,
)
from tap_chat.platforms.freshchat.users import FreshchatUsers, valid_bookmark
from tap_chat.streams import state_scope
from tap_chat.streams.read_plans import Fetched, ReadPlan
from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.paginators import Page, Paginator
    from tap_chat.streams.session import Session

# A STATE is written after users and conversations of this total weight: often enough that a killed
# run repeats little, and rarely enough that STATEs are a small part of the output.
STATE_WEIGHT, CONVERSATION_WEIGHT, USER_WEIGHT = 250, 10, 1

# A run fails if more requests than this number, and more than this share of all, return 404. The
# next run treats the same 404s as deletions.
MOST_GONE, SHARE_GONE = 20, 1 / 4


class FreshchatUsersConversations(FreshchatStream):
    """The conversations of each user.

    The stream reads the list of users itself, so that its progress does not depend on the stream
    `freshchat_users`: that stream may have read users that a failed run of this one has not.
    """

    name = "freshchat_users_conversations"
    path = "/users/{user_id}/conversations"
    records_path = "conversations"
    primary_keys = ("user_id", "id")
    parent_keys = ("user_id",)
    schema = fields.USERS_CONVERSATIONS
    # Records are decoded, because the children need the ids of the conversations.
    raw_reader = None
    has_bookmarks = True
    bookmark_keys = (*BOOKMARK_KEYS, INTERRUPTED)

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        self._users = FreshchatUsers(tap, session)

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        digest = self._pass_digest
        saved_progress = find_progress(self.saved_state, digest)
        self._log_resumption(saved_progress)
        progress = saved_progress
        unsaved = 0
        for batch in self.read_ahead(self._pass_plan()):
            progress = progress or PassProgress(digest, batch.listed_at)
            if self._users.incomplete:
                progress = replace(progress, settled=False)
            for key in batch.ids:
                unsaved += USER_WEIGHT
                missed = self._count_missed()
                for chunk in self._read_one(key):
                    yield chunk
                    unsaved += CONVERSATION_WEIGHT * len(chunk.records)
                # The SDK writes the children of a record before it: all of the user is written.
                progress = progress.after(key)
                if self._count_missed() > missed:
                    progress = progress.without([key])
                if unsaved >= STATE_WEIGHT:
                    unsaved = 0
                    # Not after each user: the SDK writes every changed STATE after a child stream.
                    self._save(progress)
        if progress is not None:
            yield from self._finish(progress, saved_progress)

    def _read_one(self, key: str) -> Iterator[RecordChunk]:
        """Read the conversations of a user, or a conversation that reports name.

        Args:
            key: The id of the user or the conversation.
        """
        if self._scope.mode == "reports":
            yield from self._named.read(key)
            return
        for page in self.read_pages({"user_id": key}):
            self.warn_of_unaddressable("conversations", [row["id"] for row in page.records])
            yield page.chunk

    def _finish(
        self, progress: PassProgress, saved_progress: PassProgress | None
    ) -> Iterator[RecordChunk]:
        """End a pass: retry the requests that returned 404, and move the bookmarks.

        Args:
            progress: The progress of the pass.
            saved_progress: The progress that an interrupted run had saved.

        Raises:
            RequestError: Too many requests returned 404.
        """
        context_counts = {stream: stream.context_count for stream in self._tree}
        if self._count_missed():
            self._save(progress)
            yield from self._retry_missed()
        if self._scope.mode == "reports":
            self._named.check(context_counts[self._lookup])
        for stream in self._tree:
            missed_before = self._missed_before(stream)
            if saved_progress:
                missed_before |= saved_progress.missing
            new = sum(key not in missed_before for key in self._missed_keys(stream))
            if new > MOST_GONE and new > SHARE_GONE * context_counts[stream]:
                missed_keys = chain.from_iterable(map(self._missed_keys, self._tree))
                self._save(progress.without(missed_keys))
                raise RequestError(
                    f"{stream.client.subject}{new} of {context_counts[stream]} requests for"
                    f" {stream.path} returned 404 Not Found, also when they were sent again."
                    " Accounts rarely lose so much at once. Check the account, and run again: the"
                    " next run skips what is still missing."
                )
        for stream in self._selected_tree:
            missed = self._missed_before(stream)
            if self._scope.mode != "reports":
                # A run over updated users has not requested all who were missed before.
                missed_keys = chain(self._missed_keys(self), self._missed_keys(stream))
                found = ApproximateSet.of(missed_keys)
                missed = found if self._scope.mode == "all" else missed | found
            bookmarks: dict[str, Any] = {MISSED: missed.text or None}
            for name in self._scope.moves if progress.settled else ():
                before = valid_bookmark(stream.saved_state.get(name))
                bookmarks[name] = max(progress.started, before or "")
            # In one step: a signal may write the STATE at any time.
            stream.stream_state.update(bookmarks)
        # Null, because a runner that merges two STATEs would keep a removed value.
        self.stream_state[INTERRUPTED] = None

    def _retry_missed(self) -> Iterator[RecordChunk]:
        """Send the requests again that returned 404, although the id was listed."""
        missed = [(stream, context) for stream in self._tree for context in stream.missing_contexts]
        self.logger.info(
            "Requests that returned 404 Not Found: %d. They are sent again.", len(missed)
        )
        for stream in self._tree:
            stream.missing_contexts = []

        def plans(_: object) -> Iterator[ReadPlan[Page | None]]:
            for stream, context in missed:
                yield stream.plan(context)

        once = Fetched(None, last=True)
        for _ in self.read_ahead(ReadPlan((self.name, "again"), lambda _: iter([once]), plans)):
            for stream, context in missed:
                if stream is self:
                    for page in self.read_pages(context):
                        yield page.chunk
                elif self._scope.mode == "reports" and stream is self._lookup:
                    yield from self._named.read(context["conversation_id"])
                else:
                    stream.sync(context)

    @override
    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        yield self._pass_plan()

    def _pass_plan(self) -> ReadPlan[PassBatch]:
        """Return the plan of what is left to read: users, or conversations that reports name."""
        for stream in self.child_streams:
            if isinstance(stream, FreshchatStream):
                stream.prepare()
        progress = find_progress(self.saved_state, self._pass_digest)
        if since := self._scope.reports_since:
            return self._named.plan(since, progress)
        users = partial(self._users.pending, self._scope.since, progress)
        return ReadPlan((self.name, "users"), users, self._plans_of)

    @property
    def _pass_digest(self) -> str:
        """A digest of what this pass reads, from which time on, and into which tables."""
        streams = []
        for stream in self._selected_tree:
            state = stream.saved_state
            scope = state_scope.read_scope(state)
            coverage = (scope.account, scope.written) if scope else None
            marks = [state.get(name) for name in (ALL_UNTIL, REPORTS_UNTIL, MISSED)]
            streams.append((stream.name, *marks, coverage))
        reads = self._scope
        named_by = sorted(self.settings.change_reports) if reads.mode == "reports" else ()
        return digest_of(reads.mode, self.settings.lookback_days, reads.since, streams, *named_by)

    def _log_resumption(self, progress: PassProgress | None) -> None:
        """Log whether this run resumes an interrupted pass, and bookmarks that are not valid."""
        if progress is not None:
            self.logger.info("Resuming the interrupted run of %s.", progress.started)
        elif self.saved_state.get(INTERRUPTED):
            self.logger.info("The interrupted run had other settings: all users are read.")
        for stream in self._selected_tree:
            for name in (USERS_UNTIL, ALL_UNTIL, REPORTS_UNTIL):
                stored = stream.saved_state.get(name)
                if stored is not None and valid_bookmark(stored) is None:
                    self.logger.warning(
                        "The STATE's %s of %s is not a time before now: it is ignored.",
                        name,
                        stream.name,
                    )

    def _save(self, progress: PassProgress) -> None:
        self.stream_state[INTERRUPTED] = asdict(progress)
        self._session.write_state(self.tap_state)

    def _count_missed(self) -> int:
        return sum(len(stream.missing_contexts) for stream in self._tree)

    def _missed_before(self, stream: ChatStream) -> ApproximateSet:
        """Return the users whose records of a stream the last complete pass missed."""
        return ApproximateSet.read(stream.saved_state.get(MISSED))

    @override
    def new_paginator(self) -> Paginator:
        # Freshchat documents no pages for this list; there may be some.
        return PAGES(
            page_size=self.settings.items_per_page,
            next_url_path=NEXT_URL_PATH,
            page_sizes=self.page_sizes,
            may_ignore_page=True,
        )

    def _plans_of(self, users: PassBatch) -> Iterator[ReadPlan[Page | None]]:
        for user in users.ids:
            yield self.plan({"user_id": user})

    @property
    def _tree(self) -> list[ChatStream]:
        """This stream and its children."""
        return [self, *(stream for stream in self.child_streams if isinstance(stream, ChatStream))]

    @property
    def _selected_tree(self) -> list[ChatStream]:
        """The streams of the tree that this run writes."""
        return [stream for stream in self._tree if stream.selected]

    @cached_property
    def _scope(self) -> Scope:
        """What this run reads."""
        states = [stream.saved_state for stream in self._selected_tree]
        return Scope.of(self.settings, self.started, states, self.logger)

    @cached_property
    def _lookup(self) -> ConversationLookup:
        [lookup] = [stream for stream in self._tree if isinstance(stream, ConversationLookup)]
        return lookup

    @cached_property
    def _named(self) -> NamedConversations:
        return NamedConversations(self, self._lookup, self._tree[1:])

    def _missed_keys(self, stream: ChatStream) -> Iterator[str]:
        """Yield the users or conversations whose requests of a stream returned 404."""
        name = "conversation_id" if self._scope.mode == "reports" else "user_id"
        return (context[name] for context in stream.missing_contexts)

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterator[Context | None]:
        if is_addressable(record["id"]):
            yield {"user_id": record["user_id"], "conversation_id": record["id"]}
