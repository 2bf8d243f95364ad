"""One load for the cases of several tests: what is there after it, and what was logged."""

from __future__ import annotations

import logging
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from bridge.destinations import DuckDB
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

    from staging import Stage


class _Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def logged() -> Iterator[list[str]]:
    """Yield the messages that are logged within the context. `caplog` belongs to one test."""
    handler = _Messages()
    logging.getLogger().addHandler(handler)
    try:
        yield handler.texts
    finally:
        logging.getLogger().removeHandler(handler)


def after_each(stage: Stage, *runs: list[Any], **arguments: Any) -> list[DuckDB]:
    """Load the lines of each run, and return the DuckDB file as it is after each of them."""
    files = []
    for lines in runs:
        stage.load(lines, **arguments)
        folder = Path(mkdtemp(dir=stage.folder))
        shutil.copy(stage.folder / "w.duckdb", folder)
        files.append(DuckDB(folder))
    return files
