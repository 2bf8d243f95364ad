"""What is reached through Freshchat's users: their conversations, and the messages of these."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http.errors import RequestError
from tap_chat.platforms.freshchat import fields
from tap_chat.platforms.freshchat.resume import (
    INTERRUPTED,
    Mark,
    Sketch,
    digest_of,
    find_mark,
    remaining,
)
from tap_chat.platforms.freshchat.streams import (
    NEXT_URL_PATH,
    PAGES,
    FreshchatStream,
    SingleObject,
    addressable,
)
from tap_chat.platforms.freshchat.users import FreshchatUsers, earlier, usable
from tap_chat.singer.bookmarks import inclusive_start
from tap_chat.singer.timestamps import write_datetime
from tap_chat.streams import state_scope
from tap_chat.streams.child import ChildStream
from tap_chat.streams.fan_out import Fetched, ReadPlan
from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.paginators import Page, Paginator
    from tap_chat.streams.session import Session

# What the STATE keeps of a stream that is reached through users: when the last run began that read
# those of the changed users at least, and the last that read those of all; and of which users
# something was missed by then.
USERS_UNTIL = "users_until"
ALL_UNTIL = "all_until"
MISSED = "missed"
MARKS = (USERS_UNTIL, ALL_UNTIL, MISSED)

# Users and conversations have their weights, and at so much of them a STATE is written: often, so
# that a killed run has little to do again, and seldom, so that STATEs are little of the output.
STATE_AT, CONVERSATION, USER = 250, 10, 1

# Users whose requests are made known at once.
TOGETHER = 50

# More requests than this, and than this part of all, that are answered 404 are not taken for what
# was deleted before it is seen once more.
MANY_GONE, PART_GONE = 20, 1 / 4


@dataclass(frozen=True, slots=True)
class Users:
    """Users that are to be read.

    Attributes:
        asked: When the list of users was asked for, as a bookmark.
        ids: Their ids.
    """

    asked: str
    ids: Sequence[str] = ()


class FreshchatUsersConversations(FreshchatStream):
    """Which conversations a user has; the way to all conversations.

    It reads the list of users for itself, so that its progress does not depend on the users stream:
    a run that fails half-way has not moved the users of the next.
    """

    name = "freshchat_users_conversations"
    path = "/users/{user_id}/conversations"
    records_path = "conversations"
    primary_keys = ("user_id", "id")
    parent_keys = ("user_id",)
    schema = fields.USERS_CONVERSATIONS
    # The ids of the conversations are read.
    raw_reader = None
    has_bookmarks = True
    bookmark_keys = (*MARKS, INTERRUPTED)

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        self._users = FreshchatUsers(tap, session)

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        kind = self._kind
        found = find_mark(self.saved_state, kind)
        self._announce(found)
        mark = found
        unsaved = 0
        for users in self.read_ahead(self._plan_of_users()):
            mark = mark or Mark(kind, users.asked)
            if self._users.unsettled:
                mark = replace(mark, settled=False)
            for user in users.ids:
                unsaved += USER
                missed = self._count_missed()
                for page in self.pages({"user_id": user}):
                    yield page.chunk
                    unsaved += CONVERSATION * len(page.records)
                    self._warn_unaddressable("conversations", [row["id"] for row in page.records])
                # The SDK writes a record's children before it, so everything is written now.
                mark = mark.after(user)
                if self._count_missed() > missed:
                    mark = mark.without([user])
                if unsaved >= STATE_AT:
                    unsaved = 0
                    # Not with each user: the SDK writes a STATE that has changed after each child.
                    self._save(mark)
        if mark is not None:
            yield from self._finish(mark, found)

    def _finish(self, mark: Mark, found: Mark | None) -> Iterator[RecordChunk]:
        """End a pass: ask again for what was missed, and set the marks of what was read.

        Args:
            mark: The pass.
            found: What an interrupted run had left of it.
        """
        asked = {stream: stream.asked for stream in self._tree}
        if self._count_missed():
            self._save(mark)
            yield from self._ask_again()
        for stream in self._tree:
            known = self._known_missed(stream) | (found.missing if found else Sketch())
            new = sum(user not in known for user in missed_users(stream))
            if new > MANY_GONE and new > PART_GONE * asked[stream]:
                self._save(mark.without(chain.from_iterable(map(missed_users, self._tree))))
                raise RequestError(
                    f"{stream.client.subject}{new} of {asked[stream]} requests for {stream.path}"
                    " were answered 404 Not Found, and once more when they were sent again. So much"
                    " is seldom deleted at once. Look whether the account is well, and run it"
                    " again: what is still gone then is skipped."
                )
        for stream in self._family:
            missed = Sketch.of(chain(missed_users(self), missed_users(stream)))
            names = [USERS_UNTIL]
            if self.settings.mode == "all":
                names.append(ALL_UNTIL)
            else:
                # This run has not asked for all of those that were missed.
                missed |= self._known_missed(stream)
            marks: dict[str, Any] = {MISSED: missed.text or None}
            for name in names if mark.settled else ():
                before = usable(stream.saved_state.get(name))
                marks[name] = max(mark.started, before or "")
            # At once, as a signal may write the STATE at any moment.
            stream.stream_state.update(marks)
        # Nulls, as runners may join the objects of two STATEs: what is left out would come back.
        self.stream_state[INTERRUPTED] = None

    def _ask_again(self) -> Iterator[RecordChunk]:
        """Ask once more for all that was listed, but answered 404."""
        missed = [(stream, context) for stream in self._tree for context in stream.missed]
        self.logger.info("%d requests answered 404 Not Found; they are sent again.", len(missed))
        for stream in self._tree:
            stream.missed = []

        def plans(_: object) -> Iterator[ReadPlan[Page | None]]:
            for stream, context in missed:
                yield stream.plan(context)

        once = Fetched(None, last=True)
        for _ in self.read_ahead(ReadPlan((self.name, "again"), lambda: iter([once]), plans)):
            for stream, context in missed:
                if stream is self:
                    for page in self.pages(context):
                        yield page.chunk
                else:
                    stream.sync(context)

    @override
    def first_plans(self) -> Iterator[ReadPlan[Any]]:
        yield self._plan_of_users()

    def _plan_of_users(self) -> ReadPlan[Users]:
        """Return the plan of the users that are left to read, and of all that follows from them."""
        for stream in self.child_streams:
            if isinstance(stream, FreshchatConversationsMessages):
                stream.set_since()
        found = find_mark(self.saved_state, self._kind)
        users = partial(self._left_to_read, self._since, found)
        return ReadPlan((self.name, "users"), users, self._of_users)

    def _left_to_read(self, since: str | None, found: Mark | None) -> Iterator[Fetched[Users]]:
        """Read the list of users whole, which changes while it is paged, and then say who is left.

        Args:
            since: From when on a change makes a user one of this run's; None for all users.
            found: How far the pass has come.
        """
        asked = ""
        ids: dict[str, None] = {}
        for step in self._users.users(since):
            # By the server's clock, of which `from_time` is; and of its first answer, as what comes
            # while the list is read is a matter of the next pass.
            asked = asked or write_datetime(min(self.end_date, self._users.began(step.value)))
            found_ids = [user["id"] for user in step.value]
            self._warn_unaddressable("users", found_ids)
            ids |= dict.fromkeys(filter(addressable, found_ids))
            yield Fetched(Users(asked))
        left = remaining(ids, found)
        for start in range(0, len(left), TOGETHER):
            yield Fetched(Users(asked, left[start : start + TOGETHER]))

    @property
    def _kind(self) -> str:
        """A digest of what this pass reads, into which tables, and from when on."""
        streams = []
        for stream in self._family:
            known = stream.saved_state
            scope = state_scope.read_scope(known)
            about = (scope.account, scope.written) if scope else None
            streams.append((stream.name, known.get(ALL_UNTIL), known.get(MISSED), about))
        return digest_of(self.settings.mode, self.settings.lookback_days, self._since, streams)

    def _announce(self, found: Mark | None) -> None:
        """Log whether an interrupted pass is gone on with."""
        if found is not None:
            self.logger.info("Going on with the pass that began at %s.", found.started)
        elif self.saved_state.get(INTERRUPTED):
            self.logger.info("The interrupted run has read something else: all users are read.")
        for stream in self._family:
            for name in (USERS_UNTIL, ALL_UNTIL):
                stored = stream.saved_state.get(name)
                if stored is not None and usable(stored) is None:
                    self.logger.warning(
                        "The STATE's %s of %s is no moment until now: it does not count.",
                        name,
                        stream.name,
                    )

    def _warn_unaddressable(self, what: str, ids: Sequence[str]) -> None:
        if unfit := sum(not addressable(key) for key in ids):
            self.logger.warning(
                "%d %s have an id that is empty or dots, and would lead to another address: what"
                " belongs to them is not read.",
                unfit,
                what,
            )

    def _save(self, mark: Mark) -> None:
        self.stream_state[INTERRUPTED] = asdict(mark)
        self._session.write_state(self.tap_state)

    def _count_missed(self) -> int:
        return sum(len(stream.missed) for stream in self._tree)

    def _known_missed(self, stream: ChatStream) -> Sketch:
        """Return the users of whom the last whole pass has missed something of a stream."""
        return Sketch.read(stream.saved_state.get(MISSED))

    @override
    def new_paginator(self) -> Paginator:
        # Freshchat: no pages are documented here; whether there are some is not known.
        return PAGES(
            page_size=self.settings.items_per_page,
            next_url_path=NEXT_URL_PATH,
            page_sizes=self.page_sizes,
            may_ignore_page=True,
        )

    def _of_users(self, users: Users) -> Iterator[ReadPlan[Page | None]]:
        for user in users.ids:
            yield self.plan({"user_id": user})

    @property
    def _tree(self) -> list[ChatStream]:
        """This stream and its children."""
        return [self, *(stream for stream in self.child_streams if isinstance(stream, ChatStream))]

    @property
    def _family(self) -> list[ChatStream]:
        """The streams of this one's tree that are written in this run."""
        return [stream for stream in self._tree if stream.selected]

    @property
    def _since(self) -> str | None:
        """From when on a change makes a user one of this run's; None for all users."""
        marks = [usable(stream.saved_state.get(USERS_UNTIL)) for stream in self._family]
        known = [mark for mark in marks if mark]
        if self.settings.mode == "all" or len(known) < len(marks):
            return None
        return earlier(min(known), self.settings.lookback_days)

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterator[Context | None]:
        if addressable(record["id"]):
            yield {"user_id": record["user_id"], "conversation_id": record["id"]}


