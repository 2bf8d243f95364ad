"""Reads pages of raw records whose schema is not known, or only in part."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec

from tap_chat.singer.inference import types_of, widened
from tap_chat.streams.raw_records import find_texts, members

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_chat.http.responses import Body
    from tap_chat.singer.inference import Properties, Seen
    from tap_chat.streams.paginators import Page
    from tap_chat.streams.raw_records import RawRecordReader


class SeenProperties:
    """The properties of the pages so far. It is safe to use from several threads.

    Args:
        properties: The properties that are known before the first page.
        keys: The properties that are never null.

    Attributes:
        properties: The properties that hold all records so far.
    """

    def __init__(self, properties: Properties, keys: Sequence[str]) -> None:
        self.properties = properties
        self._keys = keys
        self._lock = Lock()

    def add(self, seen: Seen) -> Properties:
        """Widen the properties, so that they hold further values, and return them.

        Args:
            seen: The types of the values.
        """
        with self._lock:
            self.properties = widened(self.properties, seen, self._keys)
            return self.properties


class WideningReader:
    """Reads pages whose records may have properties and types that are not known yet.

    The records stay raw JSON. Only those of a page with something new are decoded, by one level.

    Args:
        seen: The properties of the pages so far, which this reader widens.
        inherited: The keys that come from the parent.
        path: The path of the records in a page: names with dots between them.
        at_root: Whether the records may also be at the root.
        new_reader: Returns a reader of records with these properties; None if they must be decoded.
    """

    def __init__(
        self,
        seen: SeenProperties,
        inherited: Sequence[str],
        path: str,
        *,
        at_root: bool,
        new_reader: Callable[[Properties], RawRecordReader | None],
    ) -> None:
        self._seen = seen
        self._inherited = inherited
        self._path = path
        self._at_root = at_root
        self._new_reader = new_reader
        self._reader: tuple[Properties, RawRecordReader | None] | None = None

    def read(self, body: Body, context: Mapping[str, Any] | None = None) -> Page | None:
        """Read a page.

        Args:
            body: The body of the response.
            context: The values of the inherited keys.

        Returns:
            The page, with the properties that hold its records. None if it must be decoded.
        """
        found = find_texts(body, self._path, at_root=self._at_root)
        inherited = {name: (context or {})[name] for name in self._inherited}
        if not found or any(isinstance(value, list | dict) for value in inherited.values()):
            return None
        texts, rest = found
        if texts and inherited:
            self._seen.add(types_of([inherited]))
        if (reader := self._current()) and (page := reader.page(texts, context, rest)):
            return page
        try:
            seen = types_of(map(members, texts))
        except (RecursionError, msgspec.DecodeError):
            return None
        self._seen.add(seen)
        reader = self._current()
        return reader.page(texts, context, rest) if reader else None

    def _current(self) -> RawRecordReader | None:
        properties, known = self._seen.properties, self._reader
        if known is None or known[0] is not properties:
            known = self._reader = properties, self._new_reader(properties)
        return known[1]
