"""The streams of a declaration that are read for each record of another one."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from tap_chat.platforms.rest.contexts import is_addressable
from tap_chat.platforms.rest.streams import DeclaredStream
from tap_chat.singer.digests import canonical
from tap_chat.streams.child import ChildStream
from tap_chat.streams.recent_contexts import RecentContexts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_chat.declarations.model import Parent
    from tap_chat.singer.records import Record
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.read_plans import ReadPlan
    from tap_chat.streams.session import Session


class DeclaredChild(ChildStream, DeclaredStream):
    """A resource that is read for each record of another one.

    Attributes:
        unaddressable: The number of parent records without the values that the requests take.
    """

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        self.unaddressable = 0
        self._read_contexts = RecentContexts()
        self._expected_contexts = RecentContexts()

    @property
    def _parent(self) -> Parent:
        return cast("Parent", self.reading.parent)

    @property
    @override
    def has_bookmarks(self) -> bool:
        return super().has_bookmarks or self._parent_has_bookmarks

    @property
    @override
    def bookmark_keys(self) -> tuple[str, ...]:  # type: ignore[override]  # a class variable
        return super().bookmark_keys if super().has_bookmarks else ()

    @cached_property
    def _parent_has_bookmarks(self) -> bool:
        """Whether bookmarks of a parent leave out records of this stream."""
        return any(
            stream.has_bookmarks
            for stream in self._tap.streams.values()
            if type(stream) is self.parent_stream_type and isinstance(stream, DeclaredStream)
        )

    @override
    def expected_plans(self, context: Context | None) -> Iterator[ReadPlan[Any]]:
        if self._is_addressable(context) and self._is_new(context, self._expected_contexts):
            yield from super().expected_plans(context)

    @override
    def read_pages(self, context: Context | None) -> Iterator[Page]:
        if not self._is_addressable(context):
            self.unaddressable += 1
        elif self._is_new(context, self._read_contexts):
            yield from super().read_pages(context)

    @override
    def discover(self, context: Context | None) -> Sequence[Record]:
        return super().discover(context) if self._is_addressable(context) else ()

    def _is_addressable(self, context: Context | None) -> bool:
        return is_addressable(self._parent, self.path, context or {})

    def _is_new(self, context: Context | None, known: RecentContexts) -> bool:
        """Return whether a context is read: unless it is known, and read once in a run."""
        if not self.additions.distinct_parents:
            return True
        # The context also has the values for other children of the parent.
        own = (*self._parent.fields.values(), *self._parent.included)
        return known.add(canonical([(context or {})[name] for name in own]))

    @override
    def report(self) -> None:
        super().report()
        if self.unaddressable:
            self.logger.warning(
                "Records of `%s` without a value for the requests of %s, or with one that would"
                " lead to another address (empty, or dots): %d. What belongs to them is not read.",
                self._parent.name,
                self.name,
                self.unaddressable,
            )
