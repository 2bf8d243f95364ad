"""One stream on its way into its table: lines wait, are decoded together, and become a parcel."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow.compute as pc

from dlt_bridge.arrow.columns import Column, columns
from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.arrow.metadata_columns import RECORD_COLUMN, VERSION
from dlt_bridge.arrow.nested import Nesting, to_objects
from dlt_bridge.arrow.record_column import RecordColumn, with_record_column
from dlt_bridge.arrow.record_schema import RecordSchema
from dlt_bridge.arrow.types import ColumnType
from dlt_bridge.arrow.workers import LineBatch
from dlt_bridge.destinations import destination
from dlt_bridge.destinations.existing import Existing
from dlt_bridge.destinations.file_formats import CSV, VALUES, for_values, needs_values
from dlt_bridge.errors import MessageError
from dlt_bridge.tables import checks as unfit
from dlt_bridge.tables import column_names as names
from dlt_bridge.tables import layout as tables
from dlt_bridge.tables import table_names
from dlt_bridge.tables.deduplication import Deduplicator
from dlt_bridge.tables.dispositions import DELETE_INSERT, AppliedHints, UserHints, asked, planned
from dlt_bridge.tables.hints import TableHints, column_of
from dlt_bridge.tables.key_order import UniqueKeyTracker
from dlt_bridge.tables.merge_conditions import brought_anew, older_versions, this_version
from dlt_bridge.tables.missing_properties import complete_rows, keeping
from dlt_bridge.tables.refresh import Refreshing
from dlt_bridge.tables.row_buffer import WaitingRows
from dlt_bridge.tables.row_completion import Completion
from dlt_bridge.tables.spool import Spool
from dlt_bridge.tap.batch_files import BatchFolders
from dlt_bridge.tap.catalog import matches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pyarrow as pa
    from dlt.extract import DltResource

    from dlt_bridge.tables.column_names import OnNameCollision
    from dlt_bridge.tap.catalog import Stream
    from dlt_bridge.tap.messages import Schema

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
        hard_delete: Whether rows with `_sdc_deleted_at` and rows of older versions are deleted.
            None keeps the former and deletes the latter.
        keep: Rows keep the values of properties that a record lacks.
        skip: A stream that can't be loaded is skipped, and the others are loaded.
        everything: The one resource of all streams, if they are not known before they are read.
        excluded: Patterns of streams that are left out then.
        told: What the bridge has told dlt of each stream.
        on_name_collision: What becomes of streams, or properties, with one name in the destination.
        tables: The tables of the streams of a run.
        refresh: The streams whose tables are to be made anew.
        refreshing: Makes them anew, in one run.
        existing: The tables that are in the destination, in one run.
        places: Where the files of BATCH messages may be.
        whole: The streams whose records are kept whole, as far as that was said.
    """

    nested: Nesting = "json"
    hard_delete: bool | None = None
    keep: bool = False
    skip: bool = False
    everything: str | None = None
    excluded: Sequence[str] = ()
    told: dict[str, AppliedHints] = field(default_factory=dict)
    on_name_collision: OnNameCollision = "refuse"
    tables: dict[str, str] = field(default_factory=dict)
    refresh: Collection[str] = ()
    refreshing: Refreshing = field(default_factory=Refreshing)
    existing: Existing = field(default_factory=Existing)
    places: BatchFolders = field(default_factory=BatchFolders)
    whole: set[str] = field(default_factory=set)

    def of_a_run(self) -> Options:
        """Return these options with what holds for one run only."""
        return replace(self, refreshing=Refreshing(self.refresh), existing=Existing())

    def resource(self, stream: str) -> DltResource:
        """Return the resource of a stream, in the source that is being read."""
        return dlt.current.source().resources[self.everything or stream]

    def told_of(self, stream: str) -> AppliedHints:
        """Return what the bridge has told dlt of a stream's resource."""
        return self.told.setdefault(self.everything or stream, AppliedHints())

    def table(self, stream: str, named: str) -> str:
        """Return the name of a stream's table, which stays in a run.

        Args:
            stream: The stream.
            named: What the table is to be called.

        Raises:
            BridgeError: No table can have the name, or it is another's.
        """
        if stream not in self.tables:
            self.settle({stream: named})
        return self.tables[stream]

    def settle(self, named: Mapping[str, str]) -> None:
        """Decide which tables streams have.

        Args:
            named: What they are to be called, by stream.

        Raises:
            BridgeError: As for `table`.
        """
        one = self.everything is not None
        table_names.settle_tables(named, self.tables, self.on_name_collision, one=one)

    def names_table(self, stream: str, table: str) -> bool:
        """Say whether dlt must be told the name of a stream's table."""
        if self.everything:
            return True
        normalize = dlt.current.source_schema().naming.normalize_tables_path
        return bool(normalize(str(self.resource(stream).table_name)) != table)

    def reads(self, stream: str, selected: Collection[str]) -> bool:
        """Say whether a stream is to be loaded."""
        if self.everything is None:
            return stream in selected
        return not any(matches(stream, pattern) for pattern in self.excluded)


