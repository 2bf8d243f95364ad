"""Measure records per second of tap-chat and a plain SDK tap, from the sandbox to /dev/null.

Both read the same data from the same sandbox, in turn. The machine is noisy: compare the ratio.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from tap_chat.sandbox import API_KEY

BIN = Path(sys.executable).parent
HERE = Path(__file__).parent


def measured(command: list[str]) -> tuple[float, float]:
    """Run a command to /dev/null. Return its wall clock and CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def main() -> None:
    """Run the benchmark, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    served = [str(BIN / "tap-chat-sandbox"), "--messages", str(arguments.messages)]
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            served, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as sandbox,
    ):
        url = sandbox.stdout.readline().strip()  # type: ignore[union-attr]  # a pipe
        section = {"api_url": url, "api_key": API_KEY}
        plain = {"plain SDK tap": ([sys.executable, str(HERE / "plain_tap.py")], section)}
        taps: dict[str, tuple[list[str], dict[str, Any]]] = {
            **plain,
            "tap-chat": ([str(BIN / "tap-chat")], {"chat": section}),
        }
        best: dict[str, tuple[float, float]] = {}
        for _ in range(arguments.rounds):
            for name, (command, config) in taps.items():
                path = Path(folder, "config.json")
                path.write_text(json.dumps(config))
                run = measured([*command, "--config", str(path)])
                best[name] = min(best.get(name, run), run)
        sandbox.terminate()

    table = Table(title=f"{arguments.messages:,} messages to /dev/null, best of {arguments.rounds}")
    for column in ("tap", "seconds", "records/s", "CPU seconds", "ratio of records/s"):
        table.add_column(column, justify="left" if column == "tap" else "right")
    slowest = max(wall for wall, _ in best.values())
    for name, (wall, cpu) in best.items():
        rate = arguments.messages / wall
        table.add_row(name, f"{wall:.2f}", f"{rate:,.0f}", f"{cpu:.2f}", f"{slowest / wall:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
