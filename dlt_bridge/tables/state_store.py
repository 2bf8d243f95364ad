"""The STATE of a tap between runs, in dlt's state: the bookmark of a stream with its resource.

dlt commits it with the rows before it, and restores it from the destination on another machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.json import json

from dlt_bridge.destinations.destination import DRIVER
from dlt_bridge.tap import state

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from dlt import Pipeline

# Keys of dlt's state. They are stored, so their values can't change. In the source: the rest of a
# STATE. In a resource: the digest of the rest that belongs to its bookmark. In the source: the last
# value of `_sdc_sequence`.
REST = "singer"
REST_DIGEST = "singer_mark"
LAST_SEQUENCE = "singer_number"
# In the source: the account of its rows, and its tap.
SOURCE_ACCOUNT = "singer_account"
SOURCE_TAP = "singer_tap"
BOOKMARKS = "bookmarks"
# In the source: how its history is divided into shards.
SHARDS = "shards"
#: At least the number of levels that dlt's state has around a STATE.
LEVELS = 10


def first_sequence(clock: int) -> int:
    """Return the first value of `_sdc_sequence` in a run.

    It is the clock's, unless the clock has gone back since the last run.

    Args:
        clock: The time in microseconds: no tap writes so many rows, so the next run begins higher.
    """
    last: int = dlt.current.source_state().get(LAST_SEQUENCE, 0)
    return max(clock, last + 1)


def save_sequence(last: int) -> None:
    """Save the last value of `_sdc_sequence` in the state of the source that is being read."""
    dlt.current.source_state()[LAST_SEQUENCE] = last


def saved_account() -> str | None:
    """Return the account of the source that is being read, as the last run saved it."""
    account: str | None = dlt.current.source_state().get(SOURCE_ACCOUNT)
    return account


def save_account(account: str, tap: str) -> None:
    """Save the account of the source that is being read, and the name of its tap."""
    dlt.current.source_state().update({SOURCE_ACCOUNT: account, SOURCE_TAP: tap})


def is_of_other_account(
    pipeline_state: Mapping[str, Any], source: str, account: str, tap: str
) -> bool:
    """Return whether a source has another account of a tap.

    Args:
        pipeline_state: The state of the pipeline.
        source: The name of the source.
        account: The account.
        tap: The name of the tap.
    """
    saved: Mapping[str, Any] = pipeline_state.get("sources", {}).get(source, {})
    return saved.get(SOURCE_ACCOUNT, account) != account and saved.get(SOURCE_TAP) == tap


def forget_bookmark(stream: str) -> None:
    """Forget the STATE of a stream of the source that is being read."""
    saved = dlt.current.resource_state(stream)
    for name in (BOOKMARKS, REST_DIGEST):
        saved.pop(name, None)


def forget_bookmarks() -> bool:
    """Forget the STATE of the source that is being read; return whether it was read before."""
    source = dlt.current.source_state()
    for stream in source.get("resources", {}):
        forget_bookmark(stream)
    source.pop(REST, None)
    return LAST_SEQUENCE in source


def save_state(
    value: Mapping[str, Any], streams: Collection[str], owner: Callable[[str], str | None]
) -> None:
    """Save a STATE in the state of the source that is being read.

    Args:
        value: The value of the STATE.
        streams: The streams that were read up to it.
        owner: Returns the stream of a key of `bookmarks`; None if it is not of a single stream.
    """
    by_stream, rest = state.split(value, owner)
    dlt.current.source_state()[REST] = rest
    digest = state.fingerprint(rest) if rest else None
    for stream in sorted(streams):
        saved = dlt.current.resource_state(stream)
        for name, part in ((BOOKMARKS, by_stream.get(stream)), (REST_DIGEST, digest)):
            saved.pop(name, None)
            if part:
                saved[name] = part


def without_streams(
    value: Mapping[str, Any], streams: Collection[str], named: Callable[[str], Collection[str]]
) -> dict[str, Any]:
    """Return a STATE without the bookmarks of streams, which are then read from the start.

    Args:
        value: The value of the STATE, with an object `bookmarks`.
        streams: The streams.
        named: Returns the streams that a key of `bookmarks` may name.
    """
    bookmarks = {
        key: bookmark
        for key, bookmark in value[BOOKMARKS].items()
        if not {key, *named(key)}.intersection(streams)
    }
    return {**value, BOOKMARKS: bookmarks}


def can_save(value: Mapping[str, Any]) -> bool:
    """Return whether dlt's state restores the value of a STATE as it was."""
    nested: Any = value
    for _ in range(LEVELS):
        nested = [nested]
    try:
        return bool(json.typed_loadb(json.typed_dumpb({"": nested})) == {"": nested})
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        return False


def read_state(streams: Collection[str]) -> dict[str, Any]:
    """Return the value of the STATE that the tap gets to read these streams of the source."""
    saved = [dlt.current.resource_state(stream) for stream in sorted(streams)]
    bookmarks = {key: bookmark for own in saved for key, bookmark in own.get(BOOKMARKS, {}).items()}
    rest = dlt.current.source_state().get(REST, {})
    is_of_all = all(own.get(REST_DIGEST) == state.fingerprint(rest) for own in saved)
    return state.join(bookmarks, rest if is_of_all else {})


def saved_state(pipeline_state: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the value of the last STATE that a pipeline has saved of a tap.

    Args:
        pipeline_state: The state of the pipeline.
        source: The name of the tap's source.
    """
    saved: Mapping[str, Any] = pipeline_state.get("sources", {}).get(source, {})
    bookmarks = {
        key: bookmark
        for resource in saved.get("resources", {}).values()
        for key, bookmark in resource.get(BOOKMARKS, {}).items()
    }
    return state.join(bookmarks, saved.get(REST, {}))


def saved_shards(pipeline_state: Mapping[str, Any], source: str) -> dict[str, Any] | None:
    """Return how the history of a source is divided into shards; None if it is not.

    Args:
        pipeline_state: The state of the pipeline.
        source: The name of the source.
    """
    saved: Mapping[str, Any] = pipeline_state.get("sources", {}).get(source, {})
    return saved.get(SHARDS)


def save_shards(shards: Mapping[str, Any] | None) -> None:
    """Save how the history of the source that is being read is divided; None if it is not."""
    state = dlt.current.source_state()
    if shards is None:
        state.pop(SHARDS, None)
    else:
        state[SHARDS] = dict(shards)


def replace_state(
    pipeline: Pipeline,
    source: str,
    value: Mapping[str, Any],
    streams: Collection[str],
    owner: Callable[[str], str | None],
) -> None:
    """Replace the STATE that a pipeline has saved of a tap, and commit it.

    Args:
        pipeline: The pipeline.
        source: The name of the tap's source.
        value: The value of the STATE; an empty one to read everything again.
        streams: All streams of the tap.
        owner: Returns the stream of a key of `bookmarks`; None if it is not of a single stream.
    """
    commit_state(pipeline, source, lambda: save_state(value, streams, owner))


def commit_state(pipeline: Pipeline, source: str, change: Callable[[], None]) -> None:
    """Change the state of a source, and commit it.

    Args:
        pipeline: The pipeline.
        source: The name of the source.
        change: Changes the state; it is called as if the source were read.
    """

    def no_rows() -> Iterator[Any]:
        change()
        yield from ()

    def resources() -> Any:  # noqa: ANN401
        return dlt.resource(no_rows, name=DRIVER)

    pipeline.run(dlt.source(resources, name=source, section="singer")())
