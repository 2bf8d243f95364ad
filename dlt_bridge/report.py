"""What a run has loaded, as the table at its end."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dlt import Pipeline
    from dlt.common.pipeline import LoadInfo

#: Names of dlt's own tables and columns.
DLT = "_dlt_"


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
        streams: The tables that are shown even if nothing comes for them.

    Attributes:
        tables: What was loaded, by table.
        packages: How many packages were.
    """

    def __init__(self, pipeline: Pipeline, streams: Iterable[str] = ()) -> None:
        self._pipeline = pipeline
        self.tables: defaultdict[str, Loaded] = defaultdict(Loaded)
        for stream in streams:
            self.tables[stream] = Loaded()
        self.packages = 0

    @property
    def rows(self) -> int:
        """How many rows were loaded, into all tables."""
        return sum(loaded.rows for loaded in self.tables.values())

    def add(self, info: LoadInfo) -> None:
        """Add a package that was just loaded."""
        self.packages += 1
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

    def table(self, seconds: float) -> Table:
        """Return the table, for rich.

        Args:
            seconds: How long the whole run took.
        """
        shown = Table(title_justify="left")
        shown.add_column("stream", overflow="fold")
        for name in ("rows", "bytes", "seconds"):
            shown.add_column(name, justify="right")
        shown.add_column("new columns", overflow="fold")
        for name, loaded in self.tables.items():
            new = "new table" if loaded.created else ", ".join(loaded.columns)
            cells = (f"{loaded.rows:,}", f"{loaded.size:,}", f"{loaded.seconds:.1f}")
            shown.add_row(name, *cells, new)
        shown.add_section()
        size = sum(loaded.size for loaded in self.tables.values())
        what = f"{self.packages} package{'' if self.packages == 1 else 's'}"
        shown.add_row("all", f"{self.rows:,}", f"{size:,}", f"{seconds:.1f}", what)
        return shown
