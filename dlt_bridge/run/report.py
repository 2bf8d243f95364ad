"""Reports of what a run loaded: a table for people, JSON for programs, a sentence for logs."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dlt import Pipeline
    from dlt.common.pipeline import LoadInfo
    from rich.table import Table

    from dlt_bridge.run.checkpoints import CommittedPackage

#: The prefix of dlt's own tables and columns.
DLT_PREFIX = "_dlt_"
THOUSAND = 1000
UNITS = ("kB", "MB", "GB", "TB")


@dataclass(slots=True)
class Loaded:
    """What was loaded into one table.

    Attributes:
        rows: The number of rows, counting every version of a key.
        size: The size of the files that were loaded, in bytes.
        seconds: The time that loading them took, added up; files are loaded in parallel.
        created: Whether the table is new.
        columns: The new columns of a table that existed before.
    """

    rows: int = 0
    size: int = 0
    seconds: float = 0.0
    created: bool = False
    columns: list[str] = field(default_factory=list)


class Report:
    """Adds up what the packages of a run have loaded.

    Args:
        pipeline: The pipeline that runs.
        streams: Streams to show even if they have no rows.

    Attributes:
        tables: What was loaded, by the name of the table.
        packages: The number of packages.
        warnings: The number of warnings and errors that the tap has logged.
        in_variants: How many values did not fit their column, by the variant column that holds
            them, such as `orders.amount__v_text`. Sums over the column itself lack them.
    """

    def __init__(self, pipeline: Pipeline, streams: Iterable[str] = ()) -> None:
        self._pipeline = pipeline
        self._streams = list(streams)
        self.tables: defaultdict[str, Loaded] = defaultdict(Loaded)
        self.packages = 0
        self.warnings = 0
        self.in_variants: Counter[str] = Counter()
        # The warnings of taps that have ended; a package has those of its own tap.
        self._warnings = 0

    @property
    def rows(self) -> int:
        """The number of rows in all tables."""
        return sum(loaded.rows for loaded in self.tables.values())

    def add(self, package: CommittedPackage) -> None:
        """Add a package, right after it was loaded."""
        self.packages += 1
        self.in_variants += package.in_variants
        self.warnings = self._warnings + package.warnings
        if package.last:
            self._warnings = self.warnings
        self._add(package.info)

    def _add(self, info: LoadInfo) -> None:
        for table, rows in self._counts():
            self.tables[table].rows += rows
        for metrics in info.metrics.values():
            for job in (job for part in metrics for job in part["job_metrics"].values()):
                if not job.table_name.startswith(DLT_PREFIX) and job.finished_at:
                    seconds = (job.finished_at - job.started_at).total_seconds()
                    self.tables[job.table_name].seconds += seconds
        for package in info.load_packages:
            for done in package.jobs["completed_jobs"]:
                # The other files are SQL statements of dlt.
                table, kind = done.job_file_info.table_name, done.job_file_info.file_format
                if not table.startswith(DLT_PREFIX) and kind not in {"sql", "reference"}:
                    self.tables[table].size += done.file_size
            for table, update in package.schema_update.items():
                if not table.startswith(DLT_PREFIX):
                    all_columns = package.schema.get_table_columns(table)
                    self._add_columns(table, update["columns"], all_columns)

    def _counts(self) -> Iterator[tuple[str, int]]:
        trace = self._pipeline.last_trace
        info = trace.last_normalize_info if trace else None
        for table, rows in (info.row_counts if info else {}).items():
            if not table.startswith(DLT_PREFIX):
                yield table, rows

    def _add_columns(
        self, table: str, columns: Collection[str], all_columns: Collection[str]
    ) -> None:
        loaded = self.tables[table]
        # A table that existed had some of its columns before.
        if set(columns) >= set(all_columns):
            loaded.created = True
        elif not loaded.created:
            loaded.columns += (name for name in columns if not name.startswith(DLT_PREFIX))

    def entries(self) -> Iterator[tuple[str, str, Loaded]]:
        """Yield each stream with the name of its table and what was loaded, then other tables."""
        naming = self._pipeline.default_schema.naming
        others = dict(self.tables)
        for stream in self._streams:
            table = naming.normalize_table_identifier(stream)
            yield stream, table, others.pop(table, Loaded())
        for table, loaded in others.items():
            yield table, table, loaded

    def table(self, seconds: float) -> Table:
        """Return the report as a table of rich.

        Args:
            seconds: The duration of the run.
        """
        from rich.table import Table  # noqa: PLC0415 - for people only
        from rich.text import Text  # noqa: PLC0415

        grid = Table(title_justify="left")
        grid.add_column("stream", overflow="fold")
        for name in ("rows", "size", "seconds"):
            grid.add_column(name, justify="right")
        grid.add_column("new columns", overflow="fold")

        def add(*cells: str) -> None:
            # As text, names are not read as rich's markup.
            grid.add_row(*(Text(printable(cell)) for cell in cells))

        empty = 0
        for stream, table, loaded in self.entries():
            if not (loaded.rows or loaded.created or loaded.columns):
                empty += 1
                continue
            name = stream if stream == table else f"{stream} (table {table})"
            new = "new table" if loaded.created else ", ".join(loaded.columns)
            add(name, f"{loaded.rows:,}", size(loaded.size), f"{loaded.seconds:.1f}", new)
        grid.add_section()
        if empty:
            add(f"{counted(empty, 'stream')} without new rows", "0")
        whole = size(sum(loaded.size for loaded in self.tables.values()))
        add("all", f"{self.rows:,}", whole, f"{seconds:.1f}", counted(self.packages, "package"))
        if self.in_variants:
            columns = ", ".join(sorted(self.in_variants))
            add("values in second columns", f"{self.in_variants.total():,}", "", "", columns)
        if self.warnings:
            add("warnings of the tap", f"{self.warnings:,}")
        return grid

    def summary(self, seconds: float) -> dict[str, Any]:
        """Return the report as an object for JSON.

        Args:
            seconds: The duration of the run.
        """
        return {
            "rows": self.rows,
            "packages": self.packages,
            "seconds": round(seconds, 3),
            "warnings": self.warnings,
            "values_in_variants": dict(self.in_variants),
            "tables": [
                {
                    "stream": stream,
                    "table": table,
                    "rows": loaded.rows,
                    "bytes": loaded.size,
                    "seconds": round(loaded.seconds, 3),
                    "new_table": loaded.created,
                    "new_columns": loaded.columns,
                }
                for stream, table, loaded in self.entries()
            ],
        }

    def in_words(self, location: str) -> str:
        """Return the report in a few words.

        Args:
            location: The destination and dataset, for people to read.
        """
        tables = self._pipeline.default_schema.tables if self.packages else {}
        streams = {
            name: loaded.rows
            for name, loaded in self.tables.items()
            if loaded.rows and not tables.get(name, {}).get("parent")
        }
        rows = counted(sum(streams.values()), "row")
        words = [f"Loaded {rows} of {counted(len(streams), 'stream')} into {location}."]
        if self.in_variants:
            columns = ", ".join(printable(name) for name in sorted(self.in_variants))
            words.append(
                f"{counted(self.in_variants.total(), 'value')} kept in second columns: {columns}."
            )
        if self.warnings:
            words.append(f"{counted(self.warnings, 'warning')} of the tap.")
        return " ".join(words)


def counted(number: int, noun: str) -> str:
    """Return a number with a noun, such as `1 row` or `2,000 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Return a number of bytes for people to read, such as `1.5 MB`."""
    if number < THOUSAND:
        return f"{number} B"
    value = float(number)
    for unit in UNITS:
        value /= THOUSAND
        if round(value, 1) < THOUSAND or unit == UNITS[-1]:
            break
    return f"{value:,.1f} {unit}"