class FreshchatConversations(ChildStream, SingleObject):
    """The conversations."""

    name = "freshchat_conversations"
    parent_stream_type = FreshchatUsersConversations
    path = "/conversations/{conversation_id}"
    records_path = "conversation"
    primary_keys = ("conversation_id",)
    schema = fields.CONVERSATIONS
    has_bookmarks = True
    bookmark_keys = MARKS


class FreshchatConversationsMessages(ChildStream, FreshchatStream):
    """The messages of the conversations."""

    name = "freshchat_conversations_messages"
    parent_stream_type = FreshchatUsersConversations
    path = "/conversations/{conversation_id}/messages"
    records_path = "messages"
    primary_keys = ("conversation_id", "id")
    parent_keys = ("conversation_id",)
    schema = fields.CONVERSATIONS_MESSAGES
    has_bookmarks = True
    bookmark_keys = MARKS
    #: From when on messages are asked for; None for all.
    since: str | None = None
    #: The users of whom all are asked for nevertheless.
    missed_before = Sketch()

    def set_since(self) -> None:
        """Set these two before the first request: workers must not look into the state."""
        # Only a run over all users has read every message until then.
        until = usable(self.saved_state.get(ALL_UNTIL)) if self.settings.mode == "all" else None
        self.since = earlier(until, self.settings.lookback_days)
        self.missed_before = Sketch.read(self.saved_state.get(MISSED))

    @override
    def new_paginator(self) -> Paginator:
        # Freshchat: there may be a link object here, but that there is none says nothing.
        return PAGES(page_size=self.settings.items_per_page, page_sizes=self.page_sizes)

    @override
    def get_http_request(self, *, page: PageContext[None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        user = (page.stream_context or {})["user_id"]
        if self.since is not None and user not in self.missed_before:
            request.params["from_time"] = inclusive_start(self.since)
        return request


STREAMS = (
    FreshchatUsersConversations,
    FreshchatConversations,
    FreshchatConversationsMessages,
)


def missed_users(stream: ChatStream) -> Iterator[str]:
    """Yield the users of what a stream has asked for in vain."""
    return (context["user_id"] for context in stream.missed)
