"""The work that people wait for, each next to its rival or its bound, in one run as Markdown.

It takes about ten minutes on two cores that nothing else uses. Programs that are compared take
turns, and the best of a few rounds counts. `--only` runs some of the goals.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import duckdb
from demo import config_of, sandbox
from interop.environments import program
from postgres import postgres_server

from benchmarks import bridge_growth, bridge_speed, fan_out, platforms, postgres_targets, records
from benchmarks.measure import measured
from benchmarks.singer_data import expected, write_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LATENCY = 0.1
STREAMS = [f"stream_{number:02d}" for number in range(15)]
RECORDS_A_STREAM = 333
MANY = 1000
RECORDS = 500_000
RIVAL_RECORDS = 100_000
MESSAGES = 100_000

# The goals: seconds of lists and of many tables, requests per second, and ratios.
OFFSETS_SECONDS, WINDOWS_SECONDS, MANY_SECONDS = 2.5, 3.0, 25.0
TREE_RATE, DECODED_RATE = 600, 90_000.0
MERGE_SHARE, MAPPED_TIMES, POSTGRES_TIMES = 0.5, 3, 5


@dataclass(frozen=True, slots=True)
class Row:
    """One goal.

    Attributes:
        work: What is done.
        ours: What it takes.
        rival: What a rival takes, or the bound.
        goal: The goal.
        is_reached: Whether it is reached.
    """

    work: str
    ours: str
    rival: str
    goal: str
    is_reached: bool

    @property
    def line(self) -> str:
        """The row as Markdown."""
        reached = "yes" if self.is_reached else "**no**"
        return f"| {self.work} | {self.ours} | {self.rival} | {self.goal} | {reached} |"


def lists(rounds: int) -> Iterator[Row]:
    """Lists by offset, and windows."""
    with sandbox("--messages=10000", "--chats=2000", "--livechat-version=2") as url:
        whole = config_of(url)
        for section, name, least, goal in (
            ("chat", "100 pages by offset", 100 * LATENCY / 16, OFFSETS_SECONDS),
            ("livechat", "LiveChat's v2, 2,000 chats", 136 * LATENCY / 16, WINDOWS_SECONDS),
        ):
            config = {"start_date": whole["start_date"], section: whole[section]}
            platforms.steer(url, latency=LATENCY)
            runs = [platforms.run({**config, "max_workers": 16}) for _ in range(rounds)]
            seconds, count, *_ = min(runs)
            yield Row(
                f"{name} at 100 ms, 16 workers: {count:,} records",
                f"{seconds:.1f} s",
                f"Little's law {least:.2f} s",
                f"<= {goal:g} s",
                seconds <= goal,
            )


def small(rounds: int) -> Iterator[Row]:
    """A small daily run of a target."""
    theirs, ours = bridge_speed.TARGET, bridge_speed.OURS
    seconds: dict[str, list[float]] = {theirs: [], ours: []}
    with TemporaryDirectory() as name:
        folder = Path(name)
        lines = folder / "lines"
        write_streams(lines, STREAMS, RECORDS_A_STREAM, interleaved=False)
        for number in range(rounds + 2):
            for target, found in seconds.items():
                found.append(_small_load(target, lines, folder / f"{target}-{number}.duckdb"))
    best = {target: min(found) for target, found in seconds.items()}
    yield Row(
        f"{len(STREAMS)} streams, {len(STREAMS) * RECORDS_A_STREAM:,} records, from a file",
        f"target-dlt {best[ours]:.2f} s",
        f"target-duckdb {best[theirs]:.2f} s",
        "<= 1 of target-duckdb",
        best[ours] <= best[theirs],
    )


def _small_load(target: str, lines: Path, database: Path) -> float:
    config = database.with_suffix(".json")
    config.write_text(json.dumps(bridge_speed.settings_of(target, database)))
    own = str(Path(sys.executable).parent / target)
    path = program(target, target) if target == bridge_speed.TARGET else own
    with lines.open("rb") as given, database.with_suffix(".out").open("wb") as out:
        cost = measured(
            [path, "--config", str(config)], memory=False, stdin=given, stdout=out, stderr=out
        )
    with duckdb.connect(str(database), read_only=True) as connection:
        for stream in STREAMS:
            query = f"select count(*) from {bridge_speed.SCHEMA_NAME}.{stream}"  # noqa: S608
            if connection.execute(query).fetchall() != [(RECORDS_A_STREAM,)]:
                raise SystemExit(f"{target} has lost rows of {stream}.")
    return cost.seconds


def tree(rounds: int) -> Iterator[Row]:
    """Freshchat's tree."""
    with sandbox("--users=1000", "--conversations=3000") as url, TemporaryDirectory() as folder:
        command = fan_out.Bench(url, Path(folder)).tap(64, items_per_page=20)
        runs = []
        for _ in range(rounds):
            before = fan_out.steer(url, latency=LATENCY, rate_limit=None)["requests"]
            with Path(folder, "out").open("wb") as out, Path(folder, "err").open("wb") as err:
                cost = measured(command, memory=False, stdout=out, stderr=err)
            runs.append((fan_out.steer(url)["requests"] - before) / cost.seconds)
            requests = round(runs[-1] * cost.seconds)
    yield Row(
        f"Freshchat's tree, {requests:,} requests at 100 ms, 64 workers",
        f"{max(runs):.0f}/s, start to end",
        f"Little's law {64 / LATENCY:.0f}/s",
        f">= {TREE_RATE}/s",
        max(runs) >= TREE_RATE,
    )


