"""What a catalog may change of a stream, and what would lose or spoil records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL

from tap_chat.config.errors import config_error
from tap_chat.singer.bookmarks import markable
from tap_chat.singer.records import declared_types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_chat.streams.stream import ChatStream


class _Field(Struct):
    type: str | list[str] = ""
    format: str | None = None
    properties: dict[str, _Field] = {}
    items: _Field | None = None


class _Metadata(Struct):
    breadcrumb: list[str]
    metadata: dict[str, Any]


class _Stream(Struct):
    tap_stream_id: str
    schema: _Field
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
    """Check the outer shape of a catalog.

    Args:
        catalog: The catalog as it was read.

    Raises:
        ConfigValidationError: It is none.
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
        read = msgspec.convert(catalog, _Catalog)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at ")
        raise config_error(f"The catalog is wrong at {place}: {problem}. {REMEDY}") from None
    names = [stream.tap_stream_id for stream in read.streams]
    for stream in read.streams:
        name = stream.tap_stream_id
        if stream.stream not in {None, name} or names.count(name) > 1:
            raise config_error(f"The catalog has {name} twice, or under another name. {REMEDY}")


def problems(stream: ChatStream, keys: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a selected stream as a catalog has it, as sentences.

    Args:
        stream: The stream, with the catalog applied.
        keys: Its key properties as the tap declares them.
    """
    name, fields = stream.name, stream.effective_schema["properties"]
    needed = list(keys)
    if set(stream.primary_keys) != set(keys):
        theirs = ", ".join(stream.primary_keys) or "none"
        yield f"The catalog gives {name} the key properties {theirs} instead of {', '.join(keys)}."
    if stream.replication_method == REPLICATION_INCREMENTAL:
        key = stream.replication_key
        if key is None:
            yield f"The catalog reads {name} as INCREMENTAL, but without a replication key."
        elif key in fields and not markable(fields[key]):
            yield (
                f"The catalog reads {name} by the replication key `{key}`, which is neither a"
                " number nor a date-time."
            )
        else:
            needed.append(key)
    elif stream.replication_method != REPLICATION_FULL_TABLE:
        yield (
            f"The catalog reads {name} as {stream.replication_method}, which tap-chat does not"
            " know: it is INCREMENTAL or FULL_TABLE."
        )
    for field in dict.fromkeys(needed):
        if field not in fields:
            yield f"The catalog's schema of {name} has no `{field}`, which its records need."
        elif not stream.mask["properties", field]:
            yield f"The catalog deselects `{field}` of {name}, which its records need."


def differences(stream: ChatStream, replication_key: str | None) -> Iterator[str]:
    """Yield where a catalog says something else of a selected stream than its config, as sentences.

    Args:
        stream: The stream, with the catalog applied.
        replication_key: Its replication key as the config declares it.
    """
    if stream.replication_key != replication_key:
        yield (
            f"The catalog says that the replication key of {stream.name} is"
            f" {stream.replication_key or 'none'}, the config says {replication_key or 'none'}:"
            f" the catalog counts. {REMEDY}"
        )
    ours, theirs = stream.schema["properties"], stream.effective_schema["properties"]
    changed = sorted(
        name for name in ours.keys() | theirs.keys() if _kind(ours, name) != _kind(theirs, name)
    )
    if changed:
        yield (
            f"The catalog and the config declare these fields of {stream.name} differently:"
            f" {', '.join(changed)}. The catalog counts. {REMEDY}"
        )


def _kind(fields: Mapping[str, Any], name: str) -> tuple[frozenset[str], str] | None:
    field = fields.get(name)
    if field is None:
        return None
    return frozenset(declared_types(field)), field.get("format", "")