@dataclass(slots=True)
class StreamItem:
    """Rows of a stream for its transformer, and what dlt must know before it takes them.

    Attributes:
        rows: Arrow tables; objects, if nested values become tables of their own.
        hints: Hints of the table; None if dlt has them.
        size: Bytes of the rows.
    """

    rows: list[Any]
    hints: TableHints | None = None
    size: int = 0


class Sink:
    """Takes the lines of one stream, under one SCHEMA, to tables.

    Args:
        stream: The stream, as the catalog knows it.
        message: Its SCHEMA.
        options: How streams are loaded.
        first: The value of `_sdc_sequence` with which the run began.
        in_parts: The run may commit packages before the tap has ended.

    Attributes:
        line: The line of its SCHEMA.
        table: The name of its table in the destination.
        waiting: The rows that are decoded and were not handed over.
        beside: How many values did not fit their column in this run, by the variant they are in.

    Raises:
        MessageError: The SCHEMA, or what the user asks for, can't be loaded.
    """

    def __init__(
        self,
        stream: Stream,
        message: Schema,
        options: Options,
        first: int,
        *,
        in_parts: bool = False,
    ) -> None:
        self.stream = stream
        self.message = message
        self.beside: Counter[str] = Counter()
        self._options = options
        self._first = first
        self._in_parts = in_parts
        keys = message.keys
        wish = asked(options.resource(stream.name), options.told_of(stream.name))
        if options.everything and wish.table not in {None, options.everything}:
            raise MessageError(
                f"Stream {stream.name}: a table_name can't be given to all streams together. Select"
                " them by their names, and give each its own."
            )
        named = stream.name if options.everything else wish.table or stream.name
        self.table = options.table(stream.name, named)
        plan = planned(stream, keys, wish, hard_delete=bool(options.hard_delete))
        options.refreshing.drop(stream.name, self.table)
        declared = columns(message.schema, plan.keys)
        # Puts whole records beside the properties, if the SCHEMA lacks some.
        self._whole: RecordColumn | None = None
        if not plan.keys and not declared and "properties" not in message.schema:
            raise MessageError(
                f"Stream {stream.name}: the SCHEMA has no property, and no key. What its records"
                " are is not known: an object `properties`, which may be empty, must be there."
            )
        properties = names.with_names(
            stream.name,
            self.table,
            self._whole_columns(declared, plan.keys, told=keys) or declared,
            options.on_name_collision,
        )
        self._plan = replace(plan, keys=names.key_columns(stream.name, properties, plan.keys))
        self._holders = names.holders_of(properties)
        named_columns = [column.name for column in properties if column.type]
        options.existing.bring_in_line(stream.name, self.table, named_columns)
        unfit.refuse_many(stream.name, self.table, named_columns)
        form = self._form(properties, wish)
        self._decoder = RecordDecoder(form)
        self._lines: list[bytes] = []
        self._numbers: list[range] = []
        self._size = self._rows = 0
        # Of what records have shown, how much was told.
        self._reported = self._moved = 0
        # No record was decoded, and dlt knows nothing of the columns.
        self._unread = True
        self.line = b""
        if self._plan.one_version:
            tables.refuse_changed_key(stream.name, self.table, self._plan.keys)
        self.waiting = WaitingRows()
        # The lines of ACTIVATE_VERSIONs that wait, and their versions.
        self._activations: list[tuple[int, int]] = []
        # What replaces a table, where packages are committed before all of it was read.
        self._spool = Spool() if in_parts and self._plan.disposition == "replace" else None
        self._before: Sink | None = None
        self._held: Deduplicator | None = None
        self._incomplete: Completion | None = None
        self._file_format = destination.file_format(objects=options.nested == "tables")
        self.begin()
        # The table is there even if no row comes; if it has properties.
        self._due = any(column.type for column in declared)

    def _form(self, properties: Sequence[Column], wish: UserHints) -> RecordSchema:
        """Return what the records become."""
        nested = self._options.nested
        layout = tables.layout(self.stream.name, self.table, properties, wish.columns)
        kinds = layout.kinds
        properties = tuple(
            replace(column, type=layout.asked.get(column.name, column.type))
            for column in properties
        )
        if nested == "tables":
            # Mixed values beside child tables are JSON in a text column: see `TableHints`.
            mixed = {column.name for column in properties if column.type == ColumnType("json")}
            kinds = {name: kind for name, kind in kinds.items() if name not in mixed}
        form = RecordSchema(
            self.stream.name,
            properties,
            kinds,
            layout.variants,
            destination.limits(objects=nested == "tables"),
            native=nested == "native",
        )
        if nested == "tables":
            return form
        return keeping(
            form,
            self._plan,
            self.table,
            every=self._options.keep,
            table_format=wish.table_format,
        )

    def followed_by(self, message: Schema) -> Sink:
        """Return what takes the lines after a new SCHEMA in the midst of a package.

        Raises:
            MessageError: As for a first SCHEMA; or the key is another, and the destination needs
                the last versions of the whole package by one key.
        """
        if self._spool:
            self._tell()
        later = Sink(self.stream, message, self._options, self._first, in_parts=self._in_parts)
        later._active, later._oldest = self._active, self._oldest
        later.beside = self.beside
        later._file_format = self._file_format
        if self._decoder.observed.versioned:
            later._decoder.observe(replace(later._decoder.observed, versioned=True))
        if self._held or self._incomplete:
            later.close()
            if later._plan.keys != self._plan.keys:
                raise MessageError(
                    f"Stream {self.stream.name}: a SCHEMA changes the key. The destination can't"
                    " tell the last versions of records by two keys in one package."
                )
            later._held, later._incomplete = self._held, self._incomplete
        later._watch.give_up()
        if self._spool:
            later._before = self
        return later

    def _tell(self) -> None:
        """Tell dlt of the columns of rows that wait on disk: later ones are to have their types."""
        hints = self._hints()
        columns = hints.told().columns
        if hints.nested is None:
            # Arrow tables would tell these types themselves.
            kinds = {**self._decoder.hinted_types, **self._decoder.observed.variants}
            for name, kind in kinds.items():
                columns[name] = {**columns.get(name, {}), **column_of(kind)}
        resource = self._options.everything or self.stream.name
        tables.tell(self.table, resource, columns)

    @property
    def size(self) -> int:
        """Bytes in memory: of lines that are not decoded, and of rows that were not handed over."""
        return self._size + self.waiting.size

    @property
    def is_replaced(self) -> bool:
        """Its rows take the place of the table when the tap has ended, and not before."""
        return self._spool is not None

    def begin(self) -> None:
        """Begin a new package: dlt must be told of the table anew when rows come."""
        for held in (self._held, self._incomplete):
            if held:
                held.close()
        tables.forget_conditions(self.table)
        if not self._spool:
            self._file_format = destination.file_format(objects=self._options.nested == "tables")
        # There is something to tell dlt, even without rows.
        self._due = bool(self.waiting or self._activations)
        self._told = False
        self._told_columns: set[str] = set()
        self._active: int | None = None
        self._oldest: int | None = None
        self._held = Deduplicator(self._plan.keys) if self._plan.one_version else None
        self._incomplete = Completion(self._plan.keys) if self._decoder.record_schema.keep else None
        self._watch = UniqueKeyTracker(self._plan.keys if self._plan.disposition == "merge" else ())

    def append(self, lines: bytes, number: int, count: int = 1) -> bool:
        """Add lines of RECORDs and say whether it is time to decode.

        Args:
            lines: One line; or several, with newlines between them.
            number: The number of the first.
            count: How many they are.
        """
        self._size += len(lines)
        if self._whole:
            lines = self._whole.add_to(lines)
        self._lines.append(lines)
        self._numbers.append(range(number, number + count))
        self._rows += count
        return self._rows >= BATCH_ROWS or self._size >= BATCH_BYTES

    def batch(self) -> LineBatch | None:
        """Return the lines that wait, to be decoded; None if there are none."""
        if not self._rows:
            return None
        batch = LineBatch(
            self._decoder, self._lines, self._numbers, self._rows, self._size, self._unread
        )
        self._unread = False
        self._lines, self._numbers, self._size, self._rows = [], [], 0, 0
        return batch

    @property
    def first_line(self) -> int | None:
        """The number of the first line that is not decoded; None if there is none."""
        return self._numbers[0].start if self._numbers else None

    def has_after(self, number: int) -> bool:
        """Say whether something waits that came after a line."""
        return self.waiting.before(number) < self.waiting.rows or any(
            line > number for line, _ in self._activations
        )

    def take(self, table: pa.Table, numbers: Sequence[range]) -> int:
        """Take rows that are decoded, and return how many bytes of them are held in memory.

        Args:
            table: The rows.
            numbers: The numbers of their lines.
        """
        self._report()
        for name in self._decoder.observed.variants.keys() & set(table.schema.names):
            self.beside[name] += len(table) - table[name].null_count
        if self._spool:
            self._choose_format(table)
            self._spool.add(table)
            return 0
        self._due = True
        self.waiting.add(table, numbers)
        return int(table.nbytes)

    def activate(self, version: int, number: int) -> None:
        """Take an ACTIVATE_VERSION: when the package is loaded, rows of older versions go.

        Args:
            version: The version.
            number: The number of its line, for errors.

        Raises:
            MessageError: The destination can't delete rows.
        """
        if self._plan.disposition == "replace" or not self._plan.ours:
            # Nothing older is in the table; or the user has said what is to be there.
            return
        if self._options.hard_delete is False:
            # `_sdc_table_version` tells the versions apart.
            return
        if self._plan.strategy not in {None, DELETE_INSERT}:
            raise MessageError(
                f"Stream {self.stream.name}: line {number} is an ACTIVATE_VERSION, but the"
                " destination can't delete rows of older versions here. If the tap always reads"
                ' the whole stream, load it with write_disposition="replace".'
            )
        self._decoder.observe(replace(self._decoder.observed, versioned=True))
        self._activations.append((number, version))
        self._due = True

    def parcel(self, rows: int | None = None, *, before: int | None = None) -> StreamItem | None:
        """Return what is decoded, for dlt to take, if there is anything.

        Args:
            rows: How many rows at most; by default, all.
            before: The number of the line before which they must be; by default, any.
        """
        if not self._due or self._spool:
            return None
        there = self.waiting.before(before)
        taken = self.waiting.take(there if rows is None else min(rows, there))
        size = sum(table.nbytes for table in taken)
        self._activate(before)
        taken = [self._noticed(table) for table in taken]
        self._due = bool(self.waiting or self._activations)
        parcel = StreamItem([], size=size)
        if not self._told:
            parcel.hints = self._hints()
            schema = self._decoder.schema
            self._told, self._told_columns = True, set(schema.names)
            self._unread = False
            taken = [] if self._held else taken
            if not any(table.schema.equals(schema) for table in taken):
                # With columns that the rows so far do not have, such as that of the versions.
                taken.append(schema.empty_table())
        elif self._held:
            taken = []
        for table in taken:
            parcel.rows += self._converted(table)
        return parcel

    def _activate(self, before: int | None) -> None:
        """Activate the versions whose lines are before a line."""
        for number, version in self._activations:
            if before is None or number < before:
                self._active = version if self._active is None else max(version, self._active)
                # With the column of the versions, which the rows so far may not have.
                self._told = False
        if before is None:
            self._activations = []
        else:
            self._activations = [(at, version) for at, version in self._activations if at > before]

    def _noticed(self, table: pa.Table) -> pa.Table:
        """Notice what rows of this package tell about it, and return those that lack nothing."""
        if VERSION in table.schema.names:
            oldest = pc.min(table[VERSION]).as_py()
            if oldest is not None:
                self._oldest = oldest if self._oldest is None else min(oldest, self._oldest)
        if self._incomplete:
            table = self._incomplete.add(table)
            if self._incomplete.needed:
                self._watch.give_up()
        self._told &= self._told_columns.issuperset(table.schema.names)
        self._choose_format(table)
        if self._held:
            self._held.add(table)
        else:
            self._watch.add(table)
        return table

    def _choose_format(self, table: pa.Table) -> None:
        if self._file_format == CSV and needs_values(
            table, empty_texts=destination.has_exact_csv()
        ):
            self._file_format = VALUES
            self._told = False

    def last_parcels(self, *, over: bool) -> Iterator[StreamItem]:
        """Yield what can be told only at the end of a package, after `parcel`.

        Args:
            over: The tap was read to its end.
        """
        hints: TableHints | None = None
        for table, hints in self._completed():
            if self._held:
                self._held.add(table)
            else:
                yield StreamItem([table], hints)
        if over and self._spool:
            yield from self._replacing_parcels(self._spool)
        elif self._held:
            for table in self._held.tables():
                yield StreamItem(self._converted(table), hints)
        elif self._watch.worth_telling and self._told:
            empty = self._converted(self._decoder.schema.empty_table())
            yield StreamItem(empty, replace(self._hints(), deduplicated=True))

    def _completed(self) -> Iterator[tuple[pa.Table, TableHints]]:
        """Yield the rows that lacked something, and what dlt must know of their columns."""
        if self._incomplete is None:
            return
        # Steps that add columns would add them to these rows a second time.
        others = not self._options.told_of(self.stream.name).changed
        found = complete_rows(
            self.stream.name, self.table, self._decoder, self._incomplete, others=others
        )
        for table, kinds in found:
            self._choose_format(table)
            yield table, replace(self._hints(), columns=kinds)

    def _replacing_parcels(self, spool: Spool) -> Iterator[StreamItem]:
        """Yield what takes the place of the table, now that all of it was read."""
        if self._before:
            yield from self._before.last_parcels(over=True)
        yield StreamItem(self._converted(self._decoder.schema.empty_table()), self._hints())
        for table in spool.tables():
            yield StreamItem(self._converted(table))

    def _converted(self, table: pa.Table) -> list[Any]:
        if self._options.nested != "tables":
            return [for_values(table) if self._file_format == VALUES else table]
        return to_objects(table, self._decoder.nested_columns)

    def _hints(self) -> TableHints:
        hints = TableHints(
            self._plan,
            self._decoder.hinted_types,
            self._decoder.observed.variants,
            stored=tables.stored_columns(self.table),
            conditions=self._conditions(),
            nested=self._decoder.nested_columns if self._options.nested == "tables" else None,
            file_format=self._file_format,
            table=self.table if self._options.names_table(self.stream.name, self.table) else None,
            stream=self.stream.name,
            holders=self._holders,
        )
        if self._options.nested == "tables":
            merged = isinstance(hints.disposition, dict)
            unfit.refuse_unlinked(
                self.stream.name, self.table, self._options.existing, merged=merged
            )
        else:
            unfit.refuse_linked(self.stream.name, self.table)
        return hints

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
            and destination.destination_type() == "duckdb"
            and any(normalize(name) == DLT_ALIAS for name in self._decoder.types)
        )

    def close(self) -> None:
        """Let go of all rows."""
        self.waiting = WaitingRows()
        for held in (self._held, self._incomplete, self._spool, self._before):
            if held:
                held.close()

    def _whole_columns(
        self, declared: Sequence[Column], keys: Collection[str], *, told: Collection[str]
    ) -> tuple[Column, ...] | None:
        """Return the columns of whole records, and warn once; None if the SCHEMA lacks nothing."""
        found = with_record_column(declared, keys, told)
        if found is None:
            return None
        known = [column.name for column in declared if column.type]
        self._whole = RecordColumn(found, known)
        if self.stream.name not in self._options.whole:
            self._options.whole.add(self.stream.name)
            logger.warning(
                "Stream %s: its SCHEMA has no %s. Its records, if there are any, are kept whole, as"
                " JSON, in the column `%s`.",
                self.stream.name,
                f"property for its key {', '.join(keys)}" if known else "properties",
                RECORD_COLUMN,
            )
        return found

    def _report(self) -> None:
        """Warn once of each property that is not loaded, and each column that has a variant."""
        learnt, name = self._decoder.observed, self.stream.name
        if new := learnt.unknown[self._reported :]:
            self._reported = len(learnt.unknown)
            logger.warning(
                "Stream %s: records have properties that its SCHEMA has not, and that are not"
                " loaded, such as %s.",
                name,
                ", ".join(f"`{unknown}`" for unknown in new),
            )
        for moved in learnt.new_variants[self._moved :]:
            self._moved += 1
            logger.warning(
                "Stream %s: the value of `%s` in line %d does not fit its column (%s). It is kept"
                " as it is in the column `%s`, and so are others like it.",
                name,
                moved.json_name,
                moved.line,
                moved.column_type.text if moved.column_type else "null",
                moved.name,
            )
