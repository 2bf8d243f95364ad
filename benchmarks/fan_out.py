"""Read Freshchat's conversations into a file: speed, rate limits, and repeated requests.

Requests per second count from the first to the last request, without the start of the program. The
sandbox runs on the same machine, so a bare client shows the upper bound. The machine is noisy.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, run
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))

from demo import BIN, sandbox

from tap_chat.sandbox import API_KEY

HERE = Path(__file__).parent

# A small process in between: the kernel starts the peak memory of a child at that of its parent.
MEASURE = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss]), file=sys.stderr)
"""
BARE_REQUESTS = 5000
BARE = """
import http.client, sys, threading
def ask(count):
    connection = http.client.HTTPConnection(sys.argv[1])
    for _ in range(count):
        connection.request("GET", sys.argv[2], headers={"Authorization": "Bearer " + sys.argv[3]})
        connection.getresponse().read()
threads = [threading.Thread(target=ask, args=(int(sys.argv[4]) // 16,)) for _ in range(16)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
"""


@dataclass(frozen=True)
class Outcome:
    """The cost of a run.

    Attributes:
        code: The exit code.
        seconds: The time from the first to the last request.
        cpu: The CPU seconds, with the start of the program.
        memory: The peak memory, in MiB.
        requests: The number of requests.
        refused: The number of requests that returned 429.
        records: The number of RECORD lines.
        state: The size of the largest STATE line, in bytes.
        states: The share of STATE lines in the bytes of the output.
    """

    code: int
    seconds: float
    cpu: float
    memory: int
    requests: int
    refused: int
    records: int
    state: int
    states: float

    @property
    def rate(self) -> float:
        """Accepted requests per second."""
        return (self.requests - self.refused) / self.seconds


