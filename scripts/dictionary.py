"""The streams of all platforms as tables: their fields, types, keys and joins.

The catalog of the tap has the fields. Those of a declaration follow from the rows of the sandbox.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import dlt

from dlt_bridge.arrow.columns import columns
from dlt_bridge.naming import NamingConvention
from dlt_bridge.tables.hints import type_hint
from tap_chat.platforms.livechat import OLDEST_STREAMS
from tap_chat.platforms.registry import BUILT_IN, SHIPPED
from tap_chat.sandbox import World
from tap_chat.singer import inference
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dlt_bridge.arrow.types import ColumnType
    from tap_chat.platforms.platform import Join, Platform

#: The destinations whose types are shown.
DESTINATIONS = ("duckdb", "postgres")
#: What the types of a property are if the sandbox has only nulls of it.
UNKNOWN = "of its values"

_normalize = NamingConvention().normalize_path


@dataclass(frozen=True)
class Field:
    """A field of a stream.

    Attributes:
        name: Its name in the records.
        column: The name of its column.
        types: The type of its column, by the name of the destination.
        description: What it is.
        parts: The names of the fields within it, if the platform declares them.
    """

    name: str
    column: str
    types: Mapping[str, str]
    description: str
    parts: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A stream.

    Attributes:
        name: Its name, which is that of its table.
        description: What its records are.
        method: Its replication method.
        replication_key: Its replication key, or None.
        key: The columns of its key.
        option: The setting that it needs, as Markdown; empty if it is always there.
        parent: The name of its parent stream, or None.
        fields: Its fields.
    """

    name: str
    description: str
    method: str
    replication_key: str | None
    key: Sequence[str]
    option: str
    parent: str | None
    fields: Sequence[Field]


@dataclass(frozen=True)
class Dictionary:
    """The streams of a platform.

    Attributes:
        platform: The platform.
        tables: Its streams, in the order in which they are read.
    """

    platform: Platform
    tables: Sequence[Table]

    @property
    def is_declared(self) -> bool:
        """Whether the types of its fields follow from their values."""
        return self.platform in SHIPPED

    def joins_of(self, stream: str) -> list[Join]:
        """Return the references from a stream to others."""
        return [join for join in self.platform.joins if join.stream == stream]

    def joins_to(self, stream: str) -> list[Join]:
        """Return the references of other streams to a stream."""
        return [join for join in self.platform.joins if join.to == stream and join.stream != stream]


@cache
def dictionaries() -> tuple[Dictionary, ...]:
    """Return the streams of all platforms."""
    catalogs = {**_catalog(_extra_streams()), **_catalog({"livechat": {"api_version": "2"}})}
    rows = World().truth
    oldest = {stream.name: "`livechat.api_version`: `2`" for stream in OLDEST_STREAMS}
    found = []
    # The messages API is that of an account of one's own: it comes last.
    for platform in (*BUILT_IN[1:], *SHIPPED, BUILT_IN[0]):
        extra = {
            stream.name: f"`{platform.name}.extra_streams`" for stream in platform.extra_streams
        }
        options = extra | (oldest if platform.name == "livechat" else {})
        streams = [*platform.streams, *platform.extra_streams]
        if platform.name == "livechat":
            streams += OLDEST_STREAMS
        tables = []
        for stream in streams:
            entry = catalogs[stream.name]
            schema = entry["schema"]
            if platform in SHIPPED:
                schema = _with_types(schema, rows[stream.name], entry["key_properties"])
            parent: Any = stream.parent_stream_type
            tables.append(
                Table(
                    name=stream.name,
                    description=schema["description"],
                    method=entry["replication_method"],
                    replication_key=entry.get("replication_key"),
                    key=[_normalize(key) for key in entry["key_properties"]],
                    option=options.get(stream.name, ""),
                    parent=parent.name if parent else None,
                    fields=list(_fields(schema, entry["key_properties"])),
                )
            )
        found.append(Dictionary(platform, tables))
    return tuple(found)


def column(path: str) -> str:
    """Return the column that the path of a join begins with."""
    return _normalize(path.partition(".")[0].removesuffix("[]"))


def _extra_streams() -> dict[str, Any]:
    """Return a config that chooses all streams."""
    return {
        platform.name: {"extra_streams": [stream.name for stream in platform.extra_streams]}
        if platform.extra_streams
        else {}
        for platform in (*BUILT_IN, *SHIPPED)
    }


def _catalog(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the entries of the catalog with a config, by the names of the streams."""
    tap = TapChat(config=config, validate_config=False)
    return {entry["tap_stream_id"]: entry for entry in tap.catalog_dict["streams"]}


def _with_types(
    schema: dict[str, Any], rows: Sequence[dict[str, Any]], key: Sequence[str]
) -> dict[str, Any]:
    """Return a schema with the types of the values of rows."""
    known = schema["properties"]
    # The type of a key is that of its values alone.
    unkeyed = {name: prop for name, prop in known.items() if name not in key}
    typed = inference.widened(unkeyed, inference.types_of(rows), key)
    properties = {name: {**known.get(name, {}), **typed.get(name, {})} for name in (*known, *typed)}
    return {**schema, "properties": properties}


def _fields(schema: Mapping[str, Any], key: Sequence[str]) -> Iterator[Field]:
    for found in columns(schema, key):
        prop = schema["properties"][found.name]
        parts = prop.get("properties") or prop.get("items", {}).get("properties") or {}
        yield Field(
            name=found.name,
            column=_normalize(found.name),
            types={name: _type(name, found.type) for name in DESTINATIONS},
            description=prop.get("description", ""),
            parts=list(parts),
        )


def _type(destination: str, column_type: ColumnType | None) -> str:
    """Return the SQL type of a column in a destination."""
    if column_type is None:
        return UNKNOWN
    capabilities: Any = getattr(dlt.destinations, destination)().capabilities()
    mapper = capabilities.get_type_mapper()
    found: str = mapper.to_destination_type(
        {"name": "", "nullable": True, **type_hint(column_type)}, {"name": ""}
    )
    # Databases show the type by its whole name.
    return (
        {"varchar": "character varying"}.get(found, found) if destination == "postgres" else found
    )
