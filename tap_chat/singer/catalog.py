"""Checks of a catalog: it must not change or lose records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL

from tap_chat.config.errors import config_error
from tap_chat.singer.bookmarks import is_bookmarkable
from tap_chat.singer.records import declared_types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk import Stream

    from tap_chat.singer.sdk import ChunkedStream


class _Schema(Struct):
    type: str | list[str] = ""
    format: str | None = None
    properties: dict[str, _Schema] = {}
    items: _Schema | None = None


class _Metadata(Struct):
    breadcrumb: list[str]
    metadata: dict[str, Any]


class _Stream(Struct):
    tap_stream_id: str
    schema: _Schema
    stream: str | None = None
    stream_alias: str | None = None
    key_properties: list[str] | None = None
    replication_key: str | None = None
    replication_method: str | None = None
    metadata: list[_Metadata] = []


class _Catalog(Struct):
    streams: list[_Stream]


REMEDY = "Discover it again, with --config."


def check_catalog(catalog: Mapping[str, Any]) -> None:
    """Check the structure of a catalog.

    Args:
        catalog: The decoded catalog.

    Raises:
        ConfigValidationError: The structure is not that of a catalog.
    """
    streams = catalog.get("streams")
    if not isinstance(streams, list):
        raise config_error(f"The catalog has no list `streams`. {REMEDY}")
    for stream in streams:
        if not isinstance(stream, dict) or not isinstance(stream.get("tap_stream_id"), str):
            raise config_error(f"The catalog has a stream without `tap_stream_id`. {REMEDY}")
        schema = stream.get("schema")
        if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
            name = stream["tap_stream_id"]
            raise config_error(f"The catalog has no schema with `properties` of {name}. {REMEDY}")
    try:
        entries = msgspec.convert(catalog, _Catalog).streams
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at ")
        raise config_error(f"The catalog is wrong at {path}: {problem}. {REMEDY}") from None
    names = [entry.tap_stream_id for entry in entries]
    for entry in entries:
        name = entry.tap_stream_id
        if entry.stream not in {None, name} or names.count(name) > 1:
            raise config_error(f"The catalog has {name} twice, or under another name. {REMEDY}")


def problems(
    stream: ChunkedStream, primary_keys: Sequence[str], replication_key: str | None
) -> Iterator[str]:
    """Yield a sentence for each change of the catalog that would change or lose records.

    Args:
        stream: A selected stream, with the catalog applied.
        primary_keys: Its primary keys as the tap declares them.
        replication_key: Its replication key as the tap declares it.
    """
    name, properties = stream.name, stream.effective_schema["properties"]
    required = list(primary_keys)
    if set(stream.primary_keys) != set(primary_keys):
        theirs, ours = ", ".join(stream.primary_keys) or "none", ", ".join(primary_keys)
        yield f"The catalog gives {name} the key properties {theirs} instead of {ours}."
    if stream.replication_method == REPLICATION_INCREMENTAL:
        key = stream.replication_key
        if key is None:
            yield f"The catalog reads {name} as INCREMENTAL, but without a replication key."
        elif stream.schema_waits:
            pass  # its cursor may be of any type, and nested
        elif key in properties and not (
            # A stream that is read by windows may have bookmarks of another type than its records.
            is_bookmarkable(properties[key])
            or (
                key == replication_key
                and is_same(properties[key], stream.schema["properties"][key])
            )
        ):
            yield (
                f"The catalog reads {name} by the replication key `{key}`, which is neither a"
                " number nor a date-time."
            )
        else:
            required.append(key)
    elif stream.replication_method != REPLICATION_FULL_TABLE:
        yield (
            f"The catalog reads {name} as {stream.replication_method}, which tap-chat does not"
            " know: it is INCREMENTAL or FULL_TABLE."
        )
    for key in dict.fromkeys(required):
        if key not in properties:
            yield f"The catalog's schema of {name} has no `{key}`, which its records need."
        elif not stream.mask["properties", key]:
            yield f"The catalog deselects `{key}` of {name}, which its records need."


def differences(stream: Stream, replication_key: str | None) -> Iterator[str]:
    """Yield a sentence for each difference between the catalog and the config.

    Args:
        stream: A selected stream, with the catalog applied.
        replication_key: Its replication key as the config declares it.
    """
    if stream.replication_key != replication_key:
        yield (
            f"The catalog says that the replication key of {stream.name} is"
            f" {stream.replication_key or 'none'}, the config says {replication_key or 'none'}."
            f" The catalog is used. {REMEDY}"
        )
    ours, theirs = stream.schema["properties"], stream.effective_schema["properties"]
    changed = sorted(
        name for name in ours.keys() | theirs.keys() if _type(ours, name) != _type(theirs, name)
    )
    if changed:
        yield (
            f"The catalog and the config declare these fields of {stream.name} differently:"
            f" {', '.join(changed)}. The catalog is used. {REMEDY}"
        )


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two properties have the same types, and the same format."""
    return _type({"": one}, "") == _type({"": other}, "")


def _type(properties: Mapping[str, Any], name: str) -> tuple[frozenset[str], str] | None:
    schema = properties.get(name)
    return None if schema is None else (frozenset(declared_types(schema)), schema.get("format", ""))
