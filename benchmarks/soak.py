"""Load a large account in one run, count every row, and measure the cost during the run.

By default, the account has 100,000 conversations of Freshchat with 1,900,000 messages, and
1,000,000 messages of the messages API. Each tenth of the run is a row of the table: requests per
second, memory, threads, sockets and other open files. Leaks grow from row to row. It needs Linux,
because it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))

from demo import BIN, ROOT, config_of, sandbox

from benchmarks.fan_out import steer

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE_SECONDS = 1
ROWS = 10
KIB_PER_MIB = 1024
SCHEMA = "chats"
#: The loaders and their commands. The last discards its input, to measure the tap alone.
LOADERS = {
    "target-dlt": [str(BIN / "target-dlt")],
    "target-duckdb": [str(ROOT / ".meltano/loaders/target-duckdb/venv/bin/target-duckdb")],
    "none": [],
}


@dataclass(frozen=True)
class Sample:
    """A sample of a run.

    Attributes:
        second: The second of the run.
        requests: The number of responses so far.
        memory: The MiB of the tap, and of the loader with its child processes.
        threads: The number of threads of the tap.
        sockets: The number of sockets of the tap.
        files: The number of other open files of the tap.
    """

    second: float
    requests: int
    memory: tuple[float, float]
    threads: int
    sockets: int
    files: int


@dataclass
class Watch:
    """Samples a tap and its loader while they run.

    Attributes:
        url: The URL of the sandbox.
        processes: The tap, and the loader if there is one.
        samples: The samples so far.
    """

    url: str
    processes: Sequence[Popen[bytes]]
    samples: list[Sample] = field(default_factory=list)

    def run(self) -> float:
        """Sample until both have ended, and return the seconds."""
        begun = time.monotonic()
        for process in self.processes:
            while True:
                with suppress(TimeoutExpired):
                    process.wait(SAMPLE_SECONDS)
                    break
                # The tap may end during a sample.
                with suppress(OSError):
                    self.samples.append(self._sample(time.monotonic() - begun))
        return time.monotonic() - begun

    def _sample(self, second: float) -> Sample:
        tap = self.processes[0].pid
        # The loader continues for a while after the tap has ended.
        links = [str(link.readlink()) for link in Path(f"/proc/{tap}/fd").iterdir()]
        sockets = sum(link.startswith("socket:") for link in links)
        memory = [sum(map(resident, family(process.pid))) for process in self.processes]
        return Sample(
            second,
            steer(self.url)["requests"],
            (memory[0], sum(memory[1:])),
            len(list(Path(f"/proc/{tap}/task").iterdir())),
            sockets,
            len(links) - sockets,
        )


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def resident(pid: int) -> float:
    """Return the private memory of a process, in MiB; 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / KIB_PER_MIB
    return 0.0


def table_of(title: str, samples: Sequence[Sample]) -> Table:
    """Return the table of a run, with one row per tenth."""
    table = Table(title=title)
    for column in ("until s", "requests/s", "tap MiB", "loader MiB", "threads", "sockets", "files"):
        table.add_column(column, justify="right")
    for row in range(ROWS):
        part = samples[len(samples) * row // ROWS : len(samples) * (row + 1) // ROWS]
        first, last = part[0], part[-1]
        rate = (last.requests - first.requests) / max(last.second - first.second, 1)
        table.add_row(
            f"{last.second:.0f}",
            f"{rate:,.0f}",
            *(f"{mean(sample.memory[place] for sample in part):.0f}" for place in (0, 1)),
            *(
                str(max(getattr(sample, name) for sample in part))
                for name in ("threads", "sockets", "files")
            ),
        )
    return table


def loaded(warehouse: Path, expected: dict[str, int]) -> dict[str, int]:
    """Return the number of rows of each stream in the warehouse."""
    with duckdb.connect(str(warehouse), read_only=True) as database:
        return {
            stream: database.execute(
                f'select count(*) from "{SCHEMA}"."{stream}"'  # noqa: S608 - names of this program
            ).fetchall()[0][0]
            for stream in expected
        }


def main() -> int:
    """Run the tap and the loader. Return 0 if every row arrived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", choices=LOADERS, default="target-dlt")
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--latency", type=float, default=0, help="seconds before each response")
    options = parser.parse_args()
    sizes = [f"--users={options.conversations // 3}", f"--conversations={options.conversations}"]
    sizes += [f"--messages={options.messages}", f"--latency={options.latency}"]
    with ExitStack() as stack:
        url = stack.enter_context(sandbox(*sizes))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        expected: dict[str, int] = steer(url)["rows"]  # generate the data before the measurement
        warehouse = folder / "warehouse.duckdb"
        config = folder / "config.json"
        config.write_text(json.dumps(config_of(url) | {"max_workers": options.workers}))
        settings = folder / "loader.json"
        given = (
            {"credentials": str(warehouse), "destination": "duckdb", "dataset_name": SCHEMA}
            if options.to == "target-dlt"
            else {"filepath": str(warehouse), "default_target_schema": SCHEMA}
        )
        settings.write_text(json.dumps(given))
        loader = LOADERS[options.to]
        errors = (folder / "errors.txt").open("wb")
        tap = Popen(
            [str(BIN / "tap-chat"), "--config", str(config)],
            stdout=PIPE if loader else DEVNULL,
            stderr=errors,
        )
        processes = [tap]
        if loader:
            command = [*loader, "--config", str(settings)]
            processes.append(Popen(command, stdin=tap.stdout, stdout=DEVNULL, stderr=errors))
            tap.stdout.close()  # type: ignore[union-attr]  # a pipe, which the loader has now
        watch = Watch(url, processes)
        seconds = watch.run()
        codes = [process.returncode for process in processes]
        rows = f"{sum(expected.values()):,} rows, {watch.samples[-1].requests:,} requests"
        title = f"{options.to}, {options.workers} workers: {rows}, {seconds:.0f} s"
        Console(width=110).print(table_of(title, watch.samples))
        if any(codes):
            print(f"Exit codes {codes}. {(folder / 'errors.txt').read_text()[-2000:]}")
            return 1
        if not loader:
            return 0
        found = loaded(warehouse, expected)
        wrong = {name: found[name] for name in expected if found[name] != expected[name]}
        print(f"Missing or surplus rows: {wrong or 'none'}.")
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
