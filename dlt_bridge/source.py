"""Builds the dlt source of a tap: a driver that reads its messages, one transformer a stream.

dlt hands every item of the driver to each selected transformer, so selection, hints, state and
progress work for each stream while the tap runs just once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import dlt
from dlt.common.typing import SecretSentinel

from dlt_bridge.destinations.conventions import (
    is_current_convention,
    new_schema,
    refuse_other_convention,
)
from dlt_bridge.destinations.destination import DRIVER
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.checkpoints import reading
from dlt_bridge.tables.driver import Driver
from dlt_bridge.tables.options import Options
from dlt_bridge.tables.transformers import common_transformer, stream_transformer
from dlt_bridge.tap.batch_files import batch_folders
from dlt_bridge.tap.catalog import AnyCatalog, Catalog, NoCatalog, RenamedCatalog
from dlt_bridge.tap.inputs import SingerLines, TapLike, default_source_name, tap_command
from dlt_bridge.tap.process import PATIENCE_SECONDS, Tap
from dlt_bridge.tap.selection import checked_selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dlt.extract import DltResource, DltSource

    from dlt_bridge.arrow.nested import Nesting
    from dlt_bridge.tables.column_names import OnNameCollision
    from dlt_bridge.tables.items import StreamItems
    from dlt_bridge.tap.catalog import Stream

# dlt keeps what it has looked up in a file, but for what is secret.
_Secret = Annotated[dict[str, Any], SecretSentinel]


def singer(  # noqa: PLR0913 - what can be said of a tap
    tap: TapLike,
    config: Mapping[str, Any] | None = None,
    *,
    catalog: Mapping[str, Any] | None = None,
    discover: bool = True,
    properties: bool | None = None,
    renamed: bool | None = None,
    select: Sequence[str] | None = None,
    nested: Nesting | None = None,
    hard_delete: bool | None = None,
    absent: Literal["null", "keep"] | None = None,
    naming: str | None = None,
    on_name_collision: OnNameCollision | None = None,
    on_bad_stream: Literal["fail", "skip"] | None = None,
    batch_places: Sequence[str] | None = None,
    patience: float | None = None,
    name: str | None = None,
) -> DltSource:
    """Make a dlt source of a Singer tap, with one resource for each of its streams.

    Types and keys come from the tap's SCHEMA messages, the place to go on from is kept in dlt's
    state, and the last version of a key wins. Streams without a key are appended, or replaced if
    they are read in full::

        pipeline = dlt.pipeline("chats", destination="duckdb", dataset_name="tap_chat_dataset")
        pipeline.run(singer("tap-chat", config={"chat": {...}}))

    What is not given is looked up in dlt's configuration, in the section `sources.singer.<name>`:
    `config` (in secrets.toml), `properties`, `renamed`, `select`, `nested`, `hard_delete`,
    `absent`, `naming`, `on_name_collision`, `on_bad_stream`, `batch_places` and `patience`.

    Args:
        tap: The tap's executable, a command with its arguments, a Python module, or lines that a
            tap has written: an open file, standard input, any iterable of texts or bytes.
        config: The tap's settings.
        catalog: The tap's catalog; by default the tap is asked with `--discover`. Streams that
            it deselects are loaded only if `select` or `with_resources` asks for them.
        discover: False for a tap that has no discovery. Then, as for lines, the streams are known
            by their messages alone: one resource brings all their tables, unless `select` names
            the streams.
        properties: True for an older tap, which takes its catalog by `--properties`.
        renamed: True for a tap whose messages call streams by other names than its catalog, as
            with stream maps. Then one resource brings all their tables, named as the messages say.
        select: The streams to load; with a catalog, `*` and `?` stand for any characters. Those
            that begin with `!` are left out, such as `["!orders"]` for all but one.
        nested: What becomes of objects and arrays: `json` (the default) keeps their JSON text;
            `native` makes structs and lists where schema and destination can; `tables` makes
            dlt's child tables.
        hard_delete: Whether to delete rows with `_sdc_deleted_at`, and rows of older versions
            after an ACTIVATE_VERSION. None, the default, keeps the former and deletes the latter;
            False keeps both.
        absent: What a property is that a record lacks, in streams with a key: `null` (the
            default), or what its row has (`keep`). A record with `_sdc_deleted_at` leaves the
            values of its row as they are, unless `hard_delete` is true.
        naming: The naming convention of tables and columns: one of dlt's, such as `snake_case` or
            `direct`, or a module. By default that with which the pipeline began, or else the
            bridge's own: snake_case, with the letters of all alphabets.
        on_name_collision: What becomes of streams, or properties of a stream, that would have one
            name in the destination: `refuse` (the default) loads nothing, `suffix` gives all but
            the first a suffix that they keep.
        on_bad_stream: What becomes of a stream with something that can't be loaded: `fail` (the
            default) ends the run, `skip` leaves out the rest of the stream, and loads the others.
            Then the run of `load` ends with an error; `pipeline.run` logs it.
        batch_places: Folders and addresses (`s3://bucket/folder`) that BATCH messages may name
            files in; besides the working folder, the one for temporary files, and the root of
            the tap's `batch_config`.
        patience: Seconds that the tap may take to end when it has closed its output, and that what
            it leaves behind may hold it open; 60 by default.
        name: The source's name, under which dlt keeps its state; by default the tap's.

    Returns:
        The source, with resources named by `tap_stream_id`.

    Raises:
        TapError: The tap is not there, its discovery failed, or its command tells no name.
        BridgeError: The catalog is not what Singer asks for, has no stream of a name in `select`,
            or an argument is not what it should be.
    """
    command = tap_command(tap)
    source_name = name or default_source_name(command)
    if config and not command:
        raise BridgeError("Lines take no config: the tap that wrote them had one.")
    given = {
        # Of lines, it is not looked up.
        "config": None if config is None and command else dict(config or {}),
        "select": checked_selection(select),
        "nested": nested,
        "hard_delete": hard_delete,
        "absent": absent,
        "naming": naming,
        "on_name_collision": on_name_collision,
        "on_bad_stream": on_bad_stream,
        "properties": properties,
        "renamed": renamed,
        "batch_places": _checked_places(batch_places),
        "patience": patience,
    }

    looked_up = given["config"] is None
    resolved: dict[str, Any] = {}

    def resources(  # noqa: PLR0913, PLR0917 - what dlt looks up, and gives by name
        config: _Secret | None = None,
        select: list[str] | None = None,
        nested: str | None = None,
        hard_delete: bool | None = None,  # noqa: FBT001
        deletes: str | None = None,
        absent: str | None = None,
        naming: str | None = None,
        on_name_collision: str | None = None,
        on_bad_stream: str | None = None,
        properties: bool = False,  # noqa: FBT001, FBT002
        renamed: bool = False,  # noqa: FBT001, FBT002
        batch_places: list[str] | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> Iterator[DltResource]:
        if deletes is not None:
            raise BridgeError("The setting `deletes` is now `hard_delete`, which is true or false.")
        resolved["nested"] = _choice("nested", nested, ("json", "native", "tables"))
        keep = _choice("absent", absent, ("null", "keep")) == "keep"
        if keep and resolved["nested"] == "tables":
            raise BridgeError(
                'absent="keep" can\'t be had with nested="tables": what child tables hold is not'
                ' read back. Choose nested="json".'
            )
        advice = unconfigured(source_name) if looked_up and not config else ""
        read: Tap | SingerLines = (
            Tap(command, config or {}, advice=advice, properties=properties, patience=patience)
            if command
            else _lines(tap)
        )
        select = checked_selection(select)
        known: AnyCatalog = _catalog(read, catalog, select, discover=discover)
        if renamed and isinstance(known, Catalog):
            known = RenamedCatalog(known, known.select(select, every=catalog is None))
        resolved["naming"] = naming
        options = Options(
            nested=resolved["nested"],
            hard_delete=hard_delete,
            keep=keep,
            skip=_choice("on_bad_stream", on_bad_stream, ("fail", "skip")) == "skip",
            everything=source_name if known.has_others else None,
            refresh=read.refresh if isinstance(read, SingerLines) else (),
            excluded=tuple(known.excluded) if known.has_others else (),
            on_name_collision=_choice("on_name_collision", on_name_collision, ("refuse", "suffix")),
            places=batch_folders(config or {}, _checked_places(batch_places) or ()),
        )
        driver = _driver(read, known, options, naming)
        yield driver
        if options.everything:
            yield common_transformer(options.everything, driver, options.applied)
        for stream, selected in _streams(known, select, every=catalog is None):
            yield stream_transformer(stream.name, driver, options.applied, selected=selected)

    arguments: dict[str, Any] = {name: part for name, part in given.items() if part is not None}
    made: DltSource = dlt.source(resources, name=source_name, section="singer")(**arguments)
    made.schema = new_schema(source_name, resolved["naming"])
    _nest(made, resolved["nested"])
    return made


def unconfigured(name: str) -> str:
    """Return what to say of a tap that fails and has no settings.

    Args:
        name: The source's name.
    """
    return (
        f"\nNo settings were found: give --config FILE (in Python, config=...), or fill in"
        f" [sources.singer.{name}.config] in .dlt/secrets.toml."
    )


def _nest(source: DltSource, nested: Nesting) -> None:
    """Tell dlt what becomes of objects and arrays."""
    if nested == "tables":
        # Texts within objects stay texts, whatever they look like.
        source.schema.remove_type_detection("iso_timestamp")
        if source.max_table_nesting == 0:
            source.max_table_nesting = None  # type: ignore[assignment]  # takes it away
    else:
        source.max_table_nesting = 0


def _lines(tap: TapLike) -> SingerLines:
    return tap if isinstance(tap, SingerLines) else SingerLines(tap)  # type: ignore[arg-type]


def _checked_places(places: Sequence[str] | None) -> list[str] | None:
    """Return places of BATCH files.

    Raises:
        BridgeError: They are one text.
    """
    if isinstance(places, str):
        raise BridgeError(f'batch_places takes a list of places: batch_places=["{places}"].')
    return None if places is None else list(places)


def _catalog(
    tap: Tap | SingerLines,
    given: Mapping[str, Any] | None,
    select: Sequence[str] | None,
    *,
    discover: bool,
) -> Catalog | NoCatalog:
    """Return what is known of the streams before they are read."""
    if given is not None:
        return Catalog(given)
    if isinstance(tap, SingerLines) or not discover:
        return NoCatalog(select)
    return Catalog(tap.discover())


def _driver(
    tap: Tap | SingerLines,
    catalog: AnyCatalog,
    options: Options,
    naming: str | None,
) -> DltResource:
    def messages() -> Iterator[StreamItems | None]:
        refuse_other_convention(naming)
        if not is_current_convention(naming):
            # A pipeline that began with another one takes no settings of the source.
            _nest(dlt.current.source(), options.nested)
        with reading(lambda: Driver(tap, catalog, options)) as packages:
            for items in packages:
                yield items
                # dlt may take the next item before it has handed this one to all transformers.
                while items.left:
                    yield None

    return dlt.resource(messages, name=DRIVER, selected=False)


def _streams(
    catalog: AnyCatalog, select: Sequence[str] | None, *, every: bool
) -> Iterator[tuple[Stream, bool]]:
    """Yield the streams that are resources of their own, and whether they are selected."""
    if not isinstance(catalog, Catalog):
        for name in catalog.names:
            yield catalog.stream(name), True
        return
    chosen = set(catalog.select(select, every=every))
    for stream in catalog.streams.values():
        yield stream, stream.name in chosen


def _choice(name: str, value: str | None, known: Sequence[str]) -> Any:  # noqa: ANN401
    if value is not None and value not in known:
        raise BridgeError(f"{name} can only be one of {', '.join(known)}.")
    return value or known[0]
