"""Builds the dlt source of a tap: a driver that reads its messages, one transformer a stream.

dlt hands every item of the driver to each selected transformer, so selection, hints, state and
progress work for each stream while the tap runs just once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import dlt

from dlt_bridge.catalog import Catalog, NoCatalog
from dlt_bridge.checkpoints import reading
from dlt_bridge.driver import Driver, Parcels
from dlt_bridge.errors import BridgeError, TapError
from dlt_bridge.hints import Told
from dlt_bridge.lines import Lines, TapLike, lines_of
from dlt_bridge.streams import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt.extract import DltResource, DltSource

    from dlt_bridge.catalog import Stream
    from dlt_bridge.nested import Nesting
    from dlt_bridge.process import Tap
    from dlt_bridge.streams import Parcel

#: The resource that reads the tap; no stream's.
DRIVER = "_singer"

# What starts a tap and is none: its name says nothing about the source.
_LAUNCHER = re.compile(
    r"((python|pypy)[\d.]*|uvx?|pipx|poetry|pdm|hatch|meltano|docker|podman|env|(ba|z)?sh"
    r"|run|tool|exec|invoke)(\.exe)?"
)
_LONGEST_NAME = 64  # of a dlt schema


def singer(  # noqa: PLR0913 - what can be said of a tap
    tap: TapLike,
    config: Mapping[str, Any] | None = None,
    *,
    catalog: Mapping[str, Any] | None = None,
    discover: bool = True,
    select: Sequence[str] | None = None,
    nested: Nesting | None = None,
    deletes: Literal["soft", "hard"] | None = None,
    name: str | None = None,
) -> DltSource:
    """Make a dlt source of a Singer tap, with one resource for each of its streams.

    Types and keys come from the tap's SCHEMA messages, the place to go on from is kept in dlt's
    state, and the last version of a key wins. Streams without a key are appended, or replaced if
    they are read in full.

        pipeline = dlt.pipeline("chats", destination="duckdb", dataset_name="chats")
        pipeline.run(singer("tap-chat", config={"chat": {...}}))

    What is not given is looked up in dlt's configuration, in the section `sources.singer.<name>`:
    `config` (in secrets.toml), `select`, `nested` and `deletes`.

    Args:
        tap: The tap's executable, a command with its arguments, a Python module, or lines that a
            tap has written: an open file, standard input, any iterable of texts or bytes.
        config: The tap's settings.
        catalog: The tap's catalog; by default the tap is asked with `--discover`. Streams that
            it deselects are loaded only if `select` or `with_resources` asks for them.
        discover: False for a tap that has no discovery. Then, as for lines, the streams are known
            by their messages alone: one resource brings all their tables, unless `select` names
            the streams.
        select: The streams to load; with a catalog, `*` and `?` stand for any characters.
        nested: What becomes of objects and arrays: `json` (the default) keeps their JSON text;
            `native` makes structs and lists where schema and destination can; `tables` makes
            dlt's child tables.
        deletes: What becomes of a record with `_sdc_deleted_at`: `soft` (the default) keeps it,
            `hard` deletes the row.
        name: The source's name, under which dlt keeps its state; by default the tap's.

    Returns:
        The source, with resources named by `tap_stream_id`.

    Raises:
        TapError: The tap is not there, its discovery failed, or its command tells no name.
        BridgeError: The catalog is not what Singer asks for, or has no stream of that name.
    """
    source_name = name or _name_of(tap)
    given = {
        "config": None if config is None else dict(config),
        "select": None if select is None else list(select),
        "nested": nested,
        "deletes": deletes,
    }

    resolved: dict[str, Any] = {}

    def resources(
        config: dict[str, Any] | None = None,
        select: list[str] | None = None,
        nested: str | None = None,
        deletes: str | None = None,
    ) -> Iterator[DltResource]:
        command = lines_of(tap, config or {})
        known = _catalog(command, catalog, select, discover=discover)
        told: dict[str, Told] = {}
        resolved["nested"] = _choice("nested", nested, ("json", "native", "tables"))
        options = Options(
            nested=resolved["nested"],
            hard=_choice("deletes", deletes, ("soft", "hard")) == "hard",
            everything=source_name if isinstance(known, NoCatalog) and not known.names else None,
            told=told,
        )
        driver = _driver(command, known, options)
        yield driver
        if options.everything:
            yield _transformer_of_all(options.everything, driver, told)
        # A tap that is asked for its streams is asked for all of them.
        asked_for = ["*"] if select is None and catalog is None else select
        for stream, selected in _streams(known, asked_for):
            yield _transformer(stream, driver, told, selected=selected)

    arguments: dict[str, Any] = {name: part for name, part in given.items() if part is not None}
    made: DltSource = dlt.source(resources, name=source_name, section="singer")(**arguments)
    if resolved["nested"] == "tables":
        # Texts within objects stay texts, whatever they look like.
        made.schema.remove_type_detection("iso_timestamp")
    else:
        made.max_table_nesting = 0
    return made


def _catalog(
    tap: Tap | Lines,
    given: Mapping[str, Any] | None,
    select: Sequence[str] | None,
    *,
    discover: bool,
) -> Catalog | NoCatalog:
    """Return what is known of the streams before they are read."""
    if given is not None:
        return Catalog(given)
    if isinstance(tap, Lines) or not discover:
        return NoCatalog(select)
    return Catalog(tap.discover())


def _driver(tap: Tap | Lines, catalog: Catalog | NoCatalog, options: Options) -> DltResource:
    def messages() -> Iterator[Parcels | None]:
        with reading(lambda: Driver(tap, catalog, options)) as packages:
            for parcels in packages:
                yield parcels
                # dlt may take the next item before it has handed this one to all transformers.
                while parcels.left:
                    yield None

    return dlt.resource(messages, name=DRIVER, selected=False)


def _transformer(
    stream: Stream, driver: DltResource, told: dict[str, Told], *, selected: bool
) -> DltResource:
    def own(parcels: Parcels) -> Any:  # noqa: ANN401
        parcel = parcels.take(stream.name)
        return _marked(parcel) if parcel else None

    known = told[stream.name] = Told()
    return dlt.transformer(
        own,
        data_from=driver,
        name=stream.name,
        selected=selected,
        write_disposition=known.disposition,
    )


def _transformer_of_all(name: str, driver: DltResource, told: dict[str, Told]) -> DltResource:
    def own(parcels: Parcels) -> Any:  # noqa: ANN401
        [(stream, parcel)] = parcels.by_stream.items()
        parcels.take(stream)
        if parcel.hints:
            return dlt.mark.with_hints(parcel.rows, parcel.hints, create_table_variant=True)
        return dlt.mark.with_table_name(parcel.rows, stream)

    known = told[name] = Told()
    return dlt.transformer(own, data_from=driver, name=name, write_disposition=known.disposition)


def _marked(parcel: Parcel) -> Any:  # noqa: ANN401
    return dlt.mark.with_hints(parcel.rows, parcel.hints) if parcel.hints else parcel.rows


def _streams(
    catalog: Catalog | NoCatalog, select: Sequence[str] | None
) -> Iterator[tuple[Stream, bool]]:
    """Yield the streams that are resources of their own, and whether they are selected."""
    if isinstance(catalog, NoCatalog):
        for name in catalog.names or ():
            yield catalog.stream(name), True
        return
    chosen = set(catalog.chosen(select))
    for stream in catalog.streams.values():
        yield stream, stream.name in chosen


def _choice(name: str, value: str | None, known: Sequence[str]) -> Any:  # noqa: ANN401
    if value is not None and value not in known:
        raise BridgeError(f"{name} is {value!r}, but can only be one of {', '.join(known)}.")
    return value or known[0]


def _name_of(tap: TapLike) -> str:
    """Return the source's name: of the executable, or of what a launcher is told to start."""
    if isinstance(tap, ModuleType):
        tap = tap.__name__.partition(".")[0]
    if not isinstance(tap, (str, Path)) and not (isinstance(tap, Sequence) and tap):
        return "singer"
    words = [str(tap)] if isinstance(tap, (str, Path)) else [str(word) for word in tap]
    if words[0].lstrip().startswith(("{", "b'{")):
        return "singer"
    names = [Path(words[0]).name]
    if _LAUNCHER.fullmatch(names[0]):
        rest = [Path(word).name for word in words[1:] if not word.startswith("-")]
        names = [
            word
            for word in rest
            if re.fullmatch(r"[\w.-]+", word) and not _LAUNCHER.fullmatch(word)
        ]
        # `uv run --with x tap-y`
        names.sort(key=lambda word: not word.startswith(("tap-", "tap_")))
    if not names:
        raise TapError("The command of the tap does not tell its name. Give one: singer(name=...).")
    name = re.sub(r"\W+", "_", re.sub(r"\.(py|exe)$", "", names[0]))[:_LONGEST_NAME]
    return name if name.isidentifier() else f"_{name}"[:_LONGEST_NAME]