def steer(url: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Change options of a sandbox, if any, and return its report."""
    data = json.dumps(changes).encode() if changes else None
    request = Request(  # noqa: S310 - a local address
        f"{url}/_sandbox", data, method="PATCH" if changes else "GET"
    )
    with urlopen(request) as answer:  # noqa: S310
        report: dict[str, Any] = json.load(answer)
    return report


def measured(url: str, command: list[str], latency: float, **options: Any) -> Outcome:  # noqa: ANN401
    """Run a command against a sandbox with these options."""
    before = steer(url, **{"latency": latency, "rate_limit": None} | options)
    with TemporaryDirectory() as folder:
        out = Path(folder, "out")
        with out.open("wb") as file:
            told = run(
                [sys.executable, "-c", MEASURE, *command], stdout=file, stderr=PIPE, check=True
            )
        code, cpu, memory = json.loads(told.stderr)
        with out.open("rb") as lines:
            sizes = [(line[:16], len(line)) for line in lines]
    after = steer(url)
    states = [size for start, size in sizes if start.startswith(b'{"type":"STATE"')]
    return Outcome(
        code=code,
        seconds=after["busy"],
        cpu=cpu,
        memory=memory // 1024,
        requests=after["requests"] - before["requests"],
        refused=after["refused"] - before["refused"],
        records=sum(start.startswith(b'{"type":"RECORD"') for start, _ in sizes),
        state=max(states, default=0),
        states=sum(states) / max(1, sum(size for _, size in sizes)),
    )


class Bench:
    """The measured programs, each with its config.

    Args:
        url: The URL of the sandbox.
        folder: A folder for configs.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder

    def tap(self, workers: int, state: Path | None = None, **freshchat: Any) -> list[str]:  # noqa: ANN401
        """Return the command of tap-chat."""
        section = {"api_url": f"{self.url}/v2", "api_key": API_KEY, **freshchat}
        config = self.folder / f"config-{workers}.json"
        config.write_text(json.dumps({"max_workers": workers, "freshchat": section}))
        given = ["--state", str(state)] if state else []
        return [str(BIN / "tap-chat"), "--config", str(config), *given]

    def plain(self) -> list[str]:
        """Return the command of the plain SDK tap."""
        config = self.folder / "plain.json"
        config.write_text(json.dumps({"freshchat_url": f"{self.url}/v2", "api_key": API_KEY}))
        return [sys.executable, str(HERE / "plain_tap.py"), "--config", str(config)]

    def dlt(self, workers: int) -> list[str]:
        """Return the command of the dlt pipeline."""
        return [sys.executable, str(HERE / "dlt_rest.py"), f"{self.url}/v2", str(workers)]

    def bare(self) -> list[str]:
        """Return the command of a client that only sends requests."""
        host = self.url.removeprefix("http://")
        arguments = [host, "/v2/channels?items_per_page=10", API_KEY, str(BARE_REQUESTS)]
        return [sys.executable, "-c", BARE, *arguments]


def add(table: Table, name: str, latency: float, outcome: Outcome, least: float = 0) -> None:
    """Add a row. `least` is the shortest possible time, in seconds."""
    table.add_row(
        name,
        f"{latency * 1000:.0f}",
        f"{outcome.requests:,}",
        f"{outcome.refused}",
        f"{outcome.seconds:.1f}",
        f"{outcome.rate:,.0f}",
        f"{least / outcome.seconds:.0%}" if least else "",
        f"{outcome.cpu:.1f}",
        f"{outcome.memory}",
        f"{outcome.state:,}",
        f"{outcome.states:.2%}",
        "" if outcome.code == 0 else f"exit {outcome.code}",
    )


def speed(bench: Bench, table: Table, arguments: argparse.Namespace) -> None:
    """Measure requests per second by latency and workers, also for other programs."""
    add(table, "bare http.client, 16 threads", 0, measured(bench.url, bench.bare(), 0))
    for latency in arguments.latencies:
        for workers in arguments.workers:
            outcome = measured(bench.url, bench.tap(workers), latency)
            least = outcome.requests * latency / workers
            add(table, f"tap-chat, {workers} workers", latency, outcome, least)
        if arguments.rivals:
            add(
                table,
                "dlt rest_api, 64 workers",
                latency,
                measured(bench.url, bench.dlt(64), latency),
            )
    if arguments.rivals:
        add(table, "plain SDK tap", 0, measured(bench.url, bench.plain(), 0))


def limit(bench: Bench, table: Table, _: argparse.Namespace) -> None:
    """Measure how well the tap uses a rate limit, with and without the setting for it."""
    for allowed, window, setting in ((50, 1.0, 3000), (50, 1.0, None), (600, 60.0, 600)):
        command = bench.tap(16, requests_per_minute=setting)
        options = {"rate_limit": allowed, "rate_window": window}
        outcome = measured(bench.url, command, 0.02, **options)
        windows = -(-(outcome.requests - outcome.refused) // allowed) - 1
        name = f"{allowed} in {window:.0f} s, {'set' if setting else 'unset'}"
        add(table, name, 0.02, outcome, windows * window)


def killed(bench: Bench, table: Table, _: argparse.Namespace) -> None:
    """Kill a run half-way, and measure the next one."""
    for latency in (0.0, 0.1):
        whole = measured(bench.url, bench.tap(64), latency)
        add(table, "whole", latency, whole)
        begun = steer(bench.url, latency=latency)["requests"]
        state = bench.folder / "state.json"
        with Popen(bench.tap(64), stdout=PIPE, stderr=DEVNULL) as process:
            asked = 0
            for number, line in enumerate(process.stdout or ()):
                if line.startswith(b'{"type":"STATE"'):
                    state.write_bytes(json.dumps(json.loads(line)["value"]).encode())
                if number % 100 == 0:
                    asked = steer(bench.url)["requests"] - begun
                if asked >= whole.requests / 2:
                    process.kill()
                    break
        rest = measured(bench.url, bench.tap(64, state), latency)
        add(table, f"rerun, {rest.requests / whole.requests:.0%} of it", latency, rest)


def growth(bench: Bench, table: Table, _: argparse.Namespace) -> None:
    """Measure ten times the conversations: compare runs with --scale 0.1 and 1."""
    add(table, "tap-chat, 16 workers", 0, measured(bench.url, bench.tap(16), 0))


PARTS = {"speed": speed, "limit": limit, "killed": killed, "growth": growth}


def main() -> None:
    """Run the named parts, and print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--scale", type=float, default=1, help="1: 1,000 users, 3,000 conversations"
    )
    parser.add_argument("--latencies", type=float, nargs="*", default=[0, 0.02, 0.1])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 16, 64, 256])
    parser.add_argument(
        "--rivals", action="store_true", help="also run dlt and a plain tap (7 minutes)"
    )
    arguments = parser.parse_args()
    sizes = [f"--users={1000 * arguments.scale:.0f}"]
    sizes += [f"--conversations={3000 * arguments.scale:.0f}"]
    with sandbox(*sizes) as url, TemporaryDirectory() as folder:
        for name in arguments.parts:
            table = Table(title=f"{name}, scale {arguments.scale:g}")
            columns = "run ms requests 429 seconds req/s least CPU MiB STATE STATEs note"
            for column in columns.split():
                table.add_column(column, justify="left" if column == "run" else "right")
            PARTS[name](Bench(url, Path(folder)), table, arguments)
            Console(width=130).print(table)


if __name__ == "__main__":
    main()
