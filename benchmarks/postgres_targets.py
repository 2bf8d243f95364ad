"""Load Singer messages into PostgreSQL with target-dlt and two targets of other projects.

Every tenth text is empty, as in real tables. Each target loads the same file into its own database,
in turn, and every cell is compared. The machine is noisy: compare the ratios of one run.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psycopg2
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from interop.targets import (
    DATASET,
    Dlt,
    MeltanoLabsPostgres,
    PipelineWisePostgres,
    Target,
)
from postgres import PostgresServer, postgres_server

from benchmarks.measure import Cost, measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STREAM = "messages"
KINDS: tuple[Callable[[str], Target], ...] = (Dlt, PipelineWisePostgres, MeltanoLabsPostgres)
SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "created_at": {"type": ["string", "null"], "format": "date-time"},
        "text": {"type": ["string", "null"]},
        "author": {"type": ["string", "null"]},
        "score": {"type": ["number", "null"]},
        "is_read": {"type": ["boolean", "null"]},
        "parent_id": {"type": ["integer", "null"]},
    },
}
#: The same columns of each table, without those that a target adds. An empty text may be null.
SUM = f"""
select count(*), md5(string_agg(concat_ws('|',
    id, created_at::timestamptz, coalesce(text, ''), coalesce(author, 'null'), score::float8,
    is_read, coalesce(parent_id, -1)
), E'\\n' order by id)) from {DATASET}.{STREAM}
"""  # noqa: S608 - names of this program

console = Console(width=120)


def messages(count: int) -> Iterator[str]:
    """Yield the lines of a tap."""
    schema = {"type": "SCHEMA", "stream": STREAM, "schema": SCHEMA, "key_properties": ["id"]}
    yield json.dumps(schema)
    for number in range(count):
        second = f"{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
        record = {
            "id": number,
            "created_at": f"2025-01-{number % 28 + 1:02d}T{second}.123456Z",
            "text": f"Grüße, where is my parcel number {number}?" if number % 10 else "",
            "author": f"agent {number % 97}" if number % 5 else None,
            "score": number / 8,
            "is_read": number % 2 == 0,
            "parent_id": number // 2 if number % 3 else None,
        }
        yield json.dumps({"type": "RECORD", "stream": STREAM, "record": record})
    yield json.dumps({"type": "STATE", "value": {"bookmarks": {STREAM: {"id": count}}}})


def loaded(
    kind: Callable[[str], Target], lines: Path, folder: Path, server: PostgresServer
) -> tuple[str, Cost, tuple[int, str]]:
    """Load the lines with a target. Return its name, its cost, and the rows of the table."""
    with server.database() as url:
        target = kind(url)
        config = folder / "config.json"
        config.write_text(json.dumps(target.config))
        command = [target.path, "--config", str(config)]
        with lines.open("rb") as given, (folder / "out").open("wb") as out:
            cost = measured(command, memory=False, stdin=given, stdout=out, stderr=out)
        if cost.code:
            raise SystemExit((folder / "out").read_text())
        with (
            closing(psycopg2.connect(url, options="-c timezone=UTC")) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(SUM)
            return target.name, cost, cursor.fetchall()[0]


def main() -> None:
    """Measure, and print the seconds and their ratio to target-dlt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    costs: dict[str, list[Cost]] = {}
    found: dict[str, tuple[int, str]] = {}
    with TemporaryDirectory() as name, postgres_server() as server:
        lines = Path(name) / "lines"
        lines.write_text("".join(f"{line}\n" for line in messages(arguments.records)))
        for _ in range(arguments.rounds):
            for kind in KINDS:
                target, cost, found[target] = loaded(kind, lines, Path(name), server)
                costs.setdefault(target, []).append(cost)
    table = Table()
    for column in ("target", "seconds", "least", "CPU s", "times ours", "rows", "md5 of all cells"):
        table.add_column(column)
    ours = [cost.seconds for cost in costs["target-dlt"]]
    for target, of_target in costs.items():
        seconds = [cost.seconds for cost in of_target]
        ratio = median(other / own for other, own in zip(seconds, ours, strict=True))
        table.add_row(
            target,
            f"{median(seconds):.1f}",
            f"{min(seconds):.1f}",
            f"{median(cost.cpu for cost in of_target):.1f}",
            f"{ratio:.2f}",
            f"{found[target][0]:,}",
            found[target][1][:8],
        )
    console.print(table)


if __name__ == "__main__":
    main()
