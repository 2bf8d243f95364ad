"""Measure a full run of each platform: requests, seconds, memory and the size of the STATE.

The tap reads from the sandbox to a pipe, at 0 and at 100 ms latency. The machine is noisy.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))

from demo import BIN, config_of, sandbox

MEASURED = (
    "import resource, subprocess, sys;"
    "code = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode;"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr);"
    "sys.exit(code)"
)


def steer(url: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Change options of a sandbox, and return its report."""
    request = Request(  # noqa: S310 - a local address
        f"{url}/_sandbox", json.dumps(changes).encode(), method="PATCH"
    )
    with urlopen(request) as answer:  # noqa: S310
        report: dict[str, Any] = json.load(answer)
    return report


def run(config: dict[str, Any]) -> tuple[float, int, int, int]:
    """Run the tap. Return seconds, records, peak MiB, and bytes of the largest STATE line."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "config.json")
        path.write_text(json.dumps(config))
        command = [sys.executable, "-c", MEASURED, str(BIN / "tap-chat"), "--config", str(path)]
        start = time.perf_counter()
        records, state = 0, 0
        with Popen(command, stdout=PIPE, stderr=PIPE) as process:
            for line in process.stdout or ():
                records += line.startswith(b'{"type":"RECORD"')
                if line.startswith(b'{"type":"STATE"'):
                    state = max(state, len(line))
            memory = int((process.stderr or sys.stderr).read())
        return time.perf_counter() - start, records, memory // 1024, state


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=1)
    scale = parser.parse_args().scale
    sizes = {
        "messages": 10_000,
        "users": 100,
        "conversations": 300,
        "dixa-conversations": 10_000,
        "chats": 2_000,
    }
    table = Table(title=f"A full run of each platform, scale {scale}")
    for column in ("platform", "latency", "requests", "records", "seconds", "peak MiB", "STATE B"):
        table.add_column(column, justify="left" if column == "platform" else "right")
    with sandbox(*(f"--{name}={size * scale}" for name, size in sizes.items())) as url:
        whole = config_of(url)
        for section in ("chat", "freshchat", "dixa", "livechat"):
            config = {"start_date": whole["start_date"], section: whole[section]}
            for latency in (0.0, 0.1):
                before = steer(url, latency=latency)["requests"]
                seconds, records, memory, state = run(config)
                requests = steer(url, latency=0)["requests"] - before
                table.add_row(
                    section,
                    f"{latency * 1000:.0f} ms",
                    f"{requests:,}",
                    f"{records:,}",
                    f"{seconds:.1f}",
                    f"{memory}",
                    f"{state:,}",
                )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
