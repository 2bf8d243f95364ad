"""What is known of a tap's streams before it is read: its catalog, or their names, or nothing."""

from __future__ import annotations

import logging
import re
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from dlt_bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

logger = logging.getLogger(__name__)

FULL_TABLE = "FULL_TABLE"
SELECTED, INCLUSION, UNSUPPORTED = "selected", "inclusion", "unsupported"
PROPERTIES = "properties"
_PATTERN = re.compile(r"[*?]")


class _Metadata(Struct):
    breadcrumb: list[str]
    metadata: dict[str, Any]


class _Entry(Struct):
    tap_stream_id: str
    stream: str | None = None
    replication_method: str | None = None
    key_properties: list[str | None] | str | None = None
    metadata: list[_Metadata] | None = None
    # Older catalogs select a stream in the entry itself, or in its schema.
    selected: Any = None
    schema: Any = None

    @property
    def root(self) -> dict[str, Any]:
        """The metadata of the stream itself, not of a property."""
        own = [item.metadata for item in self.metadata or () if not item.breadcrumb]
        return own[0] if own else {}

    @property
    def deselected(self) -> bool:
        """The entry says not to read the stream; what newer taps look at counts first."""
        in_schema = self.schema.get(SELECTED) if isinstance(self.schema, dict) else None
        said = [self.root.get(SELECTED), self.selected, in_schema]
        return next((flag is False for flag in said if isinstance(flag, bool)), False)

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the key properties."""
        named = self.key_properties or self.root.get("table-key-properties") or ()
        return (named,) if isinstance(named, str) else tuple(name for name in named if name)


class _Catalog(Struct):
    streams: list[_Entry]


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a catalog.

    Attributes:
        name: Its `tap_stream_id`, by which it is selected; its resource has the same name.
        called: What the tap's messages may call it, too.
        method: Its replication method, if known.
        keys: Its key properties, if known.
        deselected: The catalog says not to read it.
    """

    name: str
    called: str
    method: str | None = None
    keys: tuple[str, ...] = ()
    deselected: bool = False


class Catalog:
    """The streams of a tap.

    Args:
        value: The catalog as the tap printed it, or as a user changed it.

    Attributes:
        names: Of the streams that have a resource of their own.
        unnamed: Whether others may be read, too.
        excluded: Patterns of those that are left out then.

    Raises:
        BridgeError: It is not what Singer asks for.
    """

    unnamed = False
    excluded: Sequence[str] = ()

    def __init__(self, value: Any) -> None:  # noqa: ANN401
        try:
            entries = msgspec.convert(value, _Catalog).streams
        except msgspec.ValidationError as error:
            raise BridgeError(f"The tap's catalog is no Singer catalog: {error}.") from None
        self._entries: list[Mapping[str, Any]] = value["streams"]
        self.streams = {entry.tap_stream_id: _stream(entry) for entry in entries}
        self.names = list(self.streams)
        if len(self.streams) < len(entries):
            raise BridgeError("The tap's catalog has two streams with one tap_stream_id.")
        self._named: dict[str, list[str]] = {}
        for stream in self.streams.values():
            self._named.setdefault(stream.called, []).append(stream.name)
        self._named |= {name: [name] for name in self.streams}

    def chosen(self, select: Sequence[str] | None, *, every: bool) -> list[str]:
        """Return the streams to read.

        Args:
            select: Their names, which may have `*` and `?` for any characters, and those of
                streams to leave out, which begin with `!`.
            every: Whether they are all of them if none is named, or only those that the catalog
                does not deselect.

        Raises:
            BridgeError: A name is of no stream, or no stream is left.
        """
        wanted, unwanted = selected_and_excluded(select)
        for pattern in [*wanted, *unwanted]:
            if pattern != "*" and not any(matches(name, pattern) for name in self.streams):
                raise BridgeError(
                    f"The tap has no stream `{pattern}`. It has: {', '.join(self.streams)}."
                )
        found = [
            stream.name
            for stream in self.streams.values()
            if (
                any(matches(stream.name, pattern) for pattern in wanted)
                if wanted
                else every or not stream.deselected
            )
        ]
        left = [name for name in found if not any(matches(name, out) for out in unwanted)]
        if found and not left:
            raise BridgeError("select leaves out every stream, so nothing would be loaded.")
        return left

    def named(self, name: str) -> list[str]:
        """Return the streams that a message or a bookmark may mean by a name.

        Args:
            name: A `tap_stream_id`; or what an entry calls `stream`, which several may share.
        """
        return self._named.get(name, [])

    def stream(self, name: str) -> Stream:
        """Return the stream of this `tap_stream_id`."""
        return self.streams[name]

    def warn_of_missing(self, selected: Collection[str], read: Collection[str]) -> None:
        """Warn if the tap said nothing of any stream: a single one need not have something new.

        Args:
            selected: The streams to read.
            read: Those of which a SCHEMA came.
        """
        if selected and not read:
            logger.warning(
                "The tap was asked for the streams %s, and wrote no SCHEMA of any: nothing was"
                " loaded. Older taps take their catalog by --properties, not by --catalog: if this"
                " is one, say properties=True, or dlt singer run --properties.",
                ", ".join(sorted(selected)),
            )

    def selection(self, selected: Collection[str]) -> dict[str, Any]:
        """Return the catalog for a run that reads these streams and no others."""
        entries: list[dict[str, Any]] = deepcopy([dict(entry) for entry in self._entries])
        for entry in entries:
            _select(entry, selected=entry["tap_stream_id"] in selected)
        return {"streams": entries}


