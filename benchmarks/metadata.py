"""Merge the same messages with and without the load metadata of rows: what do its columns cost?

Each round loads a file into a new database and merges it again, which replaces all rows. The two
variants take turns in processes of their own. The machine is noisy: the median of the ratios of
neighbours counts, and the CPU seconds of the load (with those of PostgreSQL's server left out).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import dlt
from postgres import postgres_server

from benchmarks.singer_data import STREAM, catalog, write_one_stream
from dlt_bridge import singer
from dlt_bridge.postgres import postgres


def loaded(source: Path, url: str, *, wanted: bool) -> dict[str, float]:
    """Load a file twice; return the seconds and CPU seconds of the second load, the merge."""
    with TemporaryDirectory(dir=source.parent) as folder:
        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=folder,
            destination=postgres(url) if url else dlt.destinations.duckdb(f"{folder}/w.duckdb"),
            dataset_name="with_metadata" if wanted else "without",
        )
        for _ in range(2):
            start, cpu = time.perf_counter(), _cpu()
            with source.open("rb") as lines:
                options: dict[str, Any] = {"catalog": catalog([STREAM]), "name": "bench"}
                pipeline.run(singer(lines, add_record_metadata=wanted, **options))
        found = {"seconds": time.perf_counter() - start, "cpu": _cpu() - cpu}
        if url:
            with pipeline.sql_client() as client:
                client.drop_dataset()
        return found


def _cpu() -> float:
    """Return the CPU seconds of this process and the processes that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def run(source: Path, url: str, *, wanted: bool) -> dict[str, float]:
    """Return what `loaded` returns in a process of its own."""
    command = [sys.executable, __file__, "--one", str(source), url, str(int(wanted))]
    found: dict[str, float] = json.loads(subprocess.check_output(command))
    return found


def main() -> None:
    """Measure one destination, and print a row of a Markdown table."""
    if sys.argv[1:2] == ["--one"]:
        source, url, wanted = sys.argv[2:]
        print(json.dumps(loaded(Path(source), url, wanted=wanted == "1")))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--destination", choices=("duckdb", "postgres"), default="duckdb")
    args = parser.parse_args()
    with ExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="metadata-")))
        url = ""
        if args.destination == "postgres":
            server = held.enter_context(postgres_server())
            url = held.enter_context(server.database())
        write_one_stream(folder / "lines.jsonl", args.records)
        pairs = []
        for number in range(args.rounds):
            # Who is first takes turns, too.
            order = (True, False) if number % 2 else (False, True)
            found = {wanted: run(folder / "lines.jsonl", url, wanted=wanted) for wanted in order}
            pairs.append((found[False], found[True]))
    print("| destination | records | merge, s | with metadata, s | times | CPU s, times |")
    print("|---|---:|---:|---:|---:|---:|")
    before, after = (median(pair[which]["seconds"] for pair in pairs) for which in (0, 1))
    ratios = [
        median(having[unit] / lacking[unit] for lacking, having in pairs)
        for unit in ("seconds", "cpu")
    ]
    print(
        f"| {args.destination} | {args.records:,} | {before:.2f} | {after:.2f}"
        f" | {ratios[0]:.3f} | {ratios[1]:.3f} |"
    )


if __name__ == "__main__":
    main()
