"""One stream: its lines wait until they are decoded, and its rows until dlt takes them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dlt_bridge.arrow.batches import ColumnBatch, LineBatch
from dlt_bridge.arrow.record_times import now
from dlt_bridge.errors import MessageError
from dlt_bridge.tables.dispositions import DELETE_INSERT
from dlt_bridge.tables.package import Package
from dlt_bridge.tables.rows.buffer import RowBuffer
from dlt_bridge.tables.rows.spool import Spool
from dlt_bridge.tables.table_schema import TableSchema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from dlt_bridge.tables.items import StreamItem
    from dlt_bridge.tables.run_context import RunContext
    from dlt_bridge.tap.catalog import Stream
    from dlt_bridge.tap.messages import Schema

#: A batch of 20,000 rows is the fastest; with rows of more than 150 bytes it has fewer rows.
BATCH_ROWS = 20_000
BATCH_BYTES = 3 * 1024 * 1024


class Sink:
    """Takes the lines of one stream to its table.

    Args:
        stream: The stream, as the catalog knows it.
        message: Its first SCHEMA.
        run: The run of the source.

    Attributes:
        stream: The stream.
        schema: Its table, as the last SCHEMA declares it.
        received: The number of rows that have come.
        rows: The decoded rows that dlt has not taken.
        misfits: The number of values that did not fit their column, by their variant column.
        schema_line: The line of the last SCHEMA.
        is_skipped: Whether the rest of the stream is skipped.

    Raises:
        MessageError: The destination can't load the SCHEMA as the user asks for.
    """

    def __init__(self, stream: Stream, message: Schema, run: RunContext) -> None:
        self.stream = stream
        self.schema = TableSchema(stream, message, run)
        self.received = 0
        self.rows = RowBuffer()
        self.misfits: Counter[str] = Counter()
        self.schema_line = b""
        self.is_skipped = False
        self._run = run
        # Lines that are not decoded, the ranges of their numbers, when they were received, their
        # number, and their bytes.
        self._lines: list[bytes] = []
        self._numbers: list[range] = []
        self._received_at: list[int] = []
        self._count = self._size = 0
        # ACTIVATE_VERSIONs that dlt has no hints of: the numbers of their lines, and the versions.
        self._activations: list[tuple[int, int]] = []
        # The rows that replace the table when the tap has ended, by SCHEMA.
        self._replacement: list[tuple[TableSchema, Spool]] = []
        self._package = Package(stream.name, self.schema, run)
        self._begin_schema()

    def _begin_schema(self) -> None:
        # A table with columns is created even if it gets no row.
        self._is_due = self.schema.has_columns
        if self._replacement or (self._run.in_parts and self.schema.plan.disposition == "replace"):
            self._replacement.append((self.schema, Spool()))

    def change_schema(self, message: Schema) -> None:
        """Take the lines of another SCHEMA. All lines so far must be decoded.

        Raises:
            MessageError: As for a first SCHEMA; or the key is another, and rows of the package are
                held back by key. The sink is then as it was.
        """
        if self._replacement:
            self._package.add_columns()
        schema = TableSchema(self.stream, message, self._run)
        if self.schema.decoder.observed.versioned:
            schema.expect_versions()
        self._package.change_schema(schema)
        self.schema = schema
        self._begin_schema()

    @property
    def size(self) -> int:
        """Bytes in memory: of lines that are not decoded, and of rows that dlt has not taken."""
        return self._size + self.rows.size

    @property
    def takes_columns(self) -> bool:
        """Whether records may come as columns: no text of a whole record is needed."""
        schema = self.schema
        return schema.whole_records is None and schema.decoder.record_schema.keep is None

    def columns(self, batch: pa.RecordBatch, number: int, version: int | None) -> ColumnBatch:
        """Return columns, to be decoded.

        Args:
            batch: The columns.
            number: The number of the line of their message.
            version: Their version, if they have one.
        """
        self.received += batch.num_rows
        is_first, self.schema.is_new = self.schema.is_new, False
        return ColumnBatch(self.schema.decoder, batch, number, now(), version, is_first)

    @property
    def is_replaced(self) -> bool:
        """Its rows replace the table when the tap has ended, and not before."""
        return bool(self._replacement)

    def begin_package(self) -> None:
        """Begin a package: dlt needs the table again when rows come."""
        # The package of a table that is replaced ends with the run.
        if not self._replacement:
            self._package.end()
            self._package = Package(self.stream.name, self.schema, self._run)
        self._is_due = False

    def append(self, lines: bytes, number: int, count: int = 1) -> bool:
        """Add lines of RECORDs and return whether they fill a batch.

        Args:
            lines: One line; or several, with newlines between them.
            number: The number of the first line.
            count: The number of lines.
        """
        self._size += len(lines)
        if self.schema.whole_records:
            lines = self.schema.whole_records.add_to(lines)
        self._lines.append(lines)
        self._numbers.append(range(number, number + count))
        self._received_at.append(now())
        self.received += count
        self._count += count
        return self._count >= BATCH_ROWS or self._size >= BATCH_BYTES

    def batch(self) -> LineBatch | None:
        """Return the lines that wait, to be decoded; None if there are none."""
        if not self._count:
            return None
        batch = LineBatch(
            self.schema.decoder,
            self._lines,
            self._numbers,
            self._received_at,
            self._count,
            self._size,
            self.schema.is_new,
        )
        self.schema.is_new = False
        self._lines, self._numbers, self._received_at = [], [], []
        self._count = self._size = 0
        return batch

    @property
    def first_line(self) -> int | None:
        """The number of the first line that is not decoded; None if there is none."""
        return self._numbers[0].start if self._numbers else None

    def has_after(self, number: int) -> bool:
        """Return whether something waits that came after a line."""
        return self.rows.before(number) < self.rows.count or any(
            line > number for line, _ in self._activations
        )

    def add_rows(self, table: pa.Table, numbers: Sequence[range]) -> int:
        """Add decoded rows, and return how many bytes of them are held in memory.

        Args:
            table: The rows.
            numbers: The numbers of their lines.
        """
        self.schema.report()
        for name in self.schema.decoder.observed.variants.keys() & set(table.schema.names):
            self.misfits[name] += len(table) - table[name].null_count
        if self._replacement:
            self._package.choose_format(table)
            _, spool = self._replacement[-1]
            spool.add(table)
            return 0
        self.rows.add(table, numbers)
        return int(table.nbytes)

    def activate(self, version: int, number: int) -> None:
        """Take an ACTIVATE_VERSION: when the package is loaded, rows of older versions go.

        Args:
            version: The version.
            number: The number of its line.

        Raises:
            MessageError: The destination can't delete rows.
        """
        plan = self.schema.plan
        if plan.disposition == "replace" or not plan.is_default:
            # The table has no older rows; or the user has chosen what it holds.
            return
        if self._run.options.hard_delete is False:
            # The user keeps all versions, and tells them apart by `_sdc_table_version`.
            return
        if plan.strategy not in {None, DELETE_INSERT}:
            raise MessageError(
                f"Stream {self.stream.name}: line {number} is an ACTIVATE_VERSION, but the"
                " destination can't delete rows of older versions here. If the tap always reads"
                ' the whole stream, load it with write_disposition="replace".'
            )
        self.schema.expect_versions()
        self._activations.append((number, version))

    def item(self, count: int | None = None, *, before: int | None = None) -> StreamItem | None:
        """Return decoded rows for dlt; None if there are neither rows nor hints for it.

        Args:
            count: The most rows; None for all.
            before: The number of the line that they come before; None for any.
        """
        if self._replacement or not (self._is_due or self.rows or self._activations):
            return None
        ready = self.rows.before(before)
        tables = self.rows.take(ready if count is None else min(count, ready))
        for line, version in self._activations:
            if before is None or line < before:
                self._package.activate(version)
        self._activations = [
            (line, version)
            for line, version in self._activations
            if before is not None and line > before
        ]
        self._is_due = False
        return self._package.item(tables)

    def last_items(self, *, is_over: bool) -> Iterator[StreamItem]:
        """Yield the rows that are held back until the package ends; `item` returns all others.

        Args:
            is_over: The tap was read to its end.
        """
        if is_over:
            for schema, spool in self._replacement:
                self._package.change_schema(schema)
                yield self._package.item([])
                for table in spool.tables():
                    yield self._package.item([table])
        yield from self._package.last_items()

    def close(self) -> None:
        """Drop all rows."""
        self.rows = RowBuffer()
        self._package.close()
        for _, spool in self._replacement:
            spool.close()