class RenamedCatalog:
    """The streams of a tap whose messages call them by other names than its catalog.

    Args:
        catalog: What the tap is given.
        chosen: The streams to read, by their names in the catalog.

    Attributes:
        names: Of the streams that have a resource of their own: none, as the names are not known.
        unnamed: Whether others may be read, too.
        excluded: Patterns of those that are left out then: none, as the catalog tells.
    """

    unnamed = True
    excluded: Sequence[str] = ()

    def __init__(self, catalog: Catalog, chosen: Collection[str]) -> None:
        self.names: list[str] = []
        self._catalog = catalog
        self._chosen = chosen

    def named(self, name: str) -> list[str]:
        """Return the streams that a message or a bookmark may mean by a name: itself."""
        return [name]

    def warn_of_missing(self, _: Collection[str], read: Collection[str]) -> None:
        """Warn if the tap said nothing of any stream."""
        self._catalog.warn_of_missing(self._chosen, read)

    def stream(self, name: str) -> Stream:
        """Return the stream of this name; how it is read may be known all the same."""
        known = self._catalog.named(name)
        methods = {self._catalog.stream(stream).method for stream in known or self._chosen}
        return Stream(name, name, method=methods.pop() if len(methods) == 1 else None)

    def selection(self, _: Collection[str]) -> dict[str, Any]:
        """Return the catalog for a run that reads the streams that were chosen."""
        return self._catalog.selection(self._chosen)


class NoCatalog:
    """The streams of a tap, or of lines, that are known by their messages alone.

    Args:
        select: The streams to read, and with `!` those to leave out; None for all.

    Attributes:
        names: Of the streams that have a resource of their own.
        unnamed: Whether others may be read, too.
        excluded: Patterns of those that are left out then.

    Raises:
        BridgeError: A name is a pattern.
    """

    def __init__(self, select: Sequence[str] | None) -> None:
        wanted, self.excluded = selected_and_excluded(select)
        self.names = [
            name
            for name in dict.fromkeys(wanted)
            if not any(matches(name, pattern) for pattern in self.excluded)
        ]
        self.unnamed = not wanted
        self._met: set[str] = set()
        if pattern := next((name for name in self.names if _PATTERN.search(name)), None):
            raise BridgeError(
                f"select can't have the pattern `{pattern}` here: without a catalog, the streams"
                " are not known before they are read. Name them."
            )

    def named(self, name: str) -> list[str]:
        """Return the streams that a message or a bookmark may mean by a name: itself."""
        self._met.add(name)
        return [name]

    def warn_of_missing(self, _: Collection[str], __: Collection[str]) -> None:
        """Warn of streams to read of which no message came: a name may be misspelled."""
        if missing := [name for name in self.names if name not in self._met]:
            logger.warning(
                "There were no messages of the selected streams %s. There were some of: %s.",
                ", ".join(missing),
                ", ".join(sorted(self._met)) or "no stream",
            )

    def stream(self, name: str) -> Stream:
        """Return the stream of this name."""
        return Stream(name, name)

    def selection(self, _: Collection[str]) -> dict[str, Any]:
        """Return no catalog, for a tap that takes none."""
        return {}


def checked_selection(select: Sequence[str] | None) -> list[str] | None:
    """Return the names of streams to select.

    Raises:
        BridgeError: There are none, or they are one text.
    """
    if isinstance(select, str):
        raise BridgeError('select takes a list of streams, as in select=["a"].')
    if select is not None and not select:
        raise BridgeError("select is empty, so nothing would be loaded. Without it, all is.")
    return None if select is None else list(select)


def selected_and_excluded(select: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Return the patterns of streams to read, and of those to leave out, without their `!`."""
    given = select or ()
    wanted = [pattern for pattern in given if not pattern.startswith("!")]
    return wanted, [pattern.removeprefix("!") for pattern in given if pattern.startswith("!")]


def matches(name: str, pattern: str) -> bool:
    """Say whether a name is what a pattern says, in which only `*` and `?` are special."""
    return name == pattern or fnmatchcase(name, pattern.replace("[", "[[]"))


def _stream(entry: _Entry) -> Stream:
    # The order of singer-sdk; `replication-method` is what users set for other taps.
    method = (
        entry.replication_method
        or entry.root.get("forced-replication-method")
        or entry.root.get("replication-method")
    )
    return Stream(
        name=entry.tap_stream_id,
        called=entry.stream or entry.tap_stream_id,
        method=method,
        keys=entry.keys,
        deselected=entry.deselected,
    )


def _select(entry: dict[str, Any], *, selected: bool) -> None:
    """Select a stream in an entry of a catalog, with all its properties; or deselect it.

    Wherever taps look for it: in the metadata; older ones in the entry, and in the schema.
    """
    entry["metadata"] = metadata = entry.get("metadata") or []
    schema = entry.get("schema")
    schema = schema if isinstance(schema, dict) else {}
    properties = schema.get(PROPERTIES)
    entry[SELECTED] = selected
    if SELECTED in schema:
        schema[SELECTED] = selected
    described = {tuple(item["breadcrumb"]) for item in metadata}
    if () not in described:
        metadata.append({"breadcrumb": [], "metadata": {}})
    for name in properties if selected and isinstance(properties, dict) else ():
        if (PROPERTIES, name) not in described:
            known = {INCLUSION: "available"}
            metadata.append({"breadcrumb": [PROPERTIES, name], "metadata": known})
    for item in metadata:
        own = item["metadata"]
        if not item["breadcrumb"]:
            own[SELECTED] = selected
        # Some taps read only the properties that are selected. What the user says of one counts.
        elif selected and own.get(INCLUSION) != UNSUPPORTED:
            own.setdefault(SELECTED, True)
