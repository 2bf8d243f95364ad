"""Reads the first pages of streams whose SCHEMA is inferred, for a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_chat.http.errors import ForbiddenError
from tap_chat.streams.inferred_stream import InferredStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_sdk import Stream
    from singer_sdk.helpers.types import Context

    from tap_chat.singer.records import Record

#: The maximum number of requests for one stream: the first parents may have no children.
MOST_REQUESTS = 5


def read_first_pages(streams: Iterable[Stream]) -> None:
    """Read the first page of each selected and configured stream whose SCHEMA is inferred.

    A child stream is read for up to five parents, until a page has records. A stream that the API
    does not allow is a warning: one deselects it in the catalog, or a run may leave it out.

    Args:
        streams: The streams. Parents come before their children.

    Raises:
        RequestError: A page can't be read, for another reason.
    """
    read: dict[type[Stream], tuple[InferredStream, Sequence[Record]]] = {}
    for stream in streams:
        if isinstance(stream, InferredStream) and stream.is_configured and stream.is_read:
            parent = stream.parent_stream_type
            contexts = [None] if parent is None else _contexts(*read[parent])
            read[type(stream)] = stream, _first_records(stream, contexts)


def _contexts(parent: InferredStream, records: Sequence[Record]) -> Iterator[Context | None]:
    """Yield the contexts that the records of a parent lead to."""
    for record in records:
        yield from parent.generate_child_contexts(record, None)


def _first_records(stream: InferredStream, contexts: Iterable[Context | None]) -> Sequence[Record]:
    requests = 0
    records: Sequence[Record] = ()
    for context in contexts:
        requests += 1
        try:
            records = stream.discover(context)
        except ForbiddenError as error:
            stream.logger.warning("%s The catalog has only its declared fields.", error)
            return ()
        if records or requests == MOST_REQUESTS:
            break
    stream.logger.info(
        "Stream %s: its fields are those of its first records. Records: %d, requests: %d.",
        stream.name,
        len(records),
        requests,
    )
    return records
