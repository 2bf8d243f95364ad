"""One stream on its way into its table: lines wait, are decoded together, and become a parcel."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow.compute as pc

from dlt_bridge import tables
from dlt_bridge.arrow import VERSION, RecordDecoder
from dlt_bridge.batches import Places
from dlt_bridge.conditions import brought_anew, older_versions, this_version
from dlt_bridge.decoding import Batch
from dlt_bridge.errors import MessageError
from dlt_bridge.files import CSV, VALUES, needs_values
from dlt_bridge.hints import TableHints
from dlt_bridge.keys import KeyWatch
from dlt_bridge.nested import Nesting, objects
from dlt_bridge.plans import DELETE_INSERT, Told, asked, planned
from dlt_bridge.rows import Form
from dlt_bridge.types import Kind, columns
from dlt_bridge.versions import LastVersions
from dlt_bridge.whole import RECORD, WholeRecords, completed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import pyarrow as pa
    from dlt.extract import DltResource

    from dlt_bridge.catalog import Stream
    from dlt_bridge.messages import Schema

logger = logging.getLogger(__name__)

#: What dlt calls the table of a stream in the SQL of a merge.
DLT_ALIAS = "d"
#: 20,000 rows are the fastest batch and cost little memory; rows over 150 bytes make fewer.
BATCH_ROWS = 20_000
BATCH_BYTES = 3 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """How the streams of a source are loaded.

    Attributes:
        nested: What becomes of objects and arrays.
        hard: Rows with `_sdc_deleted_at` are deleted.
        everything: The one resource of all streams, if they are not known before they are read.
        told: What the bridge has told dlt of each stream.
        places: Where the files of BATCH messages may be.
        whole: The streams whose records are kept whole, as far as that was said.
    """

    nested: Nesting = "json"
    hard: bool = False
    everything: str | None = None
    told: dict[str, Told] = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    whole: set[str] = field(default_factory=set)

    def resource(self, stream: str) -> DltResource:
        """Return the resource of a stream, in the source that is being read."""
        return dlt.current.source().resources[self.everything or stream]

    def told_of(self, stream: str) -> Told:
        """Return what the bridge has told dlt of a stream's resource."""
        return self.told.setdefault(self.everything or stream, Told())

    def reads(self, stream: str, selected: Collection[str]) -> bool:
        """Say whether a stream is to be loaded."""
        return self.everything is not None or stream in selected


@dataclass(slots=True)
class Parcel:
    """Rows of a stream for its transformer, and what dlt must know before it takes them.

    Attributes:
        rows: Arrow tables; objects, if nested values become tables of their own.
        hints: Hints of the table; None if dlt has them.
        size: Bytes of the rows.
    """

    rows: list[Any]
    hints: TableHints | None = None
    size: int = 0


