"""The entries of a Singer catalog, as taps print them and users change them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

SELECTED, INCLUSION, UNSUPPORTED = "selected", "inclusion", "unsupported"
PROPERTIES = "properties"


class Metadata(Struct):
    """The metadata of a stream, or of one of its properties."""

    breadcrumb: list[str]
    metadata: dict[str, Any]


class Entry(Struct):
    """A stream in a catalog."""

    tap_stream_id: str
    stream: str | None = None
    replication_method: str | None = None
    key_properties: list[str | None] | str | None = None
    metadata: list[Metadata] | None = None
    # Older catalogs select a stream in the entry itself, or in its schema.
    selected: Any = None
    schema: Any = None

    @property
    def stream_metadata(self) -> dict[str, Any]:
        """The metadata of the stream itself, not of a property."""
        own = [item.metadata for item in self.metadata or () if not item.breadcrumb]
        return own[0] if own else {}

    @property
    def deselected(self) -> bool:
        """Whether the entry deselects the stream. Its metadata count before older forms."""
        in_schema = self.schema.get(SELECTED) if isinstance(self.schema, dict) else None
        flags = [self.stream_metadata.get(SELECTED), self.selected, in_schema]
        return next((flag is False for flag in flags if isinstance(flag, bool)), False)

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the key properties."""
        names = self.key_properties or self.stream_metadata.get("table-key-properties") or ()
        return (names,) if isinstance(names, str) else tuple(name for name in names if name)

    @property
    def method(self) -> str | None:
        """The replication method, in the order of the SDK; or the one that users set otherwise."""
        return (
            self.replication_method
            or self.stream_metadata.get("forced-replication-method")
            or self.stream_metadata.get("replication-method")
        )


class Entries(Struct):
    """A catalog."""

    streams: list[Entry]


def select_entry(entry: dict[str, Any], *, selected: bool) -> None:
    """Select a stream in an entry, with all its properties; or deselect it.

    Taps read the selection from the metadata; older ones from the entry, or from its schema. So
    all of these are set.
    """
    entry["metadata"] = metadata = entry.get("metadata") or []
    schema = entry.get("schema")
    schema = schema if isinstance(schema, dict) else {}
    properties = schema.get(PROPERTIES)
    entry[SELECTED] = selected
    if SELECTED in schema:
        schema[SELECTED] = selected
    breadcrumbs = {tuple(item["breadcrumb"]) for item in metadata}
    if () not in breadcrumbs:
        metadata.append({"breadcrumb": [], "metadata": {}})
    for name in properties if selected and isinstance(properties, dict) else ():
        if (PROPERTIES, name) not in breadcrumbs:
            available = {INCLUSION: "available"}
            metadata.append({"breadcrumb": [PROPERTIES, name], "metadata": available})
    for item in metadata:
        values = item["metadata"]
        if not item["breadcrumb"]:
            values[SELECTED] = selected
        # Some taps read only selected properties. The user's choice for a property is kept.
        elif selected and values.get(INCLUSION) != UNSUPPORTED:
            values.setdefault(SELECTED, True)