def many(_: int) -> Iterator[Row]:
    """Many tables."""
    case = bridge_growth.many_streams(MANY, interleaved=False)
    result = bridge_growth.run(case, "load", time_limit=200)
    yield Row(
        f"{MANY:,} streams of 100 records, `load()`{result.problem and f': {result.problem}'}",
        f"{result.seconds:.1f} s",
        "",
        f"<= {MANY_SECONDS:.0f} s",
        result.seconds <= MANY_SECONDS and not result.problem,
    )


def merge(rounds: int) -> Iterator[Row]:
    """A merge into DuckDB."""
    best: dict[str, bridge_speed.Result] = {}
    known = expected(RECORDS)
    with TemporaryDirectory() as folder:
        for _ in range(rounds + 1):
            for variant in (bridge_speed.LIMIT, "merge"):
                source = bridge_speed.made(Path(folder), variant, RECORDS)
                found = bridge_speed.run(variant, source, known, "")
                best[variant] = min(
                    best.get(variant, found), found, key=lambda result: result.seconds
                )
    ours, limit = best["merge"], best[bridge_speed.LIMIT]
    share = limit.seconds / ours.seconds
    yield Row(
        f"{RECORDS:,} records merged into DuckDB{ours.wrong and f', not exact: {ours.wrong}'}",
        f"{ours.seconds:.2f} s, {ours.cost.cpu:.1f} s of CPU",
        f"`read_json` {limit.seconds:.2f} s, {limit.cost.cpu:.1f} s of CPU",
        f">= {MERGE_SHARE} of `read_json`: {share:.2f}",
        share >= MERGE_SHARE and not ours.wrong,
    )


def decoded(rounds: int) -> Iterator[Row]:
    """Records that must be decoded."""
    paths = ("plain", "decoded", "mapped")
    best = {path: float("inf") for path in paths}
    for _ in range(rounds):
        for path in paths:
            run = records.measured(f"chat {path}", str(MESSAGES))
            best[path] = min(best[path], run.seconds)
    plain = MESSAGES / best["plain"]
    for path, what, goal in (
        ("decoded", "an undeclared field", DECODED_RATE),
        ("mapped", "a stream map", MAPPED_TIMES * plain),
    ):
        rate = MESSAGES / best[path]
        yield Row(
            f"records with {what}, of CPU",
            f"{rate:,.0f}/s",
            f"plain SDK tap {plain:,.0f}/s ({rate / plain:.1f} times)",
            f">= {MAPPED_TIMES} times plain" if path == "mapped" else f">= {goal:,.0f}/s",
            rate >= goal,
        )


def postgres(rounds: int) -> Iterator[Row]:
    """Loads into PostgreSQL: the first, and another with all rows changed."""
    runs = [("bridge", RECORDS), ("target-dlt", RECORDS), (postgres_targets.RIVAL, RIVAL_RECORDS)]
    rates: dict[str, list[list[float]]] = {}
    wrong = ""
    with TemporaryDirectory() as folder, postgres_server() as server:
        for number in range(rounds):
            for variant, count in runs[: 3 if number == 0 else 2]:
                found = postgres_targets.loads(variant, count, Path(folder), server)
                rates.setdefault(variant, []).append([result.rate for result in found])
                wrong += "".join(result.wrong for result in found)
    first, second = (
        {variant: max(rate[load] for rate in found) for variant, found in rates.items()}
        for load in (0, 1)
    )
    for what, of in (("", first), (", all rows changed", second)):
        times = of["target-dlt"] / of[postgres_targets.RIVAL]
        yield Row(
            f"{RECORDS:,} records into PostgreSQL{what}{wrong and f', not exact: {wrong}'}",
            f"target-dlt {of['target-dlt']:,.0f}/s; `run()` {of['bridge']:,.0f}/s",
            f"target-postgres {of[postgres_targets.RIVAL]:,.0f}/s",
            f">= {POSTGRES_TIMES} times: {times:.1f}",
            times >= POSTGRES_TIMES and not wrong,
        )


GOALS: dict[str, Callable[[int], Iterator[Row]]] = {
    "lists": lists,
    "small": small,
    "tree": tree,
    "many": many,
    "merge": merge,
    "decoded": decoded,
    "postgres": postgres,
}


def main() -> None:
    """Measure the goals, and print each as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--rounds", type=int, default=2)
    arguments: Any = parser.parse_args()
    print("| work | ours | rival or bound | goal | reached |\n|---|---|---|---|---|", flush=True)
    for name in arguments.only:
        for row in GOALS[name](arguments.rounds):
            print(row.line, flush=True)


if __name__ == "__main__":
    main()
