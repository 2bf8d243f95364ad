"""Builds the dlt source of a tap: a driver that reads its messages, one transformer a stream.

dlt hands every item of the driver to each selected transformer, in order and in one thread, so
selection, hints, state and progress work for each stream while the tap runs just once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt

from dlt_bridge.catalog import Catalog
from dlt_bridge.driver import Bookmarks, Driver, Rows
from dlt_bridge.errors import TapError
from dlt_bridge.process import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dlt.extract import DltResource, DltSource

# What starts a tap and is none: its name says nothing about the source.
_LAUNCHER = re.compile(
    r"((python|pypy)[\d.]*|uvx?|pipx|poetry|pdm|hatch|meltano|docker|podman|env|(ba|z)?sh"
    r"|run|tool|exec|invoke)(\.exe)?"
)
_LONGEST_NAME = 64  # of a dlt schema


def singer(
    tap: str | Sequence[str],
    config: Mapping[str, Any] | None = None,
    *,
    catalog: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> DltSource:
    """Make a dlt source of a Singer tap, with one resource for each of its streams.

    Types and keys come from the tap's SCHEMA messages, the place to go on from is kept in dlt's
    state, and the last version of a key wins. Streams without a key are appended, or replaced if
    they are read in full.

        pipeline = dlt.pipeline("chats", destination="duckdb", dataset_name="chats")
        pipeline.run(singer("tap-chat", config={"chat": {...}}))

    Args:
        tap: The tap's executable, or a command with its arguments.
        config: The tap's settings.
        catalog: The tap's catalog; by default the tap is asked with `--discover`. Streams that
            it deselects are loaded only if they are asked for by `with_resources`.
        name: The source's name, under which dlt keeps its state; by default the tap's.

    Returns:
        The source, with resources named by `tap_stream_id`.

    Raises:
        TapError: The tap is not there, its discovery failed, or its command tells no name.
        BridgeError: The catalog is not what Singer asks for.
    """
    command = Tap(tap, config or {})
    source_name = name or _name_of(tap)
    known = Catalog(command.discover() if catalog is None else catalog)

    def messages() -> Iterator[Rows | Bookmarks]:
        yield from Driver(command, known).read()

    def resources() -> Iterator[DltResource]:
        driver = dlt.resource(messages, name="_singer", selected=False)
        yield driver
        for stream in known.streams.values():
            selected = catalog is None or not stream.deselected
            yield _transformer(stream.name, driver, selected=selected)

    return dlt.source(resources, name=source_name, section="singer", max_table_nesting=0)()


def _transformer(stream: str, driver: DltResource, *, selected: bool) -> DltResource:
    def own(item: Rows | Bookmarks) -> Any:  # noqa: ANN401
        if isinstance(item, Bookmarks):
            item.keep(stream)
            return None
        if item.stream != stream:
            return None
        return dlt.mark.with_hints(item.table, item.hints) if item.hints else item.table

    return dlt.transformer(own, data_from=driver, name=stream, selected=selected)


def _name_of(tap: str | Sequence[str]) -> str:
    """Return the source's name: of the executable, or of what a launcher is told to start."""
    executable, *arguments = [tap] if isinstance(tap, str) else tap
    names = [Path(executable).name]
    if _LAUNCHER.fullmatch(names[0]):
        words = [Path(word).name for word in arguments if not word.startswith("-")]
        names = [
            word
            for word in words
            if re.fullmatch(r"[\w.-]+", word) and not _LAUNCHER.fullmatch(word)
        ]
        # `uv run --with x tap-y`
        names.sort(key=lambda word: not word.startswith(("tap-", "tap_")))
    if not names:
        raise TapError("The command of the tap does not tell its name. Give one: singer(name=...).")
    name = re.sub(r"\W+", "_", re.sub(r"\.(py|exe)$", "", names[0]))[:_LONGEST_NAME]
    return name if name.isidentifier() else f"_{name}"[:_LONGEST_NAME]
