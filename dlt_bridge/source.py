"""Builds the dlt source of a tap: one resource reads the tap, and one loads each stream.

dlt hands each item of the driver to the transformer of each selected stream. So selection, hints,
state and progress work for each stream, while the tap runs once.

The way of a record: `tap.process` or `tap.inputs` reads its line, `tables.driver` and
`tables.router` give it to the `tables.sink` of its stream, `tables.backlog` has it decoded by
`arrow.workers`, `tables.package` adds the hints of the load package, and the transformer of the
stream hands the Arrow table to dlt.
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
from dlt_bridge.errors import BridgeError, TapError
from dlt_bridge.run.checkpoints import reading
from dlt_bridge.tables.driver import Driver
from dlt_bridge.tables.options import Options
from dlt_bridge.tables.transformers import common_transformer, stream_transformer
from dlt_bridge.tap.batch_files import allowed_batch_folders
from dlt_bridge.tap.catalog import AnyCatalog, Catalog, NoCatalog, RenamedCatalog
from dlt_bridge.tap.inputs import (
    SingerLines,
    TapLike,
    default_source_name,
    is_account,
    source_name,
    tap_command,
)
from dlt_bridge.tap.process import PATIENCE_SECONDS, Tap
from dlt_bridge.tap.selection import checked_selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dlt.extract import DltResource, DltSource

    from dlt_bridge.arrow.nested import Nesting
    from dlt_bridge.tables.column_names import OnNameCollision
    from dlt_bridge.tables.items import StreamItems
    from dlt_bridge.tap.catalog import Stream

# dlt writes the settings that it has looked up to a file, except secrets.
_Secret = Annotated[dict[str, Any], SecretSentinel]


def singer(  # noqa: PLR0913 - the settings of a tap
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
    batch_folders: Sequence[str] | None = None,
    patience: float | None = None,
    add_record_metadata: bool | None = None,
    use_state: bool = True,
    account: str | None = None,
    name: str | None = None,
) -> DltSource:
    """Return a dlt source of a Singer tap, with one resource for each stream of the tap.

    The tap runs once for each `pipeline.run`, for all streams together. Column types and
    keys come from its SCHEMA messages, and its STATE is kept in dlt's state, so that the next run
    continues from there. Streams with a key are merged: the last version of a key wins. Streams
    without a key are appended, or replaced if the tap reads them in full::

        pipeline = dlt.pipeline("chats", destination="duckdb", dataset_name="tap_chat_dataset")
        pipeline.run(singer("tap-chat", config={"chat": {...}}))

    An argument that is None is looked up in dlt's configuration, in the section
    `sources.singer.<name>`: `config` (in `secrets.toml`), `properties`, `renamed`, `select`,
    `nested`, `hard_delete`, `absent`, `naming`, `on_name_collision`, `on_bad_stream`,
    `batch_folders`, `patience`, `add_record_metadata` and `account`.

    Args:
        tap: The executable of the tap, a command with its arguments, or a Python module; or lines
            that a tap has written: an open file, standard input, or an iterable of texts or bytes.
        config: The settings of the tap.
        catalog: The catalog of the tap. By default the tap is run with `--discover`. A stream that
            the catalog deselects is loaded only if `select` or `with_resources` names it.
        discover: False for a tap without discovery. Its streams, like those of lines, are known
            only from its messages: one resource loads all tables, unless `select` names the
            streams.
        properties: True for an older tap, which takes its catalog by `--properties`.
        renamed: True for a tap whose messages give streams other names than its catalog, as with
            stream maps. One resource then loads all tables, named as in the messages.
        select: The streams to load. With a catalog, `*` and `?` are wildcards. A pattern that
            begins with `!` excludes streams: `["!orders"]` loads all streams but one.
        nested: How to load objects and arrays: `json`, the default, as JSON text; `native` as
            structs and lists, where the SCHEMA and the destination allow it; `tables` as dlt's
            child tables.
        hard_delete: Whether to delete rows with `_sdc_deleted_at`, and rows of older versions
            after an ACTIVATE_VERSION: True deletes both, False keeps both. None, the default,
            keeps rows with `_sdc_deleted_at`, and deletes rows of older versions.
        absent: The value of a property that a record lacks, in streams with a key: `null`, the
            default, or the value that its row has (`keep`). A record with `_sdc_deleted_at` leaves
            the values of its row as they are, unless `hard_delete` is true.
        naming: The naming convention of tables and columns: one of dlt's, such as `snake_case` or
            `direct`, or a module. By default it is the one that the pipeline began with; a new
            pipeline gets the bridge's, which is `snake_case` with the letters of all alphabets.
        on_name_collision: What to do with streams, or properties of a stream, that have the same
            name in the destination: `refuse`, the default, loads nothing; `suffix` adds a
            permanent suffix to all but the first.
        on_bad_stream: What to do with a stream that can't be loaded: `fail`, the default, ends the
            run; `skip` skips the rest of the stream and loads the others. `load` then raises an
            error at the end, and `pipeline.run` logs it.
        batch_folders: Folders and URLs (`s3://bucket/folder`) in which BATCH messages may name
            files, in addition to the working folder, the temporary folder, and the root of the
            tap's `batch_config`.
        patience: Seconds to wait for the tap to end after it has closed its output, and for other
            processes that hold the output open; 60 by default.
        use_state: Whether the tap continues from its last STATE. False to read everything that
            `config` asks for, such as the time from `start_date` to `end_date`, in every run.
        add_record_metadata: Whether each row has the times at which its record was read
            (`_sdc_extracted_at`, `_sdc_received_at` and `_sdc_batched_at`), and the load id of its
            package (`_dlt_load_id`); True by default. Rows without a key always have the load id.
        account: The account that the tap reads: any text. Each row has it in the column
            `_account`, which is the first part of each key, so that accounts share tables. Rows
            are only replaced or deleted by rows of the same account.
        name: The name of the source, under which dlt keeps its state; by default the tap's, with
            the account.

    Returns:
        The source. Each resource has the `tap_stream_id` of its stream as its name.

    Raises:
        TapError: The tap is not installed, its discovery failed, or its command has no name.
        BridgeError: The catalog is not a Singer catalog, `select` names an unknown stream, or an
            argument has a value that it can't have.
    """
    command = tap_command(tap)
    tap_name = _tap_name(command, name)
    own_name = name or source_name(tap_name, _checked_account(account))
    if config and not command:
        raise BridgeError("Lines take no config: the tap that wrote them had one.")
    given = {
        # Lines have no config, so it is not looked up for them.
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
        "batch_folders": _checked_folders(batch_folders),
        "patience": patience,
        "add_record_metadata": add_record_metadata,
        "account": account,
    }

    is_looked_up = given["config"] is None
    resolved: dict[str, Any] = {}

    def resources(  # noqa: PLR0913, PLR0917 - dlt looks them up by name
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
        batch_folders: list[str] | None = None,
        batch_places: list[str] | None = None,
        patience: float = PATIENCE_SECONDS,
        add_record_metadata: bool = True,  # noqa: FBT001, FBT002
        account: str | None = None,
    ) -> Iterator[DltResource]:
        if deletes is not None:
            raise BridgeError("The setting `deletes` is now `hard_delete`, which is true or false.")
        if batch_places is not None:
            raise BridgeError("The setting `batch_places` is now `batch_folders`.")
        resolved["nested"] = _choice("nested", nested, ("json", "native", "tables"))
        keep = _choice("absent", absent, ("null", "keep")) == "keep"
        if keep and resolved["nested"] == "tables":
            raise BridgeError(
                'absent="keep" can\'t be combined with nested="tables": child tables are not'
                ' read back. Choose nested="json".'
            )
        advice = unconfigured(own_name) if is_looked_up and not config else ""
        reader: Tap | SingerLines
        if command:
            reader = Tap(
                command, config or {}, advice=advice, properties=properties, patience=patience
            )
        else:
            reader = tap if isinstance(tap, SingerLines) else SingerLines(tap)  # type: ignore[arg-type]
        select = checked_selection(select)
        streams: AnyCatalog = _catalog(reader, catalog, select, discover=discover)
        if renamed and isinstance(streams, Catalog):
            streams = RenamedCatalog(streams, streams.select(select, every=catalog is None))
        resolved["naming"] = naming
        options = Options(
            nested=resolved["nested"],
            hard_delete=hard_delete,
            keep=keep,
            skip=_choice("on_bad_stream", on_bad_stream, ("fail", "skip")) == "skip",
            everything=own_name if streams.has_others else None,
            refresh=reader.refresh if isinstance(reader, SingerLines) else (),
            excluded=tuple(streams.excluded) if streams.has_others else (),
            on_name_collision=_choice("on_name_collision", on_name_collision, ("refuse", "suffix")),
            batch_folders=allowed_batch_folders(
                config or {}, _checked_folders(batch_folders) or ()
            ),
            account=_checked_account(account),
            tap=tap_name,
            add_record_metadata=add_record_metadata,
            use_state=use_state,
        )
        driver = _driver(reader, streams, options, naming)
        yield driver
        if options.everything:
            yield common_transformer(options.everything, driver, options.applied)
        for stream, selected in _streams(streams, select, every=catalog is None):
            yield stream_transformer(stream.name, driver, options.applied, selected=selected)

    arguments: dict[str, Any] = {
        argument: value for argument, value in given.items() if value is not None
    }
    source: DltSource = dlt.source(resources, name=own_name, section="singer")(**arguments)
    source.schema = new_schema(own_name, resolved["naming"])
    _set_nesting(source, resolved["nested"])
    return source


def _tap_name(command: Sequence[str], name: str | None) -> str:
    """Return the name of a tap; that of its source, if the command does not show it."""
    try:
        return default_source_name(command)
    except TapError:
        if name is None:
            raise
        return name


def _checked_account(account: str | None) -> str | None:
    """Return an account.

    Raises:
        BridgeError: It can't be one.
    """
    if account is not None and not is_account(account):
        raise BridgeError(
            "An account is a text that is not empty, without NUL and without invalid characters."
        )
    return account


def unconfigured(name: str) -> str:
    """Return the beginning of the error of a tap that fails without settings.

    Args:
        name: The source's name.
    """
    return (
        f"No settings were found: give --config FILE (in Python, config=...), or fill in"
        f" [sources.singer.{name}.config] in .dlt/secrets.toml."
    )


def _set_nesting(source: DltSource, nested: Nesting) -> None:
    """Set how dlt loads objects and arrays."""
    if nested == "tables":
        # A text within an object stays a text, even if it looks like a timestamp.
        source.schema.remove_type_detection("iso_timestamp")
        if source.max_table_nesting == 0:
            source.max_table_nesting = None  # type: ignore[assignment]  # removes it
    else:
        source.max_table_nesting = 0


def _checked_folders(folders: Sequence[str] | None) -> list[str] | None:
    """Return the folders of BATCH files as a list.

    Raises:
        BridgeError: The argument is a text, not a list.
    """
    if isinstance(folders, str):
        raise BridgeError('batch_folders takes a list of folders: batch_folders=["..."].')
    return None if folders is None else list(folders)


def _catalog(
    tap: Tap | SingerLines,
    given: Mapping[str, Any] | None,
    select: Sequence[str] | None,
    *,
    discover: bool,
) -> Catalog | NoCatalog:
    """Return the streams of the tap, as far as they are known before it is read."""
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
            # A pipeline with another naming convention ignores the settings of the source.
            _set_nesting(dlt.current.source(), options.nested)
        try:
            with reading(lambda: Driver(tap, catalog, options)) as packages:
                for items in packages:
                    yield items
                    # dlt may ask for the next item before all transformers have taken this one.
                    while items.left:
                        yield None
        except TapError as error:
            # What happened is in the log of the tap: the frames of the bridge say nothing of it.
            raise error.with_traceback(None) from None

    return dlt.resource(messages, name=DRIVER, selected=False)


def _streams(
    catalog: AnyCatalog, select: Sequence[str] | None, *, every: bool
) -> Iterator[tuple[Stream, bool]]:
    """Yield the streams that have a resource of their own, and whether they are selected."""
    if not isinstance(catalog, Catalog):
        for name in catalog.names:
            yield catalog.stream(name), True
        return
    chosen = set(catalog.select(select, every=every))
    for stream in catalog.streams.values():
        yield stream, stream.name in chosen


def _choice(name: str, value: str | None, choices: Sequence[str]) -> Any:  # noqa: ANN401
    if value is not None and value not in choices:
        raise BridgeError(f"{name} can only be one of {', '.join(choices)}.")
    return value or choices[0]