class StreamWriter:
    """Takes the lines of one stream, under one SCHEMA, to tables.

    Args:
        stream: The stream, as the catalog knows it.
        message: Its SCHEMA.
        options: How streams are loaded.
        first: The value of `_sdc_sequence` with which the run began.

    Attributes:
        line: The line of its SCHEMA.
        table: The name of its table in the destination.
        decoded: How many rows are decoded and were not handed over.

    Raises:
        MessageError: The SCHEMA, or what the user asks for, can't be loaded.
    """

    def __init__(self, stream: Stream, message: Schema, options: Options, first: int) -> None:
        self.stream = stream
        self.message = message
        self._options = options
        self._first = first
        keys = message.keys
        properties = columns(message.schema, keys)
        wish = asked(options.resource(stream.name), options.told_of(stream.name))
        if options.everything and wish.table not in {None, options.everything}:
            raise MessageError(
                f"Stream {stream.name}: a table_name can't be given to all streams together. Select"
                " them by their names, and give each its own."
            )
        named = stream.name if options.everything else wish.table or stream.name
        self.table = tables.name_of(stream.name, named)
        self._base = planned(stream, keys, wish, hard=options.hard)
        if self._base.keys != tuple(keys):
            properties = columns(message.schema, self._base.keys)
        declared = [column.name for column in properties if column.kind]
        self._whole: WholeRecords | None = None
        if whole := completed(properties, self._base.keys, told=keys):
            self._whole = WholeRecords(stream.name, whole, declared)
            properties = whole
            self._warn_of_whole(declared)
        tables.refuse_unfit(stream.name, self.table, properties, self._base.keys)
        layout = tables.layout(stream.name, self.table, properties, wish.columns)
        kinds = layout.kinds
        properties = tuple(
            replace(column, kind=layout.asked.get(column.name, column.kind))
            for column in properties
        )
        if options.nested == "tables":
            # Mixed values beside child tables are JSON in a text column: see `TableHints`.
            mixed = {column.name for column in properties if column.kind == Kind("json")}
            kinds = {name: kind for name, kind in kinds.items() if name not in mixed}
        form = Form(
            stream.name,
            properties,
            kinds,
            layout.variants,
            tables.limits(),
            native=options.nested == "native",
        )
        self._decoder = RecordDecoder(form)
        self._lines: list[bytes] = []
        self._numbers: list[range] = []
        self._size = self._rows = 0
        # Of what records have shown, how much was told.
        self._reported = self._moved = 0
        self.line = b""
        if self._base.one_version:
            tables.refuse_changed_key(stream.name, self.table, self._base.keys)
        self._plan = self._base
        self._held: LastVersions | None = None
        self._reset()
        # The table is there even if no row comes; if it has properties.
        self._due = bool(declared)

    def followed_by(self, message: Schema) -> StreamWriter:
        """Return what takes the lines after a new SCHEMA in the midst of a package.

        Raises:
            MessageError: As for a first SCHEMA; or the key is another, and the destination needs
                the last versions of the whole package by one key.
        """
        later = StreamWriter(self.stream, message, self._options, self._first)
        if self._plan != self._base:
            later._plan = later._base.later()
        later._active, later._oldest = self._active, self._oldest
        later._file_format = self._file_format
        if self._decoder.learnt.versioned:
            later._decoder.learn(replace(later._decoder.learnt, versioned=True))
        if self._held:
            later.close()
            if later._plan.keys != self._plan.keys:
                raise MessageError(
                    f"Stream {self.stream.name}: a SCHEMA changes the key. The destination can't"
                    " tell the last versions of records by two keys in one package."
                )
            later._held = self._held
        later._watch.give_up()
        return later

    def begin(self) -> None:
        """Begin a new package: dlt must be told of the table anew when rows come."""
        self._plan = self._base.later()
        if self._plan != self._base and not self._options.everything:
            # Without rows in this package, dlt would empty the table for it.
            resource = self._options.resource(self.stream.name)
            resource.apply_hints(write_disposition="append")
            self._options.told_of(self.stream.name).disposition = "append"
        self._reset()

    def _reset(self) -> None:
        if self._held:
            self._held.close()
        tables.forget_conditions(self.table)
        self._file_format = tables.file_format(objects=self._options.nested == "tables")
        self._tables: list[pa.Table] = []
        self.decoded = 0
        # There is something to tell dlt, even without rows.
        self._due = False
        self._told = False
        self._told_columns: set[str] = set()
        self._active: int | None = None
        self._oldest: int | None = None
        self._held = LastVersions(self._plan.keys) if self._plan.one_version else None
        self._watch = KeyWatch(self._plan.keys if self._plan.disposition == "merge" else ())

    def append(self, lines: bytes, number: int, count: int = 1) -> bool:
        """Add lines of RECORDs and say whether it is time to decode.

        Args:
            lines: One line; or several, with newlines between them.
            number: The number of the first.
            count: How many they are.
        """
        self._size += len(lines)
        if self._whole:
            lines = self._whole.lines(lines, number)
        self._lines.append(lines)
        self._numbers.append(range(number, number + count))
        self._rows += count
        return self._rows >= BATCH_ROWS or self._size >= BATCH_BYTES

    def batch(self) -> Batch | None:
        """Return the lines that wait, to be decoded; None if there are none."""
        if not self._rows:
            return None
        batch = Batch(self._decoder, self._lines, self._numbers, self._rows, self._size)
        self._lines, self._numbers, self._size, self._rows = [], [], 0, 0
        return batch

    def take(self, table: pa.Table) -> int:
        """Take a batch that is decoded, and return how many bytes of it are held in memory."""
        self._report()
        self._due = True
        self._told &= self._told_columns.issuperset(table.schema.names)
        if VERSION in table.schema.names:
            oldest = pc.min(table[VERSION]).as_py()
            if oldest is not None:
                self._oldest = oldest if self._oldest is None else min(oldest, self._oldest)
        if self._file_format == CSV and needs_values(table):
            self._file_format = VALUES
            self._told = False
        if self._held:
            self._held.add(table)
            return 0
        self._watch.add(table)
        self._tables.append(table)
        self.decoded += len(table)
        return int(table.nbytes)

    def activate(self, version: int, number: int) -> None:
        """Take an ACTIVATE_VERSION: when the package is loaded, rows of older versions go.

        Args:
            version: The version.
            number: The number of its line, for errors.

        Raises:
            MessageError: The destination can't delete rows.
        """
        if self._base.disposition == "replace" or not self._base.ours:
            # Nothing older is in the table; or the user has said what is to be there.
            return
        if self._plan.strategy not in {None, DELETE_INSERT}:
            raise MessageError(
                f"Stream {self.stream.name}: line {number} is an ACTIVATE_VERSION, but the"
                " destination can't delete rows of older versions here. If the tap always reads"
                ' the whole stream, load it with write_disposition="replace".'
            )
        self._decoder.learn(replace(self._decoder.learnt, versioned=True))
        self._active = version if self._active is None else max(version, self._active)
        self._told = False
        self._due = True
        # With the column of the versions, which the rows so far may not have.
        self._tables.append(self._decoder.schema.empty_table())

    def parcel(self, rows: int | None = None) -> Parcel | None:
        """Return what is decoded, for dlt to take, if there is anything.

        Args:
            rows: How many rows at most; by default, all.
        """
        if not self._due:
            return None
        taken = self._taken(self.decoded if rows is None else rows)
        parcel = Parcel([], size=sum(table.nbytes for table in taken))
        self._due = bool(self._tables)
        if not self._told:
            parcel.hints = self._hints()
            schema = self._decoder.schema
            taken = taken or [schema.empty_table()]
            self._told, self._told_columns = True, set(schema.names)
        for table in taken:
            parcel.rows += self._converted(table)
        return parcel

    def _taken(self, rows: int) -> list[pa.Table]:
        """Take so many decoded rows from those that wait; all, if there are no more."""
        taken: list[pa.Table] = []
        while self._tables and (rows or not len(self._tables[0])):
            table = self._tables.pop(0)
            if len(table) > rows:
                self._tables.insert(0, table.slice(rows))
                table = table.slice(0, rows)
            taken.append(table)
            rows -= len(table)
            self.decoded -= len(table)
        return taken

    def last_parcels(self) -> Iterator[Parcel]:
        """Yield what can be told only at the end of a package, after `parcel`."""
        if self._held:
            for table in self._held.tables():
                yield Parcel(self._converted(table))
        elif self._watch.worth_telling and self._told:
            empty = self._converted(self._decoder.schema.empty_table())
            yield Parcel(empty, replace(self._hints(), deduplicated=True))

    def _converted(self, table: pa.Table) -> list[Any]:
        if self._options.nested != "tables":
            return [table]
        return objects(table, self._decoder.nested_columns)

    def _hints(self) -> TableHints:
        return TableHints(
            self._plan,
            self._decoder.told_columns,
            self._decoder.learnt.variants,
            stored=tables.stored_columns(self.table),
            conditions=self._conditions(),
            nested=self._decoder.nested_columns if self._options.nested == "tables" else None,
            file_format=self._file_format,
            table=self.table if self._options.everything else None,
        )

    def _conditions(self) -> dict[str, str]:
        """Return what decides which rows are in the table after a version was activated."""
        if self._active is None:
            return {"destination_scope": brought_anew(self._plan.keys)} if self._ambiguous() else {}
        found = {"destination_scope": older_versions(self._active, self._first, self._plan.keys)}
        if self._oldest is not None and self._oldest < self._active:
            found["source_filter"] = this_version(self._active)
        return found

    def _ambiguous(self) -> bool:
        """Say whether a column has the name that dlt gives the table when it deletes by key.

        DuckDB would look for the key within the column, and find nothing to delete.
        """
        normalize = dlt.current.source_schema().naming.normalize_path
        return (
            self._plan.strategy == DELETE_INSERT
            and tables.destination_type() == "duckdb"
            and any(normalize(name) == DLT_ALIAS for name in self._decoder.types)
        )

    def close(self) -> None:
        """Let go of rows that are held back."""
        if self._held:
            self._held.close()

    def _warn_of_whole(self, declared: Collection[str]) -> None:
        """Warn once of a stream whose records are kept whole."""
        if self.stream.name not in self._options.whole:
            self._options.whole.add(self.stream.name)
            logger.warning(
                "Stream %s: its SCHEMA has no %s. Its records, if there are any, are kept whole, as"
                " JSON, in the column `%s`.",
                self.stream.name,
                f"property for its key {', '.join(self._base.keys)}" if declared else "properties",
                RECORD,
            )

    def _report(self) -> None:
        """Warn once of each property that is not loaded, and each column that has a variant."""
        learnt, name = self._decoder.learnt, self.stream.name
        if new := learnt.unknown[self._reported :]:
            self._reported = len(learnt.unknown)
            logger.warning(
                "Stream %s: records have properties that its SCHEMA has not, and that are not"
                " loaded, such as %s.",
                name,
                ", ".join(f"`{unknown}`" for unknown in new),
            )
        for moved in learnt.misplaced[self._moved :]:
            self._moved += 1
            logger.warning(
                "Stream %s: the value of `%s` in line %d does not fit its column (%s). It is kept"
                " as it is in the column `%s`, and so are others like it.",
                name,
                moved.column,
                moved.line,
                moved.kind.text if moved.kind else "null",
                moved.variant,
            )
