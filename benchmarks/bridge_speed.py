"""Load Singer messages into DuckDB with the bridge and others: seconds, memory, exactness.

Each variant loads the same file in a separate process, in turn. The machine is noisy: compare the
ratios of one run. The limit is DuckDB, which reads the JSON itself. Sampling the memory takes time,
so it has its own round after the timed ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.measure import Cost, measured, saved
from benchmarks.singer_data import KEYS, SCALE, STREAM, Expected, expected, write_one_stream

HERE = Path(__file__).parent
ROOT = HERE.parent
SCHEMA_NAME = "bench"
# `meltano install` installs it, with a DuckDB that loses no rows: see meltano.yml.
TARGET_DUCKDB = ROOT / ".meltano/loaders/target-duckdb/venv/bin/target-duckdb"
TARGET = "target-duckdb"
OURS = "target-dlt"
NAIVE = "naive"
LIMIT = "limit"
APPEND = "append"

TITLES = {
    LIMIT: "limit: DuckDB's read_json",
    "merge": "bridge, merge",
    APPEND: "bridge, append",
    "load": "bridge, load() with checkpoints",
    OURS: "target-dlt",
    TARGET: "target-duckdb",
    NAIVE: "json.loads, dicts to dlt, merge",
}
PROGRAMS = {
    LIMIT: ["read_json.py"],
    "merge": ["bridge_variants.py", "run"],
    APPEND: ["bridge_variants.py", "run"],
    "load": ["bridge_variants.py", "load"],
    NAIVE: ["bridge_variants.py", "naive"],
}
DEFAULT = (LIMIT, "merge", APPEND, OURS, TARGET, NAIVE)

console = Console(width=140)


@dataclass(frozen=True, slots=True)
class Result:
    """One run of a variant.

    Attributes:
        records: The number of records in the file.
        seconds: The duration of the load; it includes imports only for targets.
        cost: The cost of the whole process.
        wrong: The errors in the table; empty if everything is exact.
        rows: The number of rows in the table.
        packages: The number of packages that dlt has loaded.
        stages: The seconds of each stage of dlt.
    """

    records: int
    seconds: float
    cost: Cost
    wrong: str
    rows: int
    packages: int = 0
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds


def made(folder: Path, variant: str, count: int) -> Path:
    """Return the file that a variant reads. Variants may share a file."""
    keys = () if variant == APPEND else KEYS
    path = folder / f"{count}{'-'.join(('', *keys))}.jsonl"
    if not path.exists():
        write_one_stream(path, count, keys=keys)
    return path


def run(
    variant: str, source: Path, known: Expected, target: str, *, memory: bool = False
) -> Result:
    """Load a file with one variant into a new database, and check its content."""
    with TemporaryDirectory(dir=source.parent) as temporary:
        folder = Path(temporary)
        database = folder / "warehouse.duckdb"
        report = folder / "report"
        with report.open("wb") as printed, (folder / "stderr").open("wb") as errors:
            if variant in {TARGET, OURS}:
                config = folder / "config.json"
                config.write_text(json.dumps(settings_of(variant, database)))
                program = target if variant == TARGET else str(Path(sys.executable).parent / OURS)
                with source.open("rb") as messages:
                    command = [program, "--config", str(config)]
                    cost = measured(
                        command, stdin=messages, stdout=printed, stderr=errors, memory=memory
                    )
            else:
                script, *words = PROGRAMS[variant]
                command = [sys.executable, str(HERE / script), *words, str(source), str(folder)]
                cost = measured(command, stdout=printed, stderr=errors, memory=memory)
        if cost.code:
            end = (folder / "stderr").read_text(errors="replace")[-2000:]
            raise SystemExit(f"{TITLES[variant]} failed with exit code {cost.code}:\n{end}")
        rows, wrong = checked(database, known)
        told: dict[str, Any] = {"seconds": cost.seconds}
        if variant in PROGRAMS:
            told = json.loads(report.read_text().splitlines()[-1])
        return Result(known.count, cost=cost, wrong=wrong, rows=rows, **told)


def settings_of(target: str, database: Path) -> dict[str, str]:
    """Return the config of a target that loads into a DuckDB file."""
    if target == TARGET:
        return {"filepath": str(database), "default_target_schema": SCHEMA_NAME}
    return {"destination": "duckdb", "credentials": str(database), "dataset_name": SCHEMA_NAME}


def checked(database: Path, known: Expected) -> tuple[int, str]:
    """Return the number of rows in the table, and its errors."""
    table = f"{SCHEMA_NAME}.{STREAM}"
    query = f"select count(*), sum(score::decimal(38, {SCALE})), max(seq) from {table}"  # noqa: S608
    with duckdb.connect(str(database), read_only=True) as connection:
        count, score, seq = connection.execute(query).fetchall()[0]
    found = {
        "count": count == known.count,
        "decimals": Decimal(score) == known.score,
        "integers": seq == known.seq,
    }
    return count, ", ".join(name for name, right in found.items() if not right)


def costs_table(results: dict[str, Result], title: str) -> Table:
    """Return the table of costs per variant."""
    table = Table(title=title, title_justify="left")
    for column in (
        "variant",
        "records",
        "seconds",
        "records/s",
        "of the limit",
        "CPU s",
        "peak MiB",
        "with children",
        "rows",
        "exact",
    ):
        table.add_column(column, justify="left" if column in {"variant", "exact"} else "right")
    top = results[LIMIT].rate if LIMIT in results else None
    for variant, result in results.items():
        table.add_row(
            TITLES[variant],
            f"{result.records:,}",
            f"{result.seconds:.2f}",
            f"{result.rate:,.0f}",
            f"{result.rate / top:.3f}" if top else "",
            f"{result.cost.cpu:.1f}",
            f"{result.cost.peak:.0f}",
            f"{result.cost.peak_with_children:.0f}",
            f"{result.rows:,}",
            f"not the {result.wrong}" if result.wrong else "yes",
        )
    return table


def stages_table(results: dict[str, Result]) -> Table:
    """Return the table of dlt's stages."""
    table = Table(title="seconds in the stages of dlt", title_justify="left")
    steps = ("extract", "normalize", "load")
    for column in ("variant", "packages", *steps, "the rest"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for variant, result in results.items():
        if result.stages:
            shown = [result.stages.get(step, 0.0) for step in steps]
            numbers = (*shown, result.seconds - sum(shown))
            texts = [f"{number:.2f}" for number in numbers]
            table.add_row(TITLES[variant], str(result.packages), *texts)
    return table


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument(
        "--naive-records",
        type=int,
        default=50_000,
        help="records for the variant `naive`, which is slow",
    )
    parser.add_argument("--repeat", type=int, default=2, help="rounds; the fastest is shown")
    parser.add_argument("--variants", nargs="+", choices=TITLES, default=DEFAULT)
    parser.add_argument("--target", default=str(TARGET_DUCKDB), help="the target-duckdb to run")
    parser.add_argument("--save", action="store_true", help="save the seconds for plot.py")
    arguments = parser.parse_args()
    variants = list(arguments.variants)
    if TARGET in variants and which(arguments.target) is None:
        console.print(
            f"Without target-duckdb: {arguments.target} does not exist. Run `meltano install`."
        )
        variants.remove(TARGET)

    counts = dict.fromkeys(variants, arguments.records)
    if NAIVE in counts:
        counts[NAIVE] = min(arguments.naive_records, arguments.records)
    best: dict[str, Result] = {}
    with TemporaryDirectory(prefix="bridge-speed-") as folder:
        files = {variant: made(Path(folder), variant, count) for variant, count in counts.items()}
        known = {count: expected(count) for count in set(counts.values())}
        for _ in range(arguments.repeat):
            for variant, count in counts.items():
                result = run(variant, files[variant], known[count], arguments.target)
                if variant not in best or result.seconds < best[variant].seconds:
                    best[variant] = result
        for variant, count in counts.items():
            seen = run(variant, files[variant], known[count], arguments.target, memory=True).cost
            best[variant] = replace(
                best[variant],
                cost=replace(
                    best[variant].cost,
                    peak=seen.peak,
                    peak_with_children=seen.peak_with_children,
                ),
            )
        size = max(file.stat().st_size for file in files.values())

    title = f"{size / 1e6:,.0f} MB of Singer messages into DuckDB, best of {arguments.repeat}"
    console.print(costs_table(best, title))
    console.print(stages_table(best))
    if arguments.save:
        seconds = {TITLES[variant]: result.seconds for variant, result in best.items()}
        rows = [{"run": run, "seconds": round(spent, 2)} for run, spent in seconds.items()]
        saved("duckdb", [{**row, "records": arguments.records} for row in rows])


if __name__ == "__main__":
    main()
