"""Reads the first pages of streams whose SCHEMA is inferred, for a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_chat.http.errors import ForbiddenError, RequestError
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
    does not allow is a warning: one deselects it in the catalog, or a run may leave it out. If the
    API allows no stream of a platform, its credential is wrong.

    Args:
        streams: The streams. Parents come before their children.

    Raises:
        RequestError: A page can't be read, or the API allows no stream of a platform.
    """
    read: dict[type[Stream], tuple[InferredStream, Sequence[Record]]] = {}
    refused: list[tuple[InferredStream, RequestError]] = []
    for stream in streams:
        if not (isinstance(stream, InferredStream) and stream.is_configured and stream.is_read):
            continue
        parent = stream.parent_stream_type
        if parent is not None and parent not in read:
            why = RequestError(f"Stream {stream.name}: the stream above it is not allowed.")
            refused.append((stream, why))
            continue
        contexts = [None] if parent is None else _contexts(*read[parent])
        try:
            read[type(stream)] = stream, _first_records(stream, contexts)
        except ForbiddenError as error:
            refused.append((stream, error))
    allowed = {stream.section for stream, _ in read.values()}
    for left_out, why in refused:
        if left_out.section not in allowed and left_out.name not in left_out.settings.optional:
            raise why
        left_out.logger.warning("%s The catalog has only its declared fields.", why)


def _contexts(parent: InferredStream, records: Sequence[Record]) -> Iterator[Context | None]:
    """Yield the contexts that the records of a parent lead to."""
    for record in records:
        yield from parent.generate_child_contexts(record, None)


def _first_records(stream: InferredStream, contexts: Iterable[Context | None]) -> Sequence[Record]:
    requests = 0
    records: Sequence[Record] = ()
    for context in contexts:
        requests += 1
        records = stream.discover(context)
        if records or requests == MOST_REQUESTS:
            break
    stream.logger.info(
        "Stream %s: its fields are those of its first records. Records: %d, requests: %d.",
        stream.name,
        len(records),
        requests,
    )
    return records
