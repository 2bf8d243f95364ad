"""The streams of a tap: from its catalog, from names that the user gives, or from its messages."""

from __future__ import annotations

import logging
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from dlt_bridge.errors import BridgeError
from dlt_bridge.tap.catalog_entries import Entries, Entry, select_entry
from dlt_bridge.tap.selection import is_pattern, matches, matches_any, split_selection

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

logger = logging.getLogger(__name__)

FULL_TABLE = "FULL_TABLE"


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a catalog.

    Attributes:
        name: Its `tap_stream_id`, by which it is selected; its resource has the same name.
        message_name: The name that the tap's messages may use instead.
        method: Its replication method, if known.
        keys: Its key properties, if known.
        deselected: Whether the catalog deselects it.
    """

    name: str
    message_name: str
    method: str | None = None
    keys: tuple[str, ...] = ()
    deselected: bool = False


class Catalog:
    """The streams of a tap.

    Args:
        value: The catalog as the tap printed it, or as a user changed it.

    Attributes:
        names: The names of the streams that have a resource of their own.
        has_others: Whether streams of other names may be read, too.
        excluded: Patterns of those that are left out then.

    Raises:
        BridgeError: It is not a Singer catalog.
    """

    has_others = False
    excluded: Sequence[str] = ()

    def __init__(self, value: Any) -> None:  # noqa: ANN401
        try:
            entries = msgspec.convert(value, Entries).streams
        except msgspec.ValidationError as error:
            raise BridgeError(f"The tap's catalog is not a Singer catalog: {error}.") from None
        self._entries: list[Mapping[str, Any]] = value["streams"]
        self.streams = {entry.tap_stream_id: _stream(entry) for entry in entries}
        self.names = list(self.streams)
        if len(self.streams) < len(entries):
            raise BridgeError("The tap's catalog has two streams with one tap_stream_id.")
        self._by_message_name: dict[str, list[str]] = {}
        for stream in self.streams.values():
            self._by_message_name.setdefault(stream.message_name, []).append(stream.name)
        self._by_message_name |= {name: [name] for name in self.streams}

    def select(self, select: Sequence[str] | None, *, every: bool) -> list[str]:
        """Return the names of the streams to read.

        Args:
            select: Their names, which may have `*` and `?` for any characters, and those of
                streams to leave out, which begin with `!`.
            every: Whether to read all streams if none is named, or only those that the catalog
                does not deselect.

        Raises:
            BridgeError: A name is of no stream, or no stream is left.
        """
        included, excluded = split_selection(select)
        for pattern in [*included, *excluded]:
            if pattern != "*" and not any(matches(name, pattern) for name in self.streams):
                raise BridgeError(
                    f"The tap has no stream `{pattern}`. It has: {', '.join(self.streams)}."
                )
        selected = [
            stream.name
            for stream in self.streams.values()
            if (matches_any(stream.name, included) if included else every or not stream.deselected)
        ]
        left = [name for name in selected if not matches_any(name, excluded)]
        if selected and not left:
            raise BridgeError("select leaves out every stream, so nothing would be loaded.")
        return left

    def streams_named(self, name: str) -> list[str]:
        """Return the streams that a message or a bookmark may mean by a name.

        Args:
            name: A `tap_stream_id`; or the `stream` of an entry, which several may share.
        """
        return self._by_message_name.get(name, [])

    def stream(self, name: str) -> Stream:
        """Return the stream with this `tap_stream_id`."""
        return self.streams[name]

    def warn_of_missing(self, selected: Collection[str], read: Collection[str]) -> None:
        """Warn if there was no SCHEMA of any stream. A single stream may have nothing new.

        Args:
            selected: The streams to read.
            read: The streams of which there was a SCHEMA.
        """
        if selected and not read:
            logger.warning(
                "The tap was asked for the streams %s, and wrote no SCHEMA of any: nothing was"
                " loaded. Older taps take their catalog by --properties, not by --catalog: if this"
                " is one, use properties=True, or dlt singer run --properties.",
                ", ".join(sorted(selected)),
            )

    def to_tap(self, selected: Collection[str]) -> dict[str, Any]:
        """Return the catalog for a run that reads these streams and no others."""
        entries: list[dict[str, Any]] = deepcopy([dict(entry) for entry in self._entries])
        for entry in entries:
            select_entry(entry, selected=entry["tap_stream_id"] in selected)
        return {"streams": entries}


class RenamedCatalog:
    """The streams of a tap whose messages use other names than its catalog.

    Args:
        catalog: The catalog that the tap gets.
        selected: The streams to read, by their names in the catalog.

    Attributes:
        names: Empty: the names in the messages are not known before.
        has_others: Whether streams of other names may be read.
        excluded: Empty: the catalog selects the streams.
    """

    has_others = True
    excluded: Sequence[str] = ()

    def __init__(self, catalog: Catalog, selected: Collection[str]) -> None:
        self.names: list[str] = []
        self._catalog = catalog
        self._selected = selected

    def streams_named(self, name: str) -> list[str]:
        """Return the streams that a message or a bookmark may mean by a name: itself."""
        return [name]

    def warn_of_missing(self, _: Collection[str], read: Collection[str]) -> None:
        """Warn if no SCHEMA came of any stream."""
        self._catalog.warn_of_missing(self._selected, read)

    def stream(self, name: str) -> Stream:
        """Return the stream of this name, with the replication method if all streams have one."""
        names = self._catalog.streams_named(name)
        methods = {self._catalog.stream(stream).method for stream in names or self._selected}
        return Stream(name, name, method=methods.pop() if len(methods) == 1 else None)

    def to_tap(self, _: Collection[str]) -> dict[str, Any]:
        """Return the catalog for a run that reads the selected streams."""
        return self._catalog.to_tap(self._selected)


class NoCatalog:
    """The streams of a tap, or of lines, without a catalog: only messages show them.

    Args:
        select: The streams to read, and with `!` those to leave out; None for all.

    Attributes:
        names: The names of the streams that have a resource of their own.
        has_others: Whether streams of other names may be read, too.
        excluded: Patterns of those that are left out then.

    Raises:
        BridgeError: A name is a pattern.
    """

    def __init__(self, select: Sequence[str] | None) -> None:
        included, self.excluded = split_selection(select)
        self.names = [
            name for name in dict.fromkeys(included) if not matches_any(name, self.excluded)
        ]
        self.has_others = not included
        self._seen: set[str] = set()
        if pattern := next((name for name in self.names if is_pattern(name)), None):
            raise BridgeError(
                f"select can't have the pattern `{pattern}` here: without a catalog, the streams"
                " are not known before they are read. Name them."
            )

    def streams_named(self, name: str) -> list[str]:
        """Return the streams that a message or a bookmark may mean by a name: itself."""
        self._seen.add(name)
        return [name]

    def warn_of_missing(self, _: Collection[str], __: Collection[str]) -> None:
        """Warn of selected streams without messages: their names may be misspelled."""
        if missing := [name for name in self.names if name not in self._seen]:
            logger.warning(
                "There were no messages of the selected streams %s. There were some of: %s.",
                ", ".join(missing),
                ", ".join(sorted(self._seen)) or "no stream",
            )

    def stream(self, name: str) -> Stream:
        """Return the stream of this name."""
        return Stream(name, name)

    def to_tap(self, _: Collection[str]) -> dict[str, Any]:
        """Return no catalog, as the tap takes none."""
        return {}


#: The streams of a tap, with or without a catalog.
AnyCatalog = Catalog | RenamedCatalog | NoCatalog


def _stream(entry: Entry) -> Stream:
    return Stream(
        name=entry.tap_stream_id,
        message_name=entry.stream or entry.tap_stream_id,
        method=entry.method,
        keys=entry.keys,
        deselected=entry.deselected,
    )
