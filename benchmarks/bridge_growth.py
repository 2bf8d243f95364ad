"""How the bridge scales with the number of records, streams, and STATE and SCHEMA lines.

A separate process loads each case into a new DuckDB file, up to a time limit. Linear growth means
the same records/s for every size in a group: the last column shows how many times longer a case
took.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.measure import Cost, measured
from benchmarks.singer_data import STREAM, write_one_stream, write_repeating, write_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).parent
RECORDS_A_STREAM = 100
NO_STATE = sys.maxsize
SIZES = {
    "records": (100_000, 300_000, 1_000_000),
    "streams": (100, 1_000, 10_000),
    "interleaved": (100, 300),
    "repeating": (100_000,),
}

console = Console(width=140)


@dataclass(frozen=True, slots=True)
class Case:
    """One file of messages to load.

    Attributes:
        group: Cases with the same group are compared with the first of them.
        title: A description of the file.
        streams: The names of the streams.
        records: The number of records in all streams.
        write: A function that writes the file.
    """

    group: str
    title: str
    streams: Sequence[str]
    records: int
    write: Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a case.

    Attributes:
        seconds: The duration of the load, or of the whole process if it was stopped.
        cost: The cost of the whole process.
        problem: Why the case does not count; empty if every record is in its table.
    """

    seconds: float
    cost: Cost
    problem: str


def one_stream(count: int) -> Case:
    """Return a case with one stream."""
    return Case(
        "a", f"{count:,} records", [STREAM], count, lambda path: write_one_stream(path, count)
    )


def many_streams(count: int, *, interleaved: bool) -> Case:
    """Return a case with many streams."""
    streams = [f"stream_{number:05d}" for number in range(count)]
    return Case(
        "c" if interleaved else "b",
        f"{count:,} streams of {RECORDS_A_STREAM}, " + ("by turns" if interleaved else "in a row"),
        streams,
        count * RECORDS_A_STREAM,
        lambda path: write_streams(path, streams, RECORDS_A_STREAM, interleaved=interleaved),
    )


def plain(count: int) -> Case:
    """Return a case with records alone, to compare with `repeating`."""
    title = f"{count:,} records, no STATE"
    return Case(
        "d",
        title,
        [STREAM],
        count,
        lambda path: write_one_stream(path, count, state_every=NO_STATE),
    )


def repeating(count: int) -> Case:
    """Return a case with a STATE and a SCHEMA before each record."""
    title = f"{count:,} records, each with a STATE and a SCHEMA"
    return Case("d", title, [STREAM], count, lambda path: write_repeating(path, count))


def cases(arguments: argparse.Namespace) -> Iterator[Case]:
    """Yield the requested cases, the smallest of each group first."""
    yield from map(one_stream, arguments.records)
    for count in arguments.streams:
        yield many_streams(count, interleaved=False)
    for count in arguments.interleaved:
        yield many_streams(count, interleaved=True)
    for count in arguments.repeating:
        yield plain(count)
        yield repeating(count)


def run(case: Case, variant: str, time_limit: float) -> Result:
    """Load a case, and count the rows."""
    with TemporaryDirectory(prefix="bridge-growth-") as temporary:
        folder = Path(temporary)
        source, report, errors = folder / "input.jsonl", folder / "report", folder / "stderr"
        case.write(source)
        (folder / "streams.json").write_text(json.dumps(case.streams))
        command = [sys.executable, str(HERE / "bridge_variants.py"), variant, str(source)]
        with report.open("wb") as printed, errors.open("wb") as said:
            cost = measured(
                [*command, temporary], stdout=printed, stderr=said, time_limit=time_limit
            )
        if cost.code is None:
            return Result(cost.seconds, cost, "stopped")
        if cost.code:
            last = errors.read_text(errors="replace").strip().splitlines()[-1:]
            return Result(cost.seconds, cost, f"exit code {cost.code}: {''.join(last)[:200]}")
        seconds = json.loads(report.read_text().splitlines()[-1])["seconds"]
        rows = rows_loaded(folder / "warehouse.duckdb", case.streams)
        problem = "" if rows == case.records else f"{rows:,} rows"
        return Result(seconds, cost, problem)


def rows_loaded(database: Path, streams: Sequence[str]) -> int:
    """Return the number of rows of all streams."""
    with duckdb.connect(str(database), read_only=True) as connection:
        counts = [
            connection.execute(f"select count(*) from bench.{stream}").fetchall()[0][0]  # noqa: S608
            for stream in streams
        ]
    return sum(counts)


def main() -> None:
    """Run the cases, and print their table row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, sizes in SIZES.items():
        parser.add_argument(f"--{name}", type=int, nargs="*", default=sizes)
    parser.add_argument("--variant", default="run", choices=("run", "load"))
    parser.add_argument("--time-limit", type=float, default=300, help="maximum seconds per case")
    arguments = parser.parse_args()

    table = Table(title=f"bridge, {arguments.variant}(), merge into DuckDB", title_justify="left")
    for column in ("case", "seconds", "records/s", "CPU s", "peak MiB", "times linear"):
        table.add_column(column, justify="left" if column == "case" else "right")
    first: dict[str, float] = {}  # seconds per record in the first case of a group
    stopped: set[str] = set()
    for case in cases(arguments):
        if case.group in stopped:
            table.add_row(case.title, "not tried")
            continue
        console.print(f"{case.title} ...")
        result = run(case, arguments.variant, arguments.time_limit)
        each = result.seconds / case.records
        times = f"{each / first.setdefault(case.group, each):.2f}"
        if result.problem:
            stopped.add(case.group)
            times = result.problem
        table.add_row(
            case.title,
            f"{'> ' if result.cost.code is None else ''}{result.seconds:.2f}",
            "" if result.problem else f"{1 / each:,.0f}",
            f"{result.cost.cpu:.1f}",
            f"{result.cost.peak:,.0f}",
            times,
        )
    console.print(table)


if __name__ == "__main__":
    main()
