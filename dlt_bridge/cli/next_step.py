"""The next command to type: it shows rows that a run has loaded."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_bridge.destinations.clients import resolve_destination_config

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bridge.run.report import Report

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def next_step(pipeline: Pipeline, report: Report) -> str | None:
    """Return a command that shows rows of a table that was loaded; None if there is none.

    Args:
        pipeline: The pipeline.
        report: What it has loaded.
    """
    table = next((table for _, table, loaded in report.entries() if loaded.rows), None)
    kind = pipeline.destination.destination_type
    if table is None:
        return None
    source = f"{_identifier(pipeline.dataset_name)}.{_identifier(table)}"
    config = resolve_destination_config(pipeline)
    if kind == "dlt.destinations.duckdb":
        return _duckdb(config, source)
    if kind == "dlt.destinations.postgres" and shutil.which("psql"):
        return _psql(config.credentials, source)
    return None


def _duckdb(config: Any, source: str) -> str | None:  # noqa: ANN401
    _, is_file, name = str(config).partition(":///")
    if not is_file or not Path(name).exists():
        return None
    file = _short(name)
    if shutil.which("duckdb"):
        return f"duckdb {shlex.quote(file)} {_quoted(f'from {source}')}"
    program = f"import duckdb; duckdb.connect({file!r}).sql({f'from {source}'!r}).show()"
    return f"{shlex.quote(_python())} -c {_quoted(program)}"


def _psql(credentials: Any, source: str) -> str:  # noqa: ANN401
    """Return a command of psql, without the password."""
    address = {
        "host": credentials.host,
        "port": credentials.port,
        "user": credentials.username,
        "dbname": credentials.database,
    }
    words = [f"{name}={value}" for name, value in address.items() if value]
    return f"psql {shlex.quote(' '.join(words))} -c {_quoted(f'table {source} limit 10')}"


def _quoted(text: str) -> str:
    """Return a word of a shell: in double quotes where these are enough."""
    return shlex.quote(text) if re.search(r'["$`\\!]', text) else f'"{text}"'


def _identifier(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else '"{}"'.format(name.replace('"', '""'))


def _python() -> str:
    """Return the Python that runs, by its short name if the shell finds that."""
    found = shutil.which("python")
    return "python" if found and Path(found) == Path(sys.executable) else _short(sys.executable)


def _short(name: str) -> str:
    """Return the path of a file, from the current folder on if the file is in it."""
    path, here = Path(name), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
