"""Measure each stream of some platforms alone: requests, records and seconds of a full run.

The tap reads from the sandbox to a pipe, at 0 and at 100 ms latency. A stream that is read through
another includes the requests of that one. The machine is noisy.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))

from demo import BIN, config_of, sandbox

from benchmarks.fan_out import steer

SIZES = {
    "messages": 1_000,
    "users": 100,
    "conversations": 300,
    "dixa-conversations": 2_000,
    "chats": 2_000,
}


def discovered(config: Path) -> dict[str, Any]:
    """Return the catalog of a config."""
    found = subprocess.check_output([str(BIN / "tap-chat"), "--config", str(config), "--discover"])
    catalog: dict[str, Any] = json.loads(found)
    return catalog


def only(catalog: dict[str, Any], stream: str) -> dict[str, Any]:
    """Return a catalog that selects one stream."""
    for entry in catalog["streams"]:
        [metadata] = [part for part in entry["metadata"] if not part["breadcrumb"]]
        metadata["metadata"]["selected"] = entry["tap_stream_id"] == stream
    return catalog


def run(config: Path, catalog: Path) -> tuple[float, int]:
    """Run the tap. Return seconds and records."""
    command = [str(BIN / "tap-chat"), "--config", str(config), "--catalog", str(catalog)]
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    records = sum(line.startswith(b'{"type":"RECORD"') for line in done.stdout.splitlines())
    return time.perf_counter() - start, records


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", default=["freshchat", "dixa", "livechat"])
    sections = parser.parse_args().sections
    table = Table(title="A full run of each stream alone")
    for column in ("stream", "requests", "records", "s at 0 ms", "s at 100 ms"):
        table.add_column(column, justify="left" if column == "stream" else "right")
    options = [f"--{name}={size}" for name, size in SIZES.items()]
    with sandbox(*options) as url, TemporaryDirectory() as folder:
        whole = config_of(url)
        for section in sections:
            config, catalog = Path(folder, "config.json"), Path(folder, "catalog.json")
            config.write_text(
                json.dumps({"start_date": whole["start_date"], section: whole[section]})
            )
            streams = discovered(config)
            for stream in [entry["tap_stream_id"] for entry in streams["streams"]]:
                catalog.write_text(json.dumps(only(streams, stream)))
                before = steer(url, latency=0.0)["requests"]
                seconds, records = run(config, catalog)
                requests = steer(url, latency=0.1)["requests"] - before
                delayed, _ = run(config, catalog)
                table.add_row(
                    stream, f"{requests:,}", f"{records:,}", f"{seconds:.1f}", f"{delayed:.1f}"
                )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
