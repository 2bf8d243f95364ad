"""Load Singer messages into PostgreSQL with the bridge, two targets of other projects, and dlt.

Each loads the same file of `singer_data.py` into its own database, and then a file in which all
rows have changed. SQL checks the table after each load. The others are slow, so they load fewer
records; the bridge also loads that many, in turn with them. Compare the ratios of one run.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psycopg2
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from interop.targets import DATASET, Dlt, MeltanoLabsPostgres, PipelineWisePostgres, Target
from postgres import PostgresServer, postgres_server

from benchmarks.measure import Cost, measured, saved
from benchmarks.singer_data import STREAM, Expected, expected, write_one_stream

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
TARGETS: dict[str, Callable[[str], Target]] = {
    "target-dlt": Dlt,
    "meltanolabs": MeltanoLabsPostgres,
    "pipelinewise": PipelineWisePostgres,
}
#: Programs of `bridge_variants.py`.
VARIANTS = {"bridge": "run", "dicts": "naive"}
TITLES = {
    "bridge": "the bridge, `run()`",
    "target-dlt": "target-dlt",
    "meltanolabs": "target-postgres (MeltanoLabs)",
    "pipelinewise": "target-postgres (PipelineWise)",
    "dicts": "`json.loads`, dicts to dlt",
}
#: They load all records, and the others fewer.
OURS = ("bridge", "target-dlt")
RIVAL = "meltanolabs"
#: The seeds of the first file, and of the file with the same keys and other values.
SEEDS = (1, 2)
HEAD = (
    "| into PostgreSQL | records | first load, s | all rows changed, s | CPU s | times"
    " target-postgres | exact |"
)

console = Console(width=120)


@dataclass(frozen=True, slots=True)
class Result:
    """One load.

    Attributes:
        cost: What the process took.
        seconds: What the load took; without imports for programs of `bridge_variants.py`.
        records: The records in the file.
        wrong: What is wrong in the table; empty if all is exact.
    """

    cost: Cost
    seconds: float
    records: int
    wrong: str

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds


def loads(variant: str, count: int, folder: Path, server: PostgresServer) -> list[Result]:
    """Load both files into a new database.

    Args:
        variant: What loads them.
        count: The number of records in each file.
        folder: The folder with the files.
        server: The server of the database.
    """
    with server.database() as url, TemporaryDirectory(dir=folder) as name:
        load = partial(_loaded, variant, url, Path(name))
        return [load(_file(folder, count, seed), expected(count, seed)) for seed in SEEDS]


def _file(folder: Path, count: int, seed: int) -> Path:
    path = folder / f"{count}-{seed}.jsonl"
    if not path.exists():
        write_one_stream(path, count, seed=seed)
    return path


def _loaded(variant: str, url: str, folder: Path, source: Path, known: Expected) -> Result:
    if variant in TARGETS:
        target = TARGETS[variant](url)
        config = folder / "config.json"
        config.write_text(json.dumps(target.config))
        command = [target.path, "--config", str(config)]
    else:
        program = str(HERE / "bridge_variants.py")
        command = [sys.executable, program, VARIANTS[variant], str(source), str(folder), url]
    output, errors = folder / "out", folder / "err"
    with source.open("rb") as given, output.open("wb") as out, errors.open("wb") as err:
        cost = measured(command, memory=False, stdin=given, stdout=out, stderr=err)
    if cost.code:
        raise SystemExit(f"{TITLES[variant]} failed:\n{errors.read_text()[-2000:]}")
    seconds = cost.seconds
    if variant in VARIANTS:
        seconds = json.loads(output.read_text().splitlines()[-1])["seconds"]
    return Result(cost, seconds, known.count, _wrong(url, DATASET, known))


def _wrong(url: str, schema: str, known: Expected) -> str:
    """Return what is wrong with the table; nothing if it is exact."""
    query = f"select count(*), sum(score), max(seq) from {schema}.{STREAM}"  # noqa: S608
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        [(count, score, seq)] = cursor.fetchall()
    right = {
        "count": count == known.count,
        "decimals": Decimal(score) == known.score,
        "integers": int(seq) == known.seq,
    }
    return ", ".join(name for name, is_right in right.items() if not is_right)


def main() -> None:
    """Measure, and print the best seconds of each load as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000, help="records for the bridge")
    parser.add_argument("--rival-records", type=int, default=100_000, help="records for all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--variants", nargs="+", choices=TITLES, default=[*OURS, "meltanolabs", "dicts"]
    )
    parser.add_argument("--save", action="store_true", help="save the rates for plot.py")
    arguments = parser.parse_args()
    few, many = arguments.rival_records, arguments.records
    runs = [(variant, few) for variant in arguments.variants]
    runs += [(variant, many) for variant in arguments.variants if variant in OURS and many != few]
    best: dict[tuple[str, int], list[Result]] = {}
    with TemporaryDirectory(prefix="postgres-targets-") as name, postgres_server() as server:
        for _ in range(arguments.rounds):
            for run in runs:
                new = loads(*run, Path(name), server)
                pairs = zip(best.get(run, new), new, strict=True)
                best[run] = [min(pair, key=lambda result: result.seconds) for pair in pairs]
    console.print(shown(best), soft_wrap=True)
    if arguments.save:
        rows = [
            {"run": TITLES[variant], "records": count, "rate": round(results[0].rate)}
            for (variant, count), results in best.items()
        ]
        saved("postgres", rows)


def shown(best: dict[tuple[str, int], list[Result]]) -> str:
    """Return the results as a Markdown table."""
    lines = [HEAD, "|---|---:|---:|---:|---:|---:|---|"]
    rivals = next((found for (variant, _), found in best.items() if variant == RIVAL), None)
    for (variant, count), results in best.items():
        pairs = zip(results, rivals or (), strict=False)
        ratios = ", ".join(f"{ours.rate / theirs.rate:.1f}" for ours, theirs in pairs)
        seconds = " | ".join(f"{result.seconds:.1f}" for result in results)
        cpu = ", ".join(f"{result.cost.cpu:.1f}" for result in results)
        wrong = ", ".join(sorted({result.wrong for result in results if result.wrong}))
        lines.append(
            f"| {TITLES[variant]} | {count:,} | {seconds} | {cpu} | {ratios} |"
            f" {f'not the {wrong}' if wrong else 'yes'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
