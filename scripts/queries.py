"""Write the results of the recipes in docs/queries.md, as they come from the sandbox.

`make queries` runs it; a test fails if it would change the page.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dlt
from rich.cells import cell_len, set_cell_size

from tap_chat.sandbox import DIALECTS, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PAGE = ROOT / "docs" / "queries.md"
FOLDER = ROOT / "examples" / "queries"
DATASET = "tap_chat_dataset"
#: The recipes, and how many rows of its result the page shows; 0 for all.
RECIPES = {
    "first_response": 0,
    "satisfaction": 0,
    "volume_by_day": 5,
    "volume_by_hour": 5,
    "backlog": 5,
    "time_to_close": 0,
    "conversation_text": 0,
    "times": 0,
    "workload": 5,
    "reopened": 0,
    "hidden": 0,
}
#: Streams that a section reads by option, and the settings that speed up the sandbox.
CHANGES: Mapping[str, dict[str, Any]] = {
    "freshchat": {
        "extra_streams": ["freshchat_csat_scores", "freshchat_conversation_events"],
        "reports_per_minute": 60_000,
    },
}
#: The most characters of a cell.
WIDTH = 48
Result = tuple[list[str], list[tuple[Any, ...]]]


def tables() -> list[str]:
    """Return the tables that the views read."""
    sql = "".join(path.read_text() for path in sorted(FOLDER.glob("views/*.sql")))
    read = set(re.findall(r"\b(?:from|join) ([a-z]+_\w+)\b(?!\()", sql))
    return sorted(name for name in read if not name.startswith("all_"))


def load(sandbox: Sandbox, folder: Path, destination: str, credentials: str) -> None:
    """Load the tables of the recipes with `dlt singer run`, and create the views.

    Args:
        sandbox: The sandbox.
        folder: An empty folder to run in.
        destination: `duckdb` or `postgres`.
        credentials: The DuckDB file, or the URL.
    """
    sections = {
        dialect.name: {
            **dialect.config_of(sandbox.url, sandbox.world),
            **CHANGES.get(dialect.name, {}),
        }
        for dialect in DIALECTS
    }
    dates = {"start_date": "2025-09-01", "end_date": sandbox.world.now.isoformat()}
    (folder / "config.json").write_text(json.dumps({**dates, **sections}))
    there = ["--destination", destination, "--credentials", credentials, "--dataset", DATASET]
    run = [str(BIN / "dlt"), "singer", "run", "tap-chat", "--config", "config.json", *there]
    run += ["--pipelines-dir", str(folder / "pipelines"), "--select", *tables()]
    create = [sys.executable, str(FOLDER / "create_views.py"), *there]
    for command in (run, create):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)


def results(destination: str, credentials: str) -> dict[str, Result]:
    """Return the columns and rows of each recipe."""
    made = getattr(dlt.destinations, destination)(credentials=credentials)
    found: dict[str, Result] = {}
    with dlt.dataset(made, DATASET).sql_client as client:
        for name in RECIPES:
            with client.execute_query((FOLDER / f"{name}.sql").read_text()) as cursor:
                found[name] = [column[0] for column in cursor.description], cursor.fetchall()
    return found


def page(found: Mapping[str, Result]) -> str:
    """Return the text of the page with these results."""
    text = PAGE.read_text()
    for name, (columns, rows) in found.items():
        begin, end = f"<!-- result of {name}: begin -->\n", f"<!-- result of {name}: end -->"
        before, begun, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not (begun and ended):
            message = f"docs/queries.md lacks the markers of {name}"
            raise ValueError(message)
        text = before + begin + table(columns, rows, RECIPES[name]) + end + after
    return text


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], limit: int) -> str:
    """Return a result as a block of text; numbers are on the right."""
    shown = rows[:limit] if limit else rows
    lines = [list(columns), *([cell(value) for value in row] for row in shown)]
    widths = [max(map(cell_len, texts)) for texts in zip(*lines, strict=True)]
    numeric = [
        all(isinstance(row[at], (int, Decimal)) for row in shown) for at in range(len(columns))
    ]
    text = "".join(
        "  ".join(
            " " * (width - cell_len(text)) + text if is_number else set_cell_size(text, width)
            for text, width, is_number in zip(line, widths, numeric, strict=True)
        ).rstrip()
        + "\n"
        for line in [lines[0], ["-" * width for width in widths], *lines[1:]]
    )
    rest = "...\n" if len(shown) < len(rows) else ""
    return f"```{{code-block}} text\n{text}{rest}```\n"


def cell(value: object) -> str:
    """Return a value as the page shows it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    text = " ".join(str(value).split())
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."


def main() -> None:
    """Write the page."""
    with TemporaryDirectory() as folder, Sandbox(World()) as sandbox:
        file = str(Path(folder) / "chats.duckdb")
        load(sandbox, Path(folder), "duckdb", file)
        PAGE.write_text(page(results("duckdb", file)))


if __name__ == "__main__":
    main()
