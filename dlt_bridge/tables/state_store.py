"""The STATE of a tap between runs, in dlt's state: the bookmark of a stream with its resource.

It is committed with the rows before it, and restored from the destination on a new machine.
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

# Where dlt's state has the rest of a STATE: of the source, and what a resource was read up to.
REST = "singer"
MARK = "singer_mark"
#: In dlt's state, more than are around what the bridge keeps.
LEVELS = 10
BOOKMARKS = "bookmarks"
# The greatest number that the rows of the source have in `_sdc_sequence`.
NUMBER = "singer_number"


def first_number(clock: int) -> int:
    """Return what to number rows from: the clock, unless it has gone back since the last run.

    Args:
        clock: The time in microseconds: numbers of it are left over for the next run.
    """
    last: int = dlt.current.source_state().get(NUMBER, 0)
    return max(clock, last + 1)


def keep_number(number: int) -> None:
    """Put the number of the last row into the state of the source that is being read."""
    dlt.current.source_state()[NUMBER] = number


def keep(
    value: Mapping[str, Any], streams: Collection[str], owner: Callable[[str], str | None]
) -> None:
    """Put a STATE into the state of the source that is being read.

    Args:
        value: The value of the STATE.
        streams: The streams that were read up to it.
        owner: Says which stream a key of `bookmarks` belongs to, None if to no single one.
    """
    by_stream, rest = state.split(value, owner)
    dlt.current.source_state()[REST] = rest
    mark = state.fingerprint(rest) if rest else None
    for stream in sorted(streams):
        kept = dlt.current.resource_state(stream)
        for name, part in ((BOOKMARKS, by_stream.get(stream)), (MARK, mark)):
            kept.pop(name, None)
            if part:
                kept[name] = part


def without(
    value: Mapping[str, Any], streams: Collection[str], named: Callable[[str], Collection[str]]
) -> dict[str, Any]:
    """Return a STATE without the bookmarks of streams, which are then read from the start.

    Args:
        value: The value of the STATE, with an object `bookmarks`.
        streams: The streams.
        named: Returns the streams that a key of `bookmarks` may name.
    """
    kept = {
        key: bookmark
        for key, bookmark in value[BOOKMARKS].items()
        if not {key, *named(key)}.intersection(streams)
    }
    return {**value, BOOKMARKS: kept}


def can_keep(value: Mapping[str, Any]) -> bool:
    """Say whether dlt's state gives a value back as it was.

    Args:
        value: The value of a STATE.
    """
    within: Any = value
    for _ in range(LEVELS):
        within = [within]
    try:
        return bool(json.typed_loadb(json.typed_dumpb({"": within})) == {"": within})
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        return False


def read_state(streams: Collection[str]) -> dict[str, Any]:
    """Return the value of a STATE from which to read these streams of the source on."""
    kept = [dlt.current.resource_state(stream) for stream in sorted(streams)]
    bookmarks = {key: bookmark for own in kept for key, bookmark in own.get(BOOKMARKS, {}).items()}
    rest = dlt.current.source_state().get(REST, {})
    whole = all(own.get(MARK) == state.fingerprint(rest) for own in kept)
    return state.join(bookmarks, rest if whole else {})


def kept_in(kept_state: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the value of the last STATE that a pipeline keeps of a tap.

    Args:
        kept_state: The state of the pipeline.
        source: The name of the tap's source.
    """
    kept: Mapping[str, Any] = kept_state.get("sources", {}).get(source, {})
    bookmarks = {
        key: bookmark
        for resource in kept.get("resources", {}).values()
        for key, bookmark in resource.get(BOOKMARKS, {}).items()
    }
    return state.join(bookmarks, kept.get(REST, {}))


def replace(
    pipeline: Pipeline,
    source: str,
    value: Mapping[str, Any],
    streams: Collection[str],
    owner: Callable[[str], str | None],
) -> None:
    """Put a STATE in the place of what a pipeline keeps of a tap, and commit it.

    Args:
        pipeline: The pipeline.
        source: The name of the tap's source.
        value: The value of the STATE; an empty one to begin anew.
        streams: All streams of the tap.
        owner: As for `keep`.
    """

    def nothing() -> Iterator[Any]:
        keep(value, streams, owner)
        yield from ()

    def resources() -> Any:  # noqa: ANN401
        return dlt.resource(nothing, name=DRIVER)

    pipeline.run(dlt.source(resources, name=source, section="singer")())
