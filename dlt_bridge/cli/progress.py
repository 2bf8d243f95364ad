"""Progress bars of a run, on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt.common.runtime.collector_base import Collector
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from typing_extensions import override

if TYPE_CHECKING:
    from rich.progress import TaskID


class Bars(Collector):
    """A collector of dlt that shows a bar for each stream, and one for all files."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    @override
    def _start(self, step: str) -> None:
        self._tasks = {}
        self._progress = Progress(
            TextColumn(f"{step} {{task.description}}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._progress.start()

    @override
    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        if self._progress is None:
            return
        title = f"{name} ({label})" if label else name
        if title not in self._tasks:
            self._tasks[title] = self._progress.add_task(title, total=total)
        task = self._tasks[title]
        if inc_total:
            before = self._progress.tasks[self._progress.task_ids.index(task)].total or 0
            self._progress.update(task, total=before + inc_total)
        self._progress.advance(task, inc)

    @override
    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
