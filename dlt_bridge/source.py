"""Builds the dlt source of a tap: a driver that reads its messages, one transformer a stream.

dlt hands every item of the driver to each selected transformer, so selection, hints, state and
progress work for each stream while the tap runs just once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import dlt
from dlt.common.typing import SecretSentinel

from dlt_bridge.catalog import Catalog, NoCatalog, checked_selection
from dlt_bridge.checkpoints import reading
from dlt_bridge.conventions import is_convention, refuse_other, schema_named
from dlt_bridge.driver import Driver, Parcels
from dlt_bridge.errors import BridgeError
from dlt_bridge.lines import Lines, TapLike, command_of, name_of
from dlt_bridge.plans import Told
from dlt_bridge.process import Tap
from dlt_bridge.runs import DRIVER
from dlt_bridge.steps import HintStep
from dlt_bridge.streams import Options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dlt.extract import DltResource, DltSource

    from dlt_bridge.catalog import Stream
    from dlt_bridge.names import OnNameCollision
    from dlt_bridge.nested import Nesting

# dlt keeps what it has looked up in a file, but for what is secret.
_Secret = Annotated[dict[str, Any], SecretSentinel]


def singer(  # noqa: PLR0913 - what can be said of a tap
    tap: TapLike,
    config: Mapping[str, Any] | None = None,
    *,
    catalog: Mapping[str, Any] | None = None,
    discover: bool = True,
    select: Sequence[str] | None = None,
    nested: Nesting | None = None,
    deletes: Literal["soft", "hard"] | None = None,
    naming: str | None = None,
    on_name_collision: OnNameCollision | None = None,
    on_bad_stream: Literal["fail", "skip"] | None = None,
    name: str | None = None,
) -> DltSource:
    """Make a dlt source of a Singer tap, with one resource for each of its streams.

    Types and keys come from the tap's SCHEMA messages, the place to go on from is kept in dlt's
    state, and the last version of a key wins. Streams without a key are appended, or replaced if
    they are read in full::

        pipeline = dlt.pipeline("chats", destination="duckdb", dataset_name="raw")
        pipeline.run(singer("tap-chat", config={"chat": {...}}))

    What is not given is looked up in dlt's configuration, in the section `sources.singer.<name>`:
    `config` (in secrets.toml), `select`, `nested`, `deletes`, `naming`, `on_name_collision` and
    `on_bad_stream`.

    Args:
        tap: The tap's executable, a command with its arguments, a Python module, or lines that a
            tap has written: an open file, standard input, any iterable of texts or bytes.
        config: The tap's settings.
        catalog: The tap's catalog; by default the tap is asked with `--discover`. Streams that
            it deselects are loaded only if `select` or `with_resources` asks for them.
        discover: False for a tap that has no discovery. Then, as for lines, the streams are known
            by their messages alone: one resource brings all their tables, unless `select` names
            the streams.
        select: The streams to load; with a catalog, `*` and `?` stand for any characters. Those
            that begin with `!` are left out, such as `["!orders"]` for all but one.
        nested: What becomes of objects and arrays: `json` (the default) keeps their JSON text;
            `native` makes structs and lists where schema and destination can; `tables` makes
            dlt's child tables.
        deletes: What becomes of a record with `_sdc_deleted_at`: `soft` (the default) keeps it,
            `hard` deletes the row.
        naming: The naming convention of tables and columns: one of dlt's, such as `snake_case` or
            `direct`, or a module. By default that with which the pipeline began, or else the
            bridge's own: snake_case, with the letters of all alphabets.
        on_name_collision: What becomes of streams, or properties of a stream, that would have one
            name in the destination: `refuse` (the default) loads nothing, `suffix` gives all but
            the first a suffix that they keep.
        on_bad_stream: What becomes of a stream with something that can't be loaded: `fail` (the
            default) ends the run, `skip` leaves out the rest of the stream, and loads the others.
            Then the run of `load` ends with an error; `pipeline.run` logs it.
        name: The source's name, under which dlt keeps its state; by default the tap's.

    Returns:
        The source, with resources named by `tap_stream_id`.

    Raises:
        TapError: The tap is not there, its discovery failed, or its command tells no name.
        BridgeError: The catalog is not what Singer asks for, has no stream of a name in `select`,
            or an argument is not what it should be.
    """
    command = command_of(tap)
    source_name = name or name_of(command)
    if config and not command:
        raise BridgeError("Lines take no config: the tap that wrote them had one.")
    given = {
        # Of lines, it is not looked up.
        "config": None if config is None and command else dict(config or {}),
        "select": checked_selection(select),
        "nested": nested,
        "deletes": deletes,
        "naming": naming,
        "on_name_collision": on_name_collision,
        "on_bad_stream": on_bad_stream,
    }

    resolved: dict[str, Any] = {}

    def resources(  # noqa: PLR0913, PLR0917 - likewise, looked up
        config: _Secret | None = None,
        select: list[str] | None = None,
        nested: str | None = None,
        deletes: str | None = None,
        naming: str | None = None,
        on_name_collision: str | None = None,
        on_bad_stream: str | None = None,
    ) -> Iterator[DltResource]:
        read = _read(tap, command, config or {})
        select = checked_selection(select)
        known = _catalog(read, catalog, select, discover=discover)
        told: dict[str, Told] = {}
        resolved["nested"] = _choice("nested", nested, ("json", "native", "tables"))
        resolved["naming"] = naming
        options = Options(
            nested=resolved["nested"],
            hard=_choice("deletes", deletes, ("soft", "hard")) == "hard",
            skip=_choice("on_bad_stream", on_bad_stream, ("fail", "skip")) == "skip",
            everything=source_name if known.unnamed else None,
            told=told,
            refresh=read.refresh if isinstance(read, Lines) else (),
            excluded=tuple(known.excluded) if known.unnamed else (),
            on_name_collision=_choice("on_name_collision", on_name_collision, ("refuse", "suffix")),
        )
        driver = _driver(read, known, options, naming)
        yield driver
        if options.everything:
            yield _transformer_of_all(options.everything, driver, told)
        # A tap that is asked for its streams is asked for all of them.
        for stream, selected in _streams(known, select, every=catalog is None):
            yield _transformer(stream, driver, told, selected=selected)

    arguments: dict[str, Any] = {name: part for name, part in given.items() if part is not None}
    made: DltSource = dlt.source(resources, name=source_name, section="singer")(**arguments)
    made.schema = schema_named(source_name, resolved["naming"])
    _nest(made, resolved["nested"])
    return made


def _nest(source: DltSource, nested: Nesting) -> None:
    """Tell dlt what becomes of objects and arrays."""
    if nested == "tables":
        # Texts within objects stay texts, whatever they look like.
        source.schema.remove_type_detection("iso_timestamp")
        if source.max_table_nesting == 0:
            source.max_table_nesting = None  # type: ignore[assignment]  # takes it away
    else:
        source.max_table_nesting = 0


def _read(tap: TapLike, command: list[str], config: dict[str, Any]) -> Tap | Lines:
    if command:
        return Tap(command, config)
    return tap if isinstance(tap, Lines) else Lines(tap)  # type: ignore[arg-type]


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


def _driver(
    tap: Tap | Lines, catalog: Catalog | NoCatalog, options: Options, naming: str | None
) -> DltResource:
    def messages() -> Iterator[Parcels | None]:
        refuse_other(naming)
        if not is_convention(naming):
            # A pipeline that began with another one takes no settings of the source.
            _nest(dlt.current.source(), options.nested)
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
    step = HintStep(stream.name, told)

    def own(parcels: Parcels) -> Any:  # noqa: ANN401
        parcel = parcels.take(stream.name)
        return step.take(parcel) if parcel else None

    known = told[stream.name] = Told()
    return dlt.transformer(
        own,
        data_from=driver,
        name=stream.name,
        selected=selected,
        write_disposition=known.disposition,
    ).add_step(step)


def _transformer_of_all(name: str, driver: DltResource, told: dict[str, Told]) -> DltResource:
    step = HintStep(name, told)

    def own(parcels: Parcels) -> Any:  # noqa: ANN401
        [(stream, parcel)] = parcels.by_stream.items()
        parcels.take(stream)
        return step.take(parcel, stream)

    known = told[name] = Told()
    return dlt.transformer(
        own, data_from=driver, name=name, write_disposition=known.disposition
    ).add_step(step)


def _streams(
    catalog: Catalog | NoCatalog, select: Sequence[str] | None, *, every: bool
) -> Iterator[tuple[Stream, bool]]:
    """Yield the streams that are resources of their own, and whether they are selected."""
    if isinstance(catalog, NoCatalog):
        for name in catalog.names:
            yield catalog.stream(name), True
        return
    chosen = set(catalog.chosen(select, every=every))
    for stream in catalog.streams.values():
        yield stream, stream.name in chosen


def _choice(name: str, value: str | None, known: Sequence[str]) -> Any:  # noqa: ANN401
    if value is not None and value not in known:
        raise BridgeError(f"{name} is {value!r}, but can only be one of {', '.join(known)}.")
    return value or known[0]
