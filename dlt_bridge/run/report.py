"""What a run has loaded: as a table for people, as JSON for programs, as a sentence for a log."""

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

#: Names of dlt's own tables and columns.
DLT = "_dlt_"
THOUSAND = 1000
UNITS = ("kB", "MB", "GB", "TB")


@dataclass(slots=True)
class Loaded:
    """What was loaded into one table.

    Attributes:
        rows: How many rows, with every version of a key.
        size: Bytes of the files that the destination took.
        seconds: How long it took to take them; files are taken side by side.
        created: Whether the table is new.
        columns: The columns that are new in a table that was there.
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
        streams: The streams that are shown even if nothing comes for them.

    Attributes:
        tables: What was loaded, by table.
        packages: How many packages were.
        warnings: How often the tap has warned.
        beside: How many values are kept beside their column, by the columns that they are in, such
            as `orders.amount__v_text`. What is added up in the column lacks them.
    """

    def __init__(self, pipeline: Pipeline, streams: Iterable[str] = ()) -> None:
        self._pipeline = pipeline
        self._streams = list(streams)
        self.tables: defaultdict[str, Loaded] = defaultdict(Loaded)
        self.packages = 0
        self.warnings = 0
        self.beside: Counter[str] = Counter()
        # Of taps that have ended: each tells of its own run.
        self._warnings = 0

    @property
    def rows(self) -> int:
        """How many rows were loaded, into all tables."""
        return sum(loaded.rows for loaded in self.tables.values())

    def add(self, package: CommittedPackage) -> None:
        """Add a package that was just loaded."""
        self.packages += 1
        self.beside += package.beside
        self.warnings = self._warnings + package.warnings
        if package.last:
            self._warnings = self.warnings
        self._add(package.info)

    def _add(self, info: LoadInfo) -> None:
        for table, rows in self._counts():
            self.tables[table].rows += rows
        for metrics in info.metrics.values():
            for job in (job for part in metrics for job in part["job_metrics"].values()):
                if not job.table_name.startswith(DLT) and job.finished_at:
                    seconds = (job.finished_at - job.started_at).total_seconds()
                    self.tables[job.table_name].seconds += seconds
        for package in info.load_packages:
            for done in package.jobs["completed_jobs"]:
                # The others are statements that dlt has made.
                table, kind = done.job_file_info.table_name, done.job_file_info.file_format
                if not table.startswith(DLT) and kind not in {"sql", "reference"}:
                    self.tables[table].size += done.file_size
            for table, update in package.schema_update.items():
                if not table.startswith(DLT):
                    known = package.schema.get_table_columns(table)
                    self._changed(table, update["columns"], known)

    def _counts(self) -> Iterator[tuple[str, int]]:
        trace = self._pipeline.last_trace
        info = trace.last_normalize_info if trace else None
        for table, rows in (info.row_counts if info else {}).items():
            if not table.startswith(DLT):
                yield table, rows

    def _changed(self, table: str, columns: Collection[str], known: Collection[str]) -> None:
        loaded = self.tables[table]
        # Whoever made a table, it had some of its columns before.
        if set(columns) >= set(known):
            loaded.created = True
        elif not loaded.created:
            loaded.columns += (name for name in columns if not name.startswith(DLT))

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
        """Return the table, for rich.

        Args:
            seconds: How long the whole run took.
        """
        from rich.table import Table  # noqa: PLC0415 - only a person looks at it
        from rich.text import Text  # noqa: PLC0415

        made = Table(title_justify="left")
        made.add_column("stream", overflow="fold")
        for name in ("rows", "size", "seconds"):
            made.add_column(name, justify="right")
        made.add_column("new columns", overflow="fold")

        def add(*cells: str) -> None:
            # As text, names are not read as rich's markup.
            made.add_row(*(Text(printable(cell)) for cell in cells))

        for stream, table, loaded in self.entries():
            name = stream if stream == table else f"{stream} (table {table})"
            new = "new table" if loaded.created else ", ".join(loaded.columns)
            add(name, f"{loaded.rows:,}", size(loaded.size), f"{loaded.seconds:.1f}", new)
        made.add_section()
        whole = size(sum(loaded.size for loaded in self.tables.values()))
        add("all", f"{self.rows:,}", whole, f"{seconds:.1f}", counted(self.packages, "package"))
        if self.beside:
            columns = ", ".join(sorted(self.beside))
            add("values kept beside", f"{self.beside.total():,}", "", "", columns)
        if self.warnings:
            add("warnings of the tap", f"{self.warnings:,}")
        return made

    def summary(self, seconds: float) -> dict[str, Any]:
        """Return all of it, for JSON.

        Args:
            seconds: How long the whole run took.
        """
        return {
            "rows": self.rows,
            "packages": self.packages,
            "seconds": round(seconds, 3),
            "warnings": self.warnings,
            "values_beside": dict(self.beside),
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

    def in_words(self, place: str) -> str:
        """Return it in a few words.

        Args:
            place: Where the rows are.
        """
        tables = self._pipeline.default_schema.tables if self.packages else {}
        streams = {
            name: loaded.rows
            for name, loaded in self.tables.items()
            if loaded.rows and not tables.get(name, {}).get("parent")
        }
        rows = counted(sum(streams.values()), "row")
        words = [f"Loaded {rows} of {counted(len(streams), 'stream')} into {place}."]
        if self.beside:
            columns = ", ".join(printable(name) for name in sorted(self.beside))
            words.append(f"{counted(self.beside.total(), 'value')} kept beside, in {columns}.")
        if self.warnings:
            words.append(f"{counted(self.warnings, 'warning')} of the tap.")
        return " ".join(words)


def counted(number: int, what: str) -> str:
    """Return a number of things, such as `1 row` and `2,000 rows`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Return a number of bytes as people read it, such as `1.5 MB`."""
    if number < THOUSAND:
        return f"{number} B"
    value = float(number)
    for unit in UNITS:
        value /= THOUSAND
        if round(value, 1) < THOUSAND or unit == UNITS[-1]:
            break
    return f"{value:,.1f} {unit}"
