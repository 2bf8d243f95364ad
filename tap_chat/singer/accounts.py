"""The account of a record: its property `_account`, and the first part of its key.

The property is there in what the tap writes alone, after stream maps: no stream map and no catalog
can leave it out, and no code that reads records knows of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw
from singer_sdk.contrib.msgspec import encoder
from singer_sdk.exceptions import FatalSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from singer_sdk.singerlib import SchemaMessage

    from tap_chat.singer.records import Record

#: The name of the property.
ACCOUNT = "_account"
BREADCRUMB = ["properties", ACCOUNT]
#: The key of a stream, in its metadata.
KEY = "table-key-properties"
PROPERTY = {"type": "string", "description": "The account, as the setting `account` names it."}


class AccountProperty:
    """Adds the property `_account` to the messages of a stream.

    Args:
        stream: The name of the stream, for errors.
        account: The account.
    """

    def __init__(self, stream: str, account: str) -> None:
        self._stream = stream
        self._account = account
        self._start: bytes = encoder.encode({ACCOUNT: account})[:-1]

    def describe(self, message: SchemaMessage) -> None:
        """Add the property to a SCHEMA, with the account as its only value.

        Args:
            message: The SCHEMA, which is changed.

        Raises:
            FatalSyncError: It has a property of that name.
        """
        self.check(message.schema["properties"])
        message.schema = with_account(message.schema)
        message.schema["properties"][ACCOUNT] = PROPERTY | {"const": self._account}
        message.key_properties = key_with_account(message.key_properties or ())

    def check(self, properties: Collection[str]) -> None:
        """Check that the stream has no property `_account` of its own.

        Args:
            properties: The names of its properties.

        Raises:
            FatalSyncError: It has one.
        """
        if ACCOUNT in properties:
            raise FatalSyncError(
                f"Stream {self._stream}: its records have a property `_account` of their own, so"
                " the setting `account` can't add it. Remove the setting."
            )

    def add(self, record: Record) -> Record:
        """Return a decoded record with the property in front."""
        return {ACCOUNT: self._account, **record}

    def add_to_all(self, records: Iterable[Record | Raw]) -> Iterator[Record | Raw]:
        """Yield records with the property in front.

        Args:
            records: The records: decoded, or raw JSON in one line.
        """
        for record in records:
            if isinstance(record, Raw):
                members = bytes(record)[1:]
                comma = b"," if b'"' in members else b""  # an object without properties
                yield Raw(b"%b%b%b" % (self._start, comma, members))
            else:
                yield self.add(record)


def with_account(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of records with the property `_account` in front."""
    return {
        **schema,
        "properties": {ACCOUNT: PROPERTY, **schema["properties"]},
        "required": [ACCOUNT, *schema.get("required", ())],
    }


def key_with_account(key: Iterable[str]) -> list[str]:
    """Return a key with the account as its first part; a stream without a key stays without one."""
    own = list(key)
    return [ACCOUNT, *own] if own else []


def catalog_with_account(catalog: Mapping[str, Any], streams: Collection[str]) -> dict[str, Any]:
    """Return a discovered catalog in which streams have the property `_account`.

    Args:
        catalog: The catalog.
        streams: The names of the streams that have it.
    """
    return _changed(catalog, streams, _entry_with_account)


def catalog_without_account(catalog: Mapping[str, Any], streams: Collection[str]) -> dict[str, Any]:
    """Return the catalog of a run without the property `_account`, which the tap adds itself.

    Args:
        catalog: The catalog.
        streams: The names of the streams that have it.
    """
    return _changed(catalog, streams, _entry_without_account)


def _changed(
    catalog: Mapping[str, Any],
    streams: Collection[str],
    change: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> dict[str, Any]:
    entries = [
        change(entry) if entry["tap_stream_id"] in streams else entry
        for entry in catalog["streams"]
    ]
    return {**catalog, "streams": entries}


def _entry_with_account(entry: Mapping[str, Any]) -> dict[str, Any]:
    of_account = {"breadcrumb": BREADCRUMB, "metadata": {"inclusion": "automatic"}}
    return {
        **entry,
        "schema": with_account(entry["schema"]),
        "key_properties": key_with_account(entry.get("key_properties") or ()),
        "metadata": [of_account, *_metadata(entry, key_with_account)],
    }


def _entry_without_account(entry: Mapping[str, Any]) -> dict[str, Any]:
    schema = entry["schema"]
    properties = {name: schema["properties"][name] for name in _others(schema["properties"])}
    required = {"required": _others(schema["required"])} if "required" in schema else {}
    key = entry.get("key_properties")
    return {
        **entry,
        "schema": {**schema, "properties": properties, **required},
        "key_properties": key and _others(key),
        "metadata": [
            item for item in _metadata(entry, _others) if item["breadcrumb"] != BREADCRUMB
        ],
    }


def _metadata(
    entry: Mapping[str, Any], change_key: Callable[[Iterable[str]], list[str]]
) -> Iterator[dict[str, Any]]:
    """Yield the metadata of an entry with another key."""
    for item in entry.get("metadata") or ():
        metadata = item["metadata"]
        if key := metadata.get(KEY):
            metadata = metadata | {KEY: change_key(key)}
        yield item | {"metadata": metadata}


def _others(names: Iterable[str]) -> list[str]:
    return [name for name in names if name != ACCOUNT]
