"""`make kills`: kill every way of loading at random times, and write the table of docs/kills.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from demo import MELTANO, ROOT, installing
from killing import counting
from killing.trials import Undisturbed, Verdict, killed, undisturbed
from killing.ways import TARGET_DUCKDB, WAYS, Append, Trial
from running import full_config, is_built_in

from tap_chat.sandbox import Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from killing.ways import Way

PAGE = Path(__file__).parent.parent / "docs" / "kills.md"
BEGIN, END = "<!-- kills: begin -->\n", "<!-- kills: end -->"
WORLD = World(messages=800, users=40, conversations=80, dixa_conversations=400, chats=200)
LATENCY = 0.02
HEAD = """\
| way | signal | kills | killed twice | lost | twice | ahead | wrong | most reruns |
|---|---|---:|---:|---:|---:|---:|---:|---:|
"""


def rows_of(way: Way, sandbox: Sandbox) -> dict[str, int]:
    """Return the number of rows that each stream must have."""
    if isinstance(way, Append):
        return {stream: len(rows) for stream, rows in counting.truth().items()}
    rows = sandbox.world.rows
    return {stream: count for stream, count in rows.items() if is_built_in(stream)}


def trials(way: Way, sandbox: Sandbox, numbers: range, workers: int) -> Iterator[Verdict]:
    """Kill a way of loading once per number, and yield the verdicts."""
    config = full_config(sandbox)
    calm: Undisturbed = undisturbed(way, config, rows_of(way, sandbox))
    print(f"{way.name}: {calm.seconds:.1f} s undisturbed", flush=True)

    def one(number: int) -> Verdict:
        with Trial.beginning(config) as trial:
            return killed(way, trial, calm, number)

    with ThreadPoolExecutor(workers) as pool:
        for number, verdict in zip(numbers, pool.map(one, numbers), strict=True):
            if not verdict.good:
                print(f"{way.name} {number}: {verdict}", flush=True)
            yield verdict


def lines(way: Way, verdicts: list[Verdict]) -> Iterator[str]:
    """Yield the rows of a way in the table, one per signal."""
    for signum in sorted({verdict.kills[0].signum for verdict in verdicts}):
        of_signal = [verdict for verdict in verdicts if verdict.kills[0].signum == signum]
        cells = [
            way.title,
            signum.name,
            len(of_signal),
            sum(len(verdict.kills) > 1 for verdict in of_signal),
            sum(verdict.lost for verdict in of_signal),
            sum(verdict.twice for verdict in of_signal),
            sum(verdict.ahead for verdict in of_signal),
            sum(len(verdict.wrong) for verdict in of_signal),
            max(verdict.runs for verdict in of_signal),
        ]
        yield f"| {' | '.join(map(str, cells))} |\n"


def install() -> None:
    """Install target-duckdb with Meltano, unless it is installed."""
    with installing():
        if not TARGET_DUCKDB.exists():
            subprocess.run([*MELTANO, "install", "loader", "target-duckdb"], cwd=ROOT, check=True)


def main() -> int:
    """Kill all ways. Return 0 if all verdicts are good."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40, help="number of kills per way (40)")
    parser.add_argument("--first", type=int, default=0, help="number of the first kill (0)")
    parser.add_argument("--ways", nargs="+", default=[way.name for way in WAYS])
    parser.add_argument("--workers", type=int, default=2, help="trials at the same time (2)")
    parser.add_argument("--write", action="store_true", help="write the table into the page")
    args = parser.parse_args()
    install()
    numbers = range(args.first, args.first + args.kills)
    table, good = HEAD, True
    with Sandbox(WORLD, Options(latency=LATENCY)) as sandbox:
        for way in WAYS:
            if way.name in args.ways:
                verdicts = list(trials(way, sandbox, numbers, args.workers))
                good = good and all(verdict.good for verdict in verdicts)
                table += "".join(lines(way, verdicts))
    print(table)
    if args.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
